"""The engine over real nodes of NATS: what it promises, and what happens when nodes die, stop, and forget."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.cluster.conftest import MakeNodes
from tests.cluster.nodes import Nodes
from tests.conftest import PATIENCE
from zchat.broker.cluster import engine as engine_module
from zchat.broker.cluster.engine import NatsEngine, understood
from zchat.broker.cluster.interface import Position
from zchat.errors import EngineError, UsageError

FIRST = Position(term="t1", log="l" * 32, first=1, last=0)


class Listener:
    """What an engine told, and waiting for more."""

    def __init__(self, engine: NatsEngine) -> None:
        self.engine = engine
        self.messages: dict[int, bytes] = {}
        self.told: list[bytes] = []
        self.refused = self.connected = 0
        engine.on_messages, engine.on_told = self._take, self.told.append
        engine.on_refused, engine.on_connected = self._refuse, self._connect

    def _take(self, messages: Sequence[tuple[int, bytes]]) -> None:
        for place, payload in messages:
            assert self.messages.setdefault(place, payload) == payload, "a place has one message"

    def _refuse(self) -> None:
        self.refused += 1

    def _connect(self) -> None:
        self.connected += 1


async def until(condition: Callable[[], Any], what: str, send: Callable[[], None] = lambda: None) -> None:
    """Wait until something is so, looking again and again. What `send` sends may be lost, so it is sent again."""
    async with asyncio.timeout(PATIENCE):
        for turn in itertools.count():
            if turn % 100 == 0:
                send()
            if condition():
                break
            await asyncio.sleep(0.01)
    assert condition(), what


async def insist(work: Callable[[], Awaitable[Any]]) -> Any:
    """Return what `work` returns, as soon as the nodes do not refuse it any more."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await work()
            except EngineError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def engine(nodes: Nodes, name: str = "a", position: Position | None = FIRST) -> AsyncIterator[Listener]:
    """Connect an engine, make a stream if there is none, and follow it."""
    replicas = 1 if nodes.count == 1 else 3
    listener = Listener(NatsEngine(nodes.servers, "test", name, replicas=replicas))
    await listener.engine.open(PATIENCE)
    try:
        if position is not None:
            found = await insist(listener.engine.position)
            if found is None:
                await insist(lambda: listener.engine.create(position))
                found = await insist(listener.engine.position)
            assert found is not None
            listener.engine.follow(found)
        yield listener
    finally:
        await listener.engine.close()


async def say(listener: Listener, *payloads: bytes) -> None:
    """Publish, again and again, until all came back."""
    async with asyncio.timeout(PATIENCE):
        for turn in itertools.count():
            missing = set(payloads) - set(listener.messages.values())
            if not missing:
                return
            if turn % 50 == 0:
                for payload in sorted(missing):
                    listener.engine.publish(payload)
            await asyncio.sleep(0.01)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 4 * PATIENCE))


def test_what_is_published_comes_back_to_all_and_can_be_read_again(make_nodes: MakeNodes) -> None:
    async def story() -> None:
        nodes = make_nodes()
        async with engine(nodes) as a, engine(nodes, "b") as b:
            for number in range(2_500):
                a.engine.publish(b"%d" % number)
            await until(lambda: len(b.messages) >= 2_500, "all came")
            assert [b.messages[place] for place in range(1, 2_501)] == [b"%d" % number for number in range(2_500)]
            found: list[tuple[int, bytes]] = []
            while more := await b.engine.read(len(found) + 1):
                found += more
            assert found == sorted(b.messages.items()), "contiguous, in several answers"
            assert await b.engine.read(2_501) == []
            position = await a.engine.position()
            assert position is not None
            assert (position.first, position.last, position.term, position.log) == (1, 2_500, "t1", "l" * 32)
            assert position.sure
            assert [node.name for node in position.nodes if node.leads] != []

    run(story())


