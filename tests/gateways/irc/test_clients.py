"""Real clients of IRC at a real gateway process: WeeChat without a screen, and irssi in a terminal.

WeeChat takes commands through a pipe, and its log files tell what it shows. A client that is not installed is skipped.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import RunZchat, StartBroker, wait_for
from tests.gateways.irc.process import Gateway
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
  type = "IRC"; sasl_mechanism = "PLAIN"; sasl_username = "max"; sasl_password = "{password}";
}}; }};
channels = ({{ name = "#dev"; chatnet = "z"; autojoin = "yes"; }});
settings = {{ core = {{ nick = "max"; server_reconnect_time = "10s"; }}; }};
""")
    command = [IRSSI or "", f"--home={home}"]
    with Terminal(command=command, env=env | {"LC_ALL": "C.UTF-8"}, columns=100) as terminal:
        yield terminal


class Team:
    """A broker with keys, its owner at the prompt, the gateway, and an invitation for somebody with a client."""

    def __init__(self, link: str, zchat: RunZchat, folder: Path, env: dict[str, str]) -> None:
        self.link, self.zchat, self.folder, self.env = without_code(link), zchat, folder, env
        self.olga = Terminal("join", link, "--nick", "olga", "--room", "dev", env=env, columns=100)
        self.olga.see("#dev")
        self.gateway = Gateway(self.link, folder, env)

    def code(self) -> str:
        found = self.zchat("invite", "--broker", self.link)
        assert found.code == 0, found.err
        return found.out.splitlines()[0].strip().rpartition("/")[2]

    def close(self) -> None:
        self.gateway.stop()
        self.olga.__exit__(None, None, None)


@pytest.fixture
def team(start_broker: StartBroker, zchat: RunZchat, tmp_path: Path, environment: dict[str, str]) -> Iterator[Team]:
    broker = start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")
    with closing(Team(owner_link(broker), zchat, tmp_path, environment)) as found:
        yield found


@pytest.mark.skipif(WEECHAT is None, reason="weechat-headless is not installed")
def test_weechat_talks_and_comes_back_to_a_gateway_that_was_killed(team: Team) -> None:
    with closing(WeeChat(team.folder, team.gateway.plain, team.code(), tls=False)) as weechat:
        weechat.sees("has joined #dev")
        team.olga.enter("hello from the prompt")
        weechat.sees("olga\thello from the prompt")
        weechat.do("hello from weechat")
        team.olga.see("hello from weechat")
        weechat.do("/msg olga psst")
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
        team.olga.see("maximilian")
        team.olga.see("back again")
        shown = weechat.shown()
        assert [shown.count(each) for each in ("hello from the prompt", "nobody carries", "back again")] == [1, 1, 1]


@pytest.mark.skipif(IRSSI is None, reason="irssi is not installed")
def test_irssi_talks_by_tls(team: Team) -> None:
    with irssi(team.folder, team.gateway.secure, team.code(), team.env) as terminal:
        terminal.see("[Act: 2]")
        terminal.enter("/window goto 2")
        terminal.see("Irssi: #dev: Total of 2 nicks")
        team.olga.enter("hello from the prompt")
        terminal.see("<~olga> hello from the prompt")
        terminal.enter("hello from irssi")
        terminal.see("<+max> hello from irssi")
        team.olga.see("hello from irssi")
        terminal.enter("/nick maximilian")
        terminal.see("You're now known as maximilian")
        terminal.enter("/msg olga psst")
        team.olga.see("psst")
        made = team.zchat("irc", "password", "--broker", team.link)
        assert made.code == 0, made.err
        assert re.fullmatch("[a-z2-7]{29}\n", made.out)
