"""What the kernel knows about each connection: its source, the bytes its peer has not read, the bytes received.

libzmq limits a peer's queue by messages, not by bytes, and does not tell how many bytes it holds. But it tells the file
descriptor over which a message arrived, and the kernel knows how many of the sent bytes the other end has acknowledged
(`TCP_INFO`; over `ipc`, only whether all of them have left). Bytes that were handed to libzmq and are not acknowledged
wait for a peer that does not read. In the same way, bytes received over a connection that delivers no message belong to
a message without an end: libzmq collects its frames, whatever `MAXMSGSIZE` says, and shows none of them.

Each frame costs libzmq 64 bytes and more, and may have two on the wire. So the memory that such a message takes can be
thirty times its bytes, and many connections at once would take too much before any of them is beyond its bound. When
memory grows much faster than bytes arrive, all connections that deliver nothing share one bound. (Otherwise they do
not: as many honest peers may each be in the middle of a large frame.)

A connection may prove who its peer is: its *credential* is the user id that `admission.py` gave it, which libzmq puts
on each of its messages. A routing id is chosen by the client and proves nothing: another connection may take it when
the first one is gone. So whoever has a credential is asked for it with each message, and a connection of another
credential is another peer.

The descriptors belong to libzmq: see `kernel.py`.
"""

import contextlib
import socket
import termios
from collections.abc import Iterable
from dataclasses import dataclass

import zmq

from zchat.protocol import links
from zchat.protocol import messages as m

from . import kernel

LOOKED_AT = 64 * 1024  # bytes that may count as unread before the kernel is asked
ENDLESS = 2 * m.FRAME_MAX + 64 * 1024  # bytes that may arrive over a connection while it delivers no message …
TOGETHER = 8 * 1024 * 1024  # … and over all such connections, while parts are tiny
TINY = 4  # parts are tiny if memory grows by more than so many times the bytes that arrive
LITTLE = 4 * 1024  # bytes without a message that do not count: a handshake, some subscriptions
BEHIND = 0.3  # s: if the loop is further behind the sockets, looking for endless messages is of no use
SRCFD = int(zmq.MessageOption.SRCFD)

Frame = zmq.Frame


@dataclass(slots=True, eq=False)
class Connection:
    """The connection of a peer. `sent` and `acked` are in bytes."""

    descriptor: int
    cookie: bytes
    family: int
    source: str
    credential: str = ""
    sent: int = 0
    acked: int = 0
    heard: float = 0.0  # when it last delivered a message
    looked: float = 0.0  # the last look before which it had delivered a message …
    received: int = 0  # … and the bytes that libzmq had read by then

    @property
    def unread(self) -> int:
        return self.sent - self.acked

    def look(self) -> None:
        """Ask the kernel how many bytes were acknowledged. Of a connection that is gone, nothing counts as unread."""
        try:
            with kernel.borrowed(self.descriptor, self.family) as opened:
                if kernel.cookie(opened) != self.cookie:
                    self.acked = self.sent
                elif self.family == socket.AF_UNIX:
                    if kernel.queued(opened, termios.TIOCOUTQ) == 0:  # else libzmq may hold more, which cannot be known
                        self.acked = self.sent
                else:
                    self.acked = min(self.sent, max(self.acked, kernel.counted(opened, kernel.TCP_ACKED)))
        except OSError:
            self.acked = self.sent

    @property
    def alive(self) -> bool:
        """Whether it is there still."""
        try:
            with kernel.borrowed(self.descriptor) as opened:
                return kernel.cookie(opened) == self.cookie
        except OSError:
            return False

    def shut(self) -> None:
        """End it, if it is there still."""
        kernel.shut(self.descriptor, self.cookie, self.family)


