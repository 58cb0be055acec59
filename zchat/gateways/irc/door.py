"""Which connections are let in: so many in all, so many from one address, as many as there are open files for.

Anybody can open connections and say nothing. So who is not in yet has no right to stay: where there is no place left,
the oldest of the address that has the most such connections gives way to the new one. Who is in keeps their place.
"""

from collections import Counter
from collections.abc import Callable, Hashable

from zchat import ports
from zchat.gateways.rates import Buckets, Rate, source
from zchat.protocol.endpoints import is_loopback

HERE = "here"  # all addresses of loopback
CONNECTIONS = 2_000  # in all
OF_ONE_ADDRESS = 60  # from one address of the network; loopback is everybody's of this machine
TRIES = Rate(10, 0.2)  # of codes, from one address
FILES_KEPT, FILES_EACH = 64, 10  # open files for all else, and for a connection with its session (7, measured)


class Door:
    """The connections that are open. `most` is how many there may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: dict[Hashable, str] = {}
        self._coming: dict[Hashable, Callable[[], None]] = {}  # who is not in yet, the oldest first, and what cuts them
        self._count: Counter[str] = Counter()
        self._tries = Buckets(TRIES)

    def take(self, who: Hashable, address: str, cut: Callable[[], None]) -> bool:
        """Take a connection; say whether there is a place for it. `leave` gives the place back."""
        place = _place(address)
        if self._count[place] >= (self._most if place == HERE else OF_ONE_ADDRESS):
            given = self._give_way([each for each in self._coming if self._places[each] == place])
        else:
            given = len(self._places) < self._most or self._give_way(self._of_the_busiest())
        if given:
            self._places[who], self._coming[who] = place, cut
            self._count[place] += 1
        return given

    def is_in(self, who: Hashable) -> None:
        """The connection is that of somebody who has come in."""
        self._coming.pop(who, None)

    def leave(self, who: Hashable) -> None:
        """The connection has ended, or gives way."""
        self._coming.pop(who, None)
        if (place := self._places.pop(who, None)) is not None:
            self._count[place] -= 1
            if not self._count[place]:
                del self._count[place]

    def may_try(self, address: str, now: float) -> bool:
        """Say whether an address may try a code, which the broker has to be asked about. Loopback may."""
        place = _place(address)
        return place == HERE or not self._tries.take(place, now)

    def _of_the_busiest(self) -> list[Hashable]:
        busiest = Counter(self._places[each] for each in self._coming).most_common(1)
        return [each for each in self._coming if (self._places[each],) == busiest[0][:1]]

    def _give_way(self, those: list[Hashable]) -> bool:
        """Cut the first of these; say whether there was one."""
        if not those:
            return False
        cut = self._coming[those[0]]
        self.leave(those[0])
        cut()
        return True


def _place(address: str) -> str:
    return HERE if is_loopback(address) else source(address)


def capacity() -> int:
    """Raise the limit of open files as far as it goes; return for how many connections they suffice."""
    return max(1, min(CONNECTIONS, (ports.raise_open_files() - FILES_KEPT) // FILES_EACH))
