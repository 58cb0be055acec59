"""A gateway that is killed while all talk: its people come back, and what was echoed is there once."""

import asyncio
import json
from pathlib import Path

from irctokens.line import Line

from tests.client.real import on_loop
from tests.conftest import RunZchat, StartBroker
from tests.gateways.irc.process import Gateway
from tests.gateways.irc.raw import Irc, plain
from tests.integration.test_cli_network import owner_link, without_code

PEOPLE = ("max", "eve", "ida")
LINES, KILLS = 60, 2


class Talker:
    """Somebody who says lines with a number, the next one after the echo, and goes on after a kill."""

    def __init__(self, nick: str, password: str, where: str) -> None:
        self.nick, self._password, self._where = nick, password, where
        self.echoed: list[str] = []
        self.heard: list[tuple[str, str]] = []
        self._next = 0

    async def talk(self) -> None:
        while self._next < LINES:
            try:
                await self._one_connection()
            except (EOFError, OSError):
                await asyncio.sleep(0.05)

    async def _one_connection(self) -> None:
        host, _, port = self._where.rpartition(":")
        irc = Irc(*await asyncio.open_connection(host, int(port)))
        try:
            irc.send("CAP REQ :sasl echo-message server-time batch", f"NICK {self.nick}", "USER x 0 * :x")
            irc.send("AUTHENTICATE PLAIN", "AUTHENTICATE " + plain(self.nick, self._password))
            await irc.until("903")
            irc.send("CAP END")
            await irc.until("376")
            if self._next == 0:
                self._password = irc.password
            irc.send("JOIN #dev")
            await irc.until("366")
            while self._next < LINES:
                text = f"{self.nick} {self._next}"
                self._next += 1
                irc.send(f"PRIVMSG #dev :{text}")
                await self._until_echoed(irc, text)
        finally:
            await irc.close()

    async def _until_echoed(self, irc: Irc, text: str) -> None:
        while True:
            line: Line = await irc.next()
            if line.command == "PRIVMSG":
                nick = (line.source or "").partition("!")[0]
                self.heard.append((nick, line.params[1]))
                if line.params[1] == text:
                    self.echoed.append(text)
                    return


def test_what_was_echoed_is_stored_once_and_nobody_is_lost(
    start_broker: StartBroker, zchat: RunZchat, tmp_path: Path, environment: dict[str, str]
) -> None:
    broker = start_broker("--rate", "0", listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")
    link = owner_link(broker)
    assert zchat("send", "--broker", link, "--nick", "olga", "hello").code == 0
    link = without_code(link)
    code = zchat("invite", "--broker", link, "--uses", str(len(PEOPLE))).out.splitlines()[0].rpartition("/")[2].strip()
    gateway = Gateway(link, tmp_path, environment)
    talkers = [Talker(nick, code, gateway.plain) for nick in PEOPLE]
    _run(talkers, gateway)
    gateway.stop()
    told = zchat("tail", "--broker", link, "--room", "dev", "--all", "--json").out
    stored = [event["text"] for event in map(json.loads, told.splitlines()) if event["type"] == "message"]
    assert len(stored) == len(set(stored))
    for each in talkers:
        assert len(each.echoed) >= LINES - KILLS
        assert set(each.echoed) <= set(stored)
        # it may be killed between sending a line and noting that it did: that one is told again
        assert len(each.heard) - len(set(each.heard)) <= KILLS


@on_loop
async def _run(talkers: list[Talker], gateway: Gateway) -> None:
    async with asyncio.TaskGroup() as group:
        for each in talkers:
            group.create_task(each.talk())
        for kill in range(KILLS):
            enough = (kill + 1) * LINES // (KILLS + 1)
            while min(len(each.echoed) for each in talkers) < enough:  # noqa: ASYNC110 — nothing tells
                await asyncio.sleep(0.01)
            gateway.kill()
            await asyncio.to_thread(gateway.start)
