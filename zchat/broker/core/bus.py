"""What brokers of a cluster tell each other beside the stream: it is not kept, and may be lost.

Each is sent to all brokers, and comes back to the one that sent it.
"""

import msgspec
from msgspec import Struct


class Heartbeat(Struct, frozen=True, tag=True):
    """A broker is there. It has applied the stream up to `applied`, where its running hash is `hash`."""

    broker: str
    epoch: int
    applied: int
    hash: bytes = b""
    sessions: int = 0
    version: str = ""


Told = Heartbeat

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Told).decode
