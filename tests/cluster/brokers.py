"""Brokers of a cluster without people: a driver and its log, over an engine in memory or over real nodes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.broker.dialogue import NOON
from tests.cluster.memory import MemoryEngine, Sea
from tests.cluster.nodes import Nodes
from tests.conftest import PATIENCE
from zchat.broker.cluster.driver import Driver
from zchat.broker.cluster.engine import NatsEngine
from zchat.broker.cluster.interface import Engine
from zchat.broker.cluster.pace import Pace
from zchat.broker.core.entries import Claim, Claimed, Draft, Failed, Outcome, Stored
from zchat.errors import ClusterError
from zchat.protocol import messages as m

QUICK = Pace(
    heartbeat=0.05,
    gap=0.5,
    lease=2.0,
    again=0.2,
    retry=0.02,
    silence=0.1,
    look=0.1,
    stalled=0.3,
    missing=0.5,
    patience=PATIENCE,
)


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until something is so, looking again and again."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 — what it waits for may happen in another process
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"waited in vain: {what}") from None


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 4 * PATIENCE))


class Broker:
    """A broker with one client, which says things."""

    def __init__(self, engine: Engine, name: str, data: Path | None, founds: bool, pace: Pace) -> None:
        self.engine, self.name, self.data = engine, name, data
        self.driver = Driver(engine, name, founds=founds, pace=pace)
        self.client = name * 16
        self.n = 0
        self.outcomes: list[Outcome] = []
        self.troubles: list[str] = []
        self.flowing = 0
        self.ended: list[ClusterError] = []
        self.left = False
        self.driver.on_trouble = lambda _, why: self.troubles.append(why)
        self.driver.on_end = self.ended.append
        self.driver.on_flowing = self._flow

    def _flow(self) -> None:
        self.flowing += 1

    async def open(self) -> None:
        self.store = await self.driver.open(self.data)
        self.log = self.driver.make_log(self.store)
        await self.driver.begin()
        if self.log.epoch:
            self.n = self.store.taken(self.client)
            claimed: list[Outcome] = []
            self.log.append([Claim(self.client, self.name)], NOON, claimed.extend)
            await until(lambda: claimed, "the claim")
            assert isinstance(claimed[0], Claimed)

    def say(self, *texts: str) -> None:
        for text in texts:
            self.n += 1
            say = m.Say(n=self.n, text=text, room="general")
            draft = Draft(self.client, self.name, [say], "general")
            refused = self.log.append([draft], NOON, self.outcomes.extend)
            self.outcomes += [Failed()] * len(refused)

    async def tell(self, *texts: str) -> None:
        """Say something, and wait until all is acknowledged."""
        self.say(*texts)
        await until(lambda: not self.log.waits, "all came back")
        assert all(isinstance(each, Stored) for each in self.outcomes), self.outcomes[-1]

    def dump(self) -> str:
        return "\n".join(self.store.connection.iterdump())

    def texts(self) -> list[str]:
        """Return what was said, in the order of the log."""
        rows = self.store.connection.execute("SELECT first, lines FROM chunk ORDER BY first").fetchall()
        found: list[tuple[int, str]] = []
        for _, lines in rows:
            for line in bytes(lines).split(b"\n"):
                event = m_decode(line)
                if "text" in event:
                    found.append((event["seq"], event["text"]))
        return [text for _, text in sorted(found)]

    async def leave(self, within: float = 5.0) -> None:
        if self.left:
            return
        self.left = True
        if hasattr(self, "log"):
            await self.driver.leave(within)
        if hasattr(self, "store"):
            self.store.close()
        await self.driver.close()

    async def die(self) -> None:
        """End without a word."""
        self.driver._publishing.halted = True
        await self.leave(0.0)


def m_decode(line: bytes) -> dict[str, Any]:

    found: dict[str, Any] = json.loads(line)
    return found


class World:
    """Brokers by name, over one sea or over nodes."""

    def __init__(self, folder: Path, nodes: Nodes | None, stack: AsyncExitStack) -> None:
        self.folder, self.nodes, self._stack = folder, nodes, stack
        self.sea = Sea()

    def engine(self, place: str, name: str) -> Engine:
        if self.nodes is None:
            return MemoryEngine(self.sea, place)
        return NatsEngine(self.nodes.servers, "test", name, replicas=1 if self.nodes.count == 1 else 3)

    def prepare(self, name: str, *, founds: bool = False, pace: Pace = QUICK, place: str = "") -> Broker:
        """Return a broker that is not open yet. It is closed with the world, if it is still open then.

        `place` is another folder than that of its name.
        """
        broker = Broker(self.engine(place or name, name), name, self.folder / (place or name), founds, pace)
        self._stack.push_async_callback(broker.leave, 0.0)
        return broker

    async def broker(self, name: str, *, founds: bool = False, pace: Pace = QUICK, place: str = "") -> Broker:
        broker = self.prepare(name, founds=founds, pace=pace, place=place)
        await broker.open()
        return broker


@asynccontextmanager
async def world(folder: Path, nodes: Nodes | None = None) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(folder, nodes, stack)


async def same(*brokers: Broker) -> None:
    """Check that all brokers come to have the same log, to the byte."""
    most = max(broker.log.applied.seq for broker in brokers)
    await until(lambda: all(broker.log.applied.seq >= most for broker in brokers), "all have applied all")
    dumps = {broker.dump() for broker in brokers}
    assert len(dumps) == 1, "the same log"


Make = Callable[..., Awaitable[Broker]]
