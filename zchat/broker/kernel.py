"""What the kernel knows of descriptors that belong to libzmq, and of this process's memory.

One may be closed, and its number reused, at any moment. So a connection is identified by its socket's cookie, which the
kernel never uses twice. The only operation ever done on one is `shut`, on a duplicate of the descriptor whose cookie
was checked (unless no descriptor is left for a duplicate). Where the kernel does not provide this, nothing is known of
a connection.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import socket
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

SOURCE_PREFIX = 4  # groups of an IPv6 address that make its network: who has one address has all of them

SO_COOKIE = 57
SO_DOMAIN, SO_PEERCRED = getattr(socket, "SO_DOMAIN", -1), getattr(socket, "SO_PEERCRED", -1)
TCP_INFO, TCP_ACKED, TCP_RECEIVED, TCP_ENOUGH = 11, 120, 128, 136  # byte offsets in `struct tcp_info`


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


def descriptors() -> list[int]:
    """Return all descriptors of this process; all numbers that may be one, if none is left to list them."""
    try:
        return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    except OSError as error:
        return list(range(resource.getrlimit(resource.RLIMIT_NOFILE)[0])) if error.errno == errno.EMFILE else []


def used() -> int:
    """Return how many descriptors this process has; 0 if unknown."""
    try:
        return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))  # noqa: PTH116, PTH208 — ten times a second
    except OSError:
        return 0


@contextlib.contextmanager
def borrowed(descriptor: int, family: int = socket.AF_INET) -> Iterator[socket.socket]:
    """Use a descriptor that belongs to libzmq as a socket, without closing it. Raises OSError if it is no socket."""
    if descriptor < 0:
        raise OSError
    opened = socket.socket(family, socket.SOCK_STREAM, 0, descriptor)
    try:
        yield opened
    finally:
        opened.detach()


def family(opened: socket.socket) -> int:
    return opened.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)


def cookie(opened: socket.socket) -> bytes:
    return opened.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)


def source(opened: socket.socket, family: int) -> str:
    """Return where a connection comes from: an address, or a user of this machine."""
    if family == socket.AF_UNIX:
        _, uid, _ = struct.unpack("3i", opened.getsockopt(socket.SOL_SOCKET, SO_PEERCRED, 12))
        return f"uid {uid}"
    with borrowed(opened.fileno(), family) as typed:
        return network(str(typed.getpeername()[0]))


def network(address: str) -> str:
    """Return what all addresses that one host may have begin with. Raises OSError if it is no address."""
    address = address.removeprefix("::ffff:")
    if "." in address:
        return address
    return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[: 2 * SOURCE_PREFIX].hex()


def queued(opened: socket.socket, which: int) -> int:
    """Return how many bytes the kernel has queued: to be sent (TIOCOUTQ), or to be read (FIONREAD)."""
    found: int = struct.unpack("i", fcntl.ioctl(opened.fileno(), which, b"\0\0\0\0"))[0]
    return found


def counted(opened: socket.socket, where: int) -> int:
    """Return a counter of a TCP connection, at the offset `where`. Raises OSError."""
    told = opened.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_ENOUGH)
    if len(told) < TCP_ENOUGH:
        raise OSError  # an old kernel
    found: int = struct.unpack_from("Q", told, where)[0]
    return found


def was_read(opened: socket.socket) -> int:
    """Return how many bytes this process has read from a TCP connection. Raises OSError."""
    return counted(opened, TCP_RECEIVED) - queued(opened, termios.FIONREAD)


def local(opened: socket.socket) -> tuple[str, int]:
    """Return the local address and port of a TCP connection; ("", 0) for any other descriptor."""
    found = family(opened)
    if found not in (socket.AF_INET, socket.AF_INET6):
        return "", 0
    with borrowed(opened.fileno(), found) as typed:
        host, port, *_ = typed.getsockname()
    return str(host).removeprefix("::ffff:"), int(port)


def listens(opened: socket.socket) -> bool:
    """Return whether a socket accepts connections, and is none itself."""
    return bool(opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def shut(descriptor: int, known: bytes, family: int) -> None:
    """Shut a connection down, if it is the one of this cookie.

    When libzmq closes it, it is reset: the peer may be blocked in sending.
    """
    with contextlib.suppress(OSError):
        try:
            ours = socket.socket(family, socket.SOCK_STREAM, 0, os.dup(descriptor))
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            with borrowed(descriptor, family) as opened:  # at worst it ends one that comes at this moment
                _reset(opened, known)
            return
        with ours:
            _reset(ours, known)


def _reset(opened: socket.socket, known: bytes) -> None:
    if cookie(opened) == known:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        opened.shutdown(socket.SHUT_RDWR)
