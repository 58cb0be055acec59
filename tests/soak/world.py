"""Everything that a soak consists of: one folder, the broker with its disk and clock, the network, and the people.

People reach the broker through the two proxies only. Whoever looks at it for the audit goes past them.
"""

import asyncio
import contextlib
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.soak.audit import Event
from tests.soak.broker import HOST, Broker
from tests.soak.crowd import Crowd
from tests.soak.disk import Disk
from tests.soak.journal import checksum, conversation
from tests.soak.person import Report, Task, follows
from tests.soak.proxy import Proxy
from tests.soak.shim import Shim, can_be_built
from zchat import ChatClient
from zchat.errors import RefusedError, TimedOutError
from zchat.protocol import messages as m
from zchat.protocol import wire

ROOMS = ("den", "hall", "kitchen", "attic")
TOGETHER = 10  # people in one process
COMES_WITHIN = 60.0  # seconds: processes start, on a machine that may be busy
PONGS = 12.0  # seconds: two heartbeats, which tell both ends of a conversation what they have missed
LOOK = 0.2  # seconds between two looks at a condition


class SoakError(Exception):
    """The soak cannot come to a verdict; nothing is well then."""


@dataclass(frozen=True)
class Size:
    """How many take part, and how much each talker says (messages a second)."""

    talkers: int = 50
    followers: int = 20
    bots: int = 5
    rate: float = 2.0


