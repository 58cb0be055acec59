"""How lines look: colours, times, which signs stand for what. All functions are pure."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

import click

from zchat import moments
from zchat.client.core.mentions import calling
from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import names

# From the 256 colours, those that can be read on black and on white alike (a contrast of 3.5 with both, after WCAG).
_COLOURS = (26, 28, 31, 32, 62, 64, 66, 94, 97, 98, 129, 131, 133, 160, 163, 166)
_LINK = re.compile(r"\b(?:https?|ftp)://[^\s<>\"]+")
_CODE = re.compile(r"`[^`\n]+`")
_CODE_COLOUR = 30
LOCK = "🔒"  # before a private room on a terminal


@dataclass(frozen=True)
class Style:
    """How events look. `here` is the room whose name is left out; `zone` is the time zone (None: the system's).

    `lock` stands before the names of private rooms, instead of a `#`. `roles` tells whether the broker knows members:
    then whoever is none is shown as a guest. `signs` tells whether what is done to messages is told in signs (✎, 👍)
    or in words. `thread` is the root of the thread that is looked at.
    """

    colour: bool = False
    stamp: str = "%H:%M"
    here: str | None = None
    zone: tzinfo | None = None
    mentions: re.Pattern[str] | None = None  # what mentions the reader: see the function `mentions`
    lock: str = ""
    roles: bool = False
    signs: bool = False
    thread: int | None = None

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
    wanted = [escape_controls(word) for word in words if word]
    return calling(wanted) if wanted else None


def start(time: str, room: str | None, style: Style) -> str:
    """Return the time, and the room unless it is `here`."""
    where = f"{style.room(room)} " if room is not None and room != style.here else ""
    return style.dim(f"{stamp(time, style)} {where}")


def where(room: str, style: Style) -> str:
    """Return the room, unless it is `here`, behind what happened there."""
    return "" if room == style.here else f" {style.room(room)}"


def indent(style: Style) -> str:
    """Return as many blanks as the time of an event and the blank behind it take."""
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
    return moments.retold(text, lambda moment: when(moment.isoformat(), now, style))


def day(time: str, style: Style) -> str:
    """Return the day of an event, in the time zone of `style`."""
    return stamp(time, Style(stamp="%Y-%m-%d", zone=style.zone))


def use_colour(terminal: bool, no_color: str | None) -> bool:
    """Say whether to use colour: only on a terminal, and never with NO_COLOR (no-color.org)."""
    return terminal and not no_color
