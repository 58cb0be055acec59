"""Asking for what was said: pages forwards and backwards, by time, cut to a size; and search."""

from typing import Any

import pytest

from tests.conftest import wait_for
from tests.integration.raw import Line, Net, Peer, unique

CUT = 256 * 1024


def texts(answer: Line) -> list[str]:
    return [event["text"] for event in answer["events"]]


def filled(net: Net, room: str, count: int) -> tuple[Peer, list[int]]:
    """Return a peer that has said "0", "1", … in the room, and the seqs of that."""
    alice = net.session("alice")
    return alice, [ack["seq"] for ack in alice.say_all([str(k) for k in range(count)], room=room)]


def test_after_gives_what_follows_and_pages_forwards(net: Net, room: str) -> None:
    alice, seqs = filled(net, room, 10)
    page = alice.history(room=room, after=0, limit=4)
    assert (page["room"], texts(page), page["upto"], page["more"]) == (room, ["0", "1", "2", "3"], seqs[3], True)
    page = alice.history(room=room, after=page["upto"], limit=4)
    assert (texts(page), page["upto"], page["more"]) == (["4", "5", "6", "7"], seqs[7], True)
    page = alice.history(room=room, after=page["upto"], limit=4)
    assert (texts(page), page["more"]) == (["8", "9"], False)
    assert page["upto"] >= seqs[9]
    page = alice.history(room=room, after=seqs[9])
    assert (page["events"], page["more"]) == ([], False)
    assert page["upto"] >= seqs[9]


def test_exact_page_says_whether_there_is_more(net: Net, room: str) -> None:
    alice, seqs = filled(net, room, 4)
    assert alice.history(room=room, after=0, limit=4)["more"] is False
    assert alice.history(room=room, after=0, limit=3)["more"] is True
    assert alice.history(room=room, before=seqs[3] + 1, limit=4)["more"] is False


def test_before_gives_the_last_ones_before_in_order_and_pages_backwards(net: Net, room: str) -> None:
    alice, seqs = filled(net, room, 10)
    page = alice.history(room=room, before=seqs[8], limit=4)
    assert (texts(page), page["more"]) == (["4", "5", "6", "7"], True)
    page = alice.history(room=room, before=page["events"][0]["seq"], limit=4)
    assert (texts(page), page["more"]) == (["0", "1", "2", "3"], False)
    assert texts(alice.history(room=room, before=2**53 - 1, limit=2)) == ["8", "9"]
    assert texts(alice.history(room=room, before=seqs[0])) == []


def test_since_gives_what_was_said_at_that_time_or_later(net: Net, room: str) -> None:
    alice, _ = filled(net, room, 3)
    old = alice.history(room=room, after=0)["events"][-1]["time"]
    wait_for(lambda: net.session(None).welcome["time"] > old, "the log's clock, which ticks in milliseconds")
    alice.say("new", room=room)
    alice.say("newer", room=room)
    new = alice.history(room=room, after=0)["events"][3]["time"]
    assert texts(alice.history(room=room, since=new)) == ["new", "newer"]
    assert texts(alice.history(room=room, since="2001-01-01T00:00:00Z")) == ["0", "1", "2", "new", "newer"]
    assert texts(alice.history(room=room, since="2001-01-01T00:00:00.123+05:30", limit=1)) == ["0"]
    answer = alice.history(room=room, since="2999-01-01T00:00:00Z")
    assert (answer["events"], answer["more"]) == ([], False)


def test_history_of_an_unknown_room_is_empty(net: Net) -> None:
    answer = net.session("alice").history(room=unique("nowhere"), after=0)
    assert (answer["events"], answer["more"]) == ([], False)


def test_after_beyond_the_head_gives_nothing(net: Net, room: str) -> None:
    alice, seqs = filled(net, room, 1)
    answer = alice.history(room=room, after=seqs[0] + 1000)
    assert (answer["events"], answer["more"]) == ([], False)


@pytest.mark.parametrize("asked", [{"limit": 1000}, {}])
def test_answer_has_at_most_a_thousand_events(net: Net, room: str, asked: dict[str, int]) -> None:
    alice, seqs = filled(net, room, 1010)
    page = alice.history(room=room, after=0, **asked)
    assert 1 <= len(page["events"]) <= 1000
    assert (page["more"], page["upto"]) == (True, seqs[len(page["events"]) - 1])


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**9, "10", 1.5, True])
def test_limit_out_of_range_is_an_error(net: Net, room: str, limit: Any) -> None:
    alice = net.session("alice")
    alice.refused("bad_command", type="history", room=room, after=0, limit=limit)
    alice.refused("bad_command", type="search", text="x", limit=limit)


def test_history_sees_what_was_said_in_the_line_before(net: Net, room: str) -> None:
    alice = net.session("alice")
    for n in range(1, 20):
        alice.send(
            {"type": "say", "n": n, "room": room, "text": f"pear{n}"},
            {"type": "history", "room": room, "after": 0},
            {"type": "search", "text": f"pear{n}", "room": room},
        )
        assert len(alice.expect("history")["events"]) == n
        assert texts(alice.expect("found")) == [f"pear{n}"]


def test_join_with_after_or_backlog_brings_the_history_along(net: Net, room: str) -> None:
    _, seqs = filled(net, room, 10)
    bob = net.session("bob")
    bob.send({"type": "join", "room": room, "after": seqs[6]})
    joined, history = bob.take(), bob.take()
    assert (joined["type"], joined["head"], history["type"]) == ("joined", seqs[9], "history")
    assert (texts(history), history["more"]) == (["7", "8", "9"], False)
    assert history["upto"] >= seqs[9]
    bob.send({"type": "join", "room": room, "backlog": 3, "quiet": True})
    joined, history = bob.take(), bob.take()
    assert (joined["type"], history["type"], texts(history)) == ("joined", "history", ["7", "8", "9"])
    assert history["upto"] >= seqs[9]
    bob.join(room, after=seqs[9])
    assert bob.expect("history")["events"] == []
    assert [line["type"] for line in bob.settled()] == []
    bob.join(room)
    assert bob.settled() == []


