"""A connection under load: TCP, a needle to count, and nothing else.

What all servers have in common is that the text of a message arrives as it was sent. So a receiver needs no parser
of the server's protocol once it is subscribed: it receives as much as there is into one large buffer that all
connections of the process share (it stays in the processor's cache), and counts the marks in it. A mark that is
cut in two is found because the last bytes of each read are put in front of the next.

How a connection is opened is a generator (`opening`): each `yield` is a place where an answer is awaited. One
connection alone runs through it; a thousand that come back at once take turns, so that all their questions are
on their way together.
"""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from operator import mod
from typing import ClassVar, NamedTuple

from board import BenchError
from cover import LARGEST, Cover, Covered, Sock
from marks import EXACT, MARK, TEXTS, WARM, shapes, warm_text

SCRATCH = LARGEST  # bytes: what one read takes at most
PATIENCE = 20.0  # seconds to wait for an answer while a connection is opened


class Address(NamedTuple):
    """Where a server is, and what lies over a connection to it."""

    host: str
    port: int
    second: int  # port
    cover: Cover | None = None


def room_name(number: int) -> str:
    """Return the name of a room; all names are of one length."""
    return f"room.{number:03d}"


class Stream:
    """A TCP connection, covered if the address says so.

    `scratch` is the buffer it shares with the others of its process; `who` is the client that it belongs to, for
    servers that know their clients by their keys.
    """

    PING, PONG = b"", b""  # what the server asks an idle client, and the answer

    def __init__(self, address: Address, scratch: bytearray, port: int = 1, who: str = "") -> None:
        ports = (address.port, address.second)
        source = address.cover.source(who) if address.cover else None
        sock = socket.create_connection((address.host, ports[port - 1]), PATIENCE, source)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: Sock = address.cover.over(sock, who) if address.cover else sock
        self.scratch, self.view = scratch, memoryview(scratch)
        self.rest = b""

    def fileno(self) -> int:
        """Return the socket's file descriptor, for selectors."""
        return self.sock.fileno()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def begin(self) -> Iterator[None]:
        """Agree on the cover, if there is one, and open."""
        if isinstance(self.sock, Covered):
            yield from self.sock.agreeing()
        yield from self.opening()

    def opening(self) -> Iterator[None]:
        """Greet the server; each `yield` is a place where an answer is awaited."""
        yield

    def opened(self) -> None:
        """Look at what came behind the last answer of the opening."""

    def until(self, needle: bytes) -> bytes:
        """Wait for `needle`; return what came through it. What came after it is kept in `rest`."""
        data = self.rest
        while (place := data.find(needle)) < 0:
            if not (part := self.sock.recv(1 << 16)):
                raise ConnectionError(f"the server closed the connection after {data[-200:]!r}")
            data += part
        place += len(needle)
        self.rest = data[place:]
        return data[:place]

    def came(self, needle: bytes) -> bool:
        """Say whether `needle` has come, without waiting for it; what came before is kept."""
        self.sock.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            self.rest += self.sock.recv(1 << 16)
        self.sock.settimeout(PATIENCE)
        return needle in self.rest

    def receive(self) -> int:
        """Receive once, answer what the server asks of an idle client, and count nothing."""
        self.answer(0, self.read(0))
        return 0

    def read(self, start: int) -> int:
        """Receive once, into the scratch from `start` on; return the end: of a covered connection maybe no further."""
        got = self.sock.recv_into(self.view[start:])
        if not got and not isinstance(self.sock, Covered):
            raise ConnectionError("the server closed a connection")
        return start + got

    def answer(self, start: int, end: int) -> None:
        """Answer the server's own question, if that is what came."""
        if self.PING and end - start < 512 and self.scratch.find(self.PING, start, end) >= 0:
            self.sock.sendall(self.PONG)


