"""An event, or an answer, as lines that are safe to put on a terminal.

A peer may write anything. So each piece of foreign text first passes through `escape_controls`, and only then gets our
own styles. The second and later lines of a text are indented, so that none of them can pass for a message of its own.

How lines look is in `styles.py`, how they are broken in `layout.py`, what is said and done to it in `said.py`. All
functions are pure: the time zone and whether to use colour are arguments (`Style`).
"""

from collections.abc import Iterable, Mapping

from zchat.client.core import notices
from zchat.client.core.phrases import phrase, place
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import said
from .layout import truncate, width, wrap
from .styles import LOCK, Style, day, indent, local_times, mentions, stamp, use_colour, when, where

__all__ = [
    "LOCK",
    "PresenceChange",
    "Style",
    "counted",
    "day",
    "divider",
    "event",
    "local_times",
    "mentions",
    "presence_changes",
    "stamp",
    "truncate",
    "use_colour",
    "when",
    "width",
    "wrap",
]

LOST_SHOWN = 20  # messages of one's own that are listed when the log went back: the latest


PresenceChange = m.MemberJoined | m.MemberLeft | m.MemberRenamed | m.MemberAway


def event(what: object, style: Style, about: str = "") -> str | None:
    """Return an event as one line or more, or None if people need not see it.

    `about` is what a message replies to, or what something was done to.
    """
    match what:
        case m.MemberJoined() | m.MemberLeft() | m.MemberRenamed() | m.MemberAway():
            return style.dim(indent(style) + _presence_change(what) + where(what.room, style))
        case m.BrokerBye():
            return style.dim(f"{indent(style)}The broker stops ({escape_controls(what.reason, ' ')}).")
        case notices.WentBack():
            return style.strong(_went_back(what, style))
    return said.event(what, style, about) if isinstance(what, m.Durable) else _notice(what, style)


def numbered(shown: Mapping[int, str | None], style: Style) -> list[str]:
    """Return what is shown of events, each behind its number, and further lines of it under its first one."""
    width = max((len(str(seq)) for seq in shown), default=0)
    return [
        f"{style.dim(f'{seq:>{width}}')} " + told.replace("\n", "\n" + " " * (width + 1))
        for seq, told in shown.items()
        if told
    ]


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
        case m.Dropped(id=number, message=message):
            place = style.room(what.room) if what.room is not None else "@" + escape_controls(what.to or "", " ")
            told = f"What you said for later to {place} ({number}) was not said: {escape_controls(message, ' ')}."
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
    return style.dim(indent(style) + " · ".join([*said[:1], *(one.removeprefix("· ") for one in said[1:])]))
