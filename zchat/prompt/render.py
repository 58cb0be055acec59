"""An event, or an answer, as lines that are safe to put on a terminal.

A peer may write anything. So each piece of foreign text first passes through `escape_controls`, and only then gets our
own styles. The second and later lines of a text are indented, so that none of them can pass for a message of its own.

All functions are pure: the time zone and whether to use colour are arguments (`Style`).
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

import click
import wcwidth

from zchat.client.core import notices
from zchat.client.core.phrases import phrase, place
from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import names

# From the 256 colours, those that can be read on black and on white alike (a contrast of 3.5 with both, after WCAG).
_COLOURS = (26, 28, 31, 32, 62, 64, 66, 94, 97, 98, 129, 131, 133, 160, 163, 166)
_LINK = re.compile(r"\b(?:https?|ftp)://[^\s<>\"]+")
_CODE = re.compile(r"`[^`\n]+`")
_CODE_COLOUR = 30
# A word, or a link, that cannot pass for a row of its own where the terminal breaks it: nothing in it looks blank.
_UNBROKEN = re.compile(r"[!-~]+|[!-~]*://[^\s\u2800\u3164\uffa0\u115f\u1160]+")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
LOST_SHOWN = 20  # messages of one's own that are listed when the log went back: the latest
LOCK = "🔒"  # before a private room on a terminal
_LRM = "\u200e"  # left-to-right mark: keeps a nick and a text that both run right to left from changing places


PresenceChange = m.MemberJoined | m.MemberLeft | m.MemberRenamed | m.MemberAway


@dataclass(frozen=True)
class Style:
    """How events look. `here` is the room whose name is left out; `zone` is the time zone (None: the system's).

    `lock` stands before the names of private rooms, instead of a `#`. `roles` tells whether the broker knows members:
    then whoever is none is shown as a guest.
    """

    colour: bool = False
    stamp: str = "%H:%M"
    here: str | None = None
    zone: tzinfo | None = None
    mentions: re.Pattern[str] | None = None  # what mentions the reader: see the function `mentions`
    lock: str = ""
    roles: bool = False

    def dim(self, text: str) -> str:
        """Dim `text`: it is about the talk, not of it."""
        return click.style(text, dim=True) if self.colour else text

    def strong(self, text: str) -> str:
        """Make `text` bold."""
        return click.style(text, bold=True) if self.colour else text

    def nick(self, name: str, from_: str) -> str:
        """Return a nick in the colour of its `from`, which stays when the nick changes."""
        shown = escape_controls(name)
        if not self.colour:
            return shown
        return click.style(shown, fg=_COLOURS[zlib.crc32(from_.encode(errors="replace")) % len(_COLOURS)])

    def room(self, name: str) -> str:
        """Return a room as people see it: `#general`, `🔒+ops`."""
        return f"{self.lock if names.is_private(name) else '#'}{escape_controls(name)}"

    def place(self, target: str) -> str:
        """Return a target, `#general` or `@bob`, as people see it."""
        return self.room(target[1:]) if target.startswith("#") else escape_controls(target)

    def person(self, member: m.Member) -> str:
        """Return somebody who is here: `bob`, and `bob (guest)`, dimmed, for who is no member."""
        shown = escape_controls(member.nick)
        return self.dim(f"{shown} (guest)") if self.roles and not member.role else shown

    def text(self, shown: str) -> str:
        """Mark links, `code` and mentions of the reader in a text whose controls are escaped already."""
        if not self.colour:
            return shown
        shown = _CODE.sub(lambda found: click.style(found[0], fg=_CODE_COLOUR), shown)
        shown = _LINK.sub(lambda found: click.style(found[0], underline=True), shown)
        if self.mentions is not None:
            shown = self.mentions.sub(lambda found: click.style(found[0], reverse=True, bold=True), shown)
        return shown


def mentions(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds these words in an escaped text, as whole words: a nick, and the highlights."""
    wanted = [re.escape(escape_controls(word)) for word in words if word]
    return re.compile(rf"(?<![\w@/.-])@?(?:{'|'.join(wanted)})(?![-.]?\w)", re.IGNORECASE) if wanted else None


def width(text: str) -> int:
    """Return the columns that `text` takes on a terminal, without styles: a family of four in one emoji takes two."""
    return wcwidth.width(text) if not text.isascii() or "\x1b" in text else len(text)


def wrap(line: str, columns: int, indent: str = " " * 8) -> str:
    """Break a rendered line between words so that each row fits; rows after the first are indented.

    If the terminal broke the line, a text with many blanks could make its next row look like another message. Only a
    word that is longer than a row is left to the terminal. If we broke a link, it could not be opened or copied.
    """
    if len(line) <= columns and line.isascii():
        return line
    rows, used = [""], 0
    for piece in re.split("( )", line):
        word, size = piece, width(click.unstyle(piece))
        if used + size > columns and used > len(indent):
            rows.append(indent)
            used = len(indent)
            word, size = ("", 0) if piece == " " else (word, size)
        if _UNBROKEN.fullmatch(click.unstyle(piece)) and size > columns - len(indent):
            rows[-1] += word  # the terminal goes on with it on the next row, and can still copy and open it as one
            used = (used + size) % columns
            continue
        while used + size > columns > len(indent) + 2:
            part = truncate(word, columns - used)
            rows[-1] += part
            rows.append(indent)
            word, used = word[len(part) :], len(indent)
            size = width(click.unstyle(word))
        rows[-1] += word
        used += size
    return "\n".join(rows)


def truncate(word: str, columns: int) -> str:
    """Return as much of a rendered `word` as fits into so many columns; no style and no grapheme is cut."""
    used, end = 0, 0
    for piece, is_style in wcwidth.iter_sequences(word):
        for part in [piece] if is_style else wcwidth.iter_graphemes(piece):
            used += 0 if is_style else width(part)
            if used > columns:
                return word[:end]
            end += len(part)
    return word[:end]


def event(what: object, style: Style, quote: str = "") -> str | None:
    """Return an event as one line or more, or None if people need not see it. `quote` is what it replies to."""
    match what:
        case m.Message():
            return _message(what, style, quote)
        case m.Topic():
            who = style.nick(what.nick, what.from_)
            text = escape_controls(what.text, " ")
            said = f"changed the topic: {text}" if text else "removed the topic"
            return f"{_start(what.time, what.room, style)}* {who} {said}"
        case m.MemberJoined() | m.MemberLeft() | m.MemberRenamed() | m.MemberAway():
            return style.dim(_indent(style) + _presence_change(what) + _where(what.room, style))
        case m.BrokerBye():
            return style.dim(f"{_indent(style)}The broker stops ({escape_controls(what.reason, ' ')}).")
        case notices.WentBack():
            return style.strong(_went_back(what, style))
    return _notice(what, style)


def _notice(what: object, style: Style) -> str | None:
    """Return a change of the connection as a line; the first connection is no news."""
    why = escape_controls(getattr(what, "why", ""), " ").rstrip(".")
    match what:
        case notices.Offline(retry_in=seconds):
            told = f"The broker is gone: {why}. Trying again in {seconds:.1f} s, and so on."
        case notices.KeptOut(code="wrong_key"):  # it is another one that is there
            told = f"{why}. Trying again."
        case notices.KeptOut():
            told = f"The broker is back and does not let us in: {why}. Trying again."
        case notices.NickRefused(nick=nick):
            told = f"You are not {escape_controls(nick)}: {why}."
        case notices.Deferred() | notices.Stalled() | notices.Flowing():
            told = _STORING[type(what)].format(why=why)
        case notices.Online(again=True, moved=False):
            told = "Connected again."
        case notices.Removed(room=room):
            told = f"You are not in {style.room(room)} any more: {why}."
        case notices.Ended(reason=reason):
            told = f"The broker has ended this session ({escape_controls(reason, ' ')})."
        case _:
            return None
    return style.strong(told)


_STORING: dict[type[notices.Notice], str] = {
    notices.Deferred: "Not stored yet: {why}. It is sent again by itself.",
    notices.Stalled: "The brokers cannot store anything now: {why}. What you say waits, and is stored once they can.",
    notices.Flowing: "The brokers store again what you say.",
}


def _went_back(what: notices.WentBack, style: Style) -> str:
    """Say that the log went back, and which of one's own messages are lost."""
    rows = ["The broker's log went back to an earlier state: what was said since then is gone. What comes now is new."]
    shown = what.lost[-LOST_SHOWN:]
    more = len(what.lost) - len(shown) + what.more
    if more:
        rows.append(f"Up to {more} {'more ' if shown else ''}of your messages are gone with it.")
    for command in shown:
        text = truncate(escape_controls(phrase(command), " "), 60)
        what_it_was = f"{style.place(place(command))} {text}".lstrip()
        rows.append(f"Gone, though it was stored once: {what_it_was}")
    return "\n".join(rows)


def _message(what: m.Message, style: Style, quote: str) -> str | None:
    start = _start(what.time, what.room, style)
    who = style.nick(what.nick, what.from_)
    text = style.text(escape_controls(what.text, "\n" + _indent(style) + "  "))
    if quote:
        text = f"{style.dim(f'↪ {quote}')}\n{_indent(style)}  {text}"
    if what.to is not None:
        who = f"{who} → {escape_controls(what.to)}"
    ends = _LRM if any(unicodedata.bidirectional(one) in ("R", "AL") for one in what.nick) else ""
    match what.kind:
        case "message":
            return f"{start}<{who}>{ends} {text}"
        case "action":
            return f"{start}* {who}{ends} {text}"
        case "notice":
            return f"{start}-{who}-{ends} {text}"
    return None  # a kind of a later version: to be ignored


def _presence_change(what: PresenceChange) -> str:
    who = escape_controls(what.nick)
    match what:
        case m.MemberJoined():
            return f"→ {who} joined"
        case m.MemberLeft():
            text = f": {escape_controls(what.text, ' ')}" if what.text else ""
            return f"← {who} left ({escape_controls(what.reason, ' ')}{text})"
        case m.MemberRenamed():
            return f"· {who} is now {escape_controls(what.new)}"
        case m.MemberAway():
            return f"· {who} is back" if what.text is None else f"· {who} is away: {escape_controls(what.text, ' ')}"


def quote(what: m.Durable, said: Iterable[m.Durable]) -> str:
    """Return what a message replies to: an excerpt if it is among what was said, else its number, "" for no reply."""
    wanted = getattr(what, "reply_to", None)
    if wanted is None:
        return ""
    return next((excerpt(one) for one in said if one.seq == wanted), f"{wanted}")


def excerpt(what: m.Durable, columns: int = 60) -> str:
    """Return a message as one short line: `bob: the first words of it …`."""
    first, _, more = getattr(what, "text", "").strip().partition("\n")
    line = f"{escape_controls(what.nick)}: {escape_controls(first, ' ')}"
    cut = truncate(line, columns)
    return line if cut == line and not more else f"{cut.rstrip()} …"


def counted(number: int, what: str) -> str:
    """Return a number of things: `1 line`, `4,812 lines`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def divider(text: str, style: Style) -> str:
    """Return the line that separates what is above it from what is below: `── new ──`."""
    return style.dim(f"── {text} ──")


def presence_changes(found: Iterable[PresenceChange], style: Style) -> str:
    """Return who came and went as one line; of each person, the first and the last change count."""
    last: dict[str, list[PresenceChange]] = {}
    for one in found:
        last.setdefault(one.nick, []).append(one)
    groups: dict[str, list[str]] = {}
    for nick, each in last.items():
        match (each[0], each[-1]):
            case (m.MemberJoined(), m.MemberLeft()):
                groups.setdefault("⇄ {} came and went", []).append(escape_controls(nick))
            case (m.MemberLeft(), m.MemberJoined()):
                groups.setdefault("⇄ {} left and came back", []).append(escape_controls(nick))
            case (_, m.MemberJoined()):
                groups.setdefault("→ {} joined", []).append(escape_controls(nick))
            case (_, m.MemberLeft(reason=reason)):
                why = escape_controls(reason, " ").replace("{", "{{").replace("}", "}}")
                groups.setdefault(f"← {{}} left ({why})", []).append(escape_controls(nick))
            case (_, other):
                groups.setdefault(_presence_change(other).replace("{", "{{").replace("}", "}}"), [])
    said = [pattern.format(", ".join(nicks)) for pattern, nicks in groups.items()]
    return style.dim(_indent(style) + " · ".join([*said[:1], *(one.removeprefix("· ") for one in said[1:])]))


def _start(time: str, room: str | None, style: Style) -> str:
    """Return the time, and the room unless it is `here`."""
    where = f"{style.room(room)} " if room is not None and room != style.here else ""
    return style.dim(f"{stamp(time, style)} {where}")


def _where(room: str, style: Style) -> str:
    return "" if room == style.here else f" {style.room(room)}"


def _indent(style: Style) -> str:
    return " " * (len(datetime(2000, 1, 1).strftime(style.stamp)) + 1)  # any day has the same length


def stamp(time: str, style: Style) -> str:
    """Return the time of an event (RFC 3339) as `style` has it, or as it is if it is no time."""
    try:
        return datetime.fromisoformat(time).astimezone(style.zone).strftime(style.stamp)
    except (ValueError, OverflowError):
        return escape_controls(time[:40])


def when(time: str, now: str, style: Style) -> str:
    """Return until when something holds: only the time of day if that is today, else with its date."""
    full = stamp(time, Style(stamp="%Y-%m-%d %H:%M", zone=style.zone))
    return full.rpartition(" ")[2] if day(time, style) == day(now, style) else full


def local_times(text: str, now: str, style: Style) -> str:
    """Return a sentence of the broker's, in which times are in UTC, with each as it is here."""
    return _TIME.sub(lambda found: when(found[0], now, style), text)


def day(time: str, style: Style) -> str:
    """Return the day of an event, in the time zone of `style`."""
    return stamp(time, Style(stamp="%Y-%m-%d", zone=style.zone))


def use_colour(terminal: bool, no_color: str | None) -> bool:
    """Say whether to use colour: only on a terminal, and never with NO_COLOR (no-color.org)."""
    return terminal and not no_color
