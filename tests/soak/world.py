"""Everything that a soak consists of: one folder, the machines, the network, and the people.

People reach a broker that is alone through proxies only. In a cluster they know all brokers by a link. Whoever
looks at a broker for the audit goes past all that is broken.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from tests.soak import witness
from tests.soak.audit import Event
from tests.soak.broker import HOST, Broker
from tests.soak.cluster import Cluster
from tests.soak.crowd import Crowd
from tests.soak.gateway import CARRIES, Gateway
from tests.soak.machine import alone
from tests.soak.mutants import MUTANTS
from tests.soak.node import Node
from tests.soak.person import Report, Task, follows
from tests.soak.process import Process
from tests.soak.proxy import Proxy
from tests.soak.size import Size
from tests.soak.witness import LOOK, Heads, Rooms, reader

ROOMS = ("den", "hall", "kitchen", "attic")
TOGETHER = 10  # people in one process
COMES_WITHIN = 60.0  # seconds: processes start, on a machine that may be busy
PONGS = 5.0  # seconds: some heartbeats of these brokers, which tell both ends of a conversation what they have missed


class SoakError(Exception):
    """The soak cannot come to a verdict; nothing is well then."""


class World:
    """Everything, in `folder`; `mutant` is the way in which brokers or gateways are broken on purpose, "" for none."""

    def __init__(self, folder: Path, size: Size, seed: int, mutant: str = "", cluster: bool = False) -> None:
        self.folder, self.size, self.seed, self.mutant = folder, size, seed, mutant
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZCHAT_", "XDG_"))}
        self._env = kept | {"HOME": str(folder), "LC_ALL": "C.UTF-8"}
        zchat = (sys.executable, "-m", "zchat")
        broken = (sys.executable, "-m", "tests.soak.mutants", mutant) if mutant else zchat
        of = MUTANTS[mutant].of if mutant else ""
        self.cluster: Cluster | None = None
        self.proxies: dict[str, Proxy] = {}
        if cluster:
            self.cluster = Cluster(zchat, folder, self._env, mutant if of == "broker" else "")
            self.machines = self.cluster.machines
        else:
            machine, broker = alone(broken if of == "broker" else zchat, folder, self._env)
            self.machines = [machine]
            self.proxies = {"router": Proxy(broker.listen), "feed": Proxy(broker.publish)}
            self.proxies |= {"keyed router": Proxy(broker.keyed_listen), "keyed feed": Proxy(broker.keyed_publish)}
        carrying = [name for kind, name in CARRIES.items() if getattr(size, kind)]
        self.gateways = [Gateway(name, broken if of == name else zchat, folder, self._env) for name in carrying]
        self.crowds: list[Crowd] = []
        self.unsettled: list[str] = []  # what did not come to rest in time

    @property
    def brokers(self) -> list[Process]:
        return [machine.broker for machine in self.machines]

    @property
    def nodes(self) -> list[Node]:
        return [machine.node for machine in self.machines if machine.node is not None]

    @property
    def processes(self) -> list[Process]:
        """Nodes and brokers."""
        return [process for machine in self.machines for process in machine.processes]

    @property
    def memory(self) -> int:
        """How many bytes a broker took at most."""
        return max(broker.memory for broker in self.brokers)

    @property
    def ready(self) -> bool:
        return all(process.ready.is_set() for process in self.processes)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the brokers and the network, then bots, followers and talkers; end all that is left of them."""
        supervising = [asyncio.create_task(process.supervise()) for process in (*self.processes, *self.gateways)]
        try:
            await self._start()
            await self._invite("bots")  # which answer only what is said after they have come
            others = ("followers", "talkers", "menders", "nomads", *CARRIES)
            await asyncio.gather(*(self._invite(kind) for kind in others))
            yield
        finally:
            for crowd in self.crowds:
                await crowd.kill()
            for gateway in self.gateways:
                await gateway.close()
            for proxy in self.proxies.values():
                await proxy.close()
            for task in supervising:
                task.cancel()
            await asyncio.gather(*supervising, return_exceptions=True)

    async def _start(self) -> None:
        for node in self.nodes:
            node.release()
        await until(lambda: all(node.answered for node in self.nodes), COMES_WITHIN)
        for broker in self.brokers:
            broker.release()
        if not await until(lambda: self.ready, COMES_WITHIN):
            raise SoakError("the broker does not start")
        for proxy in self.proxies.values():
            await proxy.start()
        if self.cluster is None:
            await witness.invite(self.machines[0], self.folder, self.size.members)
        for gateway in self.gateways:
            await gateway.begin(self.proxies, self._link)

    async def _invite(self, kind: str) -> None:
        """Start all of one kind, and wait until they are there."""
        count = getattr(self.size, kind)
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
        feed = f"tcp://{HOST}:{self.proxies['feed'].port}" if self.cluster is None else None
        gateway = next((each.port for each in self.gateways if each.name == CARRIES.get(kind)), 0)
        return Task(
            kind, first, count, str(self.folder), self._brokers, feed, ROOMS, self.seed, self.size.rate,
            self.size.bots, self.size.talkers, self.size.nomads, self.size.menders, gateway,
        )  # fmt: skip

    @property
    def _link(self) -> str:
        """Return the link by which those come in who have keys."""
        (broker, *_) = self.brokers
        return broker.link if isinstance(broker, Broker) else self._brokers[0]

    @property
    def _brokers(self) -> tuple[str, ...]:
        """Return by which addresses people come: to one broker through the network, else by links."""
        return self.cluster.links if self.cluster else (f"tcp://{HOST}:{self.proxies['router'].port}",)

    def close(self) -> None:
        if self.cluster is not None:
            self.cluster.close()
        for machine in self.machines:
            machine.disk.close()

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
            moves=sum(report.moves for report in reports),
        )

    def pause(self, *kinds: str) -> float:
        """Return the longest that one of these kinds has waited (seconds)."""
        return max((crowd.report.pause for crowd in self.crowds if crowd.task.kind in kinds), default=0.0)

    def faults(self) -> list[str]:
        """Return what went wrong with the processes."""
        return [
            *(
                f"{'node' if process is machine.node else 'the broker'} {machine.name}: {fault}"
                for machine in self.machines
                for process in machine.processes
                for fault in process.faults
            ),
            *(f"{gateway.name}: {fault}" for gateway in self.gateways for fault in gateway.faults),
            *(fault for crowd in self.crowds for fault in crowd.faults),
            *self.unsettled,
        ]

    # -- the end

    async def settle(self, seconds: float) -> None:
        """Wait until all is answered and everybody has seen everything."""
        for crowd in self.crowds:
            crowd.hush()
        heads: Heads = {}
        spoken: Heads = {}
        told: list[Heads] = []
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        while clock() < ends:
            before, told = heads, await self._heads()
            heads, spoken = told[0], await self._spoken(told[0])
            if all(each == before for each in told) and not self._behind(heads, spoken):
                await asyncio.sleep(PONGS)
                return
            await asyncio.sleep(2 * LOOK)
        self.unsettled += self._behind(heads, spoken) or [f"the rooms did not come to rest: {told}"]

    def _behind(self, heads: Heads, spoken: Heads) -> list[str]:
        """Say who is not yet done; whoever sees messages only is to see what was `spoken`."""
        late = [f"{crowd}: {crowd.report.unanswered} unanswered" for crowd in self.crowds if crowd.report.unanswered]
        late += [
            f"{crowd}: {crowd.report.online} online" for crowd in self.crowds if crowd.report.online < crowd.task.count
        ]
        for crowd in self.crowds:
            expected = () if crowd.task.kind in {"talkers", "nomads", "menders"} else self._rooms(crowd.task)
            ends = spoken if crowd.task.kind == "ircs" else heads
            late += [
                f"{crowd}: at {crowd.report.cursors.get(room, 0)} of {ends[room]} in {room}"
                for room in expected
                if crowd.report.cursors.get(room, 0) < ends.get(room, 0)
            ]
        return late

    def _rooms(self, task: Task) -> set[str]:
        if task.kind == "bots":
            return set(ROOMS)
        return {room for k in range(task.count) for room in follows(task.first + k, ROOMS)}

    async def _heads(self) -> list[Heads]:
        """Return the rooms' heads, as each broker says."""
        found: list[Heads] = []
        for machine in self.machines:
            async with reader(machine, self.folder) as asking:
                found.append(await witness.heads(asking))
        return found

    async def _spoken(self, heads: Heads) -> Heads:
        """Return each room's last message, if anybody sees messages only."""
        if not self.size.ircs:
            return {}
        async with reader(self.machines[0], self.folder) as asking:
            return await witness.spoken(asking, heads)

    async def log(self) -> list[Event]:
        async with reader(self.machines[0], self.folder) as asking:
            return await witness.log(asking, self.machines[0].log)

    async def rooms(self) -> Rooms:
        """Read what a broker has of each room: its lines, its messages as they are now; and which files are lost."""
        async with reader(self.machines[0], self.folder) as asking:
            return await witness.rooms(asking, self.folder)

    async def presence(self) -> list[str]:
        """Say who is not where they are, as some broker says."""
        wrong: list[str] = []
        for machine in self.machines:
            async with reader(machine, self.folder) as asking:
                found = await witness.roster(asking, ROOMS)
            for room, expected in self.size.present(ROOMS).items():
                wrong += [f"broker {machine.name}: {each} is not in {room}" for each in expected - found[room]]
                wrong += [f"broker {machine.name}: {each} is in {room}" for each in found[room] - expected]
        return wrong

    async def differences(self) -> list[str]:
        """Say in what the brokers' logs differ."""
        return await asyncio.to_thread(lambda: list(witness.differences([machine.log for machine in self.machines])))

    async def agreed(self, look: Callable[[], Awaitable[list[str]]]) -> list[str]:
        """Return what a look finds wrong, once that is nothing, or has had the time to be."""
        ends = asyncio.get_running_loop().time() + PONGS
        while (wrong := await look()) and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110 — it looks
            await asyncio.sleep(LOOK)
        return wrong


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition is true; return whether it was in time."""
    ends = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > ends:
            return False
        await asyncio.sleep(LOOK)
    return True
