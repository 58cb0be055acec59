"""A pipeline over a log that answers late: what waits for it, and what does not."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from tests.broker.dialogue import NOON, Broker, Json, Peer, codes
from tests.broker.team import Team, key, who_is
from zchat.broker import sharing
from zchat.broker.core.effects import Publish
from zchat.broker.core.entries import Draft, Entry, Outcome, Refusal, Stored
from zchat.broker.log import LocalLog
from zchat.broker.sharing import PATIENCE, SharedPipeline
from zchat.protocol import messages as m


class LateLog(LocalLog):
    """A log that answers when it is told to."""

    waiting: deque[Callable[[], None]]
    epoch, time, why = 1, 0.0, ""

    def append(self, drafts: list[Entry], wall: float, settled: Callable[[list[Outcome]], None]) -> tuple[()]:
        outcomes = self.write(drafts, wall)
        self.waiting.append(lambda: settled(outcomes))
        return ()

    def answer_one(self) -> None:
        self.waiting.popleft()()


def slow(broker: Broker) -> tuple[SharedPipeline, LateLog]:
    """Give a broker that is at rest a log that answers when it is told to."""
    log = LateLog(broker.store)
    log.waiting = deque()
    log.members = broker.log.members
    pipeline = SharedPipeline(broker.hub, log)
    broker.log, broker.pipeline = log, pipeline
    pipeline.on_commit = broker.carry
    return pipeline, log


def late() -> tuple[Broker, LateLog]:
    broker = Broker()
    _, log = slow(broker)
    return broker, log


def test_nothing_that_was_said_is_told_before_the_log_has_answered_and_in_order_then() -> None:
    broker, log = late()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    assert alice.say("first") == alice.say("second") == []
    assert broker.heard("general") == []
    log.answer_one()
    assert [ack["n"] for ack in alice.read()] == [1]
    assert [event["text"] for event in broker.heard("general")] == ["first"]
    assert codes(bob.ask("who", nick="alice")) == ["roster"]
    log.answer_one()
    assert [ack["n"] for ack in alice.read()] == [2]


def test_pings_and_what_others_ask_are_answered_meanwhile_and_what_one_asks_is_held() -> None:
    broker, log = late()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.say("first")
    (pong,) = alice.ask("ping")
    assert (pong["type"], pong["n"]) == ("pong", 0)
    assert codes(bob.ask("join", room="general")) == ["joined"]
    assert alice.ask("join", room="general") == []
    assert alice.say("second") == [], "held behind the join, since its answer stands before"
    assert codes(alice.ask("ping")) == ["pong"]
    assert [event["nick"] for event in broker.heard("general", "joined")] == ["bob"]
    assert len(log.waiting) == 1
    log.answer_one()
    assert codes(alice.read()) == ["ack", "joined"]
    log.answer_one()
    assert codes(alice.read()) == ["ack"]
    assert not broker.pipeline._lines  # type: ignore[attr-defined]  # nothing is kept of who waits for nothing


def test_what_is_repeated_or_comes_too_early_is_answered_behind_what_is_on_its_way() -> None:
    broker, log = late()
    alice = broker.hello("alice")
    alice.say("first")
    alice.ask("say", n=1, room="general", text="first")
    alice.ask("say", n=3, room="general", text="third")
    assert alice.read() == []
    log.answer_one()
    assert [(line.get("code", line["type"]), line["n"]) for line in alice.read()] == [
        ("ack", 1),
        ("ack", 1),
        ("out_of_order", 3),
    ]


def test_questions_that_were_held_for_too_long_are_answered() -> None:
    broker, log = late()
    alice = broker.hello("alice")
    alice.say("first")
    alice.ask("join", room="general")
    alice.ask("rooms", ref="r")
    pipeline = broker.pipeline
    assert isinstance(pipeline, SharedPipeline)
    for now in (PATIENCE - 0.1, PATIENCE + 0.1):
        broker.now = now
        alice.ask("history", room="general", ref=f"at {now}")
        pipeline.tick(now, now)
        broker.carry()
        assert [(line["code"], line["ref"]) for line in alice.read()] == [("unavailable", "r")] * (now > PATIENCE)
    log.answer_one()
    assert codes(alice.read()) == ["ack", "joined", "history", "history"]


def test_whoever_sends_too_much_behind_what_is_on_its_way_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "HELD_COMMANDS", 10)
    broker, _ = late()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.say("first")
    for _ in range(10):
        alice.ask("rooms")
        bob.ask("rooms")
    assert broker.pipeline.slow == []
    alice.ask("rooms")
    assert broker.pipeline.slow == [alice.id]
    monkeypatch.setattr(sharing, "HELD_BYTES", 1_000)
    bob.say("second")
    bob.ask("search", text="x" * 1_000)
    assert broker.pipeline.slow == [alice.id, bob.id]


def test_who_is_dropped_meanwhile_leaves_behind_what_they_had_said() -> None:
    broker, log = late()
    alice = broker.hello("alice")
    alice.ask("join", room="general")
    broker.heard("general")
    alice.say("last words")
    alice.ask("who")
    alice.read()
    broker.pipeline.remove(alice.id, "timeout")
    broker.carry()
    assert [event["type"] for event in broker.heard("general")] == ["left"]
    assert codes(alice.read()) == ["bye"]
    log.answer_one()
    assert [event["type"] for event in broker.heard("general")] == ["message"]
    assert alice.read() == [], "its id may be another's by now"


def test_in_a_frame_too_many_texts_for_one_post_become_several_drafts() -> None:
    broker, log = late()
    alice = broker.hello("alice")
    said = [alice.line("say", n=n, room="general", text="x" * 4_000) for n in range(1, 201)]
    broker.take((alice.id, b"\n".join(said)))
    assert len(log.waiting) == 1
    log.answer_one()
    assert [ack["n"] for ack in alice.read()] == list(range(1, 201))


def test_nobody_decides_as_of_before_the_clock_of_the_log() -> None:
    team = Team()
    bob = team.member("bob")
    _, log = slow(team)

    def said(peer: Peer, type_: str, **fields: Any) -> list[Json]:
        peer.ask(type_, **fields)
        log.answer_one()
        return peer.read()

    said(team.olga, "mute", **{"n": team.olga.n + 1, "from": who_is(bob), "until": "2026-11-22T05:31:00Z"})
    bob.read()
    assert codes(said(bob, "say", n=1, room="general", text="not yet")) == ["muted"]
    log.time = NOON + 61.0
    assert codes(said(bob, "say", n=2, room="general", text="now")) == ["ack"]
    said(team.olga, "ban", **{"n": team.olga.n + 2, "from": who_is(bob), "until": "2026-11-22T05:32:00Z"})
    hello = {"protocol": 1, "nick": "bob", "device": "again"}
    assert codes(team.at(key("bob")).ask("hello", **hello)) == ["banned"]
    log.time = NOON + 121.0
    assert codes(team.at(key("bob")).ask("hello", **hello))[-1] == "welcome"


def test_the_log_may_tell_of_a_producer_that_nobody_here_knows() -> None:
    broker = Broker()
    draft = Draft("f" * 16, "fay", [m.Say(n=1, text="from elsewhere", room="general")], "general")
    (told,) = broker.hub.settle(draft, Stored(7, [b"{}"]))
    assert told == Publish(b"", [], "general", [b"{}"])
    assert broker.hub.head == broker.hub.roster.rooms["general"].head == 7
    private = Draft("f" * 16, "fay", [m.Say(n=2, text="psst", to="bob")], None, ("e" * 16, "f" * 16), "bob")
    assert broker.hub.settle(private, Stored(8, [b"{}"])) == []
    assert broker.hub.settle(Refusal("f" * 16, [m.Say(n=3, text="")], m.Error(code="bad_text", message="")), None) == []
