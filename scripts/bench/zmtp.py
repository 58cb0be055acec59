"""Just enough of ZMTP 3.0 (ZeroMQ RFC 23, NULL mechanism) to load a broker without a ZeroMQ library.

A load generator that costs as much as what it loads measures itself. A hundred `zmq.SUB` sockets in Python make an
object of every message and share their two cores with the broker; here a peer is a TCP socket, all peers of a
process receive into one buffer that stays in the processor's cache, and a frame is two offsets into it. As a peer of
version 3.0 we subscribe by a message that starts with 1, and answer a PING, which libzmq sends only if told to.
"""

import socket
import struct

MORE, LONG, COMMAND = 1, 2, 4
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
SCRATCH = 1 << 20  # bytes: more than the largest frame of the protocol's feed and answers
HANDSHAKE = 10.0  # seconds

Span = tuple[int, int]


def frame(body: bytes, flags: int = 0) -> bytes:
    """Return `body` as one frame on the wire."""
    if len(body) < 256:
        return bytes((flags, len(body))) + body
    return struct.pack(">BQ", flags | LONG, len(body)) + body


def ready(socket_type: bytes) -> bytes:
    """Return the READY command of a socket of this type."""
    metadata = b""
    for name, value in ((b"Socket-Type", socket_type), (b"Identity", b"")):
        metadata += bytes((len(name),)) + name + struct.pack(">I", len(value)) + value
    return frame(b"\x05READY" + metadata, COMMAND)


class Peer:
    """One end of a ZMTP connection, made by connecting; blocks until both ends are ready.

    Raises ConnectionError when the other end closes, or speaks something else.
    """

    __slots__ = ("is_ready", "rest", "scratch", "sock", "view")

    def __init__(self, endpoint: str, socket_type: bytes, scratch: bytearray) -> None:
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        self.sock = socket.create_connection((host.strip("[]"), int(port)), timeout=HANDSHAKE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scratch, self.view = scratch, memoryview(scratch)
        self.rest = b""
        self.is_ready = False
        self.sock.sendall(GREETING)
        if (greeting := self._exactly(len(GREETING)))[:1] != b"\xff" or greeting[10] < 3:
            raise ConnectionError(f"{endpoint} does not speak ZMTP 3")
        self.sock.sendall(ready(socket_type))
        while not self.is_ready:
            self.receive()

    def fileno(self) -> int:
        """Return the socket's file descriptor, for selectors."""
        return self.sock.fileno()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def subscribe(self, topic: bytes) -> None:
        """Ask a publisher for all topics that start with `topic`."""
        self.sock.sendall(frame(b"\x01" + topic))

    def receive(self) -> list[Span]:
        """Receive once, waiting if nothing is there, and return each message's last frame as offsets into `scratch`.

        They hold until anybody's next `receive`. The frames before a message's last (a topic) are skipped.
        """
        end = len(self.rest)
        if end >= SCRATCH:
            raise ConnectionError(f"a frame of more than {SCRATCH} bytes")
        self.scratch[:end] = self.rest
        got = self.sock.recv_into(self.view[end:])
        if not got:
            raise ConnectionError("the other end closed the connection")
        spans, start = self._frames(end + got)
        self.rest = bytes(self.view[start : end + got])
        return spans

    def _frames(self, end: int) -> tuple[list[Span], int]:
        """Find the complete frames before `end`; return those that matter and where the first incomplete one starts."""
        scratch, spans, start = self.scratch, [], 0
        while end - start >= 2:
            flags = scratch[start]
            if not flags & LONG:
                body, size = start + 2, scratch[start + 1]
            elif end - start >= 9:
                body, size = start + 9, int.from_bytes(scratch[start + 1 : start + 9], "big")
            else:
                break
            if body + size > end:
                break
            if flags & COMMAND:
                self._command(bytes(self.view[body : body + size]))
            elif not flags & MORE:
                spans.append((body, body + size))
            start = body + size
        return spans, start

    def _command(self, body: bytes) -> None:
        if body.startswith(b"\x05READY"):
            self.is_ready = True
        elif body.startswith(b"\x04PING"):
            self.sock.sendall(frame(b"\x04PONG" + body[7:], COMMAND))
        elif body.startswith(b"\x05ERROR"):
            raise ConnectionError(f"refused: {body[7:].decode(errors='replace')}")

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise ConnectionError("the other end closed the connection in the handshake")
            data += part
        return data
