"""A line that begins with a slash is run or explained, never sent and never the end of the program."""

import asyncio
from types import SimpleNamespace
from typing import Any

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.escapes import escape_controls
from zchat.prompt import dispatch, lookup, render, slash
from zchat.prompt.preferences import Preferences
from zchat.prompt.recent import Recent
from zchat.prompt.shared import TABLE
from zchat.prompt.target import Target
from zchat.protocol import messages as m

ALL = {
    "nick",
    "join",
    "part",
    "me",
    "msg",
    "who",
    "rooms",
    "status",
    "topic",
    "away",
    "history",
    "older",
    "search",
    "jump",
    "query",
    "reply",
    *("unpin", "pins", "thread", "mentions", "send", "save", "later"),
    "whois",
    "set",
    "bell",
    "ignore",
    "highlight",
    "clear",
    "export",
    "help",
    "exit",
    "quit",
    *TABLE,
}


class FakeChat:
    """What a slash command sees of the chat, written down instead of done."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.shown: list[str] = []
        self.said: list[tuple[str, str | None, str]] = []
        self.entered: list[str] = []
        self.here: Target | None = None
        self.preferences = Preferences()
        self.leaving = False
        self.refused = 0
        self.style = render.Style()
        self.client = SimpleNamespace(rooms=("general", "dev"), rename=self._rename, online=True, role="owner")

    async def say(self, text: str, *, to: str | None = None, kind: str = "message") -> None:
        self.said.append((text, to, kind))

    async def enter(self, room: str) -> None:
        self.entered.append(room)

    @property
    def room(self) -> str | None:
        return self.here.room if self.here is not None else None

    @property
    def partner(self) -> str | None:
        return self.here.partner if self.here is not None else None

    def turn_to(self, name: str | None) -> None:
        self.here = None if name is None else Target(name)

    async def talk_to(self, nick: str) -> None:
        self.turn_to(f"@{nick}")

    def restyle(self) -> None:
        """It is `Chat` that does it."""

    def prefer(self, preferences: Preferences) -> None:
        self.preferences = preferences

    def tell(self, text: str) -> None:
        self.told.append(text)

    def show(self, text: str) -> None:
        self.shown.append(text)

    async def _rename(self, nick: str) -> None:
        self.said.append((nick, None, "rename"))


def run(line: str, room: str | None = "general", partner: str | None = None) -> FakeChat:
    chat: Any = FakeChat()
    chat.turn_to(f"#{room}" if room is not None else None if partner is None else f"@{partner}")
    asyncio.run(slash.run(line, chat))
    found: FakeChat = chat
    return found


def test_all_commands_are_there() -> None:
    assert set(slash.COMMANDS) == ALL


def test_every_command_explains_itself() -> None:
    for name in ALL:
        help_ = run(f"/help {name}").shown[0]
        assert help_.startswith(f"Usage: /{slash.COMMANDS[name].name}")
        assert len(help_.splitlines()) > 2
        assert "None" not in help_
        assert " ]" not in help_.splitlines()[0]


def test_help_lists_every_command_with_its_arguments() -> None:
    listed = run("/help").shown[0]
    assert "/msg NICK TEXT" in listed
    assert "/part [ROOM]" in listed
    assert all(f"/{name}" in listed for name in ALL - {"quit", "older"})
    assert "exit" in listed


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('/me doesn\'t "care"  at all', ('doesn\'t "care"  at all', None, "action")),
        ("/me --help", ("--help", None, "action")),
        ("/msg bob it's  me", ("it's  me", "bob", "message")),
        ("/msg bob -v", ("-v", "bob", "message")),
        ("/nick carol", ("carol", None, "rename")),
    ],
)
def test_a_text_is_taken_as_it_stands(line: str, said: tuple[str, str | None, str]) -> None:
    chat = run(line)
    assert chat.said == [said]
    assert chat.told == []


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("/nick", "Missing argument 'NICK'"),
        ("/nick a b", "Got unexpected extra argument (b)"),
        ("/nick a/b", "Invalid value for 'NICK'"),
        ("/msg bob", "Missing argument 'TEXT'"),
        ("/me", "Missing argument 'TEXT'"),
        ("/history many", "'many' is not a valid count or time"),
        ("/history 0", "0 is not in the range"),
        ("/rooms all", "Got unexpected extra argument (all)"),
        ("/join", "Say which room"),
        ("/join ,", "say which room"),
        ("/bell loud", "'loud' is not one of"),
        ("/set bel", "There is no preference 'bel'"),
        ("/set bell loud", "bell may be off|mentions|all, not 'loud'"),
        ("/reply x y", "'x' is not a valid whole number"),
        ("/history 2001", "2001 is not in the range"),
        ("/exit now", "Got unexpected extra argument (now)"),
        ("/serach x", "Did you mean /search?"),
        ("/help serach", "Did you mean /search?"),
        ("/mgs bob hi", "Did you mean /msg?"),
        ("/nope", "no command /nope. See /help"),
        ("/frobnicate", "to say it, write //frobnicate"),
        ("/", "There is no command /"),
        ("/ nick bob", "There is no command /"),
    ],
)
def test_a_wrong_line_is_explained_and_does_nothing(line: str, explained: str) -> None:
    chat = run(line)
    assert explained in chat.told[0]
    assert (chat.said, chat.entered, chat.leaving, chat.refused) == ([], [], False, 1)


@pytest.mark.parametrize("line", ["/part", "/topic tea", "/topic"])
def test_a_command_about_a_room_says_why_there_is_none(line: str) -> None:
    assert run(line, room=None).told == ["You are in no room."]
    assert run(line, room=None, partner="bob").told == ["This is no room: you talk to bob. /join ROOM leads to one."]


def test_a_usage_error_shows_the_usage() -> None:
    assert run("/msg bob").told[0].startswith("Usage: /msg NICK TEXT\n")


@given(st.text())
def test_no_line_ends_the_program_or_is_sent_by_mistake(rest: str) -> None:
    chat = run("/zz" + rest)
    assert len(chat.told) == 1
    assert chat.said == []


@given(st.text())
def test_what_is_told_about_a_line_is_harmless(rest: str) -> None:
    assert all(escape_controls(text, "\n") == text for text in run("/join " + rest).told)


def test_a_room_may_be_written_with_its_hash() -> None:
    assert run("/join #Ops").entered == ["ops"]


def test_joining_a_room_one_is_in_turns_to_it() -> None:
    chat = run("/join dev")
    assert (chat.room, chat.entered) == ("dev", [])


def test_several_rooms_are_entered_the_first_one_last_so_that_one_speaks_there() -> None:
    assert run("/join #Ops,lab").entered == ["lab", "ops"]


def test_a_query_turns_to_one_person() -> None:
    chat = run("/query bob")
    assert (chat.room, chat.partner) == (None, "bob")


def test_the_bell_without_a_choice_tells_when_it_rings() -> None:
    chat = run("/bell")
    assert (chat.told, chat.refused) == (["The bell is: mentions."], 0)
    chat = run("/bell off")
    assert (chat.told, chat.preferences.bell) == (["The bell is: off."], "off")


def test_what_is_set_is_explained_and_kept() -> None:
    chat = run("/set bell all")
    assert chat.preferences.bell == "all"
    assert chat.told == ["bell is all; it may be off|mentions|all"]
    assert "highlight" in run("/set").shown[0]


def test_ignoring_somebody_twice_is_to_hear_them_again() -> None:
    chat: Any = FakeChat()
    asyncio.run(slash.run("/ignore bob", chat))
    assert chat.preferences.ignore == ("bob",)
    asyncio.run(slash.run("/ignore Bob", chat))
    assert chat.preferences.ignore == ()
    assert chat.told[-1] == "You ignore: nobody."


@pytest.mark.parametrize("line", ["/exit", "/quit"])
def test_exit_and_quit_leave(line: str) -> None:
    assert run(line).leaving


def test_parsing_raises_what_click_has_to_say() -> None:
    chat: Any = FakeChat()
    with pytest.raises(click.UsageError):
        dispatch.parse("/nick", chat).close()


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_what_can_be_set_and_the_commands_go_on_under_their_own_column(columns: int) -> None:
    for lines in (slash.settings._settings(Preferences(), columns), slash.overview.overview(columns)):
        rows = "\n".join(lines).split("\n")
        assert all(render.width(row) <= columns for row in rows)
        starts = {len(row) - len(row.lstrip()) for row in rows if row.startswith(" ")}
        assert len(starts) <= 1, "what goes on stands in one column"


def test_an_export_says_what_a_reply_refers_to() -> None:
    said = {"time": "2026-11-22T05:30:00.123Z", "from": "f" * 16, "nick": "bob", "kind": "message", "room": "r"}
    kept, style = Recent(), render.Style()
    for seq, reply_to, expected in ((1, None, ""), (2, 1, "[answers bob: text 1]"), (3, 99, "[answers 99]")):
        fields = {"type": "message", "seq": seq, "prev": seq - 1, "text": f"text {seq}", "reply_to": reply_to}
        line = lookup._told(msgspec.convert(said | fields, m.Message), kept, style)
        assert line is not None
        assert (expected in line, "answers" in line) == (True, expected != "")
