"""A thread, some kinds of events, the messages as they are now: what `history` gives of them, and to whom."""

import json
import random
import tracemalloc
from typing import cast

import pytest

from tests.broker.dialogue import Broker, Json, Peer
from tests.broker.team import Team, do
from zchat.broker.core.effects import Query
from zchat.broker.store import Reader
from zchat.protocol import messages as m
from zchat.protocol import wire


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def alice(broker: Broker) -> Peer:
    return broker.hello("alice")


def say(peer: Peer, text: str, **fields: object) -> int:
    seq: int = do(peer, "say", **({"room": "general"} | fields), text=text)["seq"]
    return seq


def page(peer: Peer, **fields: object) -> Json:
    return next(line for line in peer.ask("history", **({"room": "general"} | fields)) if line["type"] == "history")


def seqs(peer: Peer, **fields: object) -> list[int]:
    return [event["seq"] for event in page(peer, **fields)["events"]]


def test_a_thread_is_its_root_its_answers_and_what_was_done_to_them(alice: Peer) -> None:
    root, other = say(alice, "root"), say(alice, "other")
    answer = say(alice, "answer", reply_to=root)
    deep = say(alice, "deep", reply_to=answer)
    edit = do(alice, "edit", seq=answer, text="better")["seq"]
    do(alice, "react", seq=other, emoji="👍")
    nod = do(alice, "react", seq=root, emoji="👍")["seq"]
    assert seqs(alice, thread=root) == [root, answer, deep, edit, nod]
    assert seqs(alice, thread=root, kinds=["message"]) == [root, answer, deep]
    assert seqs(alice, thread=other) == [other, other + 4]
    assert seqs(alice, thread=99) == []


def test_a_page_has_only_the_kinds_that_are_wanted(alice: Peer) -> None:
    for number in range(50):
        say(alice, f'"type":"pin" {number}')
    pins = [do(alice, "pin", seq=seq)["seq"] for seq in (3, 7)]
    for number in range(50):
        say(alice, f"{number}")
    pins += [do(alice, "pin", seq=9)["seq"]]
    assert page(alice, kinds=["pin"])["more"] is False
    assert seqs(alice, kinds=["pin"]) == pins
    assert seqs(alice, kinds=["pin"], limit=2) == pins[1:]
    assert page(alice, kinds=["pin"], limit=2)["more"] is True
    assert seqs(alice, kinds=["pin"], before=pins[2]) == pins[:2]
    first = page(alice, kinds=["pin"], after=0, limit=1)
    assert ([event["seq"] for event in first["events"]], first["upto"], first["more"]) == (pins[:1], pins[0], True)
    last = page(alice, kinds=["pin"], after=pins[0])
    assert ([event["seq"] for event in last["events"]], last["upto"], last["more"]) == (pins[1:], pins[2], False)
    assert seqs(alice, kinds=["poll"]) == []
    assert seqs(alice, kinds=["pin"], since="2026-11-22T05:29:00Z", limit=1) == pins[:1]


def test_of_what_was_stored_together_only_the_wanted_kinds_are_told_in_both_directions(alice: Peer) -> None:
    root = say(alice, "root")
    edits = [alice.line("edit", n=n, seq=root, text="x") for n in (2, 4, 6)]
    said = [alice.line("say", n=n, room="general", text="x") for n in (3, 5)]
    alice.send(edits[0], said[0], edits[1], said[1], edits[2])
    assert seqs(alice, kinds=["edit"]) == [2, 4, 6]
    assert seqs(alice, kinds=["edit"], limit=2) == [4, 6]
    assert seqs(alice, kinds=["edit"], before=6) == [2, 4]
    assert seqs(alice, kinds=["edit"], after=2) == [4, 6]
    assert seqs(alice, kinds=["message"], after=3) == [5]
    assert seqs(alice, current=True, kinds=["edit"]) == [1, 3, 5]


def test_current_messages_have_their_last_text_and_what_is_in_force(broker: Broker, alice: Peer) -> None:
    bob = broker.hello("bob")
    seq, gone = say(alice, "hello"), say(alice, "gone")
    say(bob, "answer", reply_to=seq)
    for text in ("hello all", "hello you"):
        broker.now += 60
        do(alice, "edit", seq=seq, text=text)
    for peer, emoji in ((alice, "👍"), (bob, "👍"), (bob, "👎")):
        do(peer, "react", seq=seq, emoji=emoji)
    do(bob, "react", seq=seq, emoji="👎", off=True)
    do(bob, "pin", seq=seq)
    do(alice, "edit", seq=gone, text="gone, too")
    do(alice, "delete", seq=gone)
    first, stone, answer = page(alice, current=True)["events"]
    assert (first["text"], first["answers"], first["pinned"]) == ("hello you", 1, True)
    assert (first["time"][11:19], first["edited"][11:19]) == ("05:30:00", "05:32:00")
    assert [(one["emoji"], one["nick"]) for one in first["reactions"]] == [("👍", "alice"), ("👍", "bob")]
    assert (stone["type"], stone["seq"]) == ("tombstone", gone)
    assert (answer["text"], answer["thread"]) == ("answer", seq)
    assert seqs(alice, current=True, kinds=["pin"]) == [seq]


