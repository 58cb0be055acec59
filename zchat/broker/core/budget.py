"""What one peer, and all peers of one source, may make the broker do: token buckets, and who has which.

Three bounds, for each alone is got around. A session has its lines a second, in its peer's bucket. Who connects again
and again would begin with a full one each time, so what is said by those who came just now counts against one such
rate that they share with all newcomers of their source: an address, or a user of this machine. And who holds a
thousand connections has a thousand rates, so all of a source together have ten. That is much more than people say,
however many share an address; and who has been silent for a second is heard in any case, so that no neighbour can
silence them.
"""

from dataclasses import dataclass

NEW_FOR = 10.0  # s for which somebody who never spoke before is a newcomer
SESSIONS_AT_ONCE = 4_000  # new ones of one source: a crowd behind one address that comes at once
SHARED = 10  # rates of a session that all of a source have together
SIZE_UNIT = 4 * 1024  # bytes said that cost all of a source as much as a line
SILENT = 1.0  # s


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` tokens a second, at most `burst` of them (a rate of 0: no bound)."""

    rate: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> "Bucket":
        return cls(rate, burst, burst, now)

    @classmethod
    def of_session(cls, rate: float, now: float) -> "Bucket":
        """Return a session's: `rate` lines a second, bursts of twice that."""
        return cls.full(rate, max(1.0, 2 * rate), now)

    def take(self, most: int, now: float) -> int:
        """Take a token for each of so many lines; return for how many there was one."""
        if not self.rate:
            return most
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        taken = min(most, max(0, int(self.tokens)))
        self.tokens -= taken
        return taken

    @property
    def wait(self) -> float:
        """The seconds until there will be a token, if there is none."""
        return (1 - self.tokens) / self.rate if self.rate else 0.0

    def charge(self, cost: float) -> None:
        """Take tokens for work already done, into debt if need be."""
        self.tokens -= cost


class Source:
    """Where peers come from, and what they may do together; `rate` is that of a session."""

    def __init__(self, rate: float, now: float) -> None:
        self.used = now
        self.sessions = Bucket.full(max(10.0, rate) if rate else 0.0, SESSIONS_AT_ONCE, now)
        self._newcomers = Bucket.of_session(rate, now)
        self._everyone = Bucket.of_session(SHARED * rate, now)

    def speak(self, lines: int, size: int, now: float, new_until: float, spoke: float) -> int:
        """Return how many of so many lines, of `size` bytes in all, one of its sessions may say now.

        It is a newcomer until `new_until`, and spoke last at `spoke`.
        """
        self.used = now
        granted = self._newcomers.take(lines, now) if now < new_until else lines
        allowed = self._everyone.take(granted, now)
        if now < new_until:
            self._newcomers.charge(allowed - granted)  # gives back what was of no use
        if not allowed and now - spoke >= SILENT:
            allowed = 1
        if allowed:
            self._everyone.charge(size / SIZE_UNIT)
        return allowed

    @property
    def wait(self) -> float:
        """The seconds until somebody may speak again, if nobody may."""
        return max(0.001, self._newcomers.wait, self._everyone.wait)

    def charge(self, cost: float) -> None:
        """Let all of them pay for what one has done who is gone."""
        self._everyone.charge(cost)
