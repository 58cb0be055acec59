"""A batch in two halves: what a log that answers late changes, which is nothing but the time."""

from collections import deque
from collections.abc import Callable

from tests.broker.dialogue import Broker, codes
from zchat.broker.core.effects import Draft, Entry, Outcome, Publish, Refusal, Stored
from zchat.broker.log import LocalLog
from zchat.protocol import messages as m


class LateLog(LocalLog):
    """A log that answers when it is told to."""

    waiting: deque[Callable[[], None]]

    def append(self, drafts: list[Entry], wall: float, settled: Callable[[list[Outcome]], None]) -> None:
        outcomes = self.write(drafts, wall)
        self.waiting.append(lambda: settled(outcomes))

    def answer_one(self) -> None:
        self.waiting.popleft()()


def late() -> tuple[Broker, LateLog]:
    broker = Broker()
    log = LateLog(broker.store)
    log.waiting = deque()
    broker.log = broker.pipeline.log = log
    broker.pipeline.on_commit = broker.carry
    return broker, log


def test_nothing_is_told_before_the_log_has_answered_and_all_of_it_in_order_then() -> None:
    broker, log = late()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    assert alice.say("first") == alice.say("second") == []
    assert alice.ask("ping") == bob.ask("ping") == []
    assert broker.heard("general") == []
    log.answer_one()
    assert codes(alice.read()) == ["ack"]
    assert [event["text"] for event in broker.heard("general")] == ["first"]
    assert bob.read() == []
    log.answer_one()
    ack, pong = alice.read()
    assert (ack["n"], pong["n"]) == (2, 2)
    assert codes(bob.read()) == ["pong"]


def test_who_is_dropped_meanwhile_leaves_behind_what_they_had_said() -> None:
    broker, log = late()
    alice = broker.hello("alice")
    alice.ask("join", room="general")
    broker.heard("general")
    alice.say("last words")
    broker.pipeline.remove(alice.id, "timeout")
    broker.carry()
    assert broker.heard("general") == []
    log.answer_one()
    assert [event["type"] for event in broker.heard("general")] == ["message", "left"]


def test_the_log_may_tell_of_a_producer_that_nobody_here_knows() -> None:
    broker = Broker()
    draft = Draft("f" * 16, "fay", [m.Say(n=1, text="from elsewhere", room="general")], "general")
    (told,) = broker.hub.settle(draft, Stored(7, [b"{}"]))
    assert told == Publish(b"", [], "general", [b"{}"])
    assert broker.hub.head == broker.hub.roster.rooms["general"].head == 7
    private = Draft("f" * 16, "fay", [m.Say(n=2, text="psst", to="bob")], None, ("e" * 16, "f" * 16), "bob")
    assert broker.hub.settle(private, Stored(8, [b"{}"])) == []
    assert broker.hub.settle(Refusal("f" * 16, [m.Say(n=3, text="")], m.Error(code="bad_text", message="")), None) == []
