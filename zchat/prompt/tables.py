"""Answers of the broker as aligned columns, safe to put on a terminal. All functions are pure."""

from collections.abc import Iterable, Sequence

from msgspec import UNSET

from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol.policy import MEMBER

from .arguments import told_days
from .layout import width
from .styles import Style


def members(found: Iterable[m.Member], style: Style) -> list[str]:
    """Return a line for each who is here."""
    rows = []
    for one in found:
        notes = [one.role] if one.role and one.role != MEMBER else []
        notes += (
            ["operator"] * (one.operator is True)
            + ["bot"] * one.bot
            + ([f"idle {duration(one.idle)}"] if one.idle >= 60 else [])
        )
        notes += [f"away: {one.away}"] if one.away is not None else []
        rooms = one.rooms if isinstance(one.rooms, tuple) else ()
        rows.append((style.person(one), " ".join(map(style.room, rooms)), escape_controls(", ".join(notes), " ")))
    return table(rows, style)


def rooms(found: Iterable[m.RoomInfo], style: Style) -> list[str]:
    """Return a line for each room, sorted by name: name, members, what is set otherwise than elsewhere, topic."""
    rows = []
    for one in sorted(found, key=lambda one: one.room):
        notes = ["read-only"] * (one.mode == "announce")
        notes += [] if one.keep is UNSET else [f"kept {told_days(one.keep)}"]
        rows.append((style.room(one.room), str(one.members), ", ".join(notes), escape_controls(one.topic, " ")))
    return table(rows, style)


def status(found: m.Status, style: Style) -> list[str]:
    """Return the state of the broker, a line for each fact."""
    rows = [
        ("server", escape_controls(found.server)),
        ("uptime", duration(int(found.uptime))),
        ("sessions", f"{found.sessions}"),
        ("rooms", f"{found.rooms}"),
        ("head", f"{found.head}"),
        ("rate", f"{found.rate:.3g} messages/s"),
        ("log", size(found.log_bytes)),
        ("feed", escape_controls(found.feed)),
    ]
    if found.stalled:
        rows.append(("stalled", f"nothing can be stored now: {escape_controls(found.stalled, ' ')}"))
    return table(rows, style)


def table(rows: Iterable[tuple[str, ...]], style: Style) -> list[str]:
    """Align columns. The first is bold, and an empty column is left out."""
    kept = [list(row) for row in rows]
    widths = [max(map(width, column)) for column in zip(*kept, strict=True)]
    lines = []
    for row in kept:
        cells = [cell + " " * (most - width(cell)) for cell, most in zip(row, widths, strict=True)]
        cells[0] = style.strong(cells[0])
        lines.append("  ".join(cell for cell, most in zip(cells, widths, strict=True) if most).rstrip())
    return lines


def indent_of_last_column(rows: Sequence[tuple[str, ...]], columns: int) -> str:
    """Return an indent as wide as all columns but the last, or a short one if the terminal is too narrow."""
    before = sum(max(map(width, column)) + 2 for column in list(zip(*rows, strict=True))[:-1])
    return " " * (before if columns > 2 * before else 8)


def duration(seconds: int) -> str:
    """Return a length of time in its two largest units: `3 d 4 h`, `12 s`."""
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def size(count: float) -> str:
    """Return a number of bytes: `640 B`, `1.5 MiB`."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"
