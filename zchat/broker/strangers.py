"""Connections of unknown keys at the door for commands: how fast they come, how many are here, how long in silence.

Whoever has an invitation has a key that nobody knows yet. It is let in to say `hello`, and so is everybody else who is
not banned. So one source may only come in so often, and only so many may be here at once. Who says nothing is sent
away after a while.

A connection under a routing id that is in use is never heard: libzmq ignores it, and keeps 12 KB of it for good. So who
is let in and says nothing is let in ever more seldom.

libzmq tells when a connection is admitted, and not when it ends. So they are counted from time to time, among the
descriptors of this process, and in between each that was admitted counts. A connection that has said nothing may be
anybody's, or may not even have shaken hands: so of those no more count than were admitted of late.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from . import kernel
from .core.budget import Bucket

A_SECOND = 5.0  # unknown keys of one source that are let in, in the long run …
AT_ONCE = 50  # … and at once: a team behind one address that is new
UNHEARD = 0.1  # a second of one source that never say anything; at once as many as of others
HERE = 500  # connections of unknown keys at once, to have their hello heard
SOURCES = 10_000  # sources whose rate is remembered
SILENT = 10.0  # s for which a connection may say nothing
SLICE = 250  # descriptors that are looked at in one turn of the loop: a millisecond or two

Place = tuple[str, int]  # a host ("": any) and a port


def places(endpoints: Iterable[str]) -> frozenset[Place]:
    """Return where the listeners of these bound TCP endpoints are."""
    found = (endpoint.removeprefix("tcp://").rpartition(":") for endpoint in endpoints)
    return frozenset(("" if host in {"0.0.0.0", "[::]"} else host.strip("[]"), int(port)) for host, _, port in found)  # noqa: S104


class Strangers:
    """Bounds the connections of unknown keys. `here` is about how many there are."""

    def __init__(self) -> None:
        self.here = 0
        self._admitted: deque[float] = deque(maxlen=HERE)  # when the last ones were
        self._sources: dict[str, tuple[Bucket, Bucket]] = {}  # of all, and of those that were not heard
        self._silent: dict[bytes, float] = {}  # by cookie: since when

    @property
    def expected(self) -> bool:
        """Whether some may be here, so that it is time for a look."""
        return bool(self.here or self._silent)

    @property
    def many(self) -> bool:
        """Whether so many seem to be here that some may be turned away before the next look."""
        return self.here > HERE // 4

    def take(self, source: str, now: float, unbounded: bool = False) -> bool:
        """Return whether one more may come in; with `unbounded`, however many there are."""
        if not unbounded and self.here >= HERE:
            return False
        each = Bucket.full(A_SECOND, AT_ONCE, now), Bucket.full(UNHEARD, AT_ONCE, now)
        every, unheard = self._sources[source] = self._sources.pop(source, each)  # the last one now
        if len(self._sources) > SOURCES:
            del self._sources[next(iter(self._sources))]
        if unheard.left(now) < 1 or not every.take(1, now):
            return False
        unheard.take(1, now)
        self.here += 1
        self._admitted.append(now)
        return True

    def heard(self, source: str) -> None:
        """Note that a connection of this source said something for the first time."""
        if source in self._sources:
            self._sources[source][1].charge(-1)

    async def look(
        self, where: frozenset[Place], known: Mapping[bytes, str], is_member: Callable[[str], bool], now: float
    ) -> int:
        """Count the strangers at these places, and end the connections that are silent for too long.

        `known` are the credentials of those that have spoken, by their cookies. Return how many were ended.
        """
        last = self._admitted[-1] if self._admitted else now
        spoke, ended, silent = 0, 0, dict[bytes, float]()
        for number, descriptor in enumerate(kernel.descriptors()):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            with contextlib.suppress(OSError), kernel.borrowed(descriptor) as opened:
                host, port = kernel.local(opened)
                if where.isdisjoint({("", port), (host, port)}) or kernel.listens(opened):
                    continue
                cookie = kernel.cookie(opened)
                if cookie in known:
                    spoke += not is_member(known[cookie])
                    continue
                silent[cookie] = self._silent.get(cookie, now)
                if now - silent[cookie] > SILENT:
                    kernel.shut(descriptor, cookie, socket.AF_INET)
                    ended += 1
        self._silent = silent
        recent = sum(at > now - SILENT for at in self._admitted)
        since = sum(at > last for at in self._admitted)  # while this was counting
        self.here = spoke + min(len(silent) + since, recent)
        return ended
