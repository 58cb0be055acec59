"""What the kernel knows about each connection: where it comes from, what was read at its other end, what came in.

libzmq queues for a peer by messages, not by bytes, and tells nobody how much it holds. But it tells over which
descriptor a message came, and of that the kernel knows more: how many bytes of what was sent the other end has
acknowledged (`TCP_INFO`; over `ipc`, whether all of it is gone from here). What was handed to libzmq and is not
acknowledged waits for a peer that does not read. In the same way, what has come in over a connection that delivers
nothing is a message without an end: libzmq gathers its frames, whatever `MAXMSGSIZE` says, and shows none of them.

Descriptors are libzmq's: one may be closed, and its number be used again, at any moment. So each is known by its
socket's cookie, which is not used twice, and all that is ever done to one is `shutdown`, on a duplicate whose cookie
was looked at. Where there is no such kernel, every peer counts as one that reads.
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

LOOKED_AT = 64 * 1024  # bytes that may be unread before the kernel is asked
ENDLESS = 8 * 1024 * 1024  # bytes that may come in over a connection while it delivers no message
BEHIND = 0.3  # s for which not all that came may have been taken in, before a look is of no use
SOURCE_PREFIX = 4  # groups of an IPv6 address that are one network's: who has one has all addresses in it

SO_COOKIE = 57
SO_DOMAIN, SO_PEERCRED = getattr(socket, "SO_DOMAIN", -1), getattr(socket, "SO_PEERCRED", -1)
TCP_INFO, TCP_ACKED, TCP_RECEIVED, TCP_ENOUGH = 11, 120, 128, 136  # where they are in `struct tcp_info`, in bytes

Frame = zmq.Frame


@dataclass(slots=True, eq=False)
class Connection:
    """One that a peer speaks over. `sent` and `acked` are bytes."""

    descriptor: int
    cookie: bytes
    family: int
    source: str
    sent: int = 0
    acked: int = 0
    heard: float = 0.0  # when it delivered something
    looked: float = 0.0  # when it was last looked at, having delivered something since the look before …
    received: int = 0  # … and what libzmq had read by then

    @property
    def unread(self) -> int:
        return self.sent - self.acked

    def look(self) -> None:
        """Ask the kernel what was read; of a connection that is gone nothing is unread."""
        try:
            with _borrowed(self.descriptor, self.family) as opened:
                if _cookie(opened) != self.cookie:
                    self.acked = self.sent
                elif self.family == socket.AF_UNIX:
                    if _queued(opened, termios.TIOCOUTQ) == 0:  # else libzmq may hold more, which nobody can tell
                        self.acked = self.sent
                else:
                    self.acked = min(self.sent, max(self.acked, _counted(opened, TCP_ACKED)))
        except OSError:
            self.acked = self.sent


class Connections:
    """All connections that deliver messages, by their peers' routing ids."""

    def __init__(self) -> None:
        self.noted: set[bytes] = set()  # peers that delivered something since the last `rest`
        self._known: dict[bytes, Connection] = {}
        self._suspects: dict[bytes, float] = {}  # by cookie: since when libzmq has read more than a message holds

    @property
    def suspects(self) -> bool:
        """Whether it is to be looked again at who sends a message without an end."""
        return bool(self._suspects)

    def note(self, peer: bytes, frame: Frame, now: float) -> None:
        """Take note of over what a message came, once between two calls of `rest`."""
        self.noted.add(peer)
        descriptor = _descriptor(frame)
        known = self._known.get(peer)
        if known is None or known.descriptor != descriptor:
            known = self._known[peer] = _connection(descriptor)
        known.heard = now

    def rest(self) -> None:
        """Note anew who delivers something."""
        self.noted.clear()

    def keep(self, peers: Iterable[bytes]) -> None:
        """Forget all but these."""
        self._known = {peer: self._known[peer] for peer in peers if peer in self._known}

    def source(self, peer: bytes) -> str:
        """Say where a peer comes from: an address, or a user of this machine; "" if that is not known."""
        known = self._known.get(peer)
        return "" if known is None else known.source

    def sent(self, peer: bytes, size: int) -> None:
        """Take note of what libzmq was given for a peer: one frame of so many bytes."""
        known = self._known.get(peer)
        if known is not None:
            known.sent += size + (2 if size < 256 else 9)  # as ZMTP frames it

    def unread(self, peer: bytes) -> int:
        """Return how many bytes wait for a peer that does not read them."""
        known = self._known.get(peer)
        if known is None:
            return 0
        if known.unread > LOOKED_AT:
            known.look()
        return known.unread

    def beyond(self, budget: int, each: int) -> list[bytes]:
        """Return the peers without whom at most `budget` bytes would be unread, and `each` of one: those with most."""
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
        """End the connection of a peer, and with it what libzmq holds for it."""
        known = self._known.pop(peer, None)
        if known is not None:
            _shut(known.descriptor, known.cookie, known.family)

    def cut_endless(self, ports: frozenset[int], read: float, now: float) -> int:
        """End the connections over which a message without an end comes in, of those to these TCP ports; count them.

        All that had arrived by the time `read` was taken in. What came in since then may be whole, and wait for the
        loop; so a connection is ended by a later look only, when what came by the first would have been heard.
        """
        by_cookie = {one.cookie: one for one in self._known.values()}
        before, self._suspects = self._suspects, {}
        cut = 0
        for descriptor in _descriptors():
            with contextlib.suppress(OSError), _borrowed(descriptor, socket.AF_INET) as opened:
                received = _read(opened)
                if _port(opened) not in ports:
                    continue
                known = by_cookie.get(cookie := _cookie(opened))
                if known is not None and known.heard > known.looked:
                    known.looked, known.received = now, received
                elif received - (known.received if known else 0) > ENDLESS:
                    since = before.get(cookie, now)
                    if read > since:
                        _shut(descriptor, cookie, socket.AF_INET)
                        cut += 1
                    else:
                        self._suspects[cookie] = since
        return cut


