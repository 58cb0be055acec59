"""Whether the clock of this broker is wrong: by what the heartbeats of the others tell of theirs.

The log's clock never goes back. So a broker that is a year ahead would drag the times of all that is said along, for
good. What is right nobody knows but most of them: this broker's clock counts as wrong if it is far from the two that
stand in the middle of all others, on the same side of both. It takes two others for that: of two brokers that differ,
either may be wrong. For the same reason one that is right never stops for one that is wrong.

A heartbeat that comes late, after a pause, tells of a clock that seems to be behind. So it has to be so for as long as
heartbeats count.
"""

from collections.abc import Iterable

WRONG = 3_600.0  # s: far more than networks and corrections of a clock make of a right one


def off(ahead: Iterable[float]) -> float:
    """Return by how many seconds most other clocks are ahead of this one, given how far each is; 0: not known to be."""
    ordered = sorted(ahead)
    if len(ordered) < 2:
        return 0.0
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return max(low, 0.0) + min(high, 0.0)


class Clocks:
    """The clocks of the other brokers. `now` is the monotonic one; a heartbeat counts for `patience` seconds."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._ahead: dict[str, tuple[float, float]] = {}  # by how much each is ahead of this one, and when it told
        self._since: float | None = None  # since when this one seems to be wrong

    def hear(self, broker: str, ahead: float, now: float) -> None:
        """Note how many seconds another's clock is ahead of this one."""
        self._ahead[broker] = ahead, now

    def wrong(self, now: float) -> float:
        """Return by how many seconds most others are ahead, if that is too much and has been so for long; else 0."""
        by = off(ahead for ahead, at in self._ahead.values() if now - at < self._patience)
        if abs(by) <= WRONG:
            self._since = None
        elif self._since is None:
            self._since = now
        return by if self._since is not None and now - self._since >= self._patience else 0.0
