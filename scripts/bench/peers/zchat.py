"""zchat: DEALER and SUB by hand, JSON lines as the protocol has them.

One message is one line in one frame, or with `lines` so many lines in one frame. The number `n` is written without
leading zeros, so a frame's size depends on it, and there is a shape for each number of digits.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from operator import mod
from pathlib import Path
from typing import Any, ClassVar

from board import BenchError
from marks import MARK, TEXTS, shapes, warm_text
from zmtp import READY, frame, head, hello, subscribe

from .peer import Peer
from .stream import Address, Receiver, Sender, Stream

ECHO = 0.2  # s between two requests for the feed's echo


def line(type_: str, **fields: Any) -> bytes:
    """Return a command as one frame."""
    return frame(json.dumps({"type": type_, **fields}, separators=(",", ":")).encode())


def greeting(nick: str | None = None, **fields: Any) -> bytes:
    """Return what a DEALER peer says first."""
    who = {"nick": nick} if nick else {}
    return line("hello", protocol=1, software="bench", **who, **fields)


class ZchatSender(Sender):
    """Says in the room; `n` runs ahead of the message's number by what was said to warm up."""

    AS: ClassVar[Mapping[str, str]] = {}  # what else it says of itself

    ANSWER = b'"ack"'
    REFUSED = b'"error"'

    digits = 0  # of the numbers that the shapes are made for

    def opening(self) -> Iterator[None]:
        """Greet the broker."""
        self.sock.sendall(hello(b"DEALER"))
        yield
        self.until(READY)
        self.sock.sendall(greeting(f"sender-{self.number}", **self.AS))
        yield
        self.until(b'"welcome"')
        self.until(b"}")

    def shape(self, text: bytes) -> bytes:
        """Return the `say` without its frame."""
        return b'{"type":"say","n":%%d,"room":"%b","text":"%b"}' % (self.room.encode(), text)

    def warm(self) -> bool:
        """Say one message that nobody counts."""
        self.sock.sendall(frame(self.shape(warm_text()) % self.warmed))
        if self.REFUSED in (said := self.until(b"}")):
            raise BenchError(f"the broker refused: {said!r}")
        return True

    def frames(self, first: int, stop: int) -> bytes:
        """Return the messages as frames of `quantum` lines."""
        parts: list[bytes] = []
        while first < stop:
            digits = len(str(first + self.warmed))
            end = min(stop, 10**digits - self.warmed) if self.quantum == 1 else first + self.quantum
            if digits != self.digits:
                self.digits = digits
                self._reshape()
            filled = zip(range(first + self.warmed, end + self.warmed), range(first, end), strict=True)
            lines = map(mod, islice(cycle(self.shapes), first % TEXTS, None), filled)
            parts += lines if self.quantum == 1 else [frame(b"\n".join(lines))]
            first = end
        return b"".join(parts)

    def _reshape(self) -> None:
        self.shapes = [self.shape(text) for text in shapes(self.number)]
        if self.quantum == 1:
            size = len(self.shapes[0] % ((10 ** (self.digits - 1)), 0))
            self.shapes = [head(size).replace(b"%", b"%%") + shape for shape in self.shapes]


class ZchatReceiver(Receiver):
    """A SUB peer: what it asks for needs no session."""

    def __init__(self, address: Address, *args: Any, **options: Any) -> None:
        super().__init__(address, *args, **options, port=2)

    def opening(self) -> Iterator[None]:
        """Subscribe. Nothing answers: the first message tells."""
        self.sock.sendall(hello(b"SUB"))
        yield
        self.until(READY)
        self.sock.sendall(subscribe(b"room/%b/" % self.room.encode()))


class ZchatMember(ZchatReceiver):
    """A session in a room as a client holds one: DEALER and SUB, and a ping every 5 s."""

    AS: ClassVar[Mapping[str, str]] = {}
    EVERY = 5.0
    FEED_EVERY = 3  # pings: once a grace the ping also asks for the feed's echo

    def opening(self) -> Iterator[None]:
        """Greet, subscribe, join."""
        session = Stream(self.address, self.scratch, who=self.who)
        self.others.append(session)
        self.turn = self.number
        for stream, kind in ((session, b"DEALER"), (self, b"SUB")):
            stream.sock.sendall(hello(kind))
        yield
        session.until(READY)
        self.until(READY)
        session.sock.sendall(greeting(f"idle-{self.number}", **self.AS))
        yield
        session.until(b'"welcome"')
        name = session.until(b'","client"').rpartition(b'"id":"')[2].split(b'"')[0]
        topics = (b"room/%b/" % self.room.encode(), b"session/%b/" % name)
        self.sock.sendall(b"".join(map(subscribe, topics)))
        session.sock.sendall(line("join", room=self.room))
        yield
        session.until(b'"joined"')

    def beat(self) -> None:
        """Send the heartbeat."""
        self.turn += 1
        fields = {"feed": True} if self.turn % self.FEED_EVERY == 0 else {}
        self.others[0].sock.sendall(line("ping", **fields))


