"""Rate limits: token buckets of a session, and of all peers of one source.

There are three limits, because each alone can be evaded.

1. A session may send `rate` lines per second. Its peer has a bucket for that. But a client that reconnects again and
   again would get a full bucket each time.
2. So newcomers share one such rate with all other newcomers of their source (an address, or a user of this machine).
   But a client with a thousand connections would still have a thousand rates.
3. So all peers of a source together have ten times the rate of a session. That is far more than people type, however
   many share an address. A session that was silent for a second may send one line in any case, so that no neighbour
   can silence it.

Files have limits of their own, in bytes, for a session and for a source: so whoever sends a file can still talk. The
long lines in which they come are not useless, as far as a source may send any. What guests upload is limited by the
day, too: each of them has a quota, and whoever is a guest may be another one in a moment.

Refusing a line costs nearly as much as accepting it. So these limits alone do not stop a flood: what a source is
refused is limited, too, and a peer that goes on after that is disconnected.
"""

from dataclasses import dataclass

NEW_FOR = 10.0  # s for which a client that never sent a message before is a newcomer
SESSIONS_AT_ONCE = 4_000  # clients of one source: a crowd behind one address that connects at once
SHARED = 10  # how many times the rate of a session a whole source has
FILE_UNIT = 128 * 1024  # bytes of files a second, for each line of the rate: a tenth of the broker's time at most
FILE_LEAST = 16 * 1024  # bytes that any part of a file counts as
BULK_AT_ONCE = 4 * 1024 * 1024  # bytes of long lines that a source may send at once, whatever is in them
GUESTS_A_DAY = 2 * 1024 * 1024 * 1024  # bytes of files that all guests of a source may upload in a day
FILES_SHARED = 4  # how many times the rate for files of a session a whole source has
SIZE_UNIT = 4 * 1024  # bytes of text that cost a source as much as a line
SILENT = 1.0  # s after which a session may send one line in any case
LINE_MOST = 32 * 1024  # bytes per line that a frame may have on average: more than any needs, but parts of files
REFUSED = 10_000  # lines a second that a source is refused: about a twentieth of the broker's time
REFUSED_AT_ONCE = 20_000
REFUSED_UNIT = 1024  # bytes refused that cost as much as a line
FLOOD = 100  # lines refused to one peer at once for which it may be disconnected: more than a client that obeys sends


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` tokens per second, at most `burst` of them (a rate of 0: no limit)."""

    rate: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> "Bucket":
        return cls(rate, burst, burst, now)

    @classmethod
    def of_session(cls, rate: float, now: float) -> "Bucket":
        """Return the bucket of a session: `rate` lines per second, bursts of twice that."""
        return cls.full(rate, max(1.0, 2 * rate), now)

    def take(self, most: int, now: float) -> int:
        """Take up to `most` tokens, one per line; return how many there were."""
        if not self.rate:
            return most
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        taken = min(most, max(0, int(self.tokens)))
        self.tokens -= taken
        return taken

    def left(self, now: float) -> float:
        """Return how many tokens there are, or how large the debt is."""
        return min(self.burst, self.tokens + (now - self.at) * self.rate)

    def affords(self, now: float) -> bool:
        """Return whether there are tokens, so that something may be charged that can be larger than what there is."""
        return not self.rate or self.take(0, now) == 0 < self.tokens

    @property
    def wait(self) -> float:
        """The seconds until the next token, if there is none now."""
        return (1 - self.tokens) / self.rate if self.rate else 0.0

    def charge(self, cost: float) -> None:
        """Take tokens for work already done. The bucket may go into debt."""
        self.tokens -= cost


class Source:
    """The limits that all peers of one source share; `rate` is that of a session."""

    def __init__(self, rate: float, now: float) -> None:
        self.used = now
        self.sessions = Bucket.full(max(10.0, rate) if rate else 0.0, SESSIONS_AT_ONCE, now)
        self._hellos = Bucket.full(SHARED * rate, SESSIONS_AT_ONCE, now)
        self._newcomers = Bucket.of_session(rate, now)
        self._everyone = Bucket.of_session(SHARED * rate, now)
        self._refused = Bucket.full(REFUSED, REFUSED_AT_ONCE, now)
        self.files = Bucket.of_session(FILES_SHARED * rate * FILE_UNIT, now)
        self.guest_files = Bucket.full(GUESTS_A_DAY / 86_400.0 if rate else 0.0, GUESTS_A_DAY, now)
        self._bulk = Bucket.full(2 * FILES_SHARED * rate * FILE_UNIT, BULK_AT_ONCE, now)  # in base64, and some twice

    def bears(self, lines: int, size: int, bucket: Bucket | None, now: float) -> bool:
        """Return whether to process so many lines and bytes of a peer with this bucket. If not, the peer floods.

        Lines that will be refused count, and bytes that no valid line needs. Without a `bucket`, all lines are refused.
        """
        self.used = now
        excess = lines if bucket is None else max(0.0, lines - max(0.0, bucket.left(now)))
        large = max(0, size - lines * LINE_MOST)
        useless = max(excess / lines * size, large) - self._bulk.take(large, now)  # bytes
        cost = excess + max(0.0, useless) / REFUSED_UNIT
        if cost > FLOOD and cost > self._refused.left(now):
            return False
        if cost:
            self._refused.take(0, now)
            self._refused.charge(cost)
        return True

    def come(self, now: float) -> float:
        """Return the seconds until somebody of this source may say hello where that is written to a stream: each is."""
        self.used = now
        return 0.0 if self._hellos.take(1, now) else max(0.001, round(self._hellos.wait, 3))

    def speak(self, lines: int, size: int, now: float, new_until: float, spoke: float) -> int:
        """Return how many of `lines` messages, of `size` bytes in all, one session of this source may send now.

        The session is a newcomer until `new_until`. It last sent a message at `spoke`.
        """
        self.used = now
        granted = self._newcomers.take(lines, now) if now < new_until else lines
        allowed = self._everyone.take(granted, now)
        if now < new_until:
            self._newcomers.charge(allowed - granted)  # gives back the tokens that were not used
        if not allowed and now - spoke >= SILENT:
            allowed = 1
        if allowed:
            self._everyone.charge(size / SIZE_UNIT)
        return allowed

    def rests(self, now: float) -> bool:
        """Return whether all that is limited by the day may be used as by a new source."""
        return not self.guest_files.rate or self.guest_files.left(now) >= self.guest_files.burst

    @property
    def wait(self) -> float:
        """The seconds until a session may send again, if none may now."""
        return max(0.001, self._newcomers.wait, self._everyone.wait)

    def charge(self, cost: float) -> None:
        """Charge the source for the work of a session that has ended."""
        self._everyone.charge(cost)
