"""What others wrote is shown harmless, and where, when and by whom it was said is shown at all."""

import unicodedata
from datetime import UTC, timedelta, timezone

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client import script
from zchat.client.core import notices
from zchat.escapes import escape_controls
from zchat.prompt import render, said
from zchat.protocol import messages as m

PLAIN = render.Style(zone=UTC)
TIME = "2026-11-22T05:30:00.123Z"
ALICE = "9f86d081884c7d65"

nasty = st.text(
    st.characters() | st.sampled_from("\x00\t\r\n\x1b\x7f\x9b\u200b\u200d\u202e\u2028\u2066\ufeff\U000e0041")
)


def message(
    text: str = "hi", kind: str = "message", room: str | None = "general", to: str | None = None, nick: str = "alice"
) -> m.Message:
    return m.Message(seq=2, prev=1, room=room, to=to, time=TIME, from_=ALICE, nick=nick, kind=kind, text=text)


def harmless(shown: str, newlines: bool = True) -> bool:
    kept = "\u200c\u200d\u200e" + "\n" * newlines
    return all(c in kept or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)


def test_numbers_stand_in_a_column_before_what_is_shown_of_events() -> None:
    assert render.numbered({9: "one\nmore", 10: None, 11: "two"}, PLAIN) == [" 9 one\n   more", "11 two"]
    assert render.numbered({}, PLAIN) == []


@given(nasty)
def test_what_is_escaped_holds_nothing_that_acts_on_a_terminal(text: str) -> None:
    assert harmless(escape_controls(text), newlines=False)
    assert harmless(escape_controls(text, "\n"))


@given(nasty, nasty, nasty, st.sampled_from(["message", "action", "notice"]), st.booleans())
def test_no_event_puts_a_control_on_the_terminal(text: str, nick: str, room: str, kind: str, direct: bool) -> None:
    events = [
        message(text, kind, None if direct else room, nick if direct else None, nick),
        m.Topic(seq=2, prev=1, room=room, time=text, from_=nick, nick=nick, text=text),
        m.MemberJoined(room=room, rev=1, nick=nick, from_=nick, bot=False),
        m.MemberLeft(room=room, rev=1, nick=nick, reason=text, text=text),
        m.MemberRenamed(room=room, rev=1, nick=nick, new=text),
        m.MemberAway(room=room, rev=1, nick=nick, text=text),
        m.BrokerBye(reason=text, retry_after=1.0),
        notices.Offline(why=text, retry_in=1.0),
        notices.Stalled(why=text),
        notices.Ended(reason=text),
        m.Dropped(id=1, room=room, code=text, message=text),
        m.Dropped(id=1, to=nick, with_=nick, code=text, message=text),
        notices.Removed(room=room, why=text),
        notices.WentBack(1, (m.Mute(n=1, from_=text, room=room), m.SetAccess(n=2, room=room, expel=text))),
    ]
    for event in events:
        shown = render.event(event, PLAIN)
        assert shown is not None
        assert harmless(shown)