class Receiver(Stream):
    """Counts the marks of one room: `seen`. An `exact` one keeps them too, to be judged later."""

    KEEP = 0  # bytes of the last read that `after_read` wants to see again
    EVERY = 0.0  # seconds between two heartbeats; 0: the protocol asks the client for none

    def __init__(
        self, address: Address, scratch: bytearray, number: int, room: str, *, exact: bool = False, port: int = 1
    ) -> None:
        self.who = f"receiver-{number}"
        super().__init__(address, scratch, port, self.who)
        self.address, self.number, self.room, self.exact = address, number, room, exact
        self.others: list[Stream] = []  # further connections that one session needs
        self.marks: list[bytes] = []
        self.seen = self.warm = self.uncounted = 0
        self.over = len(MARK) + 11 if exact else len(MARK) - 1  # a byte less than what is looked for

    def opened(self) -> None:
        """Count what came behind the last answer of the opening."""
        end = len(self.rest)
        self.scratch[:end] = self.rest
        self.uncounted = 0
        self._count(0, end)

    def beat(self) -> None:
        """Send the heartbeat that the protocol asks of a client."""

    def receive(self) -> int:
        """Receive once; return the number of messages that came."""
        start = len(self.rest)
        self.scratch[:start] = self.rest
        end = self.read(start)
        self.answer(start, end)
        return self._count(start, end)

    def after_read(self, start: int, end: int, count: int) -> None:
        """Do what the protocol wants of a receiver after each read: `scratch[start:end]` is new."""

    def _count(self, start: int, end: int) -> int:
        if self.exact:
            found = EXACT.findall(self.scratch, self.uncounted, end)
            self.marks.append(b"".join(found))
            count = len(found)
        else:
            count = self.scratch.count(MARK, self.uncounted, end)
        if not self.warm:
            self.warm = self.scratch.count(WARM, self.uncounted, end)
        self.after_read(start, end, count)
        keep = min(end, max(self.over, self.KEEP))
        self.rest = bytes(self.view[end - keep : end])
        self.uncounted = max(0, keep - self.over)
        self.seen += count
        return count


class Sender(Stream):
    """Says numbered messages in a room, and counts what the server answers: `sent`, `acked`.

    An answer is good for `GROUP` messages: 1 where the server acknowledges each, else a `SYNC` behind each half of a
    window shows that it has read them. `lines` messages at least leave at once.
    """

    ANSWER: ClassVar[bytes]
    REFUSED = b""  # what an answer contains when the server refuses
    GROUP = 1
    SYNC = b""

    def __init__(self, address: Address, scratch: bytearray, number: int, room: str, lines: int = 1) -> None:
        super().__init__(address, scratch, who=f"sender-{number}")
        self.number, self.room, self.quantum = number, room, max(self.GROUP, lines)
        self.sent = self.acked = self.warmed = 0
        self.shapes = [self.shape(text) for text in shapes(number)]

    def shape(self, text: bytes) -> bytes:
        """Return the text as the server wants it, its number still to be filled in."""
        raise NotImplementedError

    def warm(self) -> bool:
        """Say one message that nobody counts, and wait for its answer; False: not answered yet."""
        self.sock.sendall(self.shape(warm_text()) + self.SYNC)
        said = self.until(self.ANSWER)
        if self.REFUSED and self.REFUSED in said:
            raise BenchError(f"the server refused: {said!r}")
        return True

    def send(self, count: int) -> None:
        """Send the next `count` messages at once, or as many as the quantum allows."""
        count -= count % self.quantum
        if not count:
            return
        first = self.sent + 1
        self.sent += count
        self.sock.sendall(self.frames(first, self.sent + 1))

    def frames(self, first: int, stop: int) -> bytes:
        """Return the messages from `first` to before `stop` as bytes on the wire."""
        if self.GROUP == 1:
            return b"".join(map(mod, islice(cycle(self.shapes), first % TEXTS, None), range(first, stop)))
        parts: list[bytes] = []
        for start in range(first, stop, self.GROUP):
            parts += map(mod, islice(cycle(self.shapes), start % TEXTS, None), range(start, start + self.GROUP))
            parts.append(self.SYNC)
        return b"".join(parts)

    def receive(self) -> int:
        """Receive once; return the number of messages answered thereby."""
        start = len(self.rest)
        self.scratch[:start] = self.rest
        end = self.read(start)
        if self.REFUSED and self.scratch.find(self.REFUSED, 0, end) >= 0:
            raise BenchError(f"the server refused: {bytes(self.view[:end])[:500]!r}")
        count = self.answers(end) * self.GROUP
        self.acked += count
        return count

    def answers(self, end: int) -> int:
        """Count the answers in `scratch[:end]`, and keep in `rest` what may be the start of one."""
        keep = min(end, len(self.ANSWER) - 1)
        self.rest = bytes(self.view[end - keep : end])
        return self.scratch.count(self.ANSWER, 0, end)


def open_all(streams: Sequence[Stream]) -> None:
    """Open these connections, all at the same time: some servers look at newcomers once a second only."""
    waiting = [(stream, stream.begin()) for stream in streams]
    while waiting:
        waiting = [(stream, steps) for stream, steps in waiting if next(steps, steps) is None]
    for stream in streams:
        stream.opened()
