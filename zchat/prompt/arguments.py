"""What people type as an argument, in a shell or behind a slash: nicks, rooms, moments, whole numbers."""

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
    """Return the moment that `text` names, seen from `now`: `10m` ago, or RFC 3339 (without an offset: local time).

    Raises ValueError or OverflowError.
    """
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit():
        return now - timedelta(**{_UNITS[unit]: int(number)})
    return datetime.fromisoformat(text).astimezone()


def _prepared(what: str, value: str) -> str:
    """Return a room or nick in the form that the broker uses, or raise click's BadParameter."""
    from zchat.protocol import names  # noqa: PLC0415 — the tables of PRECIS take their time

    try:
        return names.typed_room(value) if what == "room" else names.nick(value)
    except names.BadNameError as error:
        raise click.BadParameter(f"{value!r}: {error}.") from None


def check_room(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Prepare the value of an option that takes a room, or several (a click callback)."""
    if isinstance(value, tuple):
        return tuple(dict.fromkeys(_prepared("room", room) for room in value))
    return value if value is None else _prepared("room", value)


def check_nick(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Prepare the value of an option that takes a nick (a click callback)."""
    return value if value is None else _prepared("nick", value.removeprefix("@"))


def check_partner(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Prepare the name of a conversation: a nick, or that of somebody who had one before, as `bob/9f86d0`."""
    nick, slash, from_ = value.removeprefix("@").partition("/")
    return check_nick(ctx, param, nick) + slash + from_
