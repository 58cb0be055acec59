"""What stands above the line being typed: what waits to be sent, what is being asked, and how things are.

All of it is computed anew from the seat whenever the screen is drawn, so nothing here can be out of date. Where the
terminal is narrow, the status line gives up its least urgent parts first.
"""

import time

from prompt_toolkit.formatted_text import StyleAndTextTuples

from zchat.escapes import escape_controls

from .render import width
from .view import Seat

PENDING_SHOWN = 5
BAR = 20  # columns of a progress bar


def pending(seat: Seat) -> StyleAndTextTuples:
    """Return what was said and is not on the broker's disk yet, the newest few lines."""
    waiting = list(seat.pending.values())
    rows = [f"  … {escape_controls(one.shown, ' ')}" for one in waiting[-PENDING_SHOWN:]]
    if len(waiting) > PENDING_SHOWN:
        rows.insert(0, f"  … {len(waiting) - PENDING_SHOWN} more wait to be sent")
    return [("class:pending", "\n".join(rows))]


def status(seat: Seat, broker: str, columns: int) -> StyleAndTextTuples:
    """Return the status line: its parts in order of their place, dropped from the least urgent on until they fit."""
    parts = _parts(seat, broker)
    kept = sorted(parts, key=lambda part: part[0])
    while len(kept) > 1 and sum(width(text) + 3 for _, _, text, _ in kept) > columns:
        kept.pop()
    shown: StyleAndTextTuples = []
    for _, style, text, _ in sorted(kept, key=lambda part: part[3]):
        shown += [("class:status", " "), (f"class:status {style}", text), ("class:status", " ·")]
    shown[-1] = ("class:status", " ")
    return shown  # no wider than it must be: a terminal that gets narrower would break a full row in two


def _parts(seat: Seat, broker: str) -> list[tuple[int, str, str, int]]:
    """Return (urgency, style, text, place) of each part; the least number is the most urgent."""
    found: list[tuple[int, str, str]] = []
    now = time.monotonic()
    here = seat.places.here
    if here is not None:
        found.append((1, "bold", _where(seat)))
    if seat.gone_since is not None:
        waits = f", {len(seat.pending)} to be sent" if seat.pending else ""
        found.append((0, "class:alarm", f"reconnecting, {now - seat.gone_since:.0f} s …{waits}"))
    if seat.doing is not None:
        label, done = seat.doing
        bar = "█" * round(done * BAR)
        found.append((2, "", f"{label} {bar:░<{BAR}} {done:.0%}"))
    news = [place for place in seat.places.all.values() if place.unread and place is not here]
    urgent = any(place.called for place in news)
    if news:
        listed = "  ".join(f"{escape_controls(place.sign)} {place.unread}" for place in news)
        found.append((3, "class:called" if urgent else "class:news", listed))
    if here is not None and (typists := here.typists(now)):
        found.append((4, "italic", _typing(typists)))
    if seat.gone_since is None:
        lag = "" if seat.lag is None else f" {seat.lag * 1000:.0f} ms"
        found.append((5, "", f"{escape_controls(broker)}{lag}"))
    return [(urgency, style, text, place) for place, (urgency, style, text) in enumerate(found)]


def _where(seat: Seat) -> str:
    """Return the place one is in, and how many are there."""
    here = seat.places.here
    assert here is not None  # noqa: S101 — its caller has looked
    people = len(seat.client.members(here.room)) if here.room is not None else 0
    away = " (away)" if seat.is_away else ""
    return f"{escape_controls(here.sign)}{f' {people} here' if people else ''}{away}"


def _typing(nicks: list[str]) -> str:
    shown = ", ".join(escape_controls(nick) for nick in nicks[:2])
    return f"{shown}{' and others' if len(nicks) > 2 else ''} {'is' if len(nicks) == 1 else 'are'} typing"
