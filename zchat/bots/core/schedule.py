"""When a handler of `bot.every(…)` is due, by the clock on the wall: a restart does not begin the interval anew.

One moment is kept on disk for each handler: when it was last due. On its first start it counts as due at that moment,
so the first invocation comes after one interval. If several were missed, while the bot was away or busy, the handler is
invoked once. An invocation that takes longer than the interval delays the next one. If the clock is set back, the next
invocation is delayed by one interval at most.
"""


class Schedule:
    """Invocations `seconds` apart; `last` is when the last one was due (None: never). Times are seconds since 1970."""

    def __init__(self, seconds: float, last: float | None, now: float) -> None:
        self._seconds = seconds
        self.due = now + seconds if last is None else max(now, last + seconds)

    @property
    def last(self) -> float:
        """When the last invocation was due: this is kept on disk."""
        return self.due - self._seconds

    def wait(self, now: float) -> float:
        """Return the seconds until the next invocation is due, 0 if it is."""
        self.due = min(self.due, now + self._seconds)
        return max(0.0, self.due - now)

    def invoked(self, now: float) -> None:
        """An invocation begins. If it is so late that the next one is due as well, it counts for both."""
        self.due += self._seconds
        if self.due <= now:
            self.due = now + self._seconds
