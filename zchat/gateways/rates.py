"""How often something may be done: a token bucket for one, or for each of many.

Whoever comes faster is either refused, and told when to try again (`Bucket.take`), or is read later (`Bucket.owe`).
What is remembered of strangers is bounded: those who came longest ago are forgotten first. Pure; times are in seconds
of any clock that goes on.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 10_000  # names; who is forgotten begins with a full bucket


@dataclass(frozen=True)
class Rate:
    """`burst` at once, and `rate` a second after that."""

    burst: float
    rate: float


class Bucket:
    """What one may still do; full to begin with."""

    def __init__(self, bound: Rate, now: float) -> None:
        self._bound, self._left, self._at = bound, bound.burst, now

    def take(self, now: float) -> float:
        """Take one and return 0; if there is none, take nothing and return the seconds until there is."""
        wait = self.owe(now)
        if wait:
            self._left += 1
        return wait

    def owe(self, now: float, cost: float = 1.0) -> float:
        """Take so much, there or not; return the seconds to wait until all that was taken is there."""
        bound = self._bound
        self._left = min(bound.burst, self._left + max(now - self._at, 0.0) * bound.rate) - cost
        self._at = now
        return max(0.0, -self._left / bound.rate)

    def give_back(self) -> None:
        """One was not used after all."""
        self._left = min(self._bound.burst, self._left + 1)


class Buckets:
    """A bucket for each of many names."""

    def __init__(self, bound: Rate) -> None:
        self._bound = bound
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take one; return 0, or the seconds until there is one to be taken."""
        bucket = self._buckets.pop(name, None) or Bucket(self._bound, now)
        self._buckets[name] = bucket
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket.take(now)


def source(host: str) -> str:
    """Return whose an address is: an IPv4 address, or the network of an IPv6 one, of which one has 2**64."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))
