"""What is done to messages: edits, deletions, reactions, pins, threads; who may, and what the log keeps of it."""

import dataclasses

import pytest

from tests.broker.dialogue import Broker, Json, Peer, codes
from tests.broker.team import Team
from tests.broker.team import do as _do
from zchat.protocol import messages as m


def do(peer: Peer, type_: str, **fields: object) -> Json:
    """Do something numbered; return the answer."""
    answer = _do(peer, type_, **fields)
    return {name: value for name, value in answer.items() if value != ""}


def code(peer: Peer, type_: str, **fields: object) -> str:
    """Do something numbered; return `ack`, or the code of the error."""
    return codes([do(peer, type_, **fields)])[0]


def logged(reader: Peer) -> list[Json]:
    """Return what the log has of the room, as a reader gets it."""
    (answer,) = reader.ask("history", room="general")
    return [
        {name: event[name] for name in event if name not in {"prev", "room", "time", "from", "nick", "kind"}}
        for event in answer["events"]
    ]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def alice(broker: Broker) -> Peer:
    peer = broker.hello("alice")
    peer.say("hello")
    return peer


def test_an_edit_is_an_event_and_the_text_before_it_stays(broker: Broker, alice: Peer) -> None:
    assert do(alice, "edit", seq=1, text="hello all") == {"type": "ack", "n": 2, "seq": 2}
    assert logged(alice) == [
        {"type": "message", "seq": 1, "text": "hello"},
        {"type": "edit", "seq": 2, "target": 1, "text": "hello all"},
    ]


def test_what_is_deleted_leaves_a_tombstone_and_so_do_its_edits(broker: Broker, alice: Peer) -> None:
    do(alice, "edit", seq=1, text="hello all")
    assert code(alice, "delete", seq=1, reason="wrong room") == "ack"
    by = logged(alice)[0]["by"]
    assert logged(alice) == [
        {"type": "tombstone", "seq": 1, "by": by},
        {"type": "tombstone", "seq": 2, "by": by, "target": 1},
        {"type": "delete", "seq": 3, "target": 1, "by": by, "reason": "wrong room"},
    ]
    assert [event["prev"] for event in alice.ask("history", room="general")[0]["events"]] == [0, 1, 2]


@pytest.mark.parametrize("command", [{"type_": "edit", "text": "x"}, {"type_": "delete"}, {"type_": "pin"}])
def test_what_is_not_there_is_a_bad_target(broker: Broker, alice: Peer, command: Json) -> None:
    alice.say("gone")
    do(alice, "delete", seq=2)
    do(alice, "topic", room="general", text="a topic")
    for seq in (2, 3, 4, 99):
        assert code(alice, seq=seq, **command) == "bad_target"


def test_only_who_said_it_may_edit_or_delete_it(broker: Broker, alice: Peer) -> None:
    bob = broker.hello("bob")
    assert code(bob, "edit", seq=1, text="mine now") == "forbidden"
    assert code(bob, "delete", seq=1) == "forbidden"
    assert code(bob, "react", seq=1, emoji="👍") == "ack"
    assert code(bob, "pin", seq=1) == "ack"


def test_moderators_delete_what_others_said_in_rooms() -> None:
    team = Team()
    ann, mod = team.member("ann"), team.member("mod", "moderator")
    seq = do(ann, "say", room="general", text="hello")["seq"]
    assert code(mod, "edit", seq=seq, text="no") == "forbidden"
    assert code(mod, "delete", seq=seq) == "ack"


def test_what_is_in_a_private_room_or_a_conversation_of_others_is_no_target() -> None:
    team = Team()
    ann, mod, eve = team.member("ann"), team.member("mod", "moderator"), team.member("eve")
    do(ann, "access", room="+den", mode="private")
    hidden = [
        do(ann, "say", room="+den", text="hush")["seq"],
        do(ann, "say", to="mod", text="hush")["seq"],
    ]
    for seq in hidden:
        assert code(eve, "react", seq=seq, emoji="x") == "bad_target"
    assert code(mod, "react", seq=hidden[1], emoji="x") == "ack"
    assert code(mod, "delete", seq=hidden[1]) == "forbidden"


