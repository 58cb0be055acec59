"""What only a cluster suffers: nodes that die, cables that are pulled, majorities that are away, and disasters.

After a disaster somebody has to come, as in life: `zchat cluster restore`, or a newer zchat on each machine.
"""

import asyncio
import contextlib
import random
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from tests.soak.cluster import Cluster
from tests.soak.net import Net
from tests.soak.node import Node
from tests.soak.process import down, paused
from tests.soak.witness import applied
from tests.soak.world import World, until

STREAM = "stream"  # the folder of a node's files
RECOVERS_WITHIN = 60.0  # seconds
FLIPS = 20  # bytes that are wrong afterwards
NEWER = "which this zchat does not understand"


def _cluster(world: World) -> Cluster:
    assert world.cluster is not None
    return world.cluster


async def node_kill(world: World, *, seconds: float, which: int) -> None:
    await down(_nodes(world, which), signal.SIGKILL, seconds)


async def node_term(world: World, *, seconds: float, which: int) -> None:
    await down(_nodes(world, which), signal.SIGTERM, seconds)


async def node_stop(world: World, *, seconds: float, which: int) -> None:
    await paused(_nodes(world, which), seconds)


def _nodes(world: World, *which: int) -> list[Node]:
    """Return the nodes of some machines, else of all."""
    return [machine.node for k, machine in enumerate(world.machines) if machine.node and (not which or k in which)]


async def machine(world: World, *, seconds: float, which: int) -> None:
    await down(world.machines[which].processes, signal.SIGKILL, seconds)


async def blackout(world: World, *, seconds: float, which: int) -> None:
    await down(world.processes, signal.SIGKILL, seconds)


async def unplug(world: World, *, seconds: float, which: int) -> None:
    async with _cut(world) as net:
        net.unplug(which)
        await asyncio.sleep(seconds)


async def apart(world: World, *, pairs: str, seconds: float, which: int) -> None:
    count = len(world.machines)
    lines = {(which, (which + 1) % count)}
    if pairs != "one":
        lines.add((which, (which + 2) % count))
    if pairs == "all":
        lines.add(((which + 1) % count, (which + 2) % count))
    async with _cut(world) as net:
        net.apart(lines)
        await asyncio.sleep(seconds)


@contextlib.asynccontextmanager
async def _cut(world: World) -> AsyncIterator[Net]:
    net = _cluster(world).net
    assert net is not None
    try:
        yield net
    finally:
        net.heal()


async def majority(world: World, *, how: str, seconds: float, which: int) -> None:
    """Let all but one machine be away."""
    away = [machine for k, machine in enumerate(world.machines) if k != which]
    processes = [process for machine in away for process in machine.processes]
    if how == "kill":
        await down(processes, signal.SIGKILL, seconds)
    elif how == "stop" or _cluster(world).net is None:
        await paused(processes, seconds)
    else:
        async with _cut(world) as net:
            for k in range(len(world.machines)):
                if k != which:
                    net.unplug(k)
            await asyncio.sleep(seconds)


# -- disasters


async def deleted(world: World, *, seconds: float, which: int) -> None:
    """Delete the stream under load; let nobody do anything for a while."""
    await _cluster(world).delete_stream(which)
    await asyncio.sleep(seconds)
    await _restore(world)


async def rolled_back(world: World, *, age: float, seconds: float, which: int) -> None:
    """Put all nodes' files back to what they were some seconds ago, while brokers go on."""
    nodes = _nodes(world)
    places = [node.place / STREAM for node in nodes]
    try:
        await asyncio.gather(*(node.end(signal.SIGKILL) for node in nodes))
        for place in places:
            shutil.copytree(place, _copy(place))
        before = applied(world.machines[which].log)
        for node in nodes:
            node.release()
        await until(lambda: applied(world.machines[which].log) > before, RECOVERS_WITHIN)
        await asyncio.sleep(age)
        await asyncio.gather(*(node.end(signal.SIGKILL) for node in nodes))
        for place in places:
            shutil.rmtree(place)
            _copy(place).rename(place)
    finally:
        for node in nodes:
            node.release()
    await asyncio.sleep(seconds)
    await _restore(world)


def _copy(place: Path) -> Path:
    return place.with_name("stream-copy")


async def _acknowledged(world: World) -> None:
    """Wait until something was acknowledged."""
    before = world.total().acked
    await until(lambda: world.total().acked != before, RECOVERS_WITHIN)


async def _restore(world: World) -> None:
    """Do what an administrator does; brokers then start again, to go on with the new stream."""
    for broker in world.brokers:
        broker.excused += 1
    world.unsettled += filter(None, [await _cluster(world).restore()])
    await _acknowledged(world)
    for broker in world.brokers:
        broker.excused -= 1


async def corrupted(world: World, *, seed: int, seconds: float, which: int) -> None:
    """Let some bytes in the files of one node be wrong."""
    (node,) = _nodes(world, which)
    chance = random.Random(seed)
    try:
        await node.end(signal.SIGKILL)
        paths = [path for path in sorted((node.place / STREAM).rglob("*.blk")) if path.stat().st_size]
        for path in paths and chance.choices(paths, k=FLIPS):
            with path.open("r+b") as file:
                file.seek(chance.randrange(path.stat().st_size))
                file.write(chance.randbytes(1))
        await asyncio.sleep(seconds)
    finally:
        node.release()


async def upgrade(world: World, *, seconds: float, which: int) -> None:
    """Let one broker be newer than the others, which end by themselves; then they are newer, too."""
    cluster = _cluster(world)
    cluster.version += 1
    others = [machine.broker for k, machine in enumerate(world.machines) if k != which]
    try:
        for broker in others:
            broker.excused += 1
        await _newer(cluster, which)
        if not await until(lambda: all(NEWER in broker.errors.read_text() for broker in others), RECOVERS_WITHIN):
            world.unsettled.append("an older broker did not say why it cannot go on after what a newer one has said")
        await asyncio.sleep(seconds)
    finally:
        for k, each in enumerate(world.machines):
            if k != which:
                await _newer(cluster, k)
                each.broker.excused -= 1


async def _newer(cluster: Cluster, which: int) -> None:
    broker = cluster.machines[which].broker
    await broker.end(signal.SIGTERM)
    broker.command = cluster.command(which)
    broker.release()


FAULTS: tuple[Callable[..., Awaitable[None]], ...] = (
    node_kill, node_stop, node_term, machine, unplug, apart, majority, blackout,
    deleted, rolled_back, corrupted, upgrade,
)  # fmt: skip