@pytest.mark.parametrize(
    ("cluster", "sure", "here"),
    [
        ({}, True, ""),  # a server alone
        ({"leader": "c"}, True, "c"),
        ({"leader": "c", "replicas": [("a", 9), ("b", 9)]}, True, "cab"),
        ({"leader": "c", "replicas": [("a", 9), ("b", 9e9)]}, True, "ca"),
        ({"leader": "c", "replicas": [("a", 9e9), ("b", 0)]}, False, "c"),  # of b it has never heard
        ({"replicas": [("a", 0), ("b", 0), ("c", 9)]}, False, "c"),  # so tells one that is alone
        ({"replicas": [("a", 9), ("b", 9), ("c", 9)]}, False, "abc"),
    ],
)
def test_only_a_leader_that_hears_most_nodes_is_sure_of_the_stream(
    cluster: dict[str, Any], sure: bool, here: str
) -> None:
    cluster["replicas"] = [{"name": name, "active": int(active)} for name, active in cluster.get("replicas", ())]
    state = {"messages": 0, "first_seq": 0, "last_seq": 0}
    position = understood({"config": {}, "state": state, "cluster": cluster})
    assert (position.sure, "".join(node.name for node in position.nodes if node.here)) == (sure, here)


def test_words_reach_all_and_questions_one(make_nodes: MakeNodes) -> None:
    async def story() -> None:
        nodes = make_nodes(1)
        async with engine(nodes, position=None) as a, engine(nodes, "b", position=None) as b:

            async def answer(question: bytes) -> bytes:
                await asyncio.sleep(0)
                return question * 2

            b.engine.on_asked = answer
            all_hear = lambda: {*a.told} == {*b.told} == {b"hi"}  # noqa: E731
            await until(all_hear, "all hear it, also who said it", lambda: a.engine.tell(b"hi"))
            assert await a.engine.ask("b", b"x" * 300_000) == b"x" * 600_000
            with pytest.raises(EngineError, match="broker c is not there"):
                await a.engine.ask("c", b"")

    run(story())


def test_without_a_stream_publications_are_refused_at_once(make_nodes: MakeNodes) -> None:
    async def story() -> None:
        async with engine(make_nodes(1), position=None) as a:
            assert await insist(a.engine.position) is None
            a.engine.publish(b"before a term is known")
            a.engine.follow(FIRST)
            await until(lambda: a.refused, "refused", lambda: a.engine.publish(b"x"))
            with pytest.raises(EngineError, match="no node has the stream"):
                await a.engine.read(1)
            await a.engine.create(FIRST)
            await say(a, b"y")
            assert a.messages == {1: b"y"}
            with pytest.raises(EngineError):
                await a.engine.create(Position(term="t2", log="", first=1, last=0))

    run(story())


def test_a_term_continues_the_places_of_its_parent_and_hears_nothing_of_it(make_nodes: MakeNodes) -> None:
    async def story() -> None:
        nodes = make_nodes(1)
        async with engine(nodes) as old, engine(nodes, "b") as new:
            await say(old, b"old")
            await new.engine.delete()
            assert await new.engine.position() is None
            second = Position(term="t2", log="l", first=8, last=7, began=7, parent="t1", parent_hash=b"\xff")
            await new.engine.create(second)
            found = await new.engine.position()
            assert found is not None
            assert (found.first, found.last, found.began, found.parent_hash) == (8, 7, 7, b"\xff")
            new.messages.clear()
            old.messages.clear()
            new.engine.follow(found)
            old.engine.publish(b"for the first term")
            await until(lambda: old.refused, "nobody takes what is for a term that is over")
            await say(new, b"new")
            assert new.messages == {8: b"new"}
            assert await new.engine.read(8) == [(8, b"new")]
            assert await new.engine.read(3) == [], "these places are not kept here"
            assert await old.engine.read(1) == [], "a message of another term is none of this one's"
            assert old.messages == {}

    run(story())


@pytest.mark.parametrize("how", [pytest.param(signal.SIGKILL, marks=pytest.mark.long), signal.SIGTERM])
def test_the_connection_moves_to_another_node_when_its_own_dies(make_nodes: MakeNodes, how: signal.Signals) -> None:
    async def story() -> None:
        nodes = make_nodes()
        async with engine(nodes) as a:
            await say(a, b"1")
            nodes.kill(0, how)
            await say(a, b"2", b"3")
            assert a.connected == 2
            nodes.start(0)
            nodes.kill(1)
            await say(a, b"4")
            read = list(await insist(lambda: a.engine.read(1)))
            assert {b"1", b"2", b"3", b"4"} == {payload for _, payload in read}

    run(story())


@pytest.mark.long
def test_a_node_that_is_stopped_is_left_within_seconds(make_nodes: MakeNodes) -> None:
    async def story() -> None:
        nodes = make_nodes()
        async with engine(nodes) as a:
            await say(a, b"1")
            nodes.pause(0)
            for _ in range(64):
                a.engine.publish(b"x" * 500_000)  # more than the sockets hold: its sender blocks
            await until(lambda: a.connected == 2, "connected to another one")
            await say(a, b"2")
            nodes.go_on(0)
            await say(a, b"3")

    run(story())


