"""Times in sentences: brokers tell them in UTC, as machines do, and people read when it is where they are. Pure."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def retold(text: str, told: Callable[[datetime], str]) -> str:
    """Return a sentence in which each time is as `told` has it."""

    def one(found: re.Match[str]) -> str:
        try:
            return told(datetime.fromisoformat(found[0]))
        except (ValueError, OverflowError):  # it only looks like one
            return found[0]

    return _TIME.sub(one, text)


def when(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Return a moment in a time zone (None: the system's): only the time of day if that is today."""
    here = moment.astimezone(zone)
    return f"{here:%H:%M}" if here.date() == now.astimezone(zone).date() else f"{here:%Y-%m-%d %H:%M}"


def in_utc(moment: datetime) -> str:
    """Return a moment for people whose time zone is not known."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
