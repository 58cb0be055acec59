"""Brokers over three real nodes, to which the worst happens: what was acknowledged is in all logs, once, in order."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.cluster.brokers import QUICK, Broker, World, run, same, until, world
from tests.cluster.conftest import MakeNodes
from tests.cluster.nodes import Nodes
from tests.conftest import PATIENCE
from zchat.broker.cluster import requests
from zchat.broker.cluster.engine import NatsEngine
from zchat.broker.core.entries import Stored
from zchat.errors import LostStreamError, RestartError

PACE = replace(QUICK, heartbeat=0.2, gap=2.5, lease=PATIENCE, again=1.0, retry=0.05, silence=0.5, look=0.5, stalled=2.0)


class Talkers:
    """Brokers of which each says one line after the other: the next one when the last one was acknowledged."""

    def __init__(self, *brokers: Broker) -> None:
        self.brokers = brokers
        self.acknowledged: dict[str, int] = dict.fromkeys((broker.name for broker in brokers), 0)
        self._tasks = [asyncio.ensure_future(self._talk(broker)) for broker in brokers]

    async def _talk(self, broker: Broker) -> None:
        while True:
            number = self.acknowledged[broker.name] + 1
            broker.outcomes.clear()
            broker.say(f"{broker.name} {number}")
            while not broker.outcomes:  # noqa: ASYNC110 — it comes through the nodes
                await asyncio.sleep(0.002)
            if not isinstance(broker.outcomes[0], Stored):
                return  # the stream is lost
            self.acknowledged[broker.name] = number

    async def more(self, lines: int = 20) -> None:
        """Wait until each has said so many more."""
        before = dict(self.acknowledged)
        await until(
            lambda: all(self.acknowledged[name] >= before[name] + lines for name in before), "they go on talking"
        )

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def audit(self, *brokers: Broker) -> None:
        """Check that all that was acknowledged is in the logs of these brokers, once and in order."""
        await self.stop()
        for broker in brokers:
            if broker.log.broken is None:
                await until(lambda broker=broker: not broker.log.waits, "nothing is on its way")  # type: ignore[misc]
        await same(*brokers)
        texts = brokers[0].texts()
        for name, count in self.acknowledged.items():
            mine = [text for text in texts if text.startswith(f"{name} ")]
            assert mine[:count] == [f"{name} {number}" for number in range(1, count + 1)]
            assert len(mine) <= count + 1, "but for one that was on its way"


@asynccontextmanager
async def talking(folder: Path, nodes: Nodes) -> AsyncIterator[tuple[World, Talkers]]:
    """Let two brokers talk, each connected to a node of its own."""
    async with world(folder, nodes) as w:
        a = await w.broker("a", founds=True, pace=PACE)
        b = w.prepare("b", pace=PACE)
        assert isinstance(b.engine, NatsEngine)
        b.engine.servers = b.engine.servers[1:] + b.engine.servers[:1]
        await b.open()
        talkers = Talkers(a, b)
        await talkers.more()
        yield w, talkers
        await talkers.stop()


async def leader(broker: Broker) -> int:
    """Return the number of the node that leads the stream."""
    position = await broker.engine.position()
    assert position is not None
    return next(int(node.name[1:]) for node in position.nodes if node.leads)


async def agree(broker: Broker) -> None:
    """Wait until all nodes have all of the stream."""
    nodes = 3

    async def all_have_all() -> bool:
        try:
            position = await broker.engine.position()
        except Exception:  # noqa: BLE001 — they look for each other
            return False
        return position is not None and len([n for n in position.nodes if n.here and not n.lag]) == nodes

    async with asyncio.timeout(PATIENCE):
        while not await all_have_all():  # noqa: ASYNC110 — it happens in other processes
            await asyncio.sleep(0.05)


def story_of(folder: Path, nodes: Nodes, trouble: Callable[[World, Talkers], object]) -> None:
    """Let brokers talk while there is trouble, then audit."""

    async def story() -> None:
        async with talking(folder, nodes) as (w, talkers):
            await trouble(w, talkers)  # type: ignore[misc]
            await talkers.more()
            await talkers.audit(*talkers.brokers)
            assert [broker.ended for broker in talkers.brokers] == [[], []]

    run(story())


def test_the_node_that_leads_is_killed(tmp_path: Path, make_nodes: MakeNodes) -> None:
    nodes = make_nodes()

    async def trouble(_: World, talkers: Talkers) -> None:
        nodes.kill(await leader(talkers.brokers[0]))

    story_of(tmp_path, nodes, trouble)


@pytest.mark.long
def test_each_node_is_killed_in_turn(tmp_path: Path, make_nodes: MakeNodes) -> None:
    nodes = make_nodes()

    async def trouble(_: World, talkers: Talkers) -> None:
        for number in (0, 1, 2, 0):
            nodes.kill(number)
            await talkers.more(5)
            nodes.start(number)
            await agree(talkers.brokers[0])
            await talkers.more(5)

    story_of(tmp_path, nodes, trouble)


@pytest.mark.long
@pytest.mark.parametrize("which", ["the leader", "the node of a broker"])
def test_a_node_is_stopped_and_goes_on_later(tmp_path: Path, make_nodes: MakeNodes, which: str) -> None:
    nodes = make_nodes()

    async def trouble(_: World, talkers: Talkers) -> None:
        number = await leader(talkers.brokers[0]) if which == "the leader" else 0
        nodes.pause(number)
        await talkers.more(50)
        nodes.go_on(number)
        await talkers.more(50)

    story_of(tmp_path, nodes, trouble)


@pytest.mark.long
def test_most_nodes_are_away_for_a_while(tmp_path: Path, make_nodes: MakeNodes) -> None:
    nodes = make_nodes()

    async def trouble(_: World, talkers: Talkers) -> None:
        nodes.kill(1)
        nodes.kill(2)
        before = dict(talkers.acknowledged)
        await until(lambda: all(broker.troubles for broker in talkers.brokers), "they tell")
        assert all(talkers.acknowledged[name] <= before[name] + 1 for name in before)
        nodes.start(1, 2)
        await talkers.more()
        await until(lambda: all(broker.flowing for broker in talkers.brokers), "they tell that it flows again")

    story_of(tmp_path, nodes, trouble)


@pytest.mark.long
def test_all_nodes_are_killed_at_once(tmp_path: Path, make_nodes: MakeNodes) -> None:
    nodes = make_nodes()

    async def trouble(_: World, talkers: Talkers) -> None:
        for number in range(3):
            nodes.kill(number)
        nodes.start()

    story_of(tmp_path, nodes, trouble)


@pytest.mark.long
@pytest.mark.parametrize("how", ["damaged", "cut short", "gone"])
def test_what_one_node_has_on_its_disk_is_damaged(tmp_path: Path, make_nodes: MakeNodes, how: str) -> None:
    nodes = make_nodes()

    async def trouble(_: World, talkers: Talkers) -> None:
        await talkers.more(200)
        number = await leader(talkers.brokers[0])
        nodes.kill(number)
        blocks = sorted(nodes.store(number).rglob("*.blk"))
        assert blocks
        if how == "gone":
            shutil.rmtree(nodes.store(number))
        for block in blocks if how != "gone" else ():
            content = bytearray(block.read_bytes())
            if how == "cut short":
                del content[len(content) // 2 :]
            for at in range(0, len(content), 997):
                content[at] ^= 0xFF if how == "damaged" else 0
            block.write_bytes(content)
        await talkers.more(50)
        nodes.start(number)
        await agree(talkers.brokers[0])
        nodes.kill((number + 1) % 3)  # now the damaged one is needed
        await talkers.more(50)
        await read_all(talkers.brokers[0])

    story_of(tmp_path, nodes, trouble)


async def read_all(broker: Broker) -> None:
    """Read the whole stream, from whichever nodes answer, several times: always the same."""
    seen: dict[int, bytes] = {}
    for _ in range(10):
        place = 1
        while place <= broker.log.applied.seq:
            found = await broker.engine.read(place)
            for at, payload in found:
                assert seen.setdefault(at, payload) == payload, f"message {at} is another one at another node"
            place = found[-1][0] + 1 if found else broker.log.applied.seq + 1


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Put a disk of its own at a folder."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.long
def test_the_disk_of_one_node_is_full(tmp_path: Path, make_nodes: MakeNodes) -> None:
    nodes = make_nodes(start=False)

    async def trouble(_: World, talkers: Talkers) -> None:
        (nodes.store(2) / "ballast").write_bytes(b"x" * 11 * 2**20)
        before = talkers.brokers[0].log.applied.seq
        for broker in talkers.brokers:
            broker.engine.tell(b"x")
        await talkers.more(600)
        assert talkers.brokers[0].log.applied.seq > before

    with small_disk(nodes.store(2), "12m"):
        nodes.start()
        try:
            story_of(tmp_path, nodes, trouble)
        finally:
            nodes.close()


def test_a_subject_that_is_silent_is_made_up_for_by_reading(tmp_path: Path, make_nodes: MakeNodes) -> None:
    nodes = make_nodes(1)

    async def story() -> None:
        async with world(tmp_path, nodes) as w:
            a, b = await w.broker("a", founds=True, pace=PACE), w.prepare("b", pace=PACE)
            b.driver.engine._heard = lambda found: None  # type: ignore[attr-defined]
            await b.open()
            talkers = Talkers(a)
            await talkers.more()
            await b.tell("1")
            await talkers.audit(a, b)

    run(story())


def lost(broker: Broker) -> bool:
    return isinstance(broker.log.broken, LostStreamError)


async def restore(w: World, *brokers: Broker) -> list[Broker]:
    """Make a new stream of the log of the broker that has most, and start all again."""
    most = max(brokers, key=lambda each: each.log.applied.seq)
    wanted = requests.encode(requests.RestoreWanted(most.log.applied.seq))
    answer = requests.decode_answer(await brokers[0].engine.ask(most.name, wanted, PATIENCE))
    assert isinstance(answer, requests.Restored), answer
    await until(lambda: all(broker.ended for broker in brokers), "they have to start again")
    assert all(isinstance(broker.ended[0], RestartError) for broker in brokers)
    for broker in brokers:
        await broker.leave()
    return [await w.broker(broker.name, pace=PACE) for broker in brokers]


def test_the_stream_is_deleted_while_they_talk(tmp_path: Path, make_nodes: MakeNodes) -> None:
    nodes = make_nodes(1)

    async def story() -> None:
        async with talking(tmp_path, nodes) as (w, talkers):
            await talkers.brokers[0].engine.delete()
            await until(lambda: all(map(lost, talkers.brokers)), "they notice")
            again = await restore(w, *talkers.brokers)
            await again[0].tell("after all")
            await talkers.audit(*again)

    run(story())


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
def test_the_stream_goes_back_to_an_older_copy(tmp_path: Path, make_nodes: MakeNodes, count: int) -> None:
    nodes = make_nodes(count)

    def stop() -> None:
        for number in list(nodes.running):
            nodes.kill(number, signal.SIGTERM)

    async def story() -> None:
        async with talking(tmp_path, nodes) as (w, talkers):
            await asyncio.to_thread(stop)
            for number in range(count):
                shutil.copytree(nodes.store(number), tmp_path / f"old{number}")
            nodes.start()
            await talkers.more(100)
            await asyncio.to_thread(stop)
            for number in range(count):
                shutil.rmtree(nodes.store(number))
                shutil.copytree(tmp_path / f"old{number}", nodes.store(number))
            nodes.start()
            await until(lambda: all(map(lost, talkers.brokers)), "they notice")
            again = await restore(w, *talkers.brokers)
            await again[0].tell("after all")
            await talkers.audit(*again)

    run(story())