def test_the_same_reaction_twice_is_one(broker: Broker, alice: Peer) -> None:
    assert do(alice, "react", seq=1, emoji="👍") == {"type": "ack", "n": 2, "seq": 2}
    assert do(alice, "react", seq=1, emoji="👍") == {"type": "ack", "n": 3, "seq": 2, "duplicate": True}
    assert do(alice, "react", seq=1, emoji="👎", off=True) == {"type": "ack", "n": 4, "duplicate": True}
    assert do(alice, "react", seq=1, emoji="👍", off=True) == {"type": "ack", "n": 5, "seq": 3}
    assert do(alice, "react", seq=1, emoji="👍") == {"type": "ack", "n": 6, "seq": 4}


def test_an_answer_that_was_deleted_counts_no_more_but_stays_in_its_thread(broker: Broker, alice: Peer) -> None:
    for text in ("first", "second"):
        do(alice, "say", room="general", text=text, reply_to=1)
    do(alice, "delete", seq=2)
    (page,) = alice.ask("history", room="general", current=True)
    root, stone, _ = page["events"]
    assert (root["answers"], stone["type"], stone["thread"]) == (1, "tombstone", 1)


def test_what_is_done_in_one_batch_is_decided_one_after_the_other(broker: Broker, alice: Peer) -> None:
    alice.say("gone")
    nods = [alice.line("react", n=n, seq=1, emoji="👍") for n in (3, 4)]
    ends = [alice.line("delete", n=5, seq=2), alice.line("pin", n=6, seq=2), alice.line("delete", n=7, seq=2)]
    answer = alice.line("say", n=8, room="general", text="to what?", reply_to=2)
    acks = alice.send(*nods, *ends, answer)
    assert codes(acks) == ["ack", "ack", "ack", "bad_target", "bad_target", "bad_reply"]
    assert [ack.get("duplicate", False) for ack in acks[:2]] == [False, True]
    assert codes(alice.ask("say", n=9, room="general", text="to what?", reply_to=2)) == ["bad_reply"]


def test_an_answer_to_an_answer_is_in_the_thread_of_its_root(broker: Broker, alice: Peer) -> None:
    do(alice, "say", room="general", text="first", reply_to=1)
    do(alice, "say", room="general", text="second", reply_to=2)
    assert [event.get("thread") for event in logged(alice)] == [None, 1, 1]


def test_what_is_done_in_a_conversation_goes_to_both_ends_only(broker: Broker, alice: Peer) -> None:
    bob, eve = broker.hello("bob"), broker.hello("eve")
    seq = do(alice, "say", to="bob", text="psst")["seq"]
    for peer in (bob, eve, alice):
        peer.read()
    do(bob, "react", seq=seq, emoji="🤫")
    (told,) = [line for line in alice.read() if line["type"] == "reaction"]
    assert (told["target"], told["to"], told["nick"]) == (seq, "alice", "bob")
    assert eve.read() == []
    assert [topic for topic, event in broker.published if event["type"] == "reaction"] == []


