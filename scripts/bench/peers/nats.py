"""NATS: the core, which forgets, and JetStream with a file store, which keeps.

The core acknowledges nothing: a PING behind each half of a window shows that the server has read it. JetStream answers
every publication with its place in the stream, before it has called fsync (its `sync_interval` is two minutes).
Its receivers are ordered consumers, one each, as its client libraries make them, but without their flow control.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from board import BenchError
from marks import MARK, SIZE
from tls import Tls, certify

from .peer import Peer, covered
from .stream import SCRATCH, Address, Receiver, Sender, Stream

CONNECT = (
    b'CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1","headers":true,"no_responders":true}\r\n'
)
STREAM = "BENCH"
API = "$JS.API"


class NatsSender(Sender):
    """Publishes; a PONG is good for half a window."""

    ANSWER = b"PONG\r\n"
    REFUSED = b"-ERR"
    GROUP = 32
    SYNC = b"PING\r\n"

    def opening(self) -> Iterator[None]:
        """Connect."""
        self.sock.sendall(CONNECT + b"PING\r\n")
        yield
        self.until(b"PONG\r\n")

    def shape(self, text: bytes) -> bytes:
        """Return the publication."""
        return b"PUB %b %d\r\n%b\r\n" % (self.room.encode(), SIZE, text)


class JetStreamSender(NatsSender):
    """Publishes with an inbox for the stream's answers."""

    ANSWER = b'"seq":'
    REFUSED = b'"error"'
    GROUP = 1
    SYNC = b""

    def opening(self) -> Iterator[None]:
        """Connect and listen to the inbox."""
        self.sock.sendall(CONNECT + b"SUB %b 1\r\nPING\r\n" % self._inbox())
        yield
        self.until(b"PONG\r\n")

    def shape(self, text: bytes) -> bytes:
        """Return the publication."""
        return b"PUB %b %b %d\r\n%b\r\n" % (self.room.encode(), self._inbox(), SIZE, text)

    def _inbox(self) -> bytes:
        return b"_INBOX.%03d" % self.number


class NatsReceiver(Receiver):
    """Subscribes to the room."""

    PING, PONG = b"PING\r\n", b"PONG\r\n"

    def opening(self) -> Iterator[None]:
        """Subscribe."""
        self.sock.sendall(CONNECT + b"SUB %b 1\r\nPING\r\n" % self.room.encode())
        yield
        self.until(b"PONG\r\n")


class JetStreamReceiver(NatsReceiver):
    """Follows the stream by an ordered consumer of its own, from now or from a place."""

    start = 0

    def opening(self) -> Iterator[None]:
        """Make the consumer."""
        deliver = f"deliver.{self.number}"
        body = {"stream_name": STREAM, "config": self._config(deliver)}
        ask = request(f"CONSUMER.CREATE.{STREAM}", body, inbox := f"_REPLY.{self.number}")
        self.sock.sendall(CONNECT + b"SUB %b 1\r\nSUB %b 2\r\n" % (deliver.encode(), inbox.encode()) + ask)
        yield
        before = self.until(b"consumer_create_response")  # messages may come before the answer
        if b'"error"' in (said := self.until(b"}")):
            raise BenchError(f"JetStream refused a consumer: {said!r}")
        self.rest = before + self.rest

    def _config(self, deliver: str) -> dict[str, Any]:
        begin = {"deliver_policy": "by_start_sequence", "opt_start_seq": self.start}
        return {
            "deliver_subject": deliver,
            "filter_subject": self.room,
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "idle_heartbeat": 5_000_000_000,
            **(begin if self.start else {"deliver_policy": "new"}),
        }


