"""Looking at a cluster from outside of its brokers: as one who connects to a node, hears heartbeats, and asks.

Nothing is published, so looking changes nothing. The stream is asked about last: then no heartbeat that was heard can
be ahead of it, unless it is another one.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from zchat.broker.core import bus
from zchat.broker.core.bus import Heartbeat
from zchat.errors import EngineError

from . import system
from .connection import Access
from .engine import NatsEngine
from .status import NodeInfo, Seen

OPENS = 3.0  # s within which a node is reached
HEARS = 1.6  # s in which every broker that runs is heard
KEEPS = 3.0  # s for which a heartbeat counts


class Reach(Struct, frozen=True):
    """How a cluster is reached: its nodes, its name, and how one comes in. `ours`: zchat set the nodes up."""

    servers: Sequence[str]
    cluster: str
    access: Access
    hosts: Mapping[str, str] = {}
    ours: bool = True


class Watcher:
    """Sees what happens in a cluster."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.engine = NatsEngine(reach.servers, reach.cluster, f"watch-{secrets.token_hex(4)}", access=reach.access)
        self.engine.on_told = self._hear
        self._heard: list[tuple[float, Heartbeat]] = []
        self._all = asyncio.Event()  # all that there should be were heard

    async def seen(self) -> Seen:
        """Return what was seen, once every broker that there should be was heard, or would have been."""
        told, _ = await asyncio.gather(self._nodes(), self._listen())
        earliest = time.monotonic() - KEEPS
        self._heard = [each for each in self._heard if each[0] > earliest]
        position, trouble = None, ""
        try:
            position = await self.engine.position()
        except EngineError as error:
            trouble = error.why
        heard = [each for _, each in self._heard]
        self._all.clear()
        return Seen(self.reach.cluster, self.reach.hosts, told, position, trouble, heard)

    async def _listen(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARS):
                await self._all.wait()

    async def _nodes(self) -> list[NodeInfo]:
        if not self.reach.ours:
            return []
        try:
            return (await system.nodes(self.reach.servers, self.reach.access, len(self.reach.servers)))[0]
        except EngineError:
            return []  # the stream will tell

    def _hear(self, payload: bytes) -> None:
        with contextlib.suppress(msgspec.DecodeError):  # of another version: the brokers tell of it
            told = bus.decode(payload)
            if isinstance(told, Heartbeat):
                self._heard.append((time.monotonic(), told))
                if self.reach.hosts and self.reach.hosts.keys() <= {each.broker for _, each in self._heard}:
                    self._all.set()


@contextlib.asynccontextmanager
async def watching(reach: Reach) -> AsyncIterator[Watcher]:
    """Look at a cluster. Raises EngineError if no node of it can be reached."""
    watcher = Watcher(reach)
    await watcher.engine.open(OPENS)
    try:
        yield watcher
    finally:
        await watcher.engine.close()