@pytest.mark.parametrize("way", ["after", "before"])
def test_answers_are_cut_at_256_kib_and_the_pages_are_complete(net: Net, room: str, way: str) -> None:
    alice = net.session("alice")
    acks = alice.say_all([f"{k} " + "\x01木\\" * 800 for k in range(60)], room=room)
    seqs = [ack["seq"] for ack in acks]
    cursor, pages = {"after": 0, "before": 2**53 - 1}[way], 0
    got: list[int] = []
    more = True
    while more:
        page = alice.history(room=room, **{way: cursor})
        assert len(page.frame) <= CUT
        events, more, pages = [event["seq"] for event in page["events"]], page["more"], pages + 1
        assert events == sorted(events)
        assert events, "a page without an event makes no progress"
        got = got + events if way == "after" else events + got
        if way == "after" and more:
            assert page["upto"] == events[-1]
        cursor = page["upto"] if way == "after" else events[0]
    assert got == seqs
    assert pages > 1


def test_join_with_backlog_is_cut_too(net: Net, room: str) -> None:
    alice = net.session("alice")
    acks = alice.say_all(["x" * 16_000 for _ in range(40)], room=room)
    bob = net.session("bob")
    bob.join(room, backlog=40)
    history = bob.expect("history")
    assert len(history.frame) <= CUT
    assert history["more"] is True
    assert history["events"][-1]["seq"] == acks[-1]["seq"]  # the newest are what a backlog is for
    bob.join(room, after=0)
    history = bob.expect("history")
    assert len(history.frame) <= CUT
    assert history["more"] is True
    assert history["upto"] == history["events"][-1]["seq"]


def test_history_says_nothing_of_other_rooms(net: Net, room: str) -> None:
    alice = net.session("alice")
    seqs = [alice.say("here", room=room)["seq"]]
    alice.say("there", room=room + "x")
    seqs.append(alice.say("here", room=room)["seq"])
    assert [event["seq"] for event in alice.history(room=room, after=0)["events"]] == seqs


# -- search ----------------------------------------------------------------------------------------------------


def test_search_finds_words_by_room_nick_and_place(net: Net, room: str) -> None:
    word, other = unique("w").replace("-", ""), room + "-b"
    alice, bob = net.session("alice"), net.session("bob")
    first = alice.say(f"the first {word}, here", room=room)["seq"]
    second = bob.say(f"{word}!", room=room)["seq"]
    third = alice.say(f"elsewhere: {word}", room=other)["seq"]
    alice.say("nothing of the kind", room=room)

    def found(**asked: Any) -> set[int]:
        answer = alice.ask("found", type="search", text=word, **asked)
        assert answer["more"] is False
        return {event["seq"] for event in answer["events"]}

    assert found() == {first, second, third}
    assert found(room=room) == {first, second}
    assert found(nick="alice") == {first, third}
    assert found(nick="Alice", room=other) == {third}
    assert found(before=third) == {first, second}
    assert found(before=first) == set()
    assert found(room=unique("nowhere")) == set()


def test_search_gives_the_lines_of_the_log(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice")
    alice.say('a "pomegranate" — 木 \x1b', room=room)
    found = alice.ask("found", type="search", text="pomegranate", room=room)
    assert feed.expect("message").raw in found.frame


def test_search_pages_by_before(net: Net, room: str) -> None:
    alice = net.session("alice")
    seqs = {ack["seq"] for ack in alice.say_all([f"melon {k}" for k in range(10)], room=room)}
    found: set[int] = set()
    before, more = 2**53 - 1, True
    while more:
        page = alice.ask("found", type="search", text="melon", room=room, limit=3, before=before)
        seen = {event["seq"] for event in page["events"]}
        assert seen
        assert not seen & found
        found |= seen
        before, more = min(seen), page["more"]
    assert found == seqs


def test_search_is_cut_at_256_kib(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.say_all(["apricot " + "x" * 16_000 for _ in range(40)], room=room)
    found = alice.ask("found", type="search", text="apricot", room=room)
    assert len(found.frame) <= CUT
    assert found["more"] is True


ODD = [
    '"',
    "'",
    "*",
    "NEAR(",
    "a AND",
    "OR",
    "NOT",
    "(",
    "^x",
    "text:x",
    "-x",
    "{a b}:c",
    "\x00",
    "a\x00b",
    "%",
    "a" * 1000,
    "+",
    ";",
]


@pytest.mark.parametrize("text", [*ODD, "木", "\x1b[31m", "\u202e"], ids=lambda text: ascii(text[:12]))
def test_search_takes_any_text_for_words(net: Net, room: str, text: str) -> None:
    alice = net.session("alice")
    alice.send({"type": "search", "text": text, "room": room, "ref": 1})
    answer = alice.find(lambda line: line.get("ref") == 1, "answer")
    assert answer["type"] == "found" or answer["code"] not in {"internal", "unavailable"}
    alice.ask("pong", type="ping")


def test_search_finds_words_of_every_script_in_any_case(net: Net, room: str) -> None:
    alice = net.session("alice")
    for text, word in [("Der ÄRGER ist groß", "ärger"), ("Привет, мир", "привет"), ("c'est un été", "été")]:
        seq = alice.say(text, room=room)["seq"]
        assert {event["seq"] for event in alice.ask("found", type="search", text=word, room=room)["events"]} == {seq}
