"""The broker's log goes back behind the gateway, or is another one: all that is said from then on is told, once."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.client.real import ANY, on_loop, serving
from tests.gateways.irc.raw import ALL, House, gateway, texts
from zchat.broker.server import ChatServer
from zchat.client.addresses import resolve
from zchat.client.known_brokers import KnownBrokers
from zchat.gateways.irc import listening


@asynccontextmanager
async def broker(listen: str, data: Path | None) -> AsyncIterator[ChatServer]:
    async with serving([listen], ANY, data=data, heartbeat=0.1, grace=2.0) as server:
        yield server


@on_loop
async def test_after_a_backup_was_put_back_each_line_is_told_once(tmp_path: Path) -> None:
    data, copy = tmp_path / "broker", tmp_path / "copy"
    async with AsyncExitStack() as longer:
        async with broker("zchat://127.0.0.1:0", data) as server:
            link = (server.owner_link or "").rpartition("/")[0]
            listen, brokers = link.rpartition("/")[0], KnownBrokers(tmp_path / "brokers.toml")
            where = House(server, resolve(link, (brokers,)), tmp_path)
            async with where.member("olga", where.owner_code, rooms=["dev"]) as olga:
                codes = [(await olga.administration.invite()).code for _ in range(2)]
                await longer.enter_async_context(gateway(where, where._where))
                irc, plain = await where.irc("max", ALL, codes[0]), await where.irc("ida", "", codes[1])
                await irc.ask("JOIN #dev")
                await plain.ask("JOIN #dev")
                await olga.say("old", room="dev")
                await irc.until("PRIVMSG", "old")
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*.sock"))
        async with broker(listen, data) as server, where.member("olga", rooms=["dev"]) as olga:
            await irc.until("NOTICE", "Connected to zchat again.")
            await plain.until("NOTICE", "Connected to zchat again.")
            for text in ("lost one", "lost two"):
                await olga.say(text, room="dev")
                lost, _ = [await each.until("PRIVMSG", text) for each in (irc, plain)]
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        async with broker(listen, data) as server, where.member("olga", rooms=["dev"]) as olga:
            for each in (irc, plain):
                await each.until("NOTICE", where=lambda line: "The broker's log went back" in line.params[-1])
            await plain.close()  # before anything is said with the numbers that it had seen
            before, new = len(irc.seen), ("new one", "new two", "new three")
            for text in new:
                await olga.say(text, room="dev")
            told = await irc.until("PRIVMSG", "new three")
            assert int((told.tags or {})["msgid"]) == int((lost.tags or {})["msgid"]) + 1  # a number is used again
            assert texts(irc.seen[before:]) == [*new]
            plain = await where.irc("ida", "", plain.password)
            await plain.until("PRIVMSG", "new three")
            await olga.say("end", room="dev")
            await plain.until("PRIVMSG", "end")
            assert texts(plain.seen) == [*new, "end"]


@on_loop
async def test_who_is_back_after_a_restart_has_not_been_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "COME_BACK", 1000.0)
    async with AsyncExitStack() as longer:
        async with broker("tcp://127.0.0.1:0", tmp_path / "broker") as server:
            where = House(server, resolve(server.listen, (KnownBrokers(tmp_path / "brokers.toml"),)), tmp_path)
            await longer.enter_async_context(gateway(where, where._where))
            irc = await where.irc("alice", ALL)
            await irc.ask("JOIN #dev")
            people = [await longer.enter_async_context(where.terminal(nick, rooms=["dev"])) for nick in ("bob", "carl")]
            await irc.until("JOIN", where=lambda line: (line.source or "").startswith("carl!"))
        before = len(irc.seen)
        async with broker(server.listen, tmp_path / "broker"):
            await asyncio.gather(*(each.say("back", room="dev") for each in people))
            for _ in people:
                await irc.until("PRIVMSG", "back")
            await people[0].part("dev")
            await irc.until("PART")
            told = [line.command for line in irc.seen[before:]]
            assert told == ["NOTICE", "NOTICE", "PRIVMSG", "PRIVMSG", "PART"], "no QUIT, and so no JOIN"


@on_loop
async def test_a_broker_with_another_log_is_talked_to_as_the_first_one_was(tmp_path: Path) -> None:
    async with AsyncExitStack() as longer:
        async with broker("tcp://127.0.0.1:0", None) as server:
            listen = server.listen
            where = House(server, resolve(listen, (KnownBrokers(tmp_path / "brokers.toml"),)), tmp_path)
            await longer.enter_async_context(gateway(where, where._where))
            irc = await where.irc("alice", ALL)
            await irc.ask("JOIN #dev")
            for at in range(5):
                irc.send(f"PRIVMSG #dev :first {at}")
                await irc.until("PRIVMSG", f"first {at}")
        async with broker(listen, None), where.terminal("carl", rooms=["dev"]) as carl:
            assert "Closing link" in await irc.ended()
            irc = await where.irc("alice", ALL)
            await irc.ask("JOIN #dev")
            await carl.say("second 0", room="dev")
            assert ((await irc.until("PRIVMSG", "second 0")).tags or {})["msgid"] == "1"
            irc.send("PRIVMSG #dev :second 1")
            assert ((await irc.until("PRIVMSG", "second 1")).tags or {})["msgid"] == "2"
            assert texts(await irc.ask("CHATHISTORY LATEST #dev * 9")) == ["second 0", "second 1"]
