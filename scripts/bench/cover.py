"""What lies over a connection so that nobody else can read it, for the load: as much of a socket as a `Stream` needs.

A receiver reads as much as there is, and then deciphers all of it, in C: a read for each record or frame, as sockets of
the libraries do it, would cost the load more than the deciphering. Nothing is verified: what is measured is a server
that enciphers, and a client's doubts cost it nothing.
"""

import socket
from collections.abc import Iterator
from typing import Any, Protocol

LARGEST = 1 << 20  # bytes: what one read takes at most
LEAST = 4_096  # bytes: what one read takes at least
MARGIN = 5 << 16  # bytes: what may have come of a record or a frame before; zchat’s frames have up to 256 KiB
RAW = bytearray(LARGEST)  # all connections of a process share it, so that it stays in the processor's cache
CLEAR = bytearray(LARGEST)


class Sock(Protocol):
    """A socket, or what lies over one."""

    def recv(self, size: int, /) -> bytes:
        """Receive what is there; wait for something."""

    def recv_into(self, view: Any, /) -> int:
        """Receive what is there into `view`."""

    def sendall(self, data: bytes | bytearray, /) -> None:
        """Send all of `data`."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Wait no longer than this from now on."""

    def setsockopt(self, level: int, name: int, value: int, /) -> None:
        """Set an option of the TCP connection."""

    def fileno(self) -> int:
        """Return the file descriptor."""

    def close(self) -> None:
        """Close the connection."""


class Cover(Protocol):
    """How connections are covered; a value that other processes are told with the address."""

    def over(self, sock: socket.socket, who: str) -> "Covered":
        """Return a covered connection; `who` is the client, if the server knows its clients by their keys."""

    def source(self, who: str) -> tuple[str, int] | None:
        """Return from where the client connects; None: from where everybody does."""

    def named(self, sock: socket.socket) -> str:
        """Return how the server enciphers, found out by a connection that is for nothing else."""


class Covered:
    """A covered connection; a subclass agrees on the key, enciphers and deciphers."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.settimeout, self.setsockopt = sock.settimeout, sock.setsockopt
        self.fileno, self.close = sock.fileno, sock.close

    def agreeing(self) -> Iterator[None]:
        """Agree on a key, if that goes before all else; each `yield` is a place where an answer is awaited."""
        yield from ()

    def recv(self, size: int, /) -> bytes:
        """Wait for something readable; return all that is there, whatever `size` is."""
        with memoryview(CLEAR) as view:
            while not (got := self.recv_into(view)):
                pass
        return bytes(CLEAR[:got])

    def recv_into(self, view: memoryview, /) -> int:
        """Receive once; return how much could be read of it, which may be nothing yet."""
        room = max(LEAST, len(view) - MARGIN)
        with memoryview(RAW) as raw:
            got = self.sock.recv_into(raw[:room])
        if not got:
            raise ConnectionError("the server closed a covered connection")
        return self.decipher(got, view)

    def sendall(self, data: bytes | bytearray, /) -> None:
        """Send all of `data`."""
        raise NotImplementedError

    def decipher(self, got: int, view: memoryview) -> int:
        """Take so many bytes of RAW, and write what can be read of them to `view`; return its length."""
        raise NotImplementedError
