"""What a program gives a client, checked before anything is sent: texts, nicks, rooms, and whom it is for."""

import getpass
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from zchat.errors import RefusedError
from zchat.protocol import messages as m
from zchat.protocol import names, wire

ADDED = 32  # bytes of the number, and of the `ref`, that a command gets when it is sent
FROM = re.compile("[0-9a-f]{16}")


def text_of(value: Any, name: str) -> str:
    """Return an argument that has to be a text. Raises TypeError: bytes would be stored as base64."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a str, not {type(value).__name__}")
    return value


def plain_room(room: str) -> str:
    """Return a room without the `#` that people write before it; what else is wrong with it the broker tells."""
    return text_of(room, "room").removeprefix("#")


def checked_place(room: str | None, to: str | None, with_: str | None) -> str | None:
    """Return the room of a place, None for a conversation. Raises ValueError for what is no place, TypeError."""
    if (room is None) == (to is None):
        raise ValueError("say where: either room=… or to=…")
    if to is not None:
        text_of(to, "to")
    if with_ is not None and not FROM.fullmatch(text_of(with_, "with_")):
        raise ValueError(f"with_ is the `from_` of somebody, not {with_!r}")
    return None if room is None else plain_room(room)


def checked_time(time: datetime | None, name: str) -> datetime | None:
    """Return a time that a program gives. Raises ValueError for one without a zone."""
    if time is not None and time.tzinfo is None:
        raise ValueError(f"{name} has no time zone: make it with datetime.now(UTC), or .astimezone() it")
    return time


def rooms_of(rooms: Iterable[str], name: str = "rooms") -> tuple[str, ...]:
    """Return the rooms of an argument, each once, as the protocol has them; a `#` before a name is none of it.

    Raises TypeError for what is no list of texts (a text alone is one of letters), RefusedError for what is no room.
    """
    if isinstance(rooms, str | bytes):
        raise TypeError(f"{name} is a list of rooms: {name}=[{rooms!r}]")
    return tuple(dict.fromkeys(room_name(room) for room in rooms))


def login_nick() -> str:
    """Return the login name as a nick; `guest` if it is not a valid nick."""
    try:
        return names.nick("-".join(getpass.getuser().split()))
    except (names.BadNameError, OSError, KeyError):
        return "guest"


def checked_nick(nick: str) -> str:
    text_of(nick, "nick")
    try:
        return names.nick(nick)
    except names.BadNameError as error:
        raise RefusedError("bad_nick", str(error)) from None


def room_name(room: str) -> str:
    try:
        return names.typed_room(text_of(room, "room"))
    except names.BadNameError as error:
        raise RefusedError("bad_room", str(error)) from None


def check_size(command: m.Command, welcome: m.Welcome | None) -> None:
    """Refuse here what could not even be sent: half a character, or more than a frame. Raises RefusedError."""
    limit = welcome.limits.frame if welcome else m.FRAME_MAX
    try:
        size = len(wire.encode(command))
    except UnicodeEncodeError:
        raise RefusedError("bad_text", "there is half a character in it, which is not Unicode") from None
    if size + ADDED >= limit:
        raise RefusedError("too_long", f"its {size} bytes do not fit into a frame of {limit}")