@given(nasty)
def test_every_line_but_the_first_of_an_event_is_indented(text: str) -> None:
    shown = render.event(message("a\n" + text), PLAIN)
    assert shown is not None
    assert all(line.startswith("        ") for line in shown.split("\n")[1:])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("żółć 漢字 👩‍💻", "żółć 漢字 👩‍💻"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\rb", "a\\rb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x9bb", "a\\x9bb"),
        ("a\tb", "a    b"),
        ("a\r\nb\nc", "a\\nb\\nc"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_a_character_that_acts_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (message(), "05:30 #general <alice> hi"),
        (message(kind="action", text="waves"), "05:30 #general * alice waves"),
        (message(kind="notice"), "05:30 #general -alice- hi"),
        (message(room=None, to="bob"), "05:30 <alice → bob> hi"),
        (message("one\ntwo"), "05:30 #general <alice> one\n        two"),
        (message(kind="reaction"), None),
        (
            m.Topic(seq=1, prev=0, room="dev", time=TIME, from_=ALICE, nick="bob", text="x"),
            "05:30 #dev * bob changed the topic: x",
        ),
        (
            m.Topic(seq=1, prev=0, room="dev", time=TIME, from_=ALICE, nick="bob", text=""),
            "05:30 #dev * bob removed the topic",
        ),
        (m.MemberJoined(room="dev", rev=1, nick="bob", from_=ALICE, bot=False), "      → bob joined #dev"),
        (m.MemberLeft(room="dev", rev=1, nick="bob", reason="timeout"), "      ← bob left (timeout) #dev"),
        (m.MemberRenamed(room="dev", rev=1, nick="bob", new="rob"), "      · bob is now rob #dev"),
        (m.MemberAway(room="dev", rev=1, nick="bob"), "      · bob is back #dev"),
        (m.MemberAway(room="dev", rev=1, nick="bob", text="tea"), "      · bob is away: tea #dev"),
        (m.MemberTyping(room="dev", nick="bob"), None),
        (m.Opaque(type="tombstone", seq=7), None),
        (notices.CaughtUp(room="dev"), None),
    ],
)
def test_an_event_is_shown_as(event: object, line: str | None) -> None:
    assert render.event(event, PLAIN) == line


def test_a_nick_that_runs_right_to_left_does_not_change_places_with_the_text() -> None:
    assert render.event(message("שלום", nick="דנה"), PLAIN) == "05:30 #general <דנה>\u200e שלום"
    assert escape_controls("a\u200eb") == "a\\u200eb"


def test_the_room_one_is_in_is_not_named() -> None:
    assert render.event(message(), render.Style(zone=UTC, here="general")) == "05:30 <alice> hi"


def test_time_is_shown_in_the_zone_of_the_reader() -> None:
    style = render.Style(zone=timezone(timedelta(hours=9)))
    assert render.stamp(TIME, style) == "14:30"
    assert render.day("2026-11-22T20:00:00Z", style) == "2026-11-23"


@pytest.mark.parametrize("time", ["", "yesterday", "\x1b[2J", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_is_none_is_shown_harmless(time: str) -> None:
    assert harmless(render.stamp(time, render.Style(zone=timezone(timedelta(hours=-9)))), newlines=False)


def test_a_nick_has_one_colour_whatever_it_is_called() -> None:
    style = render.Style(colour=True)
    assert style.nick("alice", ALICE).replace("alice", "") == style.nick("bob", ALICE).replace("bob", "")
    assert "\x1b[" in style.nick("alice", ALICE)


@pytest.mark.parametrize(
    ("terminal", "no_color", "colour"), [(True, None, True), (True, "", True), (True, "1", False), (False, None, False)]
)
def test_colour_is_for_terminals_and_never_with_no_color(terminal: bool, no_color: str | None, colour: bool) -> None:
    assert render.use_colour(terminal, no_color) is colour


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))), st.integers(12, 100), st.booleans())
def test_a_wrapped_line_fits_and_keeps_its_words(text: str, columns: int, colour: bool) -> None:
    line = render.Style(colour).strong(text)
    rows = click.unstyle(render.wrap(line, columns)).split("\n")
    assert all(render.width(row) <= columns or left_to_the_terminal(row, columns) for row in rows)
    assert all(row.startswith(" " * 8) for row in rows[1:])
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")


def left_to_the_terminal(row: str, columns: int) -> bool:
    return any(word.isascii() and len(word) > columns - 8 for word in row.split(" "))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("word", ["https://example.org/" + "x" * 90, "https://example.org/" + "ö" * 90, "y" * 100])
def test_a_word_that_is_longer_than_a_row_is_left_whole(word: str, colour: bool) -> None:
    style = render.Style(colour)
    wrapped = click.unstyle(render.wrap(f"05:30 <bob> look: {style.text(word)} at it", 40))
    assert word in wrapped
    assert wrapped.endswith(" at it")


