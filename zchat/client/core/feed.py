"""Is the feed alive? Only its echo proves it: first after connecting, then once a grace.

A SUB socket never says when it has connected and subscribed, and a half-open connection looks like a silent room. So a
`ping` with `feed` is repeated until its echo arrives, and once a `grace` another one asks again. Whatever arrives on
the feed counts as its echo.

The first ping leaves at once, which is soon enough within one process. The second leaves when the feed should be there:
to connect it takes about as long as to connect and say hello, whether the way is long or the broker is busy.
"""

FIRST_WAIT = 0.002  # seconds between the first two pings at least; each wait is twice as long as the one before
LAST_WAIT = 1.0


class FeedWatch:
    """The feed is closed, open (its proof is awaited), or live. Times are seconds of one clock."""

    def __init__(self) -> None:
        self.open = self.live = False
        self._since = self._next = self._wait = 0.0
        self._heard = 0.0  # when something was last heard
        self._asked: float | None = None  # when a check was sent whose echo is awaited

    def start(self, now: float, likely: float) -> None:
        """A new socket connects, which should take about `likely` seconds."""
        self.open, self.live = True, False
        self._since = self._next = now
        self._wait = min(max(FIRST_WAIT, likely), LAST_WAIT / 2)

    def close(self) -> None:
        self.open = self.live = False

    def heard(self, now: float) -> None:
        """Something arrived."""
        self._heard, self._asked = now, None

    def prove(self, now: float) -> bool:
        """The echo arrived; True if it was the first one."""
        self.heard(now)
        first = self.open and not self.live
        self.live = self.open
        return first

    def wants_proof(self, now: float) -> bool:
        """Say whether a ping is due that proves a new feed."""
        if not self.open or self.live or now < self._next:
            return False
        self._next = now + self._wait
        self._wait = min(self._wait * 2, LAST_WAIT)
        return True

    def wants_check(self, now: float, grace: float) -> bool:
        """Say whether the next ping should ask for an echo."""
        if not self.live or self._asked is not None or now - self._heard < grace:
            return False
        self._asked = now
        return True

    def is_dead(self, now: float, grace: float) -> bool:
        """Say whether no echo came for a grace."""
        since = self._asked if self.live else self._since
        return self.open and since is not None and now - since > grace

    def wait(self, now: float) -> float:
        """Return the seconds until a ping is due that proves a new feed, at most 1."""
        return self._next - now if self.open and not self.live else 1.0