class Connections:
    """All connections that deliver messages, by the routing ids of their peers."""

    def __init__(self) -> None:
        self.proves = False  # whether any door of the broker proves who comes in
        self.began: list[str] = []  # sources of connections with a key that said something for the first time
        self.noted: set[bytes] = set()  # peers without a credential that delivered a message since the last `rest`
        self.freed = False  # whether ending some has freed memory that the system has not got back yet
        self._known: dict[bytes, Connection] = {}
        self._suspects: dict[bytes, float] = {}  # by cookie: since when libzmq has read more than a message may hold
        self._read: dict[bytes, int] = {}  # by cookie: the bytes that libzmq had read at the last look

    @property
    def suspects(self) -> bool:
        """Whether some connections may be sending a message without an end, and need a second look."""
        return bool(self._suspects)

    @property
    def count(self) -> int:
        return len(self._known)

    @property
    def waiting(self) -> int:
        """The bytes that peers have not read, of those where it is so many that the kernel is asked."""
        return sum(one.unread for one in self._known.values() if one.unread > LOOKED_AT)

    def note(self, peer: bytes, frame: Frame, now: float) -> bool:
        """Note the connection over which a message came. Return whether its peer is another one than before.

        It is needed once per peer between two calls of `rest`; of a peer with a credential, for each message.
        """
        known, descriptor = self._known.get(peer), _descriptor(frame)
        same = known is not None and known.descriptor == descriptor and not known.credential and known.alive
        credential = "" if same else self.proven(frame)  # asking a frame in vain costs four times as much
        other = known is not None and known.credential != credential
        if known is None or known.descriptor != descriptor or other:
            known = self._known[peer] = connection(descriptor, credential)
            if links.is_key(credential):
                self.began.append(known.source)
        known.heard = now
        if not credential:
            self.noted.add(peer)
        return other

    def proven(self, frame: Frame) -> str:
        """Return what the connection of a message proves: its credential; "" if nothing."""
        if not self.proves:
            return ""
        try:
            return str(frame.get("User-Id"))
        except zmq.ZMQError:
            return ""

    def rest(self) -> None:
        """Begin anew to note which peers deliver messages."""
        self.noted.clear()

    def keep(self, peers: Iterable[bytes]) -> None:
        """Forget all connections except those of these peers."""
        self._known = {peer: self._known[peer] for peer in peers if peer in self._known}

    def source(self, peer: bytes) -> str:
        """Return the source of a peer: an address, or a user of this machine; "" if unknown."""
        known = self._known.get(peer)
        return "" if known is None else known.source

    def credential(self, peer: bytes) -> str:
        """Return what the connection of a peer proves of it; "" if nothing."""
        known = self._known.get(peer)
        return "" if known is None else known.credential

    def credentials(self) -> dict[bytes, str]:
        """Return the credentials of all, by the cookies of their connections."""
        return {one.cookie: one.credential for one in self._known.values()}

    def of(self, credential: str) -> dict[bytes, Connection]:
        """Return the connections with a credential, by the routing ids of their peers."""
        return {peer: one for peer, one in self._known.items() if one.credential == credential}

    def get(self, peer: bytes) -> Connection | None:
        return self._known.get(peer)

    def is_gone(self, peer: bytes) -> bool:
        """Return whether a peer has proved who it is, and its connection is gone: its id may be another's by now."""
        known = self._known.get(peer)
        return known is not None and known.credential != "" and known.cookie != b"" and not known.alive

    def sent(self, peer: bytes, size: int) -> None:
        """Note that libzmq was given one frame of so many bytes for a peer."""
        known = self._known.get(peer)
        if known is not None:
            known.sent += size + (2 if size < 256 else 9)  # plus the ZMTP frame header

    def unread(self, peer: bytes) -> int:
        """Return how many bytes a peer has not read."""
        known = self._known.get(peer)
        if known is None:
            return 0
        if known.unread > LOOKED_AT:
            known.look()
        return known.unread

    def beyond(self, budget: int, each: int) -> list[bytes]:
        """Return the peers to end, those with the most unread bytes first.

        Without them at most `budget` bytes are unread in all, and at most `each` of one peer.
        """
        if sum(one.unread for one in self._known.values()) <= min(budget, each):
            return []
        unread = {peer: self.unread(peer) for peer in self._known}
        excess = sum(unread.values()) - budget
        found = []
        for peer in sorted(unread, key=unread.__getitem__, reverse=True):
            if excess <= 0 and unread[peer] <= each:
                break
            excess -= unread[peer]
            found.append(peer)
        return found

    def cut(self, peer: bytes) -> None:
        """End the connection of a peer, and drop what libzmq has queued for it."""
        known = self._known.pop(peer, None)
        if known is not None:
            self.freed = True
            known.shut()

    def cut_endless(
        self,
        ports: frozenset[int],
        read: float,
        now: float,
        grown: int = 0,
        others: Iterable[Connection] = (),
    ) -> int:
        """End the connections to these TCP ports that send a message without an end. Return how many there were.

        `others` are connections that deliver something to another socket. `grown` is by how many
        bytes this process's memory has grown since the last look.

        All that had arrived by `read` has been received. What arrived later may be a complete message that waits for
        the loop. So a connection is only suspected at the first look, and is ended at a later one: when a complete
        message would have been received by then.
        """
        by_cookie = {one.cookie: one for one in (*others, *self._known.values())}
        before, self._suspects = self._suspects, {}
        cut, arrived, undelivered = 0, 0, dict[bytes, tuple[int, int]]()  # by cookie: descriptor, bytes
        was_read, self._read = self._read, {}
        for descriptor in kernel.descriptors():
            with contextlib.suppress(OSError), kernel.borrowed(descriptor) as opened:
                received = kernel.was_read(opened)
                if kernel.local(opened)[1] not in ports:
                    continue
                known = by_cookie.get(cookie := kernel.cookie(opened))
                self._read[cookie] = received
                arrived += received - was_read.get(cookie, 0)
                if known is not None and known.heard > known.looked:
                    known.looked, known.received = now, received
                else:
                    undelivered[cookie] = descriptor, received - (known.received if known else 0)
        most = allowed([size for _, size in undelivered.values()], tiny=grown > TINY * arrived)
        for cookie, (descriptor, size) in undelivered.items():
            if cookie in before or size > most:
                since = before.get(cookie, now)
                if read > since:
                    kernel.shut(descriptor, cookie, socket.AF_INET)
                    self.freed = True
                    cut += 1
                else:
                    self._suspects[cookie] = since
        return cut


def allowed(undelivered: list[int], tiny: bool) -> int:
    """Return how many bytes each connection may have received since its last message, given what all have received."""
    much = [size for size in undelivered if size > LITTLE]
    if not tiny or sum(much) <= TOGETHER:
        return ENDLESS
    return min(ENDLESS, max(LITTLE, TOGETHER // len(much)))


def connection(descriptor: int, credential: str = "") -> Connection:
    """Return what the kernel knows of a descriptor; an empty connection if it is closed already."""
    try:
        with kernel.borrowed(descriptor) as opened:
            family = kernel.family(opened)
            return Connection(descriptor, kernel.cookie(opened), family, kernel.source(opened, family), credential)
    except OSError:
        return Connection(-1, b"", socket.AF_UNSPEC, "", credential)


def _descriptor(frame: Frame) -> int:
    try:
        return int(frame.get(SRCFD))
    except zmq.ZMQError:  # the message came over inproc
        return -1
