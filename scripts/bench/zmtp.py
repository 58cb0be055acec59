"""Just enough of ZMTP 3.0 (ZeroMQ RFC 23, NULL mechanism) to load a broker without a ZeroMQ library.

A load generator that costs as much as what it loads measures itself. A hundred `zmq.SUB` sockets in Python make an
object of every message and share their two cores with the broker; here a peer is a TCP socket. Greeting and READY
are written at once, but nothing may follow before the other end's READY: libzmq ends a connection that speaks in the
middle of a handshake. As a peer of version 3.0 we subscribe by a message that starts with 1, and libzmq sends a
PING only if told to.
"""

import struct

MORE, LONG, COMMAND = 1, 2, 4
READY = b"\x05READY"  # what to wait for before anything else is said
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    """Return `body` as one frame on the wire."""
    return head(len(body), flags) + body


def head(size: int, flags: int = 0) -> bytes:
    """Return what stands before a body of this size."""
    return bytes((flags, size)) if size < 256 else struct.pack(">BQ", flags | LONG, size)


def hello(socket_type: bytes, identity: bytes = b"") -> bytes:
    """Return the greeting and the READY command of a socket of this type."""
    metadata = b""
    for name, value in ((b"Socket-Type", socket_type), (b"Identity", identity)):
        metadata += bytes((len(name),)) + name + struct.pack(">I", len(value)) + value
    return GREETING + frame(READY + metadata, COMMAND)


def subscribe(topic: bytes) -> bytes:
    """Return the message that asks a publisher for all topics that start with `topic`."""
    return frame(b"\x01" + topic)
