"""Who is at another broker of a cluster can be talked with like everybody: whole brokers, and real clients."""

import asyncio
from pathlib import Path

from tests.client.real import Watcher
from tests.cluster.brokers import run, until
from tests.cluster.conftest import Engines
from tests.cluster.servers import cluster
from tests.cluster.test_server import client
from zchat.protocol import messages as m


def test_guests_at_two_brokers_talk_with_each_other(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        async with cluster(tmp_path, engines()) as some:
            await some.start("a")
            await some.start("b")
            async with client(some, "a", "alice") as alice, client(some, "b", "bob") as bob:
                heard = Watcher(bob)
                await until(lambda: "bob" in alice.members("general"), "alice sees bob")
                await alice.say("only for you", to="bob")
                await until(lambda: heard.texts() == ["only for you"], "it is delivered")
                await alice.send_typing(to="bob")
                await until(lambda: any(one.to == "bob" for one in heard.of(m.MemberTyping)), "bob sees her typing")
                await alice.ask(m.Away(text="tea"))
                await until(lambda: [one.text for one in heard.of(m.MemberAway)] == ["tea"], "bob sees her go")
                listed = await bob.ask(m.Who())
                assert isinstance(listed, m.Roster)
                assert {one.nick: one.away for one in listed.members} == {"alice": "tea", "bob": None}
                await alice.close()
                await bob.close()
                await heard.end()

    run(story())


def test_who_was_at_a_broker_that_is_gone_is_listed_for_grace_and_no_longer(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a", grace=1.0)
            await some.start("b", grace=1.0)
            async with client(some, "a", "alice") as alice:
                heard = Watcher(alice)
                async with client(some, "b", "bob"):
                    await until(lambda: "bob" in alice.members("general"), "alice sees bob")
                    began = asyncio.get_running_loop().time()
                    await some.stop("b")
                    await until(lambda: heard.of(m.MemberLeft), "bob is gone")
                    assert asyncio.get_running_loop().time() - began >= 1.0
                await alice.close()
                await heard.end()

    run(story())
