"""An engine in memory: one stream for several brokers of one process, which does wrong what it is told to.

`Sea` is the stream and the bus, `MemoryEngine` the connection of one broker. The faults are attributes, and hold until
they are changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from zchat.broker.cluster.interface import ANSWER, Position
from zchat.errors import EngineError


@dataclass
class Sea:
    """What the brokers share."""

    stream: Position | None = None
    messages: list[bytes] = field(default_factory=list)
    engines: dict[str, "MemoryEngine"] = field(default_factory=dict)
    made: int = 0
    refused: int = 0  # publications
    published: int = 0
    # faults
    leads: bool = True  # somebody leads the stream
    answers: bool = True  # somebody tells where it stands
    sure: bool = True
    lose: int = 0  # so many of the next publications are lost
    hide: int = 0  # … are stored, and nobody hears of them
    double: int = 0  # … are stored twice
    kept_from: int = 1  # the oldest place that is kept
    delay: float = 0.0

    @property
    def last(self) -> int:
        return 0 if self.stream is None else self.stream.began + len(self.messages)

    def add(self, payload: bytes) -> None:
        """Store a message, and tell whoever listens."""
        self.messages.append(payload)
        place = self.last
        if self.hide:
            self.hide -= 1
            return
        for engine in list(self.engines.values()):
            engine.pass_on(place, payload)

    def roll_back(self, last: int) -> None:
        """Forget all after a place."""
        assert self.stream is not None
        del self.messages[last - self.stream.began :]

    def delete(self) -> None:
        self.stream = None
        self.messages.clear()


def _nothing(*_: object) -> None:
    pass


async def _no_answer(_: bytes) -> bytes:
    return b""


class MemoryEngine:
    """An engine, as zchat.broker.cluster.interface describes it."""

    def __init__(self, sea: Sea, name: str) -> None:
        self.sea, self.name = sea, name
        self.on_messages: Callable[[Sequence[tuple[int, bytes]]], None] = _nothing
        self.on_told: Callable[[bytes], None] = _nothing
        self.on_asked: Callable[[bytes], Awaitable[bytes]] = _no_answer
        self.on_refused: Callable[[], None] = _nothing
        self.on_connected: Callable[[], None] = _nothing
        self.connected = False
        self.deaf = False  # the republished subject is silent
        self.holes = 0  # so many of the next messages do not come
        self.reads_at_once = 1_000
        self.reads = 0
        self.follows: Position | None = None

    async def open(self, within: float) -> None:
        await asyncio.sleep(0)
        self.sea.engines[self.name] = self
        self.connected = True
        self.on_connected()

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.disconnect()

    def disconnect(self) -> None:
        self.connected = False
        self.sea.engines.pop(self.name, None)

    def reconnect(self) -> None:
        self.connected = True
        self.sea.engines[self.name] = self
        self.on_connected()

    def follow(self, position: Position) -> None:
        self.follows = position

    def publish(self, payload: bytes) -> None:
        if not self.connected or self.follows is None:
            return
        sea = self.sea
        sea.published += 1
        self._later(lambda: self._store(payload))

    def _store(self, payload: bytes) -> None:
        sea, follows = self.sea, self.follows
        if not sea.leads or sea.stream is None or follows is None or sea.stream.term != follows.term:
            sea.refused += 1
            self.on_refused()
            return
        if sea.lose:
            sea.lose -= 1
            return
        for _ in range(2 if sea.double else 1):
            sea.add(payload)
        sea.double = max(0, sea.double - 1)

    def pass_on(self, place: int, payload: bytes) -> None:
        if self.holes:
            self.holes -= 1
        elif not self.deaf:
            self._later(lambda: self.connected and self.on_messages([(place, payload)]))

    def tell(self, payload: bytes) -> None:
        if self.connected:
            for engine in list(self.sea.engines.values()):
                engine._hear(payload)

    def _hear(self, payload: bytes) -> None:
        self._later(lambda: self.connected and self.on_told(payload))

    async def ask(self, broker: str, payload: bytes, within: float = ANSWER) -> bytes:
        self._use()
        other = self.sea.engines.get(broker)
        if other is None:
            raise EngineError("memory", f"broker {broker} is not there")
        answer = await other.on_asked(payload)
        if other.name not in self.sea.engines:
            raise EngineError("memory", "no answer")
        return answer

    async def position(self) -> Position | None:
        self._use()
        await asyncio.sleep(self.sea.delay)
        sea = self.sea
        if not sea.answers or not sea.leads:
            raise EngineError("memory", "nobody answers")
        if sea.stream is None:
            return None
        first = max(sea.kept_from, sea.stream.began + 1)
        return structs.replace(sea.stream, first=first, last=sea.last, sure=sea.sure)

    async def read(self, first: int) -> Sequence[tuple[int, bytes]]:
        self._use()
        self.reads += 1
        await asyncio.sleep(self.sea.delay)
        sea = self.sea
        if sea.stream is None:
            raise EngineError("memory", "no node has the stream")
        if first < max(sea.kept_from, sea.stream.began + 1):
            return []
        began = sea.stream.began
        found = sea.messages[first - began - 1 : first - began - 1 + self.reads_at_once]
        return list(enumerate(found, first))

    async def create(self, position: Position) -> None:
        self._use()
        await asyncio.sleep(0)
        sea = self.sea
        if sea.stream is not None:
            raise EngineError("memory", "it is there already")
        sea.made += 1
        sea.stream = structs.replace(position, created=f"at {sea.made}")

    async def delete(self) -> None:
        self._use()
        await asyncio.sleep(0)
        self.sea.delete()

    def _use(self) -> None:
        if not self.connected:
            raise EngineError("memory", "there is no connection")

    def _later(self, work: Callable[[], Any]) -> None:
        asyncio.get_running_loop().call_later(self.sea.delay, work)
