"""`zchat hook`: in a shell, on brokers with and without keys."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ZCHAT, Broker, RunZchat, StartBroker
from tests.gateways.web.browser import ipc_of
from tests.integration.test_cli_network import owner_link

from .conftest import Gateway, post


@pytest.fixture
def encrypted(start_broker: StartBroker, zchat: RunZchat) -> Broker:
    """Return a broker that lets in only who has a key, at which one is alice, its owner."""
    broker = start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")
    link = owner_link(broker)
    assert zchat("join", link, "--nick", "alice").code == 0
    broker.listen = link.rpartition("/")[0]
    return broker


class Web(Gateway):
    """`zchat web` itself."""

    def start(self) -> "Web":
        command = (*ZCHAT, "web", "--listen", f"127.0.0.1:{self.port}", "--broker", self.broker.listen)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=self.environment, text=True)
        assert self.process.stdout is not None
        page = self.process.stdout.readline()
        assert page.startswith("page http://"), "how it begins"
        self.port = int(page.strip().rpartition(":")[2])
        return self


@pytest.fixture
def web(environment: dict[str, str], broker: Broker) -> Iterator[Web]:
    """Return a running `zchat web`."""
    web = Web(environment, broker).start()
    yield web
    web.stop()
    assert web.process.returncode == 0


def test_a_hook_is_made_used_listed_and_removed(web: Web, zchat: RunZchat) -> None:
    broker = web.broker
    made = zchat("hook", "new", "--room", "builds", "--nick", "ci", broker=broker)
    assert made.code == 0, made.err
    (address,) = made.out.splitlines()
    assert re.fullmatch(rf"http://localhost:{web.port}/hook/[\w-]+", address), "where the server says that it is"
    (curl,) = (line.split(": ", 2)[2] for line in made.err.splitlines() if "try it" in line)
    assert curl == f"curl -d 'It works.' {address}"
    if shutil.which("curl"):
        done = subprocess.run(f"{curl} -s", shell=True, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == "ok"
    else:
        assert post(address, b"It works.").text == "ok"
    assert web.log("builds") == [("ci", "It works.")]
    (line,) = zchat("hook", "list", "--json").out.splitlines()
    found = json.loads(line)
    assert (found["nick"], found["room"], found["kind"], found["signed"]) == ("ci", "builds", "auto", False)
    assert zchat("hook", "list").out.startswith(f"{found['id']}  ci in builds ")
    assert zchat("hook", "remove", found["id"]).code == 0
    assert post(address).status_code == 404
    again = zchat("hook", "remove", found["id"])
    assert (again.code, "zchat hook list" in again.err) == (2, True)
    private = zchat("hook", "new", "--room", "+ops", "--nick", "ci", broker=broker)
    assert (private.code, "a guest" in private.err) == (2, True)
    assert zchat("announce", "on", "--room", "news", "--broker", ipc_of(web.environment)).code == 0
    read_only = zchat("hook", "new", "--room", "news", "--nick", "ci", broker=broker)
    assert (read_only.code, "read-only" in read_only.err) == (2, True)

    token = address.rpartition("/")[2].encode()
    paths = [path for path in Path(web.environment["HOME"]).rglob("*") if path.is_file()]
    assert web.folder / "hooks.toml" in paths
    assert not [path for path in paths if token in path.read_bytes()], "nobody finds it in a file"
    ours = [path for path in web.folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in ours} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (web.folder, web.folder / "bots")} == {0o700}


def test_where_members_are_known_the_bot_is_one_and_is_let_in(
    encrypted: Broker, environment: dict[str, str], zchat: RunZchat
) -> None:
    assert zchat("private", "ops", broker=encrypted).code == 0
    gateway = Gateway(environment, encrypted).start()

    def new(room: str, nick: str = "ci") -> str:
        made = zchat("hook", "new", "--room", room, "--nick", nick, "--url", gateway.url, broker=encrypted)
        assert made.code == 0, made.err
        return made.out.strip()

    def said(room: str) -> list[tuple[str, str]]:
        lines = zchat("tail", "--all", "--json", "--room", room, broker=encrypted).out.splitlines()
        return [(line["nick"], line["text"]) for line in map(json.loads, lines)]

    invitation = zchat("invite", broker=encrypted).out.splitlines()[0]
    nobody = {"ZCHAT_IDENTITY": str(gateway.folder / "nobody.key")}
    refused = zchat("hook", "new", "--nick", "bot", "--broker", invitation, env=nobody)
    assert (refused.code, "zchat join LINK" in refused.err) == (2, True)

    try:
        public, private = new("builds"), new("+ops")
        assert new("+ops") != private, "for another sender: the bot is let in already"
        assert (post(public, b"open").status_code, post(private, b"secret").status_code) == (200, 200)
        assert (said("builds"), said("+ops")) == ([("ci", "open")], [("ci", "secret")])
        assert post(new("+ops", "alerts"), b"invited").status_code == 200
        assert zchat("announce", "on", "--room", "news", broker=encrypted).code == 0
        made = zchat("hook", "new", "--room", "news", "--nick", "ci", "--url", gateway.url, broker=encrypted)
        (told,) = (line for line in made.err.splitlines() if "read-only" in line)
        assert post(made.out.strip(), b"hush").status_code == 403
        assert zchat(*told.rpartition(": zchat ")[2].split(), broker=encrypted).code == 0
        assert post(made.out.strip(), b"news").status_code == 200
        members = [line.split()[:2] for line in zchat("members", broker=encrypted).out.splitlines()]
        assert sorted(members) == [["alerts", "member"], ["alice", "owner"], ["ci", "member"]], "two hooks have one bot"
        taken = zchat("hook", "new", "--nick", "alice", broker=encrypted)
        assert (taken.code, "alice" in taken.err) == (1, True)
        assert zchat("ban", "ci", broker=encrypted).code == 0
        assert post(public).status_code == 403
    finally:
        gateway.stop()
