"""Which connections give way when descriptors run short.

Whoever can reach a door can open connections and say nothing: while they shake hands, with a key of a member, or as a
guest. libzmq does not bound them. If all descriptors were taken, nobody else could come in. And libzmq (4.3.5) aborts
the whole process if it cannot accept a connection over `ipc` for want of a descriptor.

So some descriptors are kept free: as many as can be taken before the next look. When they are not, connections are
ended: first those that have said nothing, then those to the feed, and those of whoever has most of them first. A
connection with a session never is.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import kernel

SPARE = 2_048  # descriptors that are kept free, …
PART = 8  # … and this part of them, if that is more; of few descriptors half
SLICE = 250  # descriptors that are looked at in one turn of the loop: some milliseconds


@dataclass(frozen=True)
class Guest:
    """A connection without a session. `reads`: it has subscribed to something."""

    descriptor: int
    cookie: bytes
    family: int
    source: str
    reads: bool = False


def spare(limit: int) -> int:
    """Return how many of so many descriptors are kept free."""
    return min(limit // 2, max(SPARE, limit // PART))


def give_way(guests: Iterable[Guest], count: int) -> list[Guest]:
    """Return so many connections to be ended."""
    all_ = list(guests)
    crowds = Counter((one.reads, one.source) for one in all_)
    return sorted(all_, key=lambda one: (one.reads, -crowds[one.reads, one.source]))[:count]


class Places:
    """Where the broker listens: ports of TCP, and paths of socket files."""

    def __init__(self, endpoints: Iterable[str]) -> None:
        found = list(endpoints)
        self._ports = {int(port) for one in found if one.startswith("tcp:") and (port := one.rpartition(":")[2])}
        self._paths = {one.removeprefix("ipc://") for one in found if one.startswith("ipc:")}

    def have(self, opened: socket.socket, family: int) -> bool:
        """Return whether a socket is a connection that was accepted there."""
        if kernel.listens(opened):
            return False
        if family == socket.AF_UNIX:
            with kernel.borrowed(opened.fileno(), family) as typed:
                name = typed.getsockname()
            path = name if isinstance(name, str) else "@" + bytes(name)[1:].decode(errors="replace")
            return path in self._paths
        return kernel.local(opened)[1] in self._ports


async def make_room(
    limit: int, places: Places, kept: Callable[[], set[bytes]], readers: Callable[[], set[bytes]]
) -> int:
    """End connections if descriptors run short. Return how many.

    `kept` are the cookies of the connections with a session, and `readers` those of connections to the feed.
    """
    count = kernel.used() - limit + spare(limit)
    if count <= 0:
        return 0
    count += spare(limit) // 2
    found: list[Guest] = []
    for number, descriptor in enumerate(sorted(kernel.descriptors(), reverse=True)):  # those who came last first
        if number % SLICE == SLICE - 1:
            if len(found) > 2 * count + len(kept()) + len(readers()):
                break  # it has to be quick, and among so many there are enough
            await asyncio.sleep(0)
        with contextlib.suppress(OSError), kernel.borrowed(descriptor) as opened:
            family = kernel.family(opened)
            if places.have(opened, family):
                found.append(Guest(descriptor, kernel.cookie(opened), family, _source(opened, family)))
    keep, reading = kept(), readers()
    guests = (
        Guest(one.descriptor, one.cookie, one.family, one.source, one.cookie in reading)
        for one in found
        if one.cookie not in keep
    )
    ended = give_way(guests, count)
    for one in ended:
        kernel.shut(one.descriptor, one.cookie, one.family)
    return len(ended)


def _source(opened: socket.socket, family: int) -> str:
    try:
        return kernel.source(opened, family)
    except OSError:  # its peer is gone already
        return ""
