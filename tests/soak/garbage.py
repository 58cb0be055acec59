"""A flood of garbage on both ports: `python -m tests.soak.garbage LISTEN PUBLISH SECONDS SEED`.

Bytes that are no ZMTP, handshakes that stop in the middle, frames that are announced and never come, lines that are no
JSON or no command, subscriptions without end. It never says a correct `hello`, so nothing of it may ever be in a log.
"""

import contextlib
import json
import random
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.integration.zmtp import GREETING, LONG, MORE, RawPeer, frame, ready

OPEN = 24  # connections at a time
PAUSE = 0.003  # seconds between two connections: the machine has others to serve

Random = random.Random
DEALER, SUB = GREETING + ready("DEALER"), GREETING + ready("SUB")
COMMANDS = ("hello", "say", "join", "ping", "history", "search", "who", "typing", "nick", "status", "topic", "bye", "?")
VALUES: tuple[Any, ...] = (
    None,
    0,
    -1,
    2**63,
    1e308,
    "",
    "x" * 2000,
    [],
    [[]] * 200,
    {},
    True,
    "\x00",
    "👩‍👩‍👧",
    "a/b",
    "\ud800",
)


def noise(chance: Random) -> bytes:
    return chance.randbytes(chance.choice((1, 12, 64, 1000, 60_000)))


def half(chance: Random) -> bytes:
    return DEALER[: chance.randrange(len(DEALER))]


def announced(chance: Random) -> bytes:
    return DEALER + struct.pack(">BQ", LONG, chance.choice((2**20, 2**20 + 1, 2**62, 2**64 - 1))) + b"x" * 500


def bent(chance: Random) -> bytes:
    """A good conversation with some bytes changed."""
    content = bytearray(DEALER + b"".join(frame(line(chance)) for _ in range(5)))
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def lines(chance: Random) -> bytes:
    many = b"\n".join(line(chance) for _ in range(chance.choice((1, 10, 300))))
    return DEALER + frame(many) + frame(b"", MORE) + frame(many[: len(many) // 2])


def line(chance: Random) -> bytes:
    """A command whose fields are wrong: without a session it stores nothing, even where it is right by chance."""
    fields = {name: chance.choice(VALUES) for name in ("n", "room", "text", "to", "after", "ref", "protocol", "feed")}
    content = json.dumps({"type": chance.choice(COMMANDS), **fields, "nick": "no/nick"}).encode()
    return content if chance.random() < 0.7 else content[: chance.randrange(len(content))] + noise(chance)[:50]


def subscriptions(chance: Random) -> bytes:
    return SUB + b"".join(frame(b"\x01" + chance.randbytes(8)) for _ in range(500)) + frame(b"\x01")


def message(chance: Random) -> bytes:
    """What a subscriber has no business to send."""
    return SUB + frame(b"room/den/", MORE) + frame(line(chance))


KINDS: tuple[Callable[[Random], bytes], ...] = (noise, half, announced, bent, lines, subscriptions, message)


def flood(endpoints: list[str], seconds: float, chance: Random) -> int:
    """Open one connection after the other; return how many."""
    peers: deque[RawPeer] = deque()
    count, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):  # the broker may be down, or have had enough of us
            peers.append(RawPeer(chance.choice(endpoints), hands=False))
            count += 1
            peers[-1].socket.settimeout(0.2)
            peers[-1].write(chance.choice(KINDS)(chance))
        if len(peers) > OPEN:
            chance.choice((RawPeer.close, RawPeer.reset))(peers.popleft())
        time.sleep(PAUSE)
    for peer in peers:
        peer.close()
    return count


if __name__ == "__main__":
    print(flood(sys.argv[1:3], float(sys.argv[3]), Random(int(sys.argv[4]))))
