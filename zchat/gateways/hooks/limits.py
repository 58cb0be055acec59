"""How often one may post: a bucket for each hook, for each address, and for each address that guesses.

Guessing an address is hopeless (192 bits), so this is about floods: of a hook, by a sender gone wild; of the gateway,
by a stranger. What is remembered of strangers is bounded: those who posted longest ago are forgotten first.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 10_000


@dataclass(frozen=True)
class Bound:
    """So many at once, and so many a second after that."""

    burst: float
    rate: float


@dataclass(frozen=True)
class Bounds:
    """All bounds of a gateway."""

    hook: Bound = Bound(120, 10)  # a push to a monorepo is a dozen events within a second
    address: Bound = Bound(600, 50)  # GitHub posts for all of a team from few addresses, and so does a proxy
    guess: Bound = Bound(20, 1)


BOUNDS = Bounds()


class Buckets:
    """A bucket for each of many names."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when it was so

    def wait(self, name: str, now: float) -> float:
        """Take one; return 0, or the seconds until there is one to be taken."""
        left, at = self._levels.pop(name, (self._bound.burst, now))
        left = min(self._bound.burst, left + max(now - at, 0.0) * self._bound.rate)
        self._levels[name] = (left - 1 if left >= 1 else left, now)
        if len(self._levels) > REMEMBERED:
            self._levels.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._bound.rate


def source(host: str) -> str:
    """Return whom an address belongs to: an IPv4 address, or an IPv6 network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))
