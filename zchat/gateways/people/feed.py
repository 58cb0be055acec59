"""What one connection of a person hears: a tab, a connection of IRC.

A person has one session and perhaps many connections, and any of them may be slow: a laptop that sleeps. So each has a
buffer with a bound, and one whose buffer is full is cut. Neither the person's session nor another connection ever waits
for it. It comes back when it can, and asks for what it has missed.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

BYTES_MAX = 4 * 2**20  # of lines that wait for one connection
EVENT = 128  # bytes that an event counts beside its line
SLOW = "this connection is too slow: more waited for it than is kept"


class Heard(NamedTuple):
    """An event or a notice, and for a durable event of a room or a conversation its line, else b""."""

    event: Any
    line: bytes


class Feed:
    """What waits for one connection; `why` tells why nothing more will come, and is None while something may.

    while (heard := await feed.next()) is not None:
        ...
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.why: str | None = None
        self.slow = False  # whether it was cut since it was too slow
        self._bytes_max, self._bytes = bytes_max, 0
        self._waiting: deque[list[Heard]] = deque()
        self._news = asyncio.Event()

    def put(self, events: Sequence[Any], lines: Sequence[bytes]) -> None:
        """Let it hear this; cuts it if that is too much."""
        if self.why is not None:
            return
        size = sum(map(len, lines)) + EVENT * len(lines)
        if self._waiting and self._bytes + size > self._bytes_max:
            self._waiting.clear()
            self.slow = True
            self.end(SLOW)
            return
        self._waiting.append(list(map(Heard, events, lines)))
        self._bytes += size
        self._news.set()

    def end(self, why: str) -> None:
        """Let it hear nothing more after what waits."""
        if self.why is None:
            self.why = why
            self._news.set()

    async def next(self) -> list[Heard] | None:
        """Return what came together next, in order; None once nothing more will come."""
        while not self._waiting:
            if self.why is not None:
                return None
            self._news.clear()
            await self._news.wait()
        heard = self._waiting.popleft()
        self._bytes -= sum(len(each.line) + EVENT for each in heard)
        return heard
