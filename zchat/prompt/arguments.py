"""Arguments of commands, in a shell and after a slash: nicks, rooms, moments, whole numbers."""

import re
from datetime import datetime, time, timedelta
from typing import Any

import click

REASON_MAX = 1024  # characters: what the protocol takes
DAYS_MAX = 36_500  # what the protocol takes
FOREVER, DEFAULT = "forever", "default"
CREDENTIALS = ("key:", "uid:")

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]")
_HALF_DAY = re.compile(r"(?<!\S)(0?[1-9]|1[0-2])(:[0-5][0-9])? ?([ap])m(?!\S)", re.IGNORECASE)
_FILLERS = ("in", "at")
_AT_WORDS = 4  # of a moment at most, as in `at 2026-12-24 at 9:00`
_DAYS = {"d": 1, "w": 7}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class OverError(ValueError):
    """A moment that is not to come."""


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
    return _local(datetime.fromisoformat(text))


def _local(moment: datetime) -> datetime:
    """Return the moment of a time by the clock here. One that is skipped where summer begins is so much later."""
    found = moment.astimezone()
    skipped = moment.tzinfo is None and found.replace(tzinfo=None) != moment
    return moment.replace(fold=1).astimezone() if skipped else found


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


def check_nicks(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Normalize several nicks (a click callback)."""
    return tuple(dict.fromkeys(check_nick(ctx, param, nick) for nick in value))


def check_whom(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Normalize who is banned (a click callback): a nick, or the credential of a device (`key:…`, `uid:…`)."""
    return value if value.startswith(CREDENTIALS) else check_nick(ctx, param, value)


def check_days(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Convert `90d`, `4w` or `forever` to a number of days, 0 for ever; `default` stays (a click callback)."""
    if value is None or value in {FOREVER, DEFAULT}:
        return 0 if value == FOREVER else value
    number, unit = value[:-1], value[-1:]
    if not (unit in _DAYS and number.isascii() and number.isdigit() and 0 < int(number[:9]) * _DAYS[unit] <= DAYS_MAX):
        raise click.BadParameter(f"{value!r} is no number of days. Write it as 30d, 4w, {FOREVER} or {DEFAULT}.")
    return int(number) * _DAYS[unit]


def told_days(days: float | None) -> str:
    """Return for how long something is kept, as part of a sentence; None: as the broker says."""
    if days is None:
        return "for as long as the broker says"
    number, unit = (days, "day") if days == int(days) else (round(days * 24, 1), "hour")
    return f"for {number:,g} {unit}{'' if number == 1 else 's'}" if days else "for ever"


def check_emoji(ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Return the emoji that is meant, by itself or by its name, as in `:tada:` (a click callback)."""
    from zchat import emojis  # noqa: PLC0415 — a large table, for one command

    try:
        return emojis.named(value)
    except ValueError as error:
        at_prompt = ctx.obj is not None  # a shell completes no names of emoji
        advice = "Tab after : shows the names." if at_prompt else "Give an emoji, or its name as in :tada:."
        raise click.BadParameter(f"{error} {advice}") from None


def check_until(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Convert `10m`, `14:05` or a date to a moment to come (a click callback)."""
    return value if value is None else _until(value)


def check_until_and_reason(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Part `[UNTIL] [REASON]…` (a click callback). What begins with a digit is a time, or a mistake in one."""
    if value and value[0][:1].isdigit():
        return _until(value[0], " A reason begins with another word."), _reason(value[1:])
    return None, _reason(value)


def check_new_text(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Check the text that a message is to have instead of its own (a click callback)."""
    if not value.strip():
        raise click.BadParameter("there is no text in it. To take the message back, delete it.")
    return value


def check_reason(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Put the words of a reason together (a click callback)."""
    return _reason(value)


def until(text: str, now: datetime) -> datetime:
    """Return the moment of `text`: so long after `now` (`10m`), the next `14:05` or `2pm`, or a time in RFC 3339.

    Raises ValueError, OverflowError, and OverError for a moment that is not to come.
    """
    text = _by_24_hours(text)
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit():
        found = now + timedelta(**{_UNITS[unit]: int(number)})
    elif _CLOCK.fullmatch(text):
        found = datetime.combine(now.date(), time.fromisoformat(text.zfill(5)), now.tzinfo)
        found += timedelta(days=found <= now)
    else:
        found = _local(datetime.fromisoformat(text))
    if found <= now:
        raise OverError
    return found


def at(text: str, now: datetime) -> datetime:
    """Return the moment of `text`, as `until` takes it, perhaps behind `in` or `at`; or as in `tomorrow 9:00`.

    Raises ValueError, OverflowError, OverError.
    """
    words = [word for word in _by_24_hours(" ".join(text.split())).split() if word.lower() not in _FILLERS]
    days = {"today": 0, "tomorrow": 1}.get(words[0].lower()) if words else None
    words = words[days is not None :]
    if len(words) != 1 or not _CLOCK.fullmatch(words[0]):
        if days is not None:
            raise ValueError
        clock = words[-1].zfill(5) if len(words) > 1 and _CLOCK.fullmatch(words[-1]) else None  # 9:00 is 09:00 for ISO
        return until(" ".join([*words[:-1], clock] if clock else words), now)
    found = _on_day(now, days or 0, words[0])
    if found <= now and days is None:
        found = _on_day(now, 1, words[0])
    if found <= now:
        raise OverError
    return found


def _by_24_hours(text: str) -> str:
    """Return a time as in `9pm` or `9:30 pm` as others write it."""
    return _HALF_DAY.sub(lambda found: f"{int(found[1]) % 12 + 12 * (found[3] in 'pP')}{found[2] or ':00'}", text)


def _on_day(now: datetime, days: int, clock: str) -> datetime:
    """Return a time of a day to come, by the clock of that day: summer may begin or end before."""
    moment = datetime.combine(now.date() + timedelta(days=days), time.fromisoformat(clock.zfill(5)))
    is_local = now.utcoffset() == now.astimezone().utcoffset()
    return _local(moment) if is_local else moment.replace(tzinfo=now.tzinfo)


def check_at(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Convert `10m`, `9:00` or `tomorrow 9:00` to a moment to come (a click callback)."""
    if value is None:
        return None
    return _at(value, datetime.now().astimezone())


def check_at_and_text(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[datetime, str]:
    """Part `WHEN TEXT`, where WHEN is what `check_at` takes, of as many words as make a moment (a click callback)."""
    now = datetime.now().astimezone()
    words = value.split(None, _AT_WORDS)
    for count in range(min(_AT_WORDS, len(words)), 0, -1):
        when, text = words[:count], (value.split(None, count)[count:] or [""])[0]
        if when[-1].lower() not in _FILLERS and _is_moment(" ".join(when), now):
            if not text:
                raise click.UsageError("Say the text, too, behind the time.")
            return _at(" ".join(when), now), text
    begin = 2 if words[0].lower() in (*_FILLERS, "today", "tomorrow") else 1
    return _at(" ".join(words[:begin]), now), ""


def _is_moment(text: str, now: datetime) -> bool:
    try:
        at(text, now)
    except OverError:
        return True
    except (ValueError, OverflowError):
        return False
    return True


def _at(text: str, now: datetime) -> datetime:
    try:
        return at(text, now)
    except OverError:
        raise click.BadParameter(f"{text} is over already: give a moment to come.") from None
    except (ValueError, OverflowError):
        example = (now + timedelta(days=7)).strftime("%Y-%m-%d 09:00")
        how = f"Write it as 10m, 2h, 1d, 9:00, tomorrow 9:00 or {example}."
        raise click.BadParameter(f"{text!r} is no time. {how}") from None


def _until(text: str, hint: str = "") -> datetime:
    now = datetime.now().astimezone()
    try:
        return until(text, now)
    except OverError:
        raise click.BadParameter(f"{text} is over already: give a moment to come.") from None
    except (ValueError, OverflowError):
        example = (now + timedelta(days=7)).strftime("%Y-%m-%d")
        how = f"Write it as 10m, 2h, 1d, 1w, 14:05 or {example}."
        raise click.BadParameter(f"{text!r} is no time. {how}{hint}") from None


def _reason(words: tuple[str, ...]) -> str | None:
    reason = " ".join(words)
    if len(reason) > REASON_MAX:
        raise click.BadParameter(f"it has {len(reason):,} characters, and at most {REASON_MAX:,} are told to others.")
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not UTF-8.") from None
    return reason or None