@pytest.mark.parametrize("blank", ["\u00a0", "\u2800", "\u3164", "\u3000"])
def test_a_long_word_with_something_like_a_blank_in_it_is_broken_and_indented(blank: str) -> None:
    forged = f"05:30 <eve> {'x' * 60}05:31{blank}<bob>{blank}I{blank}quit"
    assert all(row.startswith(" " * 8) for row in render.wrap(forged, 40).split("\n")[1:])


@pytest.mark.parametrize(("text", "mentions"), [("alice-x: hi", 0), ("alice.org", 0), ("alice- hi", 1), ("alice.", 1)])
def test_a_nick_with_more_behind_it_is_a_nick_of_its_own(text: str, mentions: int) -> None:
    pattern = render.mentions(("alice",))
    assert pattern is not None
    assert len(pattern.findall(text)) == mentions


def test_wrapping_breaks_between_words() -> None:
    assert render.wrap("05:30 <bob> one two three four", 20) == "05:30 <bob> one two \n        three four"


def test_a_text_padded_to_the_width_cannot_pass_for_a_message_of_its_own() -> None:
    forged = render.event(message("hi" + " " * 80 + "05:31 <bob> I quit"), PLAIN)
    assert forged is not None
    assert all(row.startswith("        ") for row in render.wrap(forged, 40).split("\n")[1:])


def luminance(colour: int) -> float:
    """Return the relative luminance of one of the 256 colours (WCAG 2)."""
    steps = (0, 95, 135, 175, 215, 255)
    place = colour - 16
    parts = [steps[place // 36] / 255, steps[place // 6 % 6] / 255, steps[place % 6] / 255]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_a_nick_can_be_read_on_black_and_on_white() -> None:
    style = render.Style(colour=True)
    used = {style.nick("x", f"{number:016x}") for number in range(2_000)}
    colours = {int(shown.split("38;5;")[1].split("m")[0]) for shown in used}
    assert len(colours) > 10
    assert all((luminance(colour) + 0.05) / 0.05 >= 3.5 for colour in colours)
    assert all(1.05 / (luminance(colour) + 0.05) >= 3.5 for colour in colours)


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("alice: look", True),
        ("ask @Alice.", True),
        ("(ALICE)", True),
        ("malice", False),
        ("alices", False),
        ("alice@example.org", True),
        ("bob@alice.example", False),
        ("the deploy failed", True),
        ("redeploy", False),
        ("it costs a.b", True),
        ("it costs axb", False),
    ],
)
def test_a_name_or_a_word_is_a_mention_where_it_stands_alone(text: str, mentioned: bool) -> None:
    found = render.mentions(["alice", "deploy", "a.b"])
    assert found is not None
    assert bool(found.search(text)) is mentioned


def test_without_a_name_nothing_is_a_mention() -> None:
    assert render.mentions(["", ""]) is None


@given(nasty)
def test_marking_a_text_changes_nothing_but_its_style(text: str) -> None:
    style = render.Style(colour=True, mentions=render.mentions(["alice", "a"]))
    shown = escape_controls(text, "\n")
    assert click.unstyle(style.text(shown)) == shown
    assert click.unstyle(style.text(f"{shown} `x` https://a.example alice")) == f"{shown} `x` https://a.example alice"


def test_a_reply_shows_what_it_answers_and_then_itself_under_an_indent() -> None:
    shown = render.event(message("yes\nreally"), PLAIN, "bob: shall we?")
    assert shown == "05:30 #general <alice> [answers bob: shall we?]\n        yes\n        really"


def test_the_excerpt_of_a_message_is_one_short_harmless_line() -> None:
    assert said.excerpt(message("one\ntwo")) == "alice: one …"
    assert said.excerpt(message("漢" * 60), 20) == "alice: 漢漢漢漢漢漢 …"
    assert said.excerpt(message("\x1b[2J")) == "alice: \\x1b[2J"


def joined(nick: str) -> m.MemberJoined:
    return m.MemberJoined(room="dev", rev=1, nick=nick, from_=ALICE, bot=False)


def left(nick: str, reason: str = "bye") -> m.MemberLeft:
    return m.MemberLeft(room="dev", rev=1, nick=nick, reason=reason)


