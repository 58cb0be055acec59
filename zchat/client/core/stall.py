"""Whether the broker can store anything now: what several brokers share may not answer for a while.

It is told on the feed, again and again while it lasts, and in each pong. The two come over different sockets, so an old
pong may contradict the feed. Whoever hears the feed believes it, unless it has fallen silent about this.
"""

from . import notices

SILENT_HEARTBEATS = 2  # after which the feed has lost the word that it is over


class Stall:
    """`why` nothing is stored now; None: it is. What there is to tell the user is returned as a notice."""

    def __init__(self) -> None:
        self.why: str | None = None
        self._told = 0.0  # when the feed said so last

    def begins(self, why: str, now: float) -> notices.Notice | None:
        """The feed tells that nothing is stored now."""
        self._told = now
        return self._set(why)

    def ends(self) -> notices.Notice | None:
        """The feed tells that it is over."""
        return self._set(None)

    def welcomed(self, why: str | None, now: float) -> notices.Notice | None:
        """A session begins."""
        self._told = now
        return self._set(why)

    def pong(self, why: str | None, now: float, *, live: bool, heartbeat: float) -> notices.Notice | None:
        """A pong tells the same; `live`: the feed is heard."""
        if live and (why is not None or now - self._told <= SILENT_HEARTBEATS * heartbeat):
            return None
        return self._set(why)

    def _set(self, why: str | None) -> notices.Notice | None:
        before, self.why = self.why, why
        if (why is None) is (before is None):
            return None
        return notices.Flowing() if why is None else notices.Stalled(why)
