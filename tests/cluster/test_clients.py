"""Clients of several brokers: whichever they lose, they go on, and nobody hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.client.real import ANY, Watcher
from tests.cluster.brokers import run, until
from tests.cluster.servers import Cluster, cluster
from tests.conftest import PATIENCE
from tests.soak.proxy import Proxy
from zchat.client.addresses import Address
from zchat.client.client import ChatClient
from zchat.client.core import notices
from zchat.protocol import messages as m

NAMES = "abc"
LINES = 300


class Brokers:
    """Three brokers, and a way to each that can be cut."""

    def __init__(self, some: Cluster, stack: AsyncExitStack) -> None:
        self.cluster, self._stack = some, stack
        self.ways: dict[str, Proxy] = {}

    async def open(self) -> None:
        for name in NAMES:
            server = await self.cluster.start(name, ANY, ANY)
            self.ways[name] = Proxy(int(server.listen.rpartition(":")[2]))
            await self.ways[name].start()
            self._stack.push_async_callback(self.ways[name].close)

    def client(self, nick: str, **options: object) -> ChatClient:
        endpoints = tuple(f"tcp://127.0.0.1:{way.port}" for way in self.ways.values())
        options = {"rooms": ["general"], "timeout": PATIENCE} | options
        return ChatClient(nick, Address(endpoints, "the brokers"), **options)  # type: ignore[arg-type]

    def at(self, client: ChatClient) -> str:
        """Return the name of the broker at which a client is, or which it tries."""
        assert client._driver is not None
        port = int(client._driver.session.endpoint.rpartition(":")[2])
        return next(name for name, way in self.ways.items() if way.port == port)


@asynccontextmanager
async def brokers(folder: Path) -> AsyncIterator[Brokers]:
    async with cluster(folder) as some, AsyncExitStack() as stack:
        three = Brokers(some, stack)
        await three.open()
        yield three


def in_order(heard: Watcher, who: str, count: int) -> bool:
    return [text for text in heard.texts() if text.startswith(who)] == [f"{who}{number}" for number in range(count)]


async def speak(client: ChatClient, who: str, first: int, last: int) -> list[asyncio.Future[m.Ack]]:
    answers = []
    for number in range(first, last):
        answers.append(await client.post(f"{who}{number}", room="general"))
        await asyncio.sleep(0.001)
    return answers


def test_a_client_goes_on_at_another_broker_when_its_own_stops(tmp_path: Path) -> None:
    async def story() -> None:
        async with brokers(tmp_path) as three, three.client("alice") as alice, three.client("bob") as bob:
            heard, seen = Watcher(alice), Watcher(bob)
            await alice.say("a0", room="general")
            away = three.at(alice)
            await three.cluster.stop(away)
            await alice.say("a1", room="general")
            assert three.at(alice) != away
            await bob.say("b0", room="general")
            await until(lambda: len(heard.texts()) == 3 and len(seen.texts()) == 3, "both hear all of it")
            assert heard.texts() == seen.texts() == ["a0", "a1", "b0"]
            for each in (heard, seen):
                told = [each.of(kind) for kind in (notices.Offline, m.BrokerBye, m.MemberLeft)]
                assert told == [[], [], []], "nobody is told of a move"
            await until(lambda: set(bob.members("general")) == {"alice", "bob"}, "the roster has both")

    run(story())


def test_moving_again_and_again_under_load_loses_doubles_and_disorders_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with brokers(tmp_path) as three, three.client("alice") as alice, three.client("bob") as bob:
            heard, seen = Watcher(alice), Watcher(bob)
            talking = asyncio.create_task(speak(bob, "b", 0, LINES))
            answers: list[asyncio.Future[m.Ack]] = []
            been: list[str] = []
            for turn in range(6):
                answers += await speak(alice, "a", turn * LINES // 6, (turn + 1) * LINES // 6)
                if been:
                    await until(lambda: three.at(alice) != been[-1] and alice.online, "she has moved")
                been.append(three.at(alice))
                three.ways[been[-1]].cut()
            answers += await talking
            acks = await asyncio.gather(*answers)
            assert len({ack.seq for ack in acks}) == 2 * LINES
            await until(lambda: len(heard.texts()) == len(seen.texts()) == 2 * LINES, "both hear all of it")
            assert heard.texts() == seen.texts()
            assert in_order(heard, "a", LINES)
            assert in_order(heard, "b", LINES)
            assert set(been) == set(NAMES)
            assert sum(online.moved for online in heard.of(notices.Online)) >= len(been) - 1
            assert not heard.of(notices.WentBack)

    run(story())


def test_while_nothing_can_be_stored_one_is_told_and_what_is_said_waits(tmp_path: Path) -> None:
    async def story() -> None:
        async with brokers(tmp_path) as three, three.client("alice") as alice:
            heard = Watcher(alice)
            await alice.say("before", room="general")
            three.cluster.sea.leads = False
            waiting = await alice.post("meanwhile", room="general")
            await until(lambda: alice.stalled, "it is told")
            assert alice.online
            assert not waiting.done()
            three.cluster.sea.leads = True
            await waiting
            await until(lambda: heard.of(notices.Flowing), "it is over")
            assert alice.stalled is None
            assert [len(heard.of(each)) for each in (notices.Stalled, notices.Flowing, notices.Offline)] == [1, 1, 0]

    run(story())


def test_who_loses_the_broker_while_nothing_can_be_stored_is_let_in_once_it_can(tmp_path: Path) -> None:
    """The hellos that were given up come through, too, in whatever order: each takes the session over once."""

    async def story() -> None:
        async with brokers(tmp_path) as three, three.client("alice") as alice:
            heard = Watcher(alice)
            await alice.say("before", room="general")
            three.cluster.sea.leads = False
            three.ways[three.at(alice)].cut()
            waiting = await alice.post("meanwhile", room="general")
            assert alice._driver is not None
            connection = alice._driver.session._connection
            await until(lambda: connection._hellos_lost >= 2, "two brokers let her not in")
            assert heard.of(notices.Offline)
            three.cluster.sea.leads = True
            await waiting
            drivers = three.cluster.drivers.values()
            await until(lambda: not any(driver.log.waits for driver in drivers), "what was given up comes through")
            await alice.say("after", room="general")
            assert not alice.over
            await until(lambda: len(heard.texts()) == 3, "she hears all of it")
            assert heard.texts() == ["before", "meanwhile", "after"]

    run(story())