def renamed(nick: str, new: str) -> m.MemberRenamed:
    return m.MemberRenamed(room="dev", rev=1, nick=nick, new=new)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ([joined("bob")], "→ bob joined"),
        ([joined("bob"), joined("carol")], "→ bob, carol joined"),
        ([left("bob"), left("carol"), left("dave", "timeout")], "← bob, carol left (bye) · ← dave left (timeout)"),
        ([joined("bob"), left("bob")], "⇄ bob came and went"),
        ([left("bob"), joined("carol"), joined("bob")], "⇄ bob left and came back · → carol joined"),
        ([m.MemberRenamed(room="dev", rev=1, nick="b{0}b", new="{}")], "· b{0}b is now {}"),
        ([left("bob", "{x}")], "← bob left ({x})"),
        ([renamed("bob", "rob"), renamed("ann", "anna")], "· bob is now rob · ann is now anna"),
    ],
)
def test_who_came_and_went_is_one_line(changes: list[m.MemberJoined | m.MemberLeft], line: str) -> None:
    assert render.presence_changes(changes, PLAIN) == f"      {line}"


def test_a_family_in_one_emoji_takes_two_columns_and_is_not_broken() -> None:
    family = "👨‍👩‍👧‍👦"
    assert render.width(family) == 2
    assert render.wrap(family * 10, 16).split("\n") == [family * 8, " " * 8 + family * 2]


def test_one_thing_is_counted_without_an_s() -> None:
    assert [render.counted(n, "line") for n in (0, 1, 4812)] == ["0 lines", "1 line", "4,812 lines"]


def test_a_broker_with_another_key_is_not_said_to_be_back() -> None:
    told = render.event(notices.KeptOut("wrong_key", "What answers is not the broker."), render.Style()) or ""
    assert told == "What answers is not the broker. Trying again."
    told = render.event(notices.KeptOut("server_full", "it is full"), render.Style()) or ""
    assert told == "The broker is back and does not let us in: it is full. Trying again."


def test_a_move_to_another_broker_is_not_told() -> None:
    welcome = msgspec.convert(script.welcome(), m.Welcome)
    assert render.event(notices.Online(welcome, True), PLAIN) == "Connected again."
    assert render.event(notices.Online(welcome, True, moved=True), PLAIN) is None


def test_that_nothing_can_be_stored_is_told_with_the_reason_and_what_becomes_of_what_one_says() -> None:
    told = render.event(notices.Stalled("no node leads."), PLAIN)
    assert told == (
        "The brokers cannot store anything now: no node leads. What you say waits, and is stored once they can."
    )
    assert render.event(notices.Flowing(), PLAIN) == "The brokers store again what you say."


def test_a_private_room_has_a_lock_on_a_terminal_and_its_plus_everywhere() -> None:
    locked = render.Style(zone=UTC, lock="🔒")
    assert render.event(message(room="+ops"), locked) == "05:30 🔒+ops <alice> hi"
    assert render.event(message(room="+ops"), PLAIN) == "05:30 +ops <alice> hi"
    assert [locked.place(name) for name in ("#+ops", "#dev", "@bob")] == ["🔒+ops", "#dev", "@bob"]
    came = m.MemberJoined(room="+ops", rev=1, nick="bob", from_=ALICE, bot=False)
    assert (render.event(came, locked) or "").endswith("→ bob joined 🔒+ops")
    removed = notices.Removed("+ops", "kicked")
    assert render.event(removed, locked) == "You are not in 🔒+ops any more: kicked."


def test_who_is_no_member_is_shown_as_a_guest_where_there_are_members() -> None:
    guest, member = m.Member(nick="b\x1b", from_=ALICE), m.Member(nick="bob", from_=ALICE, role="member")
    roles = render.Style(roles=True)
    assert [roles.person(one) for one in (guest, member)] == ["b\\x1b (guest)", "bob"]
    assert [PLAIN.person(one) for one in (guest, member)] == ["b\\x1b", "bob"]
    assert "\x1b[2m" in render.Style(colour=True, roles=True).person(guest)
