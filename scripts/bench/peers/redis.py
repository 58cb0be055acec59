"""Redis: pub/sub, which forgets, and streams whose every command is on disk before its answer (appendfsync always).

PUBLISH is answered with the number of receivers it reached, XADD with the place it took. Streams are followed by XREAD,
which waits for something new and is asked again after each answer: the answer tells how many entries it has, and a
text of known size ends it, so its end is found by counting.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from board import BenchError
from marks import MARK, SIZE, WARM

from .peer import Peer
from .stream import Address, Receiver, Sender, Stream

COUNT = 10_000  # entries in one answer
GAP = len(b"\r\n*2\r\n$1\r\nt\r\n$64\r\n")  # from the end of an entry's id to its text
HEAD = re.compile(rb"\*1\r\n\*2\r\n\$\d+\r\n[^\r]*\r\n\*(\d+)\r\n")
LOADING = b"-LOADING"


def command(*words: bytes) -> bytes:
    """Return a command as RESP has it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class RedisSender(Sender):
    """Publishes; each is answered by a number."""

    ANSWER = b":"
    REFUSED = b"-"

    def shape(self, text: bytes) -> bytes:
        """Return the publication."""
        return self._with_text(text, b"PUBLISH", self.room.encode())

    def _with_text(self, text: bytes, *words: bytes) -> bytes:
        start = command(*words, b"").removesuffix(b"$0\r\n\r\n")
        return start + b"$%d\r\n%b\r\n" % (SIZE, text)


class StreamsSender(RedisSender):
    """Adds to the room's stream; each is answered by its id."""

    ANSWER = b"$"
    REFUSED = b"-ERR"

    def shape(self, text: bytes) -> bytes:
        """Return the addition."""
        return self._with_text(text, b"XADD", self.room.encode(), b"*", b"t")


class RedisReceiver(Receiver):
    """Subscribes to the room."""

    def opening(self) -> Iterator[None]:
        """Subscribe."""
        self.sock.sendall(command(b"SUBSCRIBE", self.room.encode()))
        yield
        self.until(b":1\r\n")


class StreamsReceiver(Receiver):
    """Follows the room's stream from `last` on."""

    KEEP = 256  # bytes: from the last entry's id to the end of its text
    last = b"0-0"
    want = have = 0  # entries of the answer that is coming

    def opening(self) -> Iterator[None]:
        """Ask for what comes."""
        self._ask()
        yield

    def after_read(self, start: int, end: int, count: int) -> None:
        """Ask for more when the answer is complete."""
        if not self.want and (head := HEAD.search(self.scratch, max(0, start - 64), end)):
            self.want, self.have = int(head[1]), 0
            self.have = self._marks(head.end(), end)
        else:
            self.have += self._marks(max(0, start - len(MARK) + 1), end)
        if self.want and self.have >= self.want:
            mark = max(self.scratch.rfind(MARK, 0, end), self.scratch.rfind(WARM, 0, end))
            if mark + SIZE + 2 == end:
                place = self.scratch.rfind(b"\n", 0, mark - GAP) + 1
                self.last = bytes(self.view[place : mark - GAP])
                self.want = 0
                self._ask()

    def _marks(self, start: int, end: int) -> int:
        found = self.scratch.count(MARK, start, end)
        return found + (self.scratch.count(WARM, start, end) if self.seen == 0 else 0)

    def _ask(self) -> None:
        streams = (b"STREAMS", self.room.encode(), self.last)
        self.sock.sendall(command(b"XREAD", b"COUNT", b"%d" % COUNT, b"BLOCK", b"0", *streams))


class StreamsLog:
    """Asks for the stream's length and for pages of it."""

    def __init__(self, address: Address, room: str) -> None:
        self.stream, self.room = Stream(address, bytearray(1 << 16)), room.encode()
        while (said := self._ask(b"PING")).startswith(LOADING):
            continue
        if not said.startswith(b"+PONG"):
            raise BenchError(f"redis answered {said!r}")
        self.ends: tuple[int, int] | None = None

    def stored(self) -> int:
        """Return the stream's length."""
        self.ends = None
        return int(self._ask(b"XLEN", self.room)[1:])

    def place(self) -> str:
        """Return the last id."""
        return self._end(b"XREVRANGE", b"+", b"-").decode()

    def page(self, share: float, count: int) -> int:
        """Read a range from a moment of the stream's life."""
        if self.ends is None:
            ends = (self._end(b"XRANGE", b"-", b"+"), self._end(b"XREVRANGE", b"+", b"-"))
            self.ends = (int(ends[0].split(b"-")[0]), int(ends[1].split(b"-")[0]))
        first, last = self.ends
        share *= 0.9  # shortly before the end there is no whole page
        moment = b"%d" % (first + int(share * (last - first)))
        self.stream.sock.sendall(command(b"XRANGE", self.room, moment, b"+", b"COUNT", b"%d" % count))
        expected = int(self.stream.until(b"\r\n")[1:])
        for _ in range(expected):
            self.stream.until(MARK)
            self.stream.until(b"\r\n")
        return expected

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def _ask(self, *words: bytes) -> bytes:
        self.stream.sock.sendall(command(*words))
        return self.stream.until(b"\r\n").rstrip()

    def _end(self, name: bytes, start: bytes, stop: bytes) -> bytes:
        self.stream.sock.sendall(command(name, self.room, start, stop, b"COUNT", b"1"))
        self.stream.until(b"*2\r\n$")
        self.stream.until(b"\r\n")
        place = self.stream.until(b"\r\n").rstrip()
        self.stream.until(b"$1\r\nt\r\n$%d\r\n" % SIZE)
        self.stream.until(b"\r\n")
        return place


def _config(folder: Path, address: Address, *more: str) -> list[str]:
    lines = (
        f"bind {address[0]}",
        f"port {address[1]}",
        f"dir {folder}",
        "maxclients 15000",
        'save ""',
        "client-output-buffer-limit pubsub 0 0 0",
        "client-output-buffer-limit normal 0 0 0",
        *more,
    )
    (folder / "redis.conf").write_text("\n".join(lines) + "\n")
    return [REDIS.path(), str(folder / "redis.conf")]


def _pubsub(folder: Path, address: Address) -> list[str]:
    return _config(folder, address, "appendonly no")


def _streams(folder: Path, address: Address) -> list[str]:
    return _config(folder, address, "appendonly yes", "appendfsync always", "auto-aof-rewrite-percentage 0")


def _follower(address: Address, scratch: bytearray, number: int, room: str, place: str) -> Receiver:
    follower = StreamsReceiver(address, scratch, number, room)
    follower.last = place.encode()
    return follower


_COMMON: dict[str, Any] = {"program": "redis-server", "package": "redis-server"}
REDIS = Peer(
    key="redis",
    name="Redis pub/sub",
    command=_pubsub,
    sender=RedisSender,
    receiver=RedisReceiver,
    limits="its answer tells how many were sent the message, not that it is kept",
    **_COMMON,
)
STREAMS = Peer(
    key="redis-streams",
    name="Redis streams",
    command=_streams,
    sender=StreamsSender,
    receiver=StreamsReceiver,
    follower=_follower,
    log=StreamsLog,
    limits="keeps the whole log in memory, beside the file",
    **_COMMON,
)
