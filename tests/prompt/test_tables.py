"""Answers of the broker stand in columns, and do nothing to the terminal."""

from datetime import UTC

import msgspec
import pytest
from hypothesis import given
from msgspec import UNSET

from tests.prompt.test_render import ALICE, harmless, nasty
from zchat.prompt import render, tables
from zchat.protocol import messages as m

PLAIN = render.Style(zone=UTC)


@given(nasty, nasty)
def test_no_answer_puts_a_control_on_the_terminal(name: str, text: str) -> None:
    member = m.Member(nick=name, from_=ALICE, away=text, rooms=(name, text))
    room = m.RoomInfo(room=name, topic=text, members=1, head=2)
    numbers = {"uptime": 1.0, "sessions": 1, "rooms": 1, "head": 1, "rate": 0.5, "log_bytes": 1}
    status = msgspec.convert({"type": "status", "server": name, "feed": text, "stalled": text, **numbers}, m.Status)
    for lines in (tables.members([member], PLAIN), tables.rooms([room], PLAIN), tables.status(status, PLAIN)):
        assert all(harmless(line, newlines=False) for line in lines)


def test_who_operates_a_room_is_said_beside_their_role() -> None:
    made = [("ann", "member", True), ("mo", "moderator", True), ("bob", "member", False)]
    people = [m.Member(nick=nick, from_=ALICE, role=role, operator=on or UNSET) for nick, role, on in made]
    assert tables.members(people, PLAIN) == ["ann  operator", "mo   moderator, operator", "bob"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h")]
)
def test_a_duration_is_said_in_two_units(seconds: int, said: str) -> None:
    assert tables.duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**40, "5.0 TiB")])
def test_a_size_is_said_in_a_fitting_unit(count: int, said: str) -> None:
    assert tables.size(count) == said


def test_a_room_tells_what_is_set_there() -> None:
    rooms = [
        m.RoomInfo(room="dev", topic="ours", members=10, head=2),
        m.RoomInfo(room="ever", topic="", members=1, head=2, keep=0),
        m.RoomInfo(room="news", topic="", members=0, head=0, mode="announce", keep=30),
    ]
    assert tables.rooms(rooms, PLAIN) == [
        "#dev   10                               ours",
        "#ever  1   kept for ever",
        "#news  0   read-only, kept for 30 days",
    ]


def test_a_table_aligns_wide_characters_and_drops_empty_columns() -> None:
    assert tables.table([("漢字", "", "x"), ("a", "", "y")], PLAIN) == ["漢字  x", "a     y"]
    assert tables.table([], PLAIN) == []
