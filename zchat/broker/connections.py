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

The descriptors belong to libzmq. One may be closed, and its number reused, at any moment. So a connection is identified
by its socket's cookie, which the kernel never uses twice. The only operation ever done on one is `shutdown`, on a
duplicate of the descriptor whose cookie was checked. Where the kernel does not provide this, every peer counts as one
that reads.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zmq

from zchat.protocol import messages as m

LOOKED_AT = 64 * 1024  # bytes that may count as unread before the kernel is asked
ENDLESS = 2 * m.FRAME_MAX + 64 * 1024  # bytes that may arrive over a connection while it delivers no message …
TOGETHER = 8 * 1024 * 1024  # … and over all such connections, while parts are tiny
TINY = 4  # parts are tiny if memory grows by more than so many times the bytes that arrive
LITTLE = 4 * 1024  # bytes without a message that do not count: a handshake, some subscriptions
BEHIND = 0.3  # s: if the loop is further behind the sockets, looking for endless messages is of no use
SOURCE_PREFIX = 4  # groups of an IPv6 address that make its network: who has one address has all of them

SO_COOKIE = 57
SO_DOMAIN, SO_PEERCRED = getattr(socket, "SO_DOMAIN", -1), getattr(socket, "SO_PEERCRED", -1)
TCP_INFO, TCP_ACKED, TCP_RECEIVED, TCP_ENOUGH = 11, 120, 128, 136  # byte offsets in `struct tcp_info`

Frame = zmq.Frame


@dataclass(slots=True, eq=False)
class Connection:
    """The connection of a peer. `sent` and `acked` are in bytes."""

    descriptor: int
    cookie: bytes
    family: int
    source: str
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
            with _borrowed(self.descriptor, self.family) as opened:
                if _cookie(opened) != self.cookie:
                    self.acked = self.sent
                elif self.family == socket.AF_UNIX:
                    if _queued(opened, termios.TIOCOUTQ) == 0:  # else libzmq may hold more, which cannot be known
                        self.acked = self.sent
                else:
                    self.acked = min(self.sent, max(self.acked, _counted(opened, TCP_ACKED)))
        except OSError:
            self.acked = self.sent


class Connections:
    """All connections that deliver messages, by the routing ids of their peers."""

    def __init__(self) -> None:
        self.noted: set[bytes] = set()  # peers that delivered a message since the last `rest`
        self._known: dict[bytes, Connection] = {}
        self._suspects: dict[bytes, float] = {}  # by cookie: since when libzmq has read more than a message may hold
        self._read: dict[bytes, int] = {}  # by cookie: the bytes that libzmq had read at the last look

    @property
    def suspects(self) -> bool:
        """Whether some connections may be sending a message without an end, and need a second look."""
        return bool(self._suspects)

    def note(self, peer: bytes, frame: Frame, now: float) -> None:
        """Note the connection over which a message came. Needed once per peer between two calls of `rest`."""
        self.noted.add(peer)
        descriptor = _descriptor(frame)
        known = self._known.get(peer)
        if known is None or known.descriptor != descriptor:
            known = self._known[peer] = _connection(descriptor)
        known.heard = now

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
            _shut(known.descriptor, known.cookie, known.family)

    def cut_endless(self, ports: frozenset[int], read: float, now: float, grown: int = 0) -> int:
        """End the connections to these TCP ports that send a message without an end. Return how many there were.

        `grown` is by how many bytes this process's memory has grown since the last look.
        All that had arrived by `read` has been received. What arrived later may be a complete message that waits for
        the loop. So a connection is only suspected at the first look, and is ended at a later one: when a complete
        message would have been received by then.
        """
        by_cookie = {one.cookie: one for one in self._known.values()}
        before, self._suspects = self._suspects, {}
        cut, arrived, undelivered = 0, 0, dict[bytes, tuple[int, int]]()  # by cookie: descriptor, bytes
        was_read, self._read = self._read, {}
        for descriptor in _descriptors():
            with contextlib.suppress(OSError), _borrowed(descriptor, socket.AF_INET) as opened:
                received = _read(opened)
                if _port(opened) not in ports:
                    continue
                known = by_cookie.get(cookie := _cookie(opened))
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
                    _shut(descriptor, cookie, socket.AF_INET)
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


def memory() -> int:
    """Return how many bytes of memory this process uses; 0 if unknown."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def give_back() -> None:
    """Return free memory to the system. Otherwise the C library keeps what had been queued for peers."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _descriptor(frame: Frame) -> int:
    try:
        return int(frame.get(zmq.MessageOption.SRCFD))
    except zmq.ZMQError:  # the message came over inproc
        return -1


def _connection(descriptor: int) -> Connection:
    """Return what the kernel knows of a descriptor; an empty connection if it is closed already."""
    try:
        with _borrowed(descriptor, socket.AF_INET) as opened:
            family = opened.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)
            return Connection(descriptor, _cookie(opened), family, _source(opened, family))
    except OSError:
        return Connection(-1, b"", socket.AF_UNSPEC, "")


def _source(opened: socket.socket, family: int) -> str:
    if family == socket.AF_UNIX:
        _, uid, _ = struct.unpack("3i", opened.getsockopt(socket.SOL_SOCKET, SO_PEERCRED, 12))
        return f"uid {uid}"
    with _borrowed(opened.fileno(), family) as typed:
        address = str(typed.getpeername()[0]).removeprefix("::ffff:")
    return address if "." in address else socket.inet_pton(socket.AF_INET6, address)[: 2 * SOURCE_PREFIX].hex()


@contextlib.contextmanager
def _borrowed(descriptor: int, family: int) -> Iterator[socket.socket]:
    """Use a descriptor that belongs to libzmq as a socket, without closing it. Raises OSError if it is no socket."""
    if descriptor < 0:
        raise OSError
    opened = socket.socket(family, socket.SOCK_STREAM, 0, descriptor)
    try:
        yield opened
    finally:
        opened.detach()


def _cookie(opened: socket.socket) -> bytes:
    return opened.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)


def _queued(opened: socket.socket, which: int) -> int:
    """Return how many bytes the kernel has queued: to be sent (TIOCOUTQ), or to be read (FIONREAD)."""
    found: int = struct.unpack("i", fcntl.ioctl(opened.fileno(), which, b"\0\0\0\0"))[0]
    return found


def _counted(opened: socket.socket, where: int) -> int:
    """Return a counter of a TCP connection, at the offset `where`. Raises OSError."""
    told = opened.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_ENOUGH)
    if len(told) < TCP_ENOUGH:
        raise OSError  # an old kernel
    found: int = struct.unpack_from("Q", told, where)[0]
    return found


def _read(opened: socket.socket) -> int:
    """Return how many bytes this process has read from a TCP connection. Raises OSError."""
    return _counted(opened, TCP_RECEIVED) - _queued(opened, termios.FIONREAD)


def _port(opened: socket.socket) -> int:
    """Return the local port of a TCP connection; 0 for any other descriptor."""
    family = opened.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return 0
    with _borrowed(opened.fileno(), family) as typed:
        return int(typed.getsockname()[1])


def _descriptors() -> list[int]:
    try:
        return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    except OSError:
        return []


def _shut(descriptor: int, cookie: bytes, family: int) -> None:
    """Shut a connection down. When libzmq closes it, it is reset: the peer may be blocked in sending."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM, 0, os.dup(descriptor)) as ours:
        if _cookie(ours) == cookie:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ours.shutdown(socket.SHUT_RDWR)
