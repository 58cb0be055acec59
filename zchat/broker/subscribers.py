"""Who subscribes to the feed, over which connection, and how much of it.

The XPUB socket hands on each subscription and each end of one (XPUB_VERBOSER), with the credential of the connection
and its descriptor. So the feed's connections can be found when somebody has to go, and none can make the broker
remember topics without an end: libzmq keeps a node for each byte of a topic, and what nobody takes from the socket
stays in memory. All of it is taken out here, so many frames in one turn of the loop.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import zmq

from .connections import SRCFD, Connection, connection

FRAMES = 1_000  # taken in one turn of the loop: some milliseconds
SUBSCRIPTIONS = 4_096  # of one connection: a client has 258 at most, and a person's programs may share one
TOPICS = 256 * 1024  # bytes of all its topics: the longest topics of a client take 66 KiB
CHANGES = 8_192  # frames from one connection in a second: subscribing again to all after a restart takes 4,096
NOBLOCK = int(zmq.NOBLOCK)


@dataclass(slots=True, eq=False)
class Subscriber:
    """A connection to the feed: its subscriptions, the bytes of their topics, and its frames within this second."""

    connection: Connection
    count: int = 0
    size: int = 0
    changes: int = 0

    @property
    def excessive(self) -> bool:
        return self.count > SUBSCRIPTIONS or self.size > TOPICS or self.changes > CHANGES

    def change(self, frame: bytes) -> None:
        """Count a frame: a subscription, the end of one, or something else."""
        self.changes += 1
        if frame[:1] == b"\x01":
            self.count += 1
            self.size += len(frame)
        elif frame[:1] == b"\x00":
            self.count = max(0, self.count - 1)
            self.size = max(0, self.size - len(frame))


class Subscribers:
    """The connections to the feed that have subscribed to something, by their cookies."""

    def __init__(self, proven: Callable[[zmq.Frame], str], may_read: Callable[[Connection], bool]) -> None:
        """`proven` returns the credential of a frame's connection, `may_read` whether a new one may stay."""
        self._proven, self._may_read = proven, may_read
        self._known: dict[bytes, Subscriber] = {}

    @property
    def count(self) -> int:
        return len(self._known)

    @property
    def connections(self) -> Iterable[Connection]:
        return (one.connection for one in self._known.values())

    def of(self, credential: str) -> list[Connection]:
        """Return the connections with a credential."""
        return [one for one in self.connections if one.credential == credential]

    def take(self, feed: "zmq.Socket[bytes]", now: float) -> tuple[bool, list[Connection]]:
        """Take from the feed's socket what was subscribed to.

        Return whether there may be more, and the connections to be ended.
        """
        found: dict[tuple[int, str], Connection] = {}  # within this turn: asking the kernel is what takes time
        ended: dict[bytes, Connection] = {}
        for _ in range(FRAMES):
            try:
                frame = feed.recv(NOBLOCK, copy=False)
            except zmq.Again:
                return False, list(ended.values())
            try:
                descriptor = int(frame.get(SRCFD))
            except zmq.ZMQError:
                continue  # over inproc, or because its connection is gone
            key = descriptor, self._proven(frame)
            one = found.get(key)
            if one is None:
                one = found[key] = connection(*key)
            if one.cookie and not self._note(one, frame.bytes, now):
                ended[one.cookie] = one
        return True, list(ended.values())

    def _note(self, one: Connection, frame: bytes, now: float) -> bool:
        """Note a frame that came over a connection. Return whether the connection may stay."""
        known = self._known.get(one.cookie)
        if known is None or known.connection.credential != one.credential:
            if not self._may_read(one):
                return False
            known = self._known[one.cookie] = Subscriber(one)
        known.connection.heard = now
        known.change(frame)
        return not known.excessive

    def second(self) -> None:
        """Begin to count the changes of another second."""
        for one in self._known.values():
            one.changes = 0

    def keep_alive(self) -> None:
        """Forget the connections that are gone."""
        self._known = {cookie: one for cookie, one in self._known.items() if one.connection.alive}