class World:
    """Everything, in `folder`; `mutant` is the way in which the broker is broken on purpose, "" for none."""

    def __init__(self, folder: Path, size: Size, seed: int, mutant: str = "") -> None:
        self.folder, self.size, self.seed = folder, size, seed
        self.disk = Disk(folder)
        self.shim = Shim(folder) if can_be_built() else None
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZCHAT_", "XDG_"))}
        self._env = kept | {"HOME": str(folder), "LC_ALL": "C.UTF-8"}
        zchat = (sys.executable, "-m", *(("tests.soak.mutants", mutant) if mutant else ("zchat",)))
        self.broker = Broker(zchat, folder, self.disk.data, self._env | (self.shim.env if self.shim else {}))
        self.proxies = {"router": Proxy(self.broker.listen), "feed": Proxy(self.broker.publish)}
        self.crowds: list[Crowd] = []
        self.unsettled: list[str] = []  # what did not come to rest in time

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the broker and the network, then bots, followers and talkers; end all that is left of them."""
        supervising = asyncio.create_task(self.broker.supervise())
        try:
            self.broker.release()
            if not await until(self.broker.ready.is_set, COMES_WITHIN):
                raise SoakError("the broker does not start")
            for proxy in self.proxies.values():
                await proxy.start()
            for kind in ("bots", "followers", "talkers"):
                await self._invite(kind, getattr(self.size, kind))
            yield
        finally:
            for crowd in self.crowds:
                await crowd.kill()
            supervising.cancel()
            await asyncio.gather(supervising, return_exceptions=True)
            for proxy in self.proxies.values():
                await proxy.close()
            self.disk.close()

    async def _invite(self, kind: str, count: int) -> None:
        """Start all of one kind, and wait until they are there: bots answer only what is said after they have come."""
        crowds = [
            Crowd(self._task(kind, first, min(TOGETHER, count - first)), self._env)
            for first in range(0, count, TOGETHER)
        ]  # fmt: skip
        self.crowds += crowds
        for crowd in crowds:
            await crowd.start()
        if not await until(lambda: all(crowd.report.online == crowd.task.count for crowd in crowds), COMES_WITHIN):
            raise SoakError(f"the {kind} do not come")

    def _task(self, kind: str, first: int, count: int) -> Task:
        router, feed = (f"tcp://{HOST}:{self.proxies[name].port}" for name in ("router", "feed"))
        return Task(
            kind, first, count, str(self.folder), router, feed, ROOMS, self.seed, self.size.rate,
            self.size.bots, self.size.talkers,
        )  # fmt: skip

    # -- how it goes

    def total(self) -> Report:
        """Sum up what all processes told last."""
        reports = [crowd.report for crowd in self.crowds]
        return Report(
            acked=sum(report.acked for report in reports),
            seen=sum(report.seen for report in reports),
            online=sum(report.online for report in reports),
            unanswered=sum(report.unanswered for report in reports),
            over=sum(report.over for report in reports),
        )

    def faults(self) -> list[str]:
        """Return what went wrong with the processes."""
        return [
            *(f"the broker: {fault}" for fault in self.broker.faults),
            *(fault for crowd in self.crowds for fault in crowd.faults),
            *self.unsettled,
        ]

    # -- the end

    async def settle(self, seconds: float) -> None:
        """Wait until all is answered and everybody has seen everything."""
        for crowd in self.crowds:
            crowd.hush()
        heads: dict[str, int] = {}
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        while clock() < ends:
            before, heads = heads, await self._heads()
            if before == heads and not self._behind(heads):
                await asyncio.sleep(PONGS)
                return
            await asyncio.sleep(2 * LOOK)
        self.unsettled += self._behind(heads) or ["the rooms did not come to rest"]

    def _behind(self, heads: dict[str, int]) -> list[str]:
        """Say who is not yet done."""
        late = [f"{crowd}: {crowd.report.unanswered} unanswered" for crowd in self.crowds if crowd.report.unanswered]
        late += [
            f"{crowd}: {crowd.report.online} online" for crowd in self.crowds if crowd.report.online < crowd.task.count
        ]
        for crowd in self.crowds:
            expected = () if crowd.task.kind == "talkers" else self._rooms(crowd.task)
            late += [
                f"{crowd}: at {crowd.report.cursors.get(room, 0)} of {heads[room]} in {room}"
                for room in expected
                if crowd.report.cursors.get(room, 0) < heads.get(room, 0)
            ]
        return late

    def _rooms(self, task: Task) -> set[str]:
        if task.kind == "bots":
            return set(ROOMS)
        return {room for k in range(task.count) for room in follows(task.first + k, ROOMS)}

    async def _heads(self) -> dict[str, int]:
        async with ChatClient(broker=self.broker.endpoint, timeout=30) as reader:
            rooms = await reader.ask(m.ListRooms())
            assert isinstance(rooms, m.Rooms)
            return {room.room: room.head for room in rooms.rooms if room.head}

    async def log(self) -> list[Event]:
        """Read the whole log, in order: all rooms as any client may, and from the file what two said between them."""
        events: list[Event] = []
        async with ChatClient(broker=self.broker.endpoint, timeout=30) as reader:
            for room in await self._heads():
                upto, more = 0, True
                while more:
                    page = await ask(reader, m.AskHistory(room=room, after=upto))
                    upto, more = page.upto, page.more
                    events += [event(bytes(line)) for line in page.events]
        with contextlib.closing(sqlite3.connect(f"{(self.disk.data / 'log.db').as_uri()}?mode=ro", uri=True)) as file:
            for (lines,) in file.execute("SELECT lines FROM chunk WHERE room < 0"):
                events += map(event, lines.split(b"\n"))
        return sorted(events, key=lambda each: each.seq)


async def ask(reader: ChatClient, question: m.AskHistory) -> m.History:
    """Return a page of history, asked for again as long as the broker is too busy."""
    while True:
        try:
            answer = await reader.ask(question)
        except (RefusedError, TimedOutError):
            await asyncio.sleep(LOOK)
            continue
        assert isinstance(answer, m.History)
        return answer


def event(line: bytes) -> Event:
    """Return what the audit needs to know of a line of the log."""
    found = wire.event(line)
    assert isinstance(found, m.Message | m.Topic)
    return Event(
        seq=found.seq,
        prev=found.prev,
        room=found.room or conversation(found.nick, getattr(found, "to", None) or ""),
        nick=found.nick,
        text=found.text,
        topic=isinstance(found, m.Topic),
        reply_to=getattr(found, "reply_to", None),
        sum=checksum(line),
    )


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition is true; return whether it was in time."""
    ends = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > ends:
            return False
        await asyncio.sleep(LOOK)
    return True
