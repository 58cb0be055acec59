"""What a sender, a subscriber and an idle session are when the server is zchat.

The loops in `load` know only these classes: to send some, to count what came. Another server's peers with the same
methods can be loaded by the same workloads. Nothing here makes an object of a message: answers are counted by a
needle in the payload, and an event is known by the first and the last `seq` of the payload it came in. The run has
one room and the log to itself, so these must follow each other without a hole, and a hole is a message lost.
"""

import json
import random
from itertools import cycle, islice
from operator import mod
from typing import Any

from board import BenchError
from zmtp import Peer, frame

ROOM = "bench"
TEXTS = 256  # different texts, so that what indexes them has work to do
_SYLLABLES = ["ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve"]


def texts(size: int) -> list[bytes]:
    """Return texts of `size` bytes, made of words; the same in each run."""
    chance = random.Random(1)
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(2_000)]
    return [" ".join(chance.choices(words, k=size)).encode()[:size] for _ in range(TEXTS)]


def line(type_: str, **fields: Any) -> bytes:
    """Return a command as one frame."""
    return frame(json.dumps({"type": type_, **fields}, separators=(",", ":")).encode())


class Session:
    """A DEALER peer that has been welcomed."""

    def __init__(self, endpoint: str, scratch: bytearray, nick: str) -> None:
        self.peer = Peer(endpoint, b"DEALER", scratch)
        self.scratch = scratch
        self.welcome = self.ask("hello", protocol=1, nick=nick, software="bench")

    def ask(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Send a command and wait for its one-line answer; BenchError if that is an `error`."""
        self.peer.sock.sendall(line(type_, **fields))
        while True:
            for start, end in self.peer.receive():
                answer: dict[str, Any] = json.loads(self.scratch[start:end].split(b"\n")[0])
                if answer["type"] == "error":
                    raise BenchError(f"the broker refused: {answer}")
                return answer


class Sender(Session):
    """Says in the room, one message a frame, and counts the acks; `last` is the highest `seq` acknowledged."""

    def __init__(self, endpoint: str, scratch: bytearray, number: int, size: int) -> None:
        super().__init__(endpoint, scratch, f"sender-{number}")
        self.texts = texts(size)
        self.sent = self.acked = self.last = self.digits = 0
        self.shapes: list[bytes] = []

    def fileno(self) -> int:
        """Return the socket's file descriptor, for selectors."""
        return self.peer.fileno()

    def send(self, count: int) -> None:
        """Send the next `count` messages, at once."""
        first, stop = self.sent + 1, self.sent + 1 + count
        self.sent += count
        parts = []
        while first < stop:  # a frame tells its size, so one shape serves the numbers of equal length
            end = min(stop, 10 ** len(str(first)))
            parts.append(self._frames(first, end))
            first = end
        self.peer.sock.sendall(b"".join(parts))

    def receive(self) -> int:
        """Receive once; return the number of messages acknowledged thereby."""
        count, scratch = 0, self.scratch
        for start, end in self.peer.receive():
            acks = scratch.count(b'"ack"', start, end)
            if scratch.count(b'"type"', start, end) != acks or scratch.find(b'"duplicate"', start, end) >= 0:
                self._look(bytes(scratch[start:end]))
            if acks:
                self.last = max(self.last, _seq(scratch, scratch.rfind(b'"seq":', start, end)))
            count += acks
        self.acked += count
        return count

    def _frames(self, first: int, stop: int) -> bytes:
        if len(str(first)) != self.digits:
            self.digits = len(str(first))
            self.shapes = [self._shape(text) for text in self.texts]
        shapes = islice(cycle(self.shapes), first % TEXTS, None)
        return b"".join(map(mod, shapes, range(first, stop)))

    def _shape(self, text: bytes) -> bytes:
        said = b'{"type":"say","n":%%d,"room":"%b","text":"%b"}' % (ROOM.encode(), text)
        head = frame(bytes(len(said) - 2 + self.digits))[: -(len(said) - 2 + self.digits)]
        return head.replace(b"%", b"%%") + said

    def _look(self, payload: bytes) -> None:
        for answer in map(json.loads, payload.splitlines()):
            if answer["type"] in {"error", "bye"} or answer.get("duplicate"):
                raise BenchError(f"the broker answered {answer}")


class Subscriber:
    """Counts the room's events: `first` and `last` seen, `seen` between them, `gaps` not seen, `size` in bytes.

    `exactly` counts each event, to check the others, who trust a payload's first and last.
    """

    def __init__(self, endpoint: str, scratch: bytearray, exactly: bool) -> None:
        self.peer = Peer(endpoint, b"SUB", scratch)
        self.peer.subscribe(b"room/%b/" % ROOM.encode())
        self.scratch = scratch
        self.exactly = exactly
        self.first = self.last = self.seen = self.gaps = self.counted = 0

    def fileno(self) -> int:
        """Return the socket's file descriptor, for selectors."""
        return self.peer.fileno()

    def receive(self) -> int:
        """Receive once; return the number of events that came."""
        scratch, before = self.scratch, self.seen
        for start, end in self.peer.receive():
            place = scratch.find(b'"seq":', start, end)
            if place < 0:
                continue
            first, last = _seq(scratch, place), _seq(scratch, scratch.rfind(b'"seq":', start, end))
            self.gaps += abs(first - self.last - 1) if self.last else 0
            self.first = self.first or first
            self.last = last
            self.seen += last - first + 1
            if self.exactly:
                self.counted += scratch.count(b'"seq":', start, end)
        return self.seen - before


class Member:
    """An idle session: a DEALER and a SUB peer, in a room, that pings."""

    FEED_EVERY = 3  # pings: once a grace the ping also asks for the feed's echo

    def __init__(self, endpoint: str, feed: str, scratch: bytearray, number: int, room: str) -> None:
        self.session = Session(endpoint, scratch, f"idle-{number}")
        self.feed = Peer(feed, b"SUB", scratch)
        self.feed.subscribe(b"room/%b/" % room.encode())
        self.feed.subscribe(b"session/%b/" % self.session.welcome["id"].encode())
        self.session.ask("join", room=room)
        self.turn = number

    def ping(self) -> None:
        """Send the heartbeat."""
        self.turn += 1
        fields = {"feed": True} if self.turn % self.FEED_EVERY == 0 else {}
        self.session.peer.sock.sendall(line("ping", **fields))

    def pongs(self) -> int:
        """Receive once on the DEALER peer; return the number of pongs."""
        scratch, count = self.session.scratch, 0
        for start, end in self.session.peer.receive():
            count += scratch.count(b'"pong"', start, end)
            if scratch.find(b'"bye"', start, end) >= 0 or scratch.find(b'"error"', start, end) >= 0:
                raise BenchError(f"the broker answered {bytes(scratch[start:end])!r}")
        return count


def _seq(scratch: bytearray, place: int) -> int:
    """Return the number behind the needle `"seq":` at `place`."""
    digits = scratch[place + 6 : place + 24]
    return int(digits.split(b",", 1)[0].split(b"}", 1)[0])
