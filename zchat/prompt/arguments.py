"""Arguments of commands, in a shell and after a slash: nicks, rooms, moments, whole numbers."""

from datetime import datetime, timedelta
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Whole(click.IntRange):
    """A whole number within bounds."""

    name = "whole number"

    def _describe_range(self) -> str:
        return f"{self.min} or more" if self.max is None else f"{self.min} to {self.max}"


def since(text: str, now: datetime) -> datetime:
    """Return the moment of `text`: so long before `now` (`10m`), or in RFC 3339 (without an offset: local time).

    Raises ValueError, OverflowError.
    """
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit():
        return now - timedelta(**{_UNITS[unit]: int(number)})
    return datetime.fromisoformat(text).astimezone()


def _normalized(what: str, value: str) -> str:
    """Return a room or a nick in the form that the broker uses. Raises click's BadParameter."""
    from zchat.protocol import names  # noqa: PLC0415 — the tables of PRECIS take their time

    try:
        return names.typed_room(value) if what == "room" else names.nick(value)
    except names.BadNameError as error:
        raise click.BadParameter(f"{value!r}: {error}.") from None


def check_room(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Normalize the value of an option that takes one room or several (a click callback)."""
    if isinstance(value, tuple):
        return tuple(dict.fromkeys(_normalized("room", room) for room in value))
    return value if value is None else _normalized("room", value)


def check_nick(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Normalize the value of an option that takes a nick (a click callback)."""
    return value if value is None else _normalized("nick", value.removeprefix("@"))


def check_partner(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Normalize the name of a conversation: `bob`, or `bob/9f86d0` for one who was bob before (a click callback)."""
    nick, slash, from_ = value.removeprefix("@").partition("/")
    return check_nick(ctx, param, nick) + slash + from_
