"""The brokers at which a client may be, and how it looks for one that is there.

Several brokers may share one log, and then one is as good as another: whoever loses one goes on at the next. Each
client has them in an order of its own, so that the clients of a broker that died do not all choose the same one, and
stays where it is as long as that is there. Within a round nobody waits long: the next one is probably there. Only when
all were tried in vain, the next round waits twice as long. A single broker is a round of one.

How long the waits get depends on who would be spared by them. A broker that is not there is spared nothing, and people
look at a screen until it is back: so a try follows within seconds, however long it was away, and chance spreads a crowd
over these seconds. A broker that is there and does not let us in is left alone for longer and longer.

A broker may be an address that swallows what is sent to it. So where there are others, a connection has to be made
within a second; in each further round there is more time, for the network may be slow.
"""

from collections.abc import Callable, Iterable, Sequence

from zchat.protocol import links

BACK_OFF_FIRST, BACK_OFF_MOST = 0.1, 2.5  # seconds between tries; chance makes them a half to one and a half of that
REFUSED_MOST = 30.0  # seconds between tries at a broker that answers, and lets nobody in
IMPATIENT = 0.5  # seconds between tries at most while somebody waits for the first connection
REACH_WAIT, REACH_WAIT_MOST = 1.0, 5.0  # seconds for a connection, where there are other brokers


class Brokers:
    """`endpoints` are those that were given, `key` is the one that each has to have; `jitter` returns 0 to 1 by chance.

    `learns`: whether others that a broker tells are taken in.
    """

    def __init__(
        self, endpoints: Sequence[str], jitter: Callable[[], float], *, key: bytes | None = None, learns: bool = True
    ) -> None:
        self.failures = 0  # in a row
        self._refusals = 0  # those among them where a broker was there
        self._key, self._jitter, self._learns = key, jitter, learns
        self._first = endpoints[0]
        self._told: tuple[str, ...] = ()
        self._order = self._shuffled(endpoints)  # the first one is tried or used now

    def __len__(self) -> int:
        return len(self._order)

    @property
    def current(self) -> str:
        return self._order[0]

    @property
    def several(self) -> bool:
        return len(self._order) > 1

    @property
    def kept(self) -> tuple[str, ...]:
        """What is worth remembering: the one by which the broker is known, those told last, and the one in use."""
        if not self._told:
            return ()
        return tuple(dict.fromkeys((self._first, *self._told, self.current)))

    def learn(self, told: Iterable[str]) -> bool:
        """Take in what `welcome.brokers` tells; say whether that is news. A single place is this broker itself."""
        found = links.brokers(told, self.current, self._key) if self._learns else ()
        if len(found) < 2 or found == self._told:
            return False
        self._told = found
        self._order += self._shuffled([each for each in found if each not in self._order])
        del self._order[links.HOSTS_MAX :]
        return True

    def succeeded(self) -> None:
        """A session has lasted."""
        self.failures = self._refusals = 0

    def turn(self) -> None:
        """Let the next one be tried."""
        self._order.append(self._order.pop(0))

    def back_off(self, *, known: bool, refused: bool = False, at_least: float = 0.0) -> float:
        """Return the seconds until the next try, after one more that failed; `known`: we were in before.

        `refused`: this one is there. `at_least` is for how long it wants to be left alone: that is waited for once all
        were tried.
        """
        count, most = (self._refusals, REFUSED_MOST) if refused else (self.failures, BACK_OFF_MOST)
        is_last = self.failures % len(self._order) == len(self._order) - 1
        self.failures += 1
        self._refusals += refused
        rounds = min(count // len(self._order), 20)
        delay: float = min(most if known else IMPATIENT, BACK_OFF_FIRST * 2**rounds)
        if is_last:
            delay = max(delay, min(at_least, REFUSED_MOST))
        return delay * (0.5 + self._jitter())

    @property
    def reach_wait(self) -> float:
        """The seconds that a connection may take to be made."""
        wait: float = REACH_WAIT * 2 ** min(self.failures // len(self._order), 20)
        return min(wait, REACH_WAIT_MOST)

    def _shuffled(self, endpoints: Sequence[str]) -> list[str]:
        left, order = list(dict.fromkeys(endpoints)), []
        while left:
            order.append(left.pop(min(int(self._jitter() * len(left)), len(left) - 1)))
        return order
