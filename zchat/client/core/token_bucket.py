"""How fast a client may send: a token bucket a little smaller than the broker's.

The broker lets a session send `rate` lines a second, in bursts of twice that, and answers what comes faster with
`rate_limited`. Clocks differ and lines bunch up on the way, so this side spends 95 % of it. A line that cannot wait (a
ping) may bring the bucket below zero: the slack pays for it.
"""

SLACK = 0.95
RATE_MAX = 1e9  # more than anybody sends: twice as much is still a number


class TokenBucket:
    """`rate` in lines a second, 0 for no bound."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._tokens = 0.0
        self._at: float | None = None

    def set(self, rate: float, now: float) -> None:
        """Take over the broker's `limits.rate`; a bucket already in use keeps its level."""
        rate = min(max(rate, 0.0), RATE_MAX)
        if self._at is None or rate * SLACK != self._rate:
            self._rate, self._at = rate * SLACK, now
            self._tokens = self._burst()

    def allowance(self, now: float, most: int) -> int:
        """Return how many lines may be sent now, at most `most`."""
        if not self._rate or self._at is None:
            return most
        self._tokens = min(self._burst(), self._tokens + (now - self._at) * self._rate)
        self._at = now
        return max(0, min(most, int(self._tokens)))

    def spend(self, lines: int) -> None:
        if self._rate:
            self._tokens -= lines

    def wait(self) -> float:
        """Return the seconds until one more line may be sent, as of the last `allowance`."""
        return max(0.0, 1.0 - self._tokens) / self._rate if self._rate else 0.0

    def _burst(self) -> float:
        return max(1.0, 2 * self._rate)
