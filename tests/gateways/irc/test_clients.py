"""Real clients of IRC at a real gateway process: WeeChat without a screen, and irssi in a terminal.

WeeChat takes commands through a pipe, and its log files tell what it shows. A client that is not installed is skipped.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.client.real import on_loop
from tests.conftest import RunZchat, StartBroker, wait_for
from tests.gateways.irc.process import Gateway
from tests.gateways.irc.raw import Irc
from tests.integration.terminal import Terminal
from tests.integration.test_cli_network import owner_link, without_code

WEECHAT, IRSSI = shutil.which("weechat-headless"), shutil.which("irssi")


class WeeChat:
    """A WeeChat without a screen."""

    def __init__(self, folder: Path, where: str, password: str, *, tls: bool) -> None:
        self._folder = folder
        host, _, port = where.rpartition(":")
        self._pipe = folder / "pipe"
        setup = [
            f"/set fifo.file.path {self._pipe}", "/set fifo.file.enabled on", "/set logger.file.flush_delay 0",
            "/set logger.file.mask $plugin.$name.log", "/set logger.file.auto_log on",
            f"/server add z {host}/{port} -{'' if tls else 'no'}ssl -sasl_mechanism=plain -sasl_username=max "
            f"-sasl_password={password} -nicks=max -ssl_verify=off -autoreconnect_delay=1 -autojoin=#dev",
            "/set irc.server.z.ssl_verify off", "/connect z",
        ]  # fmt: skip
        arguments = [part for command in setup for part in ("-r", command)]
        env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [WEECHAT or "", "-d", str(folder / "w"), *arguments], env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def do(self, text: str, buffer: str = "irc.z.#dev") -> None:
        wait_for(self._pipe.exists, "the pipe of WeeChat")
        descriptor = os.open(self._pipe, os.O_WRONLY)
        os.write(descriptor, f"{buffer} *{text}\n".encode())
        os.close(descriptor)

    def shown(self, name: str = "z.#dev") -> str:
        path = self._folder / "w" / "logs" / f"irc.{name}.log"
        return path.read_text() if path.exists() else ""

    def sees(self, text: str, name: str = "z.#dev") -> None:
        try:
            wait_for(lambda: text in self.shown(name), f"{text!r} in WeeChat's {name}")
        except BaseException:
            print(self.shown(name), self.shown("server.z"))
            raise

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def irssi(folder: Path, where: str, password: str, env: dict[str, str]) -> Iterator[Terminal]:
    home = folder / "irssi"
    home.mkdir(exist_ok=True)
    host, _, port = where.rpartition(":")
    (home / "config").write_text(f"""
servers = ({{
  address = "{host}"; chatnet = "z"; port = "{port}"; use_tls = "yes"; tls_verify = "no"; autoconnect = "yes";
}});
chatnets = {{ z = {{
  type = "IRC"; sasl_mechanism = "PLAIN"; sasl_username = "ida"; sasl_password = "{password}";
  cmdspeed = "100"; cmdmax = "20";
}}; }};
channels = ({{ name = "#dev"; chatnet = "z"; autojoin = "yes"; }});
settings = {{ core = {{ nick = "ida"; server_reconnect_time = "10s"; }}; }};
""")
    command = [IRSSI or "", f"--home={home}"]
    with Terminal(command=command, env=env | {"LC_ALL": "C.UTF-8"}, columns=100) as terminal:
        yield terminal


class Team:
    """A broker with keys, its owner at the prompt, the gateway, and passwords for people with a client."""

    def __init__(self, link: str, zchat: RunZchat, folder: Path, env: dict[str, str]) -> None:
        self.link, self.zchat, self.folder, self.env = without_code(link), zchat, folder, env
        self.olga = Terminal("join", link, "--nick", "olga", "--room", "dev", env=env, columns=100)
        self.olga.see("#dev")
        self.gateway = Gateway(self.link, folder, env)

    def passwords(self, *nicks: str) -> list[str]:
        """Invite people; return the passwords that they are told when they come in by the invitation."""
        code = self.says("invite", "--uses", str(len(nicks))).splitlines()[0].rpartition("/")[2]
        return [come_in(self.gateway.plain, nick, code)[1] for nick in nicks]

    def says(self, *args: str) -> str:
        """Return what a command of the owner's tells."""
        found = self.zchat(*args, "--broker", self.link)
        assert found.code == 0, found.err
        return found.out.strip()

    def close(self) -> None:
        self.gateway.stop()
        self.olga.__exit__(None, None, None)


def come_in(where: str, nick: str, word: str) -> tuple[str, str]:
    """Log in; return the nick that one has then, and the password that one is told, if any."""
    found = []

    @on_loop
    async def run() -> None:
        host, _, port = where.rpartition(":")
        irc = Irc(*await asyncio.open_connection(host, int(port)))
        irc.send(f"PASS {word}", f"NICK {nick}", "USER x 0 * :x")
        found.append((await irc.until("376")).params[0])
        found.append(irc.password)
        await irc.close()

    run()
    return found[0], found[1]


@pytest.fixture
def team(start_broker: StartBroker, zchat: RunZchat, tmp_path: Path, environment: dict[str, str]) -> Iterator[Team]:
    broker = start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")
    with closing(Team(owner_link(broker), zchat, tmp_path, environment)) as found:
        yield found


@pytest.mark.skipif(WEECHAT is None or IRSSI is None, reason="weechat-headless or irssi is not installed")
def test_weechat_and_irssi_talk_and_come_back_to_a_gateway_that_was_killed(team: Team) -> None:
    mine, theirs = team.passwords("max", "ida")
    with (
        closing(WeeChat(team.folder, team.gateway.plain, mine, tls=False)) as weechat,
        irssi(team.folder, team.gateway.secure, theirs, team.env) as terminal,
    ):
        weechat.sees("has joined #dev")
        terminal.see("Act:")
        terminal.enter("/window goto 2")
        terminal.see("Join to #dev was synced")
        team.olga.enter("hello from the prompt")
        weechat.sees("olga\thello from the prompt")
        terminal.see("<~olga> hello from the prompt")
        weechat.do("hello from weechat")
        team.olga.see("hello from weechat")
        terminal.see("<+max> hello from weechat")
        terminal.enter("hello from irssi")
        weechat.sees("hello from irssi")
        weechat.do("/msg *zchat edit #dev hello from WeeChat")
        terminal.see("* hello from WeeChat")
        terminal.enter("/msg olga psst")
        team.olga.see("psst")
        weechat.do("/topic a new day")
        weechat.sees('has changed topic for #dev to "a new day"')
        team.gateway.kill()
        team.olga.enter("nobody carries this now")
        team.olga.see("nobody carries this now")
        team.gateway.start()
        weechat.sees("nobody carries this now")
        weechat.do("/nick maximilian")
        weechat.sees("You are now known as maximilian")
        weechat.do("back again")
        team.olga.see("back again")
        shown = weechat.shown()
        assert [shown.count(each) for each in ("hello from the prompt", "nobody carries", "back again")] == [1, 1, 1]
    assert re.fullmatch("[a-z2-7]{29}", team.says("irc", "password"))
    lost = team.says("irc", "password", "--for", "ida", "--data", str(team.folder / "d"))
    assert come_in(team.gateway.plain, "somebody", lost)[0] == "ida"
