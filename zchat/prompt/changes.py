"""What was done about members and rooms, as sentences: to the one whom it is about, and to others.

The broker tells a `member` or `access` event to the member concerned, to the private room concerned, and to moderators.
So most changes have two sentences. Both stand in one table, with the names of what is filled in; `/audit` shows the
second one of each. Whoever does something is told what became of it by the command, and not once more by the event.
"""

from collections.abc import Callable

from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import names
from zchat.protocol.policy import one

from . import render
from .arguments import told_days
from .render import Style

BROKER = "the broker"  # who did what nobody did
KEY_SHOWN = 12  # characters of a key: enough to tell one's devices apart

_ARRIVALS = {"joined", "device"}  # by who invited them, some time ago
_TALK = {"nick", "device"}  # changes of others that nobody needs to hear of at once

# by the change: what is said to the one concerned, and what to others; "" for nothing
_MEMBERS = {
    "joined": ("", "{who} came in as {role}{invited}."),
    "nick": ("", "{by} is called {who} now."),
    "role": ("{by} made you {role}.", "{by} made {who} {role}."),
    "device": ("A device of yours came in: {device}.", "{who} came in with another device: {device}."),
    "removed": ("{by} removed your device {device}.", "{by} removed the device {device} of {who}."),
    "invited": ("{by} invited another device of yours{until}.", "{by} made an invitation for {guests}{until}."),
    "revoked": ("{by} took an invitation back.", "{by} took an invitation back."),
    "banned": ("{by} banned you{until}{reason}.", "{by} banned {who}{until}{reason}."),
    "unbanned": ("{by} let you in again{reason}.", "{by} let {who} in again{reason}."),
    "muted": ("You are muted{where}{until}{reason} (by {by}).", "{by} muted {who}{where}{until}{reason}."),
    "unmuted": ("You may speak again{where}{reason} (by {by}).", "{by} let {who} speak again{where}{reason}."),
}
_ACCESS = {
    "admitted": ("You were let into {room} by {by}: /join {typed}", "{by} let {who} into {room}."),
    "expelled": ("{by} took you out of {room}.", "{by} took {who} out of {room}."),
    "operator": ("{by} made you an operator of {room}.", "{by} made {who} an operator of {room}."),
    "keep": ("", "{by} has {room} keep what is said {kept}."),
    "private": ("", "{by} made the private room {room}."),
    "announce": ("", "{by} made {room} read-only: its operators and moderators speak there."),
    "public": ("", "{by} lets everybody speak in {room} again."),
}

_BY_ONESELF = {"expelled": "{who} left {room} for good.", "removed": "{who} removed a device of their own: {device}."}


def heard(event: m.Administrative, mine: str, style: Style) -> list[str]:
    """Return the sentence that a person is told when an event comes, [] for none; `mine` is their public id."""
    about_us = event.from_ == mine
    asked_for = event.by == mine and event.change not in _ARRIVALS
    if asked_for or (not about_us and event.change in _TALK):
        return []
    said = _sentence(event, style, about_us)
    return [style.strong(said) if about_us else style.dim(said)] if said else []


def recorded(event: m.Administrative, style: Style) -> str:
    """Return an event as a line of the audit trail: when, who, what."""
    said = _sentence(event, style, False) or f"{_by(event)}: {escape_controls(event.change)}."
    return f"{style.dim(render.stamp(event.time, style))} {said}"


def credential(text: str) -> str:
    """Return a key or a uid as it is shown: a key is told apart by its beginning."""
    shown = escape_controls(text, " ")
    kind, _, key = shown.partition(":")
    return f"{kind}:{key[:KEY_SHOWN]}…" if kind == "key" and len(key) > KEY_SHOWN else shown


def _sentence(event: m.Administrative, style: Style, about_us: bool) -> str:
    if isinstance(event, m.AccessChanged):
        forms = _ACCESS.get((event.mode or "") if event.change == "mode" else event.change, ("", ""))
    else:
        forms = _MEMBERS.get(event.change, ("", ""))
    if event.change in _BY_ONESELF and event.by == event.from_:
        forms = ("", _BY_ONESELF[event.change])
    pattern = forms[0] if about_us else forms[1]
    said = pattern.format_map(_Fields(event, style)) if pattern else ""
    return said.replace(BROKER, BROKER.capitalize(), 1) if said.startswith(BROKER) and not event.by else said


class _Fields(dict[str, str]):
    """What is filled into a sentence, each made when it is asked for; all of it is harmless."""

    def __init__(self, event: m.Administrative, style: Style) -> None:
        super().__init__()
        self._event, self._style = event, style

    def __missing__(self, name: str) -> str:
        return _FIELDS[name](self._event, self._style)


def _by(event: m.Administrative) -> str:
    return escape_controls(event.by_nick or event.by or BROKER, " ")


def _who(event: m.Administrative, _: Style) -> str:
    named = event.nick or event.from_
    return escape_controls(named, " ") if named else credential(getattr(event, "credential", None) or "?")


def _device(event: m.Administrative, _: Style) -> str:
    named, key = escape_controls(getattr(event, "device", None) or "", " "), getattr(event, "credential", None) or ""
    return f"{named} ({credential(key)})" if named else credential(key)


def _guests(event: m.Administrative, style: Style) -> str:
    """Return for whom an invitation is."""
    uses, rooms = getattr(event, "uses", None) or 1, getattr(event, "rooms", ())
    into = f" and lets them into {', '.join(map(style.room, rooms))}" if rooms else ""
    if event.from_ is not None:
        return "a device of theirs"
    role = getattr(event, "role", None) or "member"
    return (one(escape_controls(role)) if uses == 1 else f"up to {uses:,} {escape_controls(role)}s") + into


def _role(event: m.Administrative, _: Style) -> str:
    return one(escape_controls(getattr(event, "role", None) or "", " "))


def _until(event: m.Administrative, style: Style) -> str:
    end = getattr(event, "until", None) or getattr(event, "expires", None)
    return f" until {render.when(end, event.time, style)}" if end else ""


def _typed(event: m.Administrative, _: Style) -> str:
    room = event.room or ""
    return escape_controls(room if names.is_private(room) else f"#{room}")


def _reason(event: m.Administrative, _: Style) -> str:
    reason = getattr(event, "reason", None)
    return f": {escape_controls(reason, ' ').rstrip('.')}" if reason else ""


_FIELDS: dict[str, Callable[[m.Administrative, Style], str]] = {
    "by": lambda event, _: _by(event),
    "who": _who,
    "device": _device,
    "guests": _guests,
    "invited": lambda event, _: f", invited by {_by(event)}" if event.by else "",
    "role": _role,
    "until": _until,
    "reason": _reason,
    "where": lambda event, style: f" in {style.room(event.room)}" if event.room else "",
    "room": lambda event, style: style.room(event.room or ""),
    "typed": _typed,
    "kept": lambda event, _: told_days(getattr(event, "keep", None)),
}