class ZchatNewcomer(Receiver):
    """A client that comes: it greets, and waits for the feed's echo."""

    AS: ClassVar[Mapping[str, str]] = {}

    def opening(self) -> Iterator[None]:
        """Come as a client does."""
        feed = Stream(self.address, self.scratch, port=2, who=self.who)
        self.others.append(feed)
        self.sock.sendall(hello(b"DEALER"))
        feed.sock.sendall(hello(b"SUB"))
        yield
        self.until(READY)
        self.sock.sendall(greeting(f"back-{self.number}", **self.AS))
        yield
        name = self.until(b'","client"').rpartition(b'"id":"')[2].split(b'"')[0]
        topics = (b"room/%b/" % self.room.encode(), b"session/%b/" % name)
        feed.until(READY)
        feed.sock.sendall(b"".join(map(subscribe, topics)))
        asked = 0.0
        while not feed.came(b'"echo"'):  # a subscription takes its time: the first echo may leave before it
            if time.monotonic() - asked > ECHO:
                self.sock.sendall(line("ping", feed=True))
                asked = time.monotonic()
            yield


class ZchatFollower(ZchatNewcomer):
    """A client that comes back, joins, and is told what it missed since `after`."""

    after = 0
    again = 0.0  # when to ask again, because the broker was too busy

    def opening(self) -> Iterator[None]:
        """Come back and join."""
        yield from super().opening()
        self.sock.sendall(line("join", room=self.room, after=self.after))

    def after_read(self, start: int, end: int, count: int) -> None:
        """Note when the broker wants to be asked again."""
        if (place := self.scratch.find(b'"retry_after":', start, end)) >= 0:
            wait = float(self.scratch[place + 14 : end].split(b"}")[0].split(b",")[0])
            self.again = time.monotonic() + wait

    def beat(self) -> None:
        """Ask again when it is time."""
        if self.again and time.monotonic() > self.again:
            self.again = 0.0
            self.sock.sendall(line("history", room=self.room, after=self.after, limit=1_000))


class ZchatLog:
    """Asks for the log's state and for pages of history."""

    def __init__(self, address: Address, room: str) -> None:
        self.stream, self.room = Stream(address, bytearray(1 << 16)), room
        self.stream.sock.sendall(hello(b"DEALER"))
        self.stream.until(READY)
        self.stream.sock.sendall(greeting())
        self.stream.until(b'"welcome"')
        self.last = 0

    def stored(self) -> int:
        """Return the log's last place: nothing but messages takes one here."""
        self.stream.sock.sendall(line("status"))
        self.last = int(self.stream.until(b'"log_bytes"').rpartition(b'"head":')[2].split(b",")[0])
        return self.last

    def place(self) -> str:
        """Return the last place."""
        return str(self.stored())

    def page(self, share: float, count: int) -> int:
        """Read history after a place."""
        last = self.last or self.stored()
        after = int(share * (last - count))
        self.stream.sock.sendall(line("history", room=self.room, after=after, limit=count))
        said = self.stream.until(b'"more":')
        if b'"error"' in said:
            raise BenchError(f"the broker refused: {said[-300:]!r}")
        return said.count(MARK)

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()


def broker(folder: Path, *options: str) -> list[str]:
    """Return the command of a broker; its door for users is in its own folder, for the usual one is somebody's."""
    where = ["--listen", "ipc://zchat.sock", "--data", str(folder), "--log-dir", str(folder)]
    return [PROGRAM, "broker", *options, *where, "--rate", "0"]


def _command(folder: Path, address: Address) -> list[str]:
    return broker(folder, "--listen", f"tcp://{address.host}:{address.port}")


def _follower(address: Address, scratch: bytearray, number: int, room: str, place: str) -> Receiver:
    follower = ZchatFollower(address, scratch, number, room)
    follower.after = int(place)
    return follower


PROGRAM = str(Path(sys.executable).with_name("zchat"))
ZCHAT = Peer(
    key="zchat",
    name="zchat",
    program=PROGRAM,
    package="zchat-zmq",
    command=_command,
    sender=ZchatSender,
    receiver=ZchatReceiver,
    member=ZchatMember,
    newcomer=ZchatNewcomer,
    follower=_follower,
    log=ZchatLog,
)
