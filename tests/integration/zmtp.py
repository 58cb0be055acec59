"""A ZMTP 3.0 peer of a few lines over plain TCP, for what libzmq itself refuses to send.

It can take any routing identity, announce frames it never finishes, stop in the middle of a handshake, and it reads
only when it is told to. (ZMTP 3.0 is ZeroMQ RFC 23: a greeting of 64 bytes, READY both ways, then frames.)
"""

import socket
import struct
from types import TracebackType
from typing import Self

from tests.conftest import PATIENCE

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4


def frame(body: bytes, flags: int = 0) -> bytes:
    """Return `body` as a frame, with a length of one byte or of eight."""
    size = struct.pack(">BQ", flags | LONG, len(body)) if len(body) > 255 else struct.pack("BB", flags, len(body))
    return size + body


def ready(socket_type: str, identity: bytes = b"") -> bytes:
    """Return the READY command that ends a handshake of the NULL mechanism."""
    properties = {b"Socket-Type": socket_type.encode(), b"Identity": identity}
    metadata = b"".join(
        struct.pack("B", len(name)) + name + struct.pack(">I", len(value)) + value for name, value in properties.items()
    )
    return frame(b"\x05READY" + metadata, COMMAND)


class RawPeer:
    """One TCP connection; `hands` is whether it shakes hands before anything else."""

    def __init__(
        self, endpoint: str, socket_type: str = "DEALER", identity: bytes = b"", *, hands: bool = True, buffer: int = 0
    ) -> None:
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((host, int(port)))
        self.unread = b""
        if hands:
            self.shake_hands(socket_type, identity)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def shake_hands(self, socket_type: str, identity: bytes) -> None:
        self.write(GREETING + ready(socket_type, identity))
        try:
            self._exactly(len(GREETING))
            assert self.read()[:6] == b"\x05READY"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Vanish: the other side gets a TCP reset, as from a machine that lost power and came back."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, body: bytes, flags: int = 0) -> None:
        self.write(frame(body, flags))

    def read(self) -> bytes:
        """Return the body of the next frame; raise EOFError if the other side has closed, OSError if it is silent."""
        (flags,) = self._exactly(1)
        (size,) = struct.unpack(">Q", self._exactly(8)) if flags & LONG else self._exactly(1)
        return self._exactly(size)

    def ended(self) -> bool:
        """Wait until the other side closes the connection; return whether it did before the time-out."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def _exactly(self, count: int) -> bytes:
        while len(self.unread) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the other side has closed the connection")
            self.unread += more
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken
