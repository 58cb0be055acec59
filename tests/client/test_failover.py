"""Clients that lose the way to a broker and take another: real sockets, and broken networks before one broker."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.client.real import ANY, Script, Watcher, on_loop, serving, until
from tests.soak.proxy import Proxy
from zchat.broker.server import ChatServer
from zchat.client.addresses import Address, resolve
from zchat.client.client import ChatClient
from zchat.client.core import notices
from zchat.client.known_brokers import KnownBrokers
from zchat.protocol import links

LINES = 200


def at(*endpoints: str) -> Address:
    return Address(endpoints, "the brokers")


@asynccontextmanager
async def ways(server: ChatServer, count: int = 2) -> AsyncIterator[dict[str, Proxy]]:
    """Lay ways to a broker; by endpoint."""
    port = int(server.listen.rpartition(":")[2])
    proxies = [Proxy(port) for _ in range(count)]
    for proxy in proxies:
        await proxy.start()
    try:
        yield {f"tcp://127.0.0.1:{proxy.port}": proxy for proxy in proxies}
    finally:
        for proxy in proxies:
            await proxy.close()


def endpoint(client: ChatClient) -> str:
    assert client._driver is not None
    return client._driver.session.endpoint


@on_loop
async def test_when_its_way_ends_a_client_takes_another_and_nothing_is_lost_doubled_or_told() -> None:
    async with (
        serving() as server,
        ways(server) as proxies,
        ChatClient("alice", at(*proxies), rooms=["dev"]) as alice,
        ChatClient("bob", server.listen, rooms=["dev"]) as bob,
    ):
        heard, seen = Watcher(alice), Watcher(bob)
        answers = []
        for number in range(LINES):
            if number == LINES // 2:
                await proxies[endpoint(alice)].close()
            answers.append(await alice.post(f"a{number}", room="dev"))
            await bob.post(f"b{number}", room="dev")
            await asyncio.sleep(0)
        await asyncio.gather(*answers)
        await bob.drain()
        await until(lambda: len(heard.texts()) >= 2 * LINES and len(seen.texts()) >= 2 * LINES)
        for texts in (heard.texts(), seen.texts()):
            for who in "ab":
                assert [text for text in texts if text[0] == who] == [f"{who}{number}" for number in range(LINES)]
        assert heard.texts() == seen.texts()
        assert not heard.of(notices.Offline)
        assert [online.moved for online in heard.of(notices.Online)] == [False, True]


@on_loop
async def test_a_way_that_swallows_everything_is_left_after_two_silent_heartbeats() -> None:
    async with (
        serving(heartbeat=0.2, grace=10.0) as server,
        ways(server) as proxies,
        ChatClient("alice", at(*proxies), rooms=["dev"]) as alice,
    ):
        heard = Watcher(alice)
        first = endpoint(alice)
        proxies[first].part()
        ack = await alice.say("through the other one", room="dev")
        assert (ack.seq, endpoint(alice) != first) == (1, True)
        assert not heard.of(notices.Offline)


@on_loop
async def test_a_client_comes_in_where_only_the_last_of_several_hosts_answers() -> None:
    async with serving() as server:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes connections
            swallows = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
            for _ in range(3):  # the order is chance
                async with ChatClient("alice", at("tcp://127.0.0.1:1", swallows, server.listen), timeout=20.0) as alice:
                    await alice.say("hi", room="dev")


@on_loop
async def test_one_that_lets_nobody_in_now_is_left_for_another() -> None:
    def busy(line: dict[str, object]) -> dict[str, object]:
        message = "what the brokers share does not answer"
        return {
            **{"type": "error", "ref": line["ref"], "code": "unavailable"},
            **{"message": message, "retry_after": 60.0},
        }

    async with Script() as script, serving() as server:
        script.answers["hello"] = busy
        for _ in range(5):
            async with ChatClient("alice", at(script.listen, server.listen), rooms=["dev"]) as alice:
                await alice.say("hi", room="dev")


@on_loop
async def test_the_brokers_that_one_tells_are_remembered_and_tried(tmp_path: Path) -> None:
    known = KnownBrokers(tmp_path / "brokers.toml")
    hosts = ("127.0.0.1", "localhost")
    async with serving("zchat://127.0.0.1:0", ANY, strangers=True, advertise=hosts) as server:
        assert server.link is not None
        port = server.link.hosts[0][1]
        own = links.BrokerLink((("127.0.0.1", port),), server.link.key).text
        identity = tmp_path / "identity"
        async with ChatClient("alice", resolve(own, [known]), identity=identity) as alice:
            assert alice._driver is not None
            assert alice._driver.session.several
        (entry,) = known.load().values()
        assert entry.endpoints == (f"tcp://127.0.0.1:{port}", f"tcp://localhost:{port}")
        name = f"127.0.0.1:{port}"
        assert resolve(name, [known]).endpoints == entry.endpoints
        assert alice.link == server.link.text, "a newcomer is told of both"


@pytest.mark.parametrize("several", [True, False])
@on_loop
async def test_only_a_lost_only_broker_is_told_at_once(several: bool) -> None:
    async with serving() as server, ways(server) as proxies:
        endpoints = list(proxies) if several else list(proxies)[:1]
        async with ChatClient("alice", at(*endpoints)) as alice:
            heard = Watcher(alice)
            proxies[endpoint(alice)].cut()
            await until(lambda: len(heard.of(notices.Online)) == 2)
            assert (len(heard.of(notices.Offline)), heard.of(notices.Online)[1].moved) == (0 if several else 1, several)