class JetStreamLog:
    """Asks for the stream's state and for pages of it."""

    def __init__(self, address: Address, room: str) -> None:
        self.stream, self.room = Stream(address, bytearray(1 << 16)), room
        self.stream.sock.sendall(CONNECT + b"SUB _REPLY.log 1\r\nSUB _PAGE 2\r\nPING\r\n")
        self.stream.until(b"PONG\r\n")
        self.last = 0

    def ask(self, subject: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask the API; BenchError if it answers with an error."""
        self.stream.sock.sendall(request(subject, body, "_REPLY.log"))
        self.stream.until(b"MSG _REPLY.log ")  # the server's own PING may come before it
        size = int(self.stream.until(b"\r\n").split()[-1])
        while len(self.stream.rest) < size + 2:
            self.stream.rest += self.stream.sock.recv(SCRATCH)
        answer: dict[str, Any] = json.loads(self.stream.rest[:size])
        self.stream.rest = self.stream.rest[size + 2 :]
        if error := answer.get("error"):
            raise BenchError(f"JetStream refused {subject}: {error}")
        return answer

    def stored(self) -> int:
        """Return the stream's number of messages."""
        self.last = int(self.ask(f"STREAM.INFO.{STREAM}", {})["state"]["messages"])
        return self.last

    def place(self) -> str:
        """Return the stream's last place."""
        return str(self.stored())

    def page(self, share: float, count: int) -> int:
        """Read a batch by a consumer that is made for it, and removed."""
        first = 1 + int(share * ((self.last or self.stored()) - count))
        config = {"ack_policy": "none", "deliver_policy": "by_start_sequence", "opt_start_seq": first, "max_deliver": 1}
        name = self.ask(f"CONSUMER.CREATE.{STREAM}", {"stream_name": STREAM, "config": config})["name"]
        body = json.dumps({"batch": count, "no_wait": True}).encode()
        self.stream.sock.sendall(publication(f"{API}.CONSUMER.MSG.NEXT.{STREAM}.{name}", body, "_PAGE"))
        seen = 0
        while seen < count:
            seen += self.stream.until(MARK).count(MARK)
        self.stream.until(b"\r\n")
        self.ask(f"CONSUMER.DELETE.{STREAM}.{name}", {})
        return seen

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()


def publication(subject: str, body: bytes, reply: str) -> bytes:
    """Return a publication that asks for an answer."""
    return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), len(body), body)


def request(subject: str, body: dict[str, Any], inbox: str) -> bytes:
    """Return a question to JetStream's API."""
    return publication(f"{API}.{subject}", json.dumps(body).encode(), inbox)


def _make_stream(folder: Path, address: Address) -> None:
    log = JetStreamLog(address, "")
    config = {"name": STREAM, "subjects": ["room.*"], "storage": "file", "num_replicas": 1, "max_msg_size": 16 * SIZE}
    log.ask(f"STREAM.CREATE.{STREAM}", config)
    log.close()


def _core(folder: Path, address: Address) -> list[str]:
    (folder / "nats.conf").write_text(
        f'host: {address.host}\nport: {address.port}\nwrite_deadline: "60s"\nmax_pending: 1GB\nmax_connections: 20000\n'
    )
    return [NATS.path(), "-c", str(folder / "nats.conf")]


def _jetstream(folder: Path, address: Address) -> list[str]:
    command = _core(folder, address)
    with (folder / "nats.conf").open("a") as file:
        file.write(f'jetstream {{ store_dir: "{folder}/js", max_mem: 4GB, max_file: 40GB }}\n')
    return command


def _covered(command: Callable[[Path, Address], list[str]]) -> Callable[[Path, Address], list[str]]:
    """Have the server that `command` starts speak TLS; it would wait two seconds for a client's part of it."""

    def start(folder: Path, address: Address) -> list[str]:
        cert, key = certify(folder)
        arguments = command(folder, address)
        with (folder / "nats.conf").open("a") as file:
            file.write(f'tls {{ cert_file: "{cert}", key_file: "{key}", timeout: 60 }}\n')
        return arguments

    return start


def _follower(address: Address, scratch: bytearray, number: int, room: str, place: str) -> Receiver:
    follower = JetStreamReceiver(address, scratch, number, room)
    follower.start = int(place) + 1
    return follower


NATS = Peer(
    key="nats",
    name="NATS core",
    program="nats-server",
    package="nats-server",
    command=_core,
    sender=NatsSender,
    receiver=NatsReceiver,
)
JETSTREAM = Peer(
    key="jetstream",
    name="NATS JetStream",
    program="nats-server",
    package="nats-server",
    command=_jetstream,
    sender=JetStreamSender,
    receiver=JetStreamReceiver,
    prepare=_make_stream,
    follower=_follower,
    log=JetStreamLog,
    limits="acknowledges before fsync (its sync_interval is 2 minutes); an ordered consumer for each receiver",
)
NATS_TLS = covered(NATS, Tls(after=b"\r\n"), _covered(_core))
JETSTREAM_TLS = covered(JETSTREAM, Tls(after=b"\r\n"), _covered(_jetstream))