def test_a_node_that_was_away_is_not_the_end_of_what_is_read(make_nodes: MakeNodes) -> None:
    async def story() -> None:
        nodes = make_nodes()
        async with engine(nodes) as a:
            await say(a, b"1")
            nodes.pause(2)
            await say(a, *[b"%d" % number for number in range(2, 50)])
            nodes.go_on(2)
            for _ in range(20):  # some of the answers come from the one that lags
                found = await insist(lambda: a.engine.read(1))
                assert [place for place, _ in found] == list(range(1, len(found) + 1))

    run(story())


@pytest.mark.long
def test_places_survive_that_all_nodes_are_killed_before_the_first_snapshot(make_nodes: MakeNodes) -> None:
    """With `first_seq` they did not always: nats-server #6753, #8490."""

    async def story() -> None:
        nodes = make_nodes()
        began = Position(term="t2", log="l", first=1_001, last=1_000, began=1_000, parent="t1")
        async with engine(nodes, position=began) as a:
            await say(a, b"1", b"2")
            before = await insist(a.engine.position)
            for number in range(3):
                nodes.kill(number)
            nodes.start()
            await say(a, b"3")
            after = await insist(a.engine.position)
            assert (after.created, after.first, after.term) == (before.created, before.first, "t2")
            read = await insist(lambda: a.engine.read(1_001))
            assert [place for place, _ in read] == list(range(1_001, 1_001 + len(read)))
            assert {b"1", b"2", b"3"} == {payload for _, payload in read}

    run(story())


@pytest.mark.long
def test_an_empty_term_survives_that_all_nodes_are_killed(make_nodes: MakeNodes) -> None:
    async def story() -> None:
        nodes = make_nodes()
        began = Position(term="t2", log="l", first=1_001, last=1_000, began=1_000, parent="t1")
        async with engine(nodes, position=began):
            for number in range(3):
                nodes.kill(number)
            nodes.start()
        async with engine(nodes) as a:
            await say(a, b"1")
            assert list(a.messages) == [1_001]

    run(story())


def test_nobody_there() -> None:
    async def story() -> None:
        nobody = NatsEngine(["nats://127.0.0.1:1", "nats://127.0.0.1:2"], "test", "a")
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:1, .* does not answer \(.*Connect call failed"):
            await nobody.open(0.5)
        assert not nobody.connected
        nobody.publish(b"x")
        nobody.tell(b"x")
        with pytest.raises(EngineError, match="there is no connection"):
            await nobody.position()

    run(story())
    with pytest.raises(UsageError, match="no name for a cluster"):
        NatsEngine([], "a.b", "a")


def test_a_connection_whose_reader_has_died_is_replaced(make_nodes: MakeNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """nats-py ends it after any mistake of its own, and says that it is connected still: nats.py #914."""

    async def story() -> None:
        async with engine(make_nodes(1)) as a:
            await say(a, b"1")
            connection = a.engine._connection
            assert connection is not None

            async def fail(_: bytes) -> None:
                raise TypeError("can't extend bytearray with int")

            monkeypatch.setattr(connection._client._ps, "parse", fail)
            a.engine.tell(b"x")  # what comes back is what it cannot read
            await until(lambda: a.connected == 2, "connected anew")
            await say(a, b"2")

    run(story())


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
def test_a_stream_in_which_all_is_too_old_knows_its_places_after_a_restart(
    make_nodes: MakeNodes, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """It did not always: nats-server #3284."""
    monkeypatch.setattr(engine_module, "MAX_AGE", 1_000_000_000)

    async def story() -> None:
        nodes = make_nodes(count)
        async with engine(nodes) as a:
            await say(a, *(b"%d" % number for number in range(20)))
            last = max(a.messages)

            async def is_empty() -> bool:
                position = await insist(a.engine.position)
                return bool(position.first == position.last + 1)

            async with asyncio.timeout(PATIENCE):
                while not await is_empty():  # noqa: ASYNC110 — it happens in other processes
                    await asyncio.sleep(0.1)
            for turn in range(2):
                for number in range(count):
                    nodes.kill(number, signal.SIGKILL if turn else signal.SIGTERM)
                nodes.start()
                position = await insist(a.engine.position)
                assert (position.first, position.last) == (last + 1, last)
            await say(a, b"new")
            assert a.messages[last + 1] == b"new"

    run(story())