def test_a_message_has_so_many_reactions_and_no_more(
    broker: Broker, alice: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(m.BY_COMMAND, m.React, dataclasses.replace(m.BY_COMMAND[m.React], most=3))
    bob = broker.hello("bob")
    lines = [alice.line("react", n=2 + number, seq=1, emoji=emoji) for number, emoji in enumerate("abcd")]
    assert codes(alice.send(*lines)) == ["ack", "ack", "ack", "forbidden"]
    assert (do(bob, "react", seq=1, emoji="a")["code"], bob.n) == ("forbidden", 1)
    alice.n = 5
    assert do(alice, "react", seq=1, emoji="a")["duplicate"] is True
    assert code(alice, "react", seq=1, emoji="a", off=True) == "ack"
    assert code(bob, "react", seq=1, emoji="a") == "ack"
    assert do(bob, "react", seq=1, emoji="b")["limit"] == 3
    off, another = alice.line("react", n=8, seq=1, emoji="b", off=True), alice.line("react", n=9, seq=1, emoji="e")
    assert codes(alice.send(off, another)) == ["ack", "ack"]


def test_a_message_has_so_many_edits_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert m.BY_COMMAND[m.Edit].most == 1_000
    monkeypatch.setitem(m.BY_COMMAND, m.Edit, dataclasses.replace(m.BY_COMMAND[m.Edit], most=3))
    alice = Broker().hello("alice")
    alice.say("zero")
    alice.say("another")
    lines = [alice.line("edit", n=3 + number, seq=1, text=text) for number, text in enumerate("abcd")]
    assert codes(alice.send(*lines)) == ["ack", "ack", "ack", "forbidden"]
    alice.n = 6
    refused = do(alice, "edit", seq=1, text="e")
    assert (refused["code"], refused["limit"]) == ("forbidden", 3)
    assert refused["message"] == "this message has 3 edits already"
    assert code(alice, "edit", seq=2, text="another one") == "ack"
    assert code(alice, "delete", seq=1) == "ack"


def test_edits_that_are_forgotten_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(m.BY_COMMAND, m.Edit, dataclasses.replace(m.BY_COMMAND[m.Edit], most=3))
    broker = Broker()
    broker.hub.roster.forgets_edits = True
    alice = broker.hello("alice")
    alice.say("zero")
    lines = [alice.line("edit", n=2 + number, seq=1, text=text) for number, text in enumerate("abcdef")]
    assert codes(alice.send(*lines)) == ["ack"] * 6


def test_thousands_of_edits_are_buried_a_chunk_at_a_time(broker: Broker, alice: Peer) -> None:
    alice.send(*(alice.line("edit", n=2 + number, seq=1, text=f"secret {number}") for number in range(200)))
    alice.n = 201
    done: list[str] = []
    broker.store.connection.set_trace_callback(done.append)
    assert code(alice, "delete", seq=1) == "ack"
    broker.store.connection.set_trace_callback(None)
    assert sum(sql.startswith("UPDATE chunk") for sql in done) == 2
    assert [line["type"] for line in logged(alice)] == ["tombstone"] * 201 + ["delete"]


@pytest.mark.parametrize("emoji", ["👍\n", "\n", "a b", "\u2028", ""])
def test_an_emoji_has_neither_spaces_nor_ends_of_lines(alice: Peer, emoji: str) -> None:
    assert codes(alice.ask("react", n=2, seq=1, emoji=emoji)) == ["bad_command"]


def test_an_answer_is_to_something_in_the_same_place(broker: Broker, alice: Peer) -> None:
    broker.hello("bob")
    do(alice, "say", room="hall", text="elsewhere")
    do(alice, "say", to="bob", text="psst")
    for seq in (1, 3):
        assert code(alice, "say", room="hall", text="an answer", reply_to=seq) == "bad_reply"
    for seq in (1, 2):
        assert code(alice, "say", to="bob", text="an answer", reply_to=seq) == "bad_reply"
    assert code(alice, "say", room="hall", text="an answer", reply_to=2) == "ack"


def test_nothing_is_left_of_what_was_done_to_a_deleted_message(broker: Broker, alice: Peer) -> None:
    for seq in (1, alice.say("stays")[0]["seq"]):
        do(alice, "react", seq=seq, emoji="👍")
        do(alice, "pin", seq=seq)
        do(alice, "edit", seq=seq, text="another text")
    do(alice, "delete", seq=1)
    marks = broker.store.connection.execute("SELECT target, kind FROM mark ORDER BY kind").fetchall()
    assert marks == [(2, "edit"), (2, "pin"), (2, "reaction")]
    (pins,) = alice.ask("history", room="general", current=True, kinds=["pin"])
    assert [event["seq"] for event in pins["events"]] == [2]
    (now,) = alice.ask("history", room="general", current=True)
    assert [event.get("reactions", []) for event in now["events"] if event["type"] == "tombstone"] == [[]]
