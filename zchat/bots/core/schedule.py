"""When a handler of `bot.every(…)` is due, by the clock on the wall, so that no restart begins the interval anew.

What is kept on disk is one moment for each handler: when it was last due. On its first start it is taken for due just
then, so the first call comes after one interval. Whatever was missed, while the bot was away or busy, is made up for by
one call. A call that takes longer than the interval delays the next, and is never doubled. A clock that was set back
delays nothing by more than one interval.
"""


class Rhythm:
    """Calls `seconds` apart; `last` is when the last one was due (None: never). Times are seconds since 1970."""

    def __init__(self, seconds: float, last: float | None, now: float) -> None:
        self._seconds = seconds
        self.due = now + seconds if last is None else max(now, last + seconds)

    @property
    def last(self) -> float:
        """What is to be kept: when the last call was due."""
        return self.due - self._seconds

    def wait(self, now: float) -> float:
        """Return the seconds until the next call is due, 0 if it is."""
        self.due = min(self.due, now + self._seconds)
        return max(0.0, self.due - now)

    def called(self, now: float) -> None:
        """A call begins; if it is so late that the next one is missed as well, that one counts as made up for."""
        self.due += self._seconds
        if self.due <= now:
            self.due = now + self._seconds
