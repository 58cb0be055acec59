"""Saying something: what is stored, what everybody sees of it, and how the sender's numbers keep it exactly once."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.integration.raw import Line, Net, Peer, unique

TEXTS = [
    "hi",
    "two\nlines\r\n\tand a tab",
    'quotes " and \\ backslashes \\" and / slashes',
    "\x1b[31mred\x1b[0m \x07 \x00 \x7f \x85 \x9b",
    "\u202eevil\u2066 \u2028 \u2029 \ufeff \u200b",
    "äöü 木 🐈 👩\u200d👩\u200d👧 \U0010ffff",
    " leading and trailing ",
    "\n",
    '{"type":"message"}',
    "</script>&amp;",
    "x" * 16 * 1024,
    "木" * (16 * 1024 // 3),
    "\x01" * 16 * 1024,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
def test_text_is_stored_as_sent_and_the_line_is_the_same_everywhere(net: Net, room: str, text: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice")
    ack = alice.say(text, room=room)
    event = feed.expect("message")
    expected = {"type": "message", "seq": ack["seq"], "prev": 0, "room": room, "time": event["time"]}
    expected |= {"from": alice.sender, "nick": "alice", "kind": "message", "text": text}
    assert event == expected
    assert event.topic == f"room/{room}/"
    assert event.raw in alice.history(room=room, after=0).frame
    assert event.raw in alice.history(room=room, before=ack["seq"] + 1).frame
    joined = net.session("bob").join(room, backlog=1)
    assert joined["head"] == ack["seq"]
    assert event.raw in net.peers[-1].expect("history").frame


@pytest.mark.parametrize("kind", ["message", "action", "notice"])
def test_kind_travels_with_the_message(net: Net, room: str, kind: str) -> None:
    feed = net.feed(f"room/{room}/")
    net.session("alice").say("waves", room=room, kind=kind)
    assert feed.expect("message")["kind"] == kind


def test_reply_to_travels_with_the_message(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice")
    seq = alice.say("?", room=room)["seq"]
    alice.say("!", room=room, reply_to=seq)
    assert [line.get("reply_to") for line in feed.settled()] == [None, seq]


def test_events_chain_by_prev_within_each_room(net: Net) -> None:
    rooms = [unique("one"), unique("two"), unique("three")]
    feed = net.feed(*(f"room/{room}/" for room in rooms))
    alice, bob = net.session("alice"), net.session("bob")
    for k in range(30):
        (alice, bob)[k % 2].say(str(k), room=rooms[k * k % 3])
    events = feed.settled()
    assert [event["text"] for event in sorted(events, key=lambda event: event["seq"])] == [str(k) for k in range(30)]
    for room in rooms:
        chain = [event for event in events if event["room"] == room]
        assert [event["prev"] for event in chain] == [0, *(event["seq"] for event in chain)][: len(chain)]


def test_seq_counts_upwards_over_all_rooms(net: Net) -> None:
    alice = net.session("alice")
    seqs = [alice.say("x", room=unique("any"))["seq"] for _ in range(5)]
    seqs.append(alice.say("x", to="alice")["seq"])
    seqs.append(alice.ask("ack", type="topic", n=7, room=unique("any"), text="x")["seq"])
    assert all(before < after for before, after in pairwise(seqs))


def test_acks_come_in_the_order_of_the_numbers_also_in_batches(net: Net) -> None:
    rooms = [unique("one"), unique("two")]
    alice = net.session("alice")
    says = [{"type": "say", "n": n, "room": rooms[n % 2], "text": str(n)} for n in range(1, 2001)]
    alice.send(*says[:1000])
    alice.send(*says[1000:])
    acks = [alice.expect("ack") for _ in says]
    assert [ack["n"] for ack in acks] == list(range(1, 2001))
    assert all(before["seq"] < after["seq"] for before, after in pairwise(acks))


def test_replies_leave_in_the_order_of_the_lines(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.send(
        *(
            {"type": "say", "n": 1, "room": room, "text": "x", "ref": 1},
            {"type": "ping", "ref": 2},
            {"type": "say", "n": 2, "room": "a/b", "text": "x", "ref": 3},
            b"{",
            {"type": "join", "room": room, "ref": 4},
            {"type": "say", "n": 3, "room": room, "text": "x", "ref": 5},
            {"type": "history", "room": room, "after": 0, "ref": 6},
            {"type": "who", "ref": 7},
            {"type": "search", "text": "x", "ref": 8},
            {"type": "say", "n": 4, "room": room, "text": "x", "ref": 9},
        )
    )
    answers = [alice.take() for _ in range(10)]
    assert [answer.get("ref") for answer in answers] == [1, 2, 3, None, 4, 5, 6, 7, 8, 9]
    assert [event["seq"] for event in answers[6]["events"]][:2] == [answers[0]["seq"], answers[5]["seq"]]


# -- numbers ---------------------------------------------------------------------------------------------------


def stored(peer: Peer, room: str) -> list[str]:
    return [event["text"] for event in peer.history(room=room, after=0)["events"]]


def test_number_already_taken_is_acknowledged_again_and_stored_once(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice")
    first = [alice.say(str(n), room=room) for n in (1, 2, 3)]
    for n in (3, 1, 2, 3):
        again = alice.ask("ack", type="say", n=n, room=room, text="something else")
        assert again["n"] == n
        assert again.get("seq", first[n - 1]["seq"]) == first[n - 1]["seq"]
    assert alice.ask("ack", type="say", n=3, room=room, text="3")["n"] == 3
    assert alice.say("4", room=room)["n"] == 4
    assert stored(alice, room) == ["1", "2", "3", "4"]
    assert len(feed.settled()) == 4


def test_the_same_number_twice_in_one_frame_is_stored_once(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.send(*[{"type": "say", "n": 1, "room": room, "text": "x"}] * 3)
    acks = [alice.take() for _ in range(3)]
    assert [(ack["type"], ack["n"]) for ack in acks] == [("ack", 1)] * 3
    assert len({ack["seq"] for ack in acks if "seq" in ack}) == 1
    assert stored(alice, room) == ["x"]


def test_skipped_number_is_out_of_order_and_nothing_is_taken(net: Net, room: str) -> None:
    alice = net.session("alice")
    for n in (2, 3, 1000, 2**53 - 1):
        assert alice.refused("out_of_order", type="say", n=n, room=room, text="x")["expected"] == 1
    alice.send(*({"type": "say", "n": n, "room": room, "text": str(n)} for n in (1, 2, 4, 5, 3, 4, 6)))
    answers = [alice.take() for _ in range(7)]
    told = [(answer["type"], answer.get("n"), answer.get("expected")) for answer in answers]
    assert [(kind, expected) for kind, _, expected in told] == [
        *(("ack", None), ("ack", None), ("error", 3), ("error", 3)),
        *(("ack", None), ("ack", None), ("error", 5)),
    ]
    assert [n for kind, n, _ in told if kind == "ack"] == [1, 2, 3, 4]
    assert stored(alice, room) == ["1", "2", "3", "4"]
    assert alice.ask("pong", type="ping")["n"] == 4


@pytest.mark.parametrize("n", [0, -1, -(2**63), 2**53, 2**63, 2**64, 10**40, 1.5, "1", True, None, [1], {}])
def test_number_that_is_none_takes_nothing(net: Net, room: str, n: Any) -> None:
    alice = net.session("alice")
    for command in ({"type": "say", "text": "x"}, {"type": "topic", "text": "x"}):
        error = alice.ask("error", room=room, n=n, **command)
        assert error["code"] in {"bad_command", "bad_json", "out_of_order"}
    alice.ask("error", type="say", room=room, text="x")
    assert alice.say("x", room=room)["n"] == 1
    assert stored(alice, room) == ["x"]


def test_refusals_take_their_number(net: Net, room: str) -> None:
    alice = net.session("alice")
    refusals: list[tuple[str, dict[str, Any]]] = [
        ("bad_text", {"type": "say", "room": room, "text": ""}),
        ("too_long", {"type": "say", "room": room, "text": "x" * (16 * 1024 + 1)}),
        ("too_long", {"type": "say", "room": room, "text": "木" * (16 * 1024 // 3 + 1)}),
        ("bad_room", {"type": "say", "room": "a/b", "text": "x"}),
        ("bad_room", {"type": "topic", "room": "", "text": "x"}),
        ("unknown_nick", {"type": "say", "to": "nobody-at-all", "text": "x"}),
        ("too_long", {"type": "topic", "room": room, "text": "x" * (16 * 1024 + 1)}),
    ]
    for n, (code, command) in enumerate(refusals, 1):
        assert alice.refused(code, n=n, **command)["n"] == n
    alice.n = alice.ask("pong", type="ping")["n"]
    assert alice.n == len(refusals)
    assert alice.say("fine", room=room)["n"] == len(refusals) + 1
    again = net.session("alice", client=alice.welcome["client"])
    assert again.welcome["n"] == len(refusals) + 1
    assert stored(again, room) == ["fine"]


def test_refused_number_sent_again_stores_nothing(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.refused("bad_text", type="say", n=1, room=room, text="")
    alice.send({"type": "say", "n": 1, "room": room, "text": "changed my mind"})
    assert alice.take()["n"] == 1
    alice.n = 1
    assert alice.say("two", room=room)["n"] == 2
    assert stored(alice, room) == ["two"]


def test_refusal_within_a_batch_leaves_the_others_alone(net: Net, room: str) -> None:
    alice = net.session("alice")
    texts = ["one", "", "three", "x" * 20_000, "five"]
    alice.send(*({"type": "say", "n": n, "room": room, "text": text} for n, text in enumerate(texts, 1)))
    answers = [alice.take() for _ in texts]
    assert [(answer["n"], answer.get("code")) for answer in answers] == [
        *((1, None), (2, "bad_text"), (3, None), (4, "too_long"), (5, None)),
    ]
    assert stored(alice, room) == ["one", "three", "five"]


def test_say_with_no_destination_or_two_is_an_error(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.ask("error", type="say", n=1, text="x")
    next_n = alice.ask("pong", type="ping")["n"] + 1
    alice.ask("error", type="say", n=next_n, room=room, to="alice", text="x")
    assert stored(alice, room) == []


# -- once ------------------------------------------------------------------------------------------------------


def test_once_stores_a_key_once_for_each_sender(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice, bob = net.session("alice"), net.session("bob")
    first = alice.say("build 7 is green", room=room, once="build-7")
    assert "duplicate" not in first
    second = alice.say("build 7 is green", room=room, once="build-7")
    assert second == Line(second.raw) | {"n": 2, "seq": first["seq"], "duplicate": True}
    assert b'"duplicate":true' in second.raw
    assert "duplicate" not in bob.say("build 7 is green", room=room, once="build-7")
    assert "duplicate" not in alice.say("build 8 is green", room=room, once="build-8")
    assert len(feed.settled()) == 3
    assert alice.ask("pong", type="ping")["n"] == 3


def test_once_works_within_one_frame(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.send(*({"type": "say", "n": n, "room": room, "text": str(n), "once": "key"} for n in (1, 2, 3)))
    acks = [alice.expect("ack", n=n) for n in (1, 2, 3)]
    assert [ack.get("duplicate", False) for ack in acks] == [False, True, True]
    assert len({ack["seq"] for ack in acks}) == 1
    assert stored(alice, room) == ["1"]


def test_once_key_has_at_most_128_bytes(net: Net, room: str) -> None:
    alice = net.session("alice")
    assert "duplicate" not in alice.say("x", room=room, once="k" * 128)
    assert alice.say("x", room=room, once="k" * 128)["duplicate"] is True
    for key in ("k" * 129, "木" * 43):
        alice.ask("error", type="say", n=alice.ask("pong", type="ping")["n"] + 1, room=room, text="y", once=key)
    assert stored(alice, room) == ["x"]


def test_refused_say_does_not_use_up_its_once_key(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.refused("bad_text", type="say", n=1, room=room, text="", once="key")
    alice.n = 1
    assert "duplicate" not in alice.say("now with words", room=room, once="key")


def test_time_of_an_event_is_the_brokers_and_in_utc(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice")
    alice.say("x", room=room, time="1999-01-01T00:00:00.000Z", seq=1, nick="mallory", **{"from": "0" * 16})
    event = feed.expect("message")
    after = net.session("bob").welcome["time"]
    assert alice.welcome["time"] <= event["time"] <= after
    assert (event["nick"], event["from"]) == ("alice", alice.sender)
    assert json.loads(event.raw) == event
