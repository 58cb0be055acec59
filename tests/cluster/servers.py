"""Whole brokers of a cluster in one process: their sockets are real, the engine is in memory or over real nodes."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.cluster.brokers import QUICK
from tests.cluster.memory import MemoryEngine, Sea
from tests.cluster.nodes import Nodes
from zchat.broker.cluster.driver import Driver
from zchat.broker.cluster.engine import NatsEngine
from zchat.broker.cluster.interface import Engine
from zchat.broker.cluster.pace import Pace
from zchat.broker.server import ChatServer


class Cluster:
    """Brokers by name. Each has a folder, which outlives it."""

    def __init__(self, folder: Path, nodes: Nodes | None, pace: Pace) -> None:
        self.folder, self.nodes, self.pace = folder, nodes, pace
        self.sea = Sea()
        self.engines: dict[str, Engine] = {}
        self.drivers: dict[str, Driver] = {}
        self.servers: dict[str, ChatServer] = {}
        self.serving: dict[str, asyncio.Task[None]] = {}
        self._stacks: dict[str, AsyncExitStack] = {}

    async def start(
        self, name: str, listen: str | None = None, publish: str | None = None, **options: Any
    ) -> ChatServer:
        """Start a broker, within the process unless told where. The one called `a` makes the stream."""
        engine: Engine
        if self.nodes is None:
            engine = MemoryEngine(self.sea, name)
        else:
            replicas = 1 if self.nodes.count == 1 else 3
            engine = NatsEngine(self.nodes.servers, "test", name, replicas=replicas)
        driver = self.drivers[name] = Driver(engine, name, founds=name == "a", pace=self.pace)
        self.engines[name] = engine
        options = {"heartbeat": 0.5, "rate": 0.0, "grace": 5.0} | options
        place = f"inproc://{os.getpid()}-{id(self)}-{name}-{id(driver)}"
        listen, publish = listen or place, publish or f"{place}-feed"
        server = ChatServer(listen, publish, data=self.folder / name, cluster=driver, **options)
        stack = self._stacks[name] = AsyncExitStack()
        self.servers[name] = await stack.enter_async_context(server)
        self.serving[name] = asyncio.create_task(server.receive_connections())
        return server

    def memory(self, name: str) -> MemoryEngine:
        engine = self.engines[name]
        assert isinstance(engine, MemoryEngine)
        return engine

    async def stop(self, name: str) -> None:
        """End a broker, as a signal does. Raises what it ends with."""
        self.servers.pop(name).stop()
        try:
            await self.serving.pop(name)
        finally:
            await self._stacks.pop(name).aclose()

    async def ended(self, name: str) -> None:
        """Wait until a broker ends by itself. Raises what it ends with."""
        try:
            await self.serving[name]
        finally:
            del self.servers[name], self.serving[name]
            await self._stacks.pop(name).aclose()

    async def close(self) -> None:
        for name in list(self.servers):
            await self.stop(name)


@asynccontextmanager
async def cluster(folder: Path, nodes: Nodes | None = None, pace: Pace = QUICK) -> AsyncIterator[Cluster]:
    some = Cluster(folder, nodes, pace)
    try:
        yield some
    finally:
        await some.close()
