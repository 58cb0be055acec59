"""Whether the clock of this broker is wrong: by what the heartbeats of the others tell of theirs; or else by the log.

The log's clock never goes back. So a broker that is a year ahead would drag the times of all that is said along, for
good. What is right nobody knows but most of them: this broker's clock counts as wrong if it is far from the two that
stand in the middle of all others, on the same side of both. It takes two others for that: of two brokers that differ,
either may be wrong. For the same reason one that is right never stops for one that is wrong.

A heartbeat that comes late, after a pause, tells of a clock that seems to be behind. So it has to be so for as long as
heartbeats count.

A broker that is alone has nobody to ask, and deletes what its clock says is old. What it can know: where a clock leaps
ahead, the log has a gap. So has a log in which nobody has said anything. So after a gap nothing from before it is
deleted until the clock has gone on for some days as time has passed: in these somebody sees that the times are wrong.

That is too coarse for a clock that is ahead by hours or days: such gaps are in every log. So for these days what is
old is also told by a slower clock: the time of the last event at the start, and what has passed since. Where a clock
leaps while the broker runs, this one does not. The price is that after a quiet weekend, and a start, some things are
deleted two days later.
"""

from collections.abc import Iterable

WRONG = 3_600.0  # s: far more than networks and corrections of a clock make of a right one

WEEK = 7 * 86_400.0  # s: a gap that is no doubt, and for how long a doubt lasts; less where less is kept


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


class Steadiness:
    """For how long the wall clock has gone on as the monotonic one has, and by how much it may be ahead.

    `known` is the time that it was at least when this began: that of the last event of the log.
    """

    def __init__(self, wall: float, now: float, known: float) -> None:
        self._wall, self._since = wall, now
        self._ahead = max(0.0, wall - known)
        self.leaps = 0  # of more than an hour ahead: a machine that has slept shows one, too

    def lasts(self, wall: float, now: float) -> float:
        """Return for how many seconds, as of now."""
        leap = (wall - self._wall) - (now - self._since)
        if abs(leap) > WRONG:
            self._ahead = max(0.0, self._ahead + leap) if now - self._since < WEEK else max(0.0, leap)
            self._wall, self._since = wall, now
            self.leaps += leap > 0
        return now - self._since

    def ahead(self, wall: float, now: float, keep: float) -> float:
        """Return by how many seconds the wall clock may be ahead, where events are kept for `keep`."""
        return self._ahead if self.lasts(wall, now) < settling(keep) else 0.0


def settling(keep: float) -> float:
    """Return for how long a clock is doubted, in seconds, where events are kept for `keep`."""
    return min(WEEK, keep)


def doubted(wall: float, before: float | None, keep: float, steady: float) -> bool:
    """Return whether the wall clock may be far ahead.

    `before` is the time of the last event that is older than `settling(keep)`, None if there is none. The clock has
    gone on as it should for `steady` seconds.
    """
    settle = settling(keep)
    return before is not None and steady < settle and wall - settle - before > settle