def test_a_page_of_current_messages_is_the_fold_of_all_events(broker: Broker) -> None:
    """Whatever was done, in whatever order: the broker's tables and the clients' `fold` come to the same."""
    chance = random.Random(5)
    people = [broker.hello(nick) for nick in ("alice", "bob", "carol")]
    for _ in range(400):
        peer, seq = chance.choice(people), chance.randrange(1, 300)
        fields: Json = chance.choice(
            [
                {"type_": "say", "room": "general", "text": "said"},
                {"type_": "say", "room": "general", "text": "answer", "reply_to": seq},
                {"type_": "edit", "seq": seq, "text": f"edited {seq}"},
                {"type_": "react", "seq": seq, "emoji": chance.choice("ab"), "off": chance.random() < 0.3},
                {"type_": "pin", "seq": seq, "off": chance.random() < 0.3},
                *([{"type_": "delete", "seq": seq}] if chance.random() < 0.2 else []),
            ]
        )
        do(peer, fields.pop("type_"), **fields)
    picture: m.Picture = {}
    for event in page(people[0])["events"]:
        m.fold(picture, cast(m.Event, wire.event(json.dumps(event).encode())))
    now = page(people[0], current=True)["events"]
    assert [event["seq"] for event in now] == sorted(picture)
    for event in now:
        item = picture[event["seq"]]
        assert event.get("text", "") == item.text
        assert event.get("edited") == item.edited
        assert event.get("pinned", False) == item.pinned
        given: dict[str, dict[str, str]] = {}
        for one in event.get("reactions", []):
            given.setdefault(one["emoji"], {})[one["from"]] = one["nick"]
        assert given == item.reactions
        if event["type"] == "message":
            assert event.get("answers", 0) == len(item.answers)


def test_pages_of_current_messages_join_without_gap_or_repeat(alice: Peer) -> None:
    for number in range(30):
        seq = say(alice, f"{number}")
        do(alice, "edit", seq=seq, text=f"{number}, better")
    found: list[int] = []
    mark, more = 0, True
    while more:
        answer = page(alice, current=True, after=mark, limit=7)
        found += [event["seq"] for event in answer["events"]]
        mark, more = answer["upto"], answer["more"]
    assert found == list(range(1, 61, 2))
    back = page(alice, current=True, before=found[20], limit=5)
    assert ([event["seq"] for event in back["events"]], back["more"]) == (found[15:20], True)


def test_a_thread_of_where_one_may_not_read_is_empty() -> None:
    team = Team()
    ann, bob, eve = team.member("ann"), team.member("bob"), team.member("eve")
    do(ann, "access", room="+den", mode="private")
    hidden = say(ann, "hush", room="+den")
    talk: int = do(ann, "say", to="bob", text="psst")["seq"]
    do(bob, "say", to="ann", text="what?", reply_to=talk)
    say(eve, "hi")
    for seq in (hidden, talk):
        assert seqs(eve, thread=seq) == []
        assert seqs(eve, thread=seq, current=True) == []
    assert page(eve, room=None, to="bob", thread=talk)["events"] == []
    assert len(page(ann, room=None, to="bob", thread=talk)["events"]) == 2


def test_the_answers_of_a_message_are_counted_by_the_database(broker: Broker, alice: Peer) -> None:
    root = say(alice, "root")
    for start in range(0, 4_000, 1_000):
        numbers = range(alice.n + 1 + start, alice.n + 1_001 + start)
        alice.send(*(alice.line("say", n=n, room="general", text="x", reply_to=root) for n in numbers))
    query = Query(peer=b"", ref=None, asked=0.0, room="general", after=0, limit=1, current=True)
    reader = Reader(broker.store.path, broker.store.connection)
    assert b'"answers":4000' in reader.history(query).events
    tracemalloc.start()
    reader.history(query)
    assert tracemalloc.get_traced_memory()[1] < 300_000
    tracemalloc.stop()