def memory() -> int:
    """Return how many bytes of memory this process uses; 0 where that cannot be told."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def give_back() -> None:
    """Give memory that is free back to the system: what was queued for peers stays with the C library otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _descriptor(frame: Frame) -> int:
    try:
        return int(frame.get(zmq.MessageOption.SRCFD))
    except zmq.ZMQError:  # it came from within the process
        return -1


def _connection(descriptor: int) -> Connection:
    """Return what the kernel tells of a descriptor; a source alone, or not even that, if it is gone already."""
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
    """Use a descriptor of somebody else's as a socket. Raises OSError if it is none."""
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
    """Return how many bytes the kernel holds: for the other end (TIOCOUTQ), or from it (FIONREAD)."""
    found: int = struct.unpack("i", fcntl.ioctl(opened.fileno(), which, b"\0\0\0\0"))[0]
    return found


def _counted(opened: socket.socket, where: int) -> int:
    """Return one of the counters of a TCP connection. Raises OSError."""
    told = opened.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_ENOUGH)
    if len(told) < TCP_ENOUGH:
        raise OSError  # an old kernel
    found: int = struct.unpack_from("Q", told, where)[0]
    return found


def _read(opened: socket.socket) -> int:
    """Return how many bytes have been read from a TCP connection at this end. Raises OSError."""
    return _counted(opened, TCP_RECEIVED) - _queued(opened, termios.FIONREAD)


def _port(opened: socket.socket) -> int:
    """Return the port at this end of a connection; 0 if it is of no TCP connection."""
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
    """End a connection, by a reset once libzmq has closed it: a peer may be stuck in sending."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM, 0, os.dup(descriptor)) as ours:
        if _cookie(ours) == cookie:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ours.shutdown(socket.SHUT_RDWR)
