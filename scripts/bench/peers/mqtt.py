"""Mosquitto (MQTT 3.1.1) with QoS 0 and QoS 1.

A packet's size depends on the topic and the text only, which are of one length: so packet ids are found at every so
many bytes, and a read full of messages is acknowledged by a slice of it. With QoS 0 nothing is acknowledged; a
PINGREQ behind each half of a window shows that the broker has read it.
"""

from collections.abc import Iterator
from itertools import cycle, islice
from operator import mod
from pathlib import Path
from typing import Any

from board import BenchError
from marks import SIZE, TEXTS, warm_text
from tls import Tls, certify

from .peer import Peer, covered
from .stream import Address, Receiver, Sender

PINGREQ, PINGRESP = b"\xc0\x00", b"\xd0\x00"
KEEPALIVE = 60  # s
IDS = 65_535


def packet(kind: int, body: bytes) -> bytes:
    """Return a packet of less than 128 bytes of body."""
    return bytes((kind, len(body))) + body


def string(text: bytes) -> bytes:
    """Return a string with its length in front."""
    return len(text).to_bytes(2, "big") + text


def connect(name: str) -> bytes:
    """Return the greeting of a client that leaves nothing behind."""
    return packet(0x10, string(b"MQTT") + b"\x04\x02" + KEEPALIVE.to_bytes(2, "big") + string(name.encode()))


class Qos0Sender(Sender):
    """Publishes; a PINGRESP is good for half a window."""

    ANSWER = PINGRESP
    GROUP = 32
    SYNC = PINGREQ

    def opening(self) -> Iterator[None]:
        """Connect."""
        self.sock.sendall(connect(f"sender-{self.number}"))
        yield
        self.until(b"\x20\x02\x00\x00")

    def shape(self, text: bytes) -> bytes:
        """Return the publication."""
        return b"\x30" + self._body(b"", text)

    def _body(self, number: bytes, text: bytes) -> bytes:
        topic = string(self.room.encode())
        size = len(topic) + (2 if number else 0) + SIZE
        return bytes((size,)).replace(b"%", b"%%") + topic + number + text


class Qos1Sender(Qos0Sender):
    """Publishes; each is answered by a PUBACK of four bytes, and nothing else comes."""

    GROUP = 1
    SYNC = b""

    def shape(self, text: bytes) -> bytes:
        """Return the publication, its packet id still to be filled in too."""
        return b"\x32" + self._body(b"%c%c", text)

    def warm(self) -> bool:
        """Say one message that nobody counts."""
        self.sock.sendall(self.shape(warm_text()) % (0, 1))
        self.until(b"\x40\x02\x00\x01")
        return True

    def frames(self, first: int, stop: int) -> bytes:
        """Return the publications, their ids going round."""
        ids = [number % IDS + 1 for number in range(first, stop)]
        filled = ((number >> 8, number & 255, at) for number, at in zip(ids, range(first, stop), strict=True))
        return b"".join(map(mod, islice(cycle(self.shapes), first % TEXTS, None), filled))

    def answers(self, end: int) -> int:
        """Count packets of four bytes."""
        whole = end - end % 4
        self.rest = bytes(self.view[whole:end])
        if self.scratch[0:whole:4] != b"\x40" * (whole // 4):
            raise BenchError("the broker sent something else than a PUBACK")
        return whole // 4


class Qos0Receiver(Receiver):
    """Subscribes to the room, and pings as the keep-alive of 60 s asks."""

    QOS = 0
    EVERY = float(KEEPALIVE)

    def opening(self) -> Iterator[None]:
        """Connect and subscribe."""
        ask = b"\x00\x01" + string(self.room.encode()) + bytes((self.QOS,))
        self.sock.sendall(connect(f"receiver-{self.number}") + packet(0x82, ask))
        yield
        self.until(b"\x90\x03\x00\x01" + bytes((self.QOS,)))

    def beat(self) -> None:
        """Send the heartbeat."""
        self.sock.sendall(PINGREQ)


class Qos1Receiver(Qos0Receiver):
    """Acknowledges what it receives."""

    QOS = 1

    def __init__(self, address: Address, scratch: bytearray, number: int, room: str, **options: Any) -> None:
        super().__init__(address, scratch, number, room, **options)
        self.id_at = 2 + 2 + len(room)
        self.size = self.id_at + 2 + SIZE
        self.partial = 0  # bytes of a packet whose id is not acknowledged yet
        self.KEEP = self.size

    def after_read(self, start: int, end: int, count: int) -> None:
        """Acknowledge all packets that are complete."""
        begin = start - self.partial
        while self.scratch.startswith(PINGRESP, begin, end):  # between messages, never inside of one
            begin += len(PINGRESP)
        whole = (end - begin) // self.size
        self.partial = end - begin - whole * self.size
        if not whole:
            return
        stop = begin + whole * self.size
        if self.scratch[begin : stop : self.size].strip(b"\x32"):
            raise BenchError("the broker sent something else than a PUBLISH with QoS 1")
        acks = bytearray(b"\x40\x02\x00\x00") * whole
        acks[2::4] = self.scratch[begin + self.id_at : stop : self.size]
        acks[3::4] = self.scratch[begin + self.id_at + 1 : stop : self.size]
        self.sock.sendall(acks)


def _command(folder: Path, address: Address, *covered: str) -> list[str]:
    lines = (
        f"listener {address.port} {address.host}",
        *covered,
        "allow_anonymous true",
        "user root",
        "persistence false",
        "set_tcp_nodelay true",
        "max_inflight_messages 0",
        "max_queued_messages 0",
        "log_type error",
    )
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    return [MOSQUITTO0.path(), "-c", str(folder / "mosquitto.conf")]


def _command_tls(folder: Path, address: Address) -> list[str]:
    cert, key = certify(folder)
    return _command(folder, address, f"certfile {cert}", f"keyfile {key}")


_KEEPS = "writes what it keeps to disk every half an hour, not before it acknowledges"
_COMMON: dict[str, Any] = {
    "program": "mosquitto",
    "package": "mosquitto",
    "version": ("-h",),
    "command": _command,
    "together": 64,
}
MOSQUITTO0 = Peer(
    key="mosquitto0",
    name="Mosquitto QoS 0",
    sender=Qos0Sender,
    receiver=Qos0Receiver,
    **_COMMON,
)
MOSQUITTO1 = Peer(
    key="mosquitto1",
    name="Mosquitto QoS 1",
    sender=Qos1Sender,
    receiver=Qos1Receiver,
    cannot={
        "durable": _KEEPS,
        "durable64": _KEEPS,
        "recovery": "keeps what an absent client missed in memory, and loses it with a kill -9",
    },
    **_COMMON,
)
MOSQUITTO0_TLS = covered(MOSQUITTO0, Tls(), _command_tls)
MOSQUITTO1_TLS = covered(MOSQUITTO1, Tls(), _command_tls)
