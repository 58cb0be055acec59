"""`zchat mcp` as a process, and what it survives: a broker that is away, its own kill, hosts that come over HTTP."""

import asyncio
import functools
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.conftest import PATIENCE, ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.gateways.mcp.hosts import Host, Refused, pid_of, started, until
from tests.integration.test_cli_network import owner_link
from zchat.cli import mcp as command
from zchat.client.client import ChatClient
from zchat.errors import UsageError
from zchat.gateways.mcp import session
from zchat.gateways.mcp.bounds import Bounds
from zchat.gateways.mcp.server import build
from zchat.gateways.mcp.session import Agent

LONG = 4 * PATIENCE  # seconds that an agent waits here for a broker: one that is started takes a while

Environment = dict[str, str]


def texts_of(zchat: RunZchat, broker: Broker, room: str = "general") -> list[str]:
    """Return what the broker's log has of a room."""
    found = zchat("history", "-n", "200", "--json", "-r", room, broker=broker)
    return [json.loads(line)["text"] for line in found.out.splitlines()]


def test_a_killed_gateway_is_started_anew_and_says_nothing_twice(
    broker: Broker, environment: Environment, zchat: RunZchat
) -> None:
    where = ("--broker", broker.listen, "--per-minute", "6000")

    async def before() -> None:
        async with started(environment, *where, tag="first") as host:
            await host.call("say", room="general", text="message 0", key="0")
            calls = [host.call("say", room="general", text=f"message {n}", key=f"{n}") for n in range(1, 20)]
            asked = host.call("ask_human", room="general", question="go on?", key="q", seconds=300)
            waiting = [asyncio.create_task(call) for call in (*calls, asked)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            os.kill(pid_of("first"), signal.SIGKILL)
            async with asyncio.timeout(PATIENCE):
                ended = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(ended[-1], MCPError), "its host is told that it is gone"

    async def after() -> list[bool]:
        async with started(environment, *where) as host:
            done = [await host.call("say", room="general", text=f"message {n}", key=f"{n}") for n in range(20)]
            question = await host.call("ask_human", room="general", question="go on?", key="q", seconds=0)
            async with ChatClient("alice", broker.listen) as alice:
                await alice.say("helper: yes", room="general")
            found = await host.call("ask_human", seq=question["question"])
            assert found["answer"]["text"] == "helper: yes"
            return [each.get("duplicate", False) for each in done]

    asyncio.run(before())
    duplicates = asyncio.run(after())
    assert duplicates[0], "what was said before the kill is known by its key"
    said = texts_of(zchat, broker)
    assert sorted(said) == sorted([*(f"message {n}" for n in range(20)), "go on?", "helper: yes"])


async def patiently(host: Host, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool, and again if the broker is not back before the gateway has waited for it as long as it does."""
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            return await host.call(tool, **arguments)
        except Refused as refused:
            if refused.code not in {"away", "pending"} or clock() - began < session.PATIENCE - 1.0:
                raise


def test_a_restart_of_the_broker_is_waited_for_and_what_is_said_meanwhile_is_said_once(
    broker: Broker, environment: Environment, zchat: RunZchat
) -> None:
    async def agent() -> None:
        async with started(environment, "--broker", broker.listen) as host:
            start = (await host.call("rooms"))["rooms"][0].get("cursor", "0.")
            broker.kill()
            calls = [
                asyncio.create_task(patiently(host, "say", room="general", text="meanwhile", key="1")),
                asyncio.create_task(host.call("wait_for", what="mention", seconds=300)),
                asyncio.create_task(patiently(host, "read", room="general")),
            ]
            await asyncio.to_thread(broker.restart)
            said, _, read = await calls[0], start, await calls[2]
            assert (said["seq"], isinstance(read["messages"], list)) == (1, True)
            async with ChatClient("alice", broker.listen) as alice:
                while not calls[1].done():  # when it goes on waiting is not told
                    await alice.say("helper: you are back", room="general")
                    await asyncio.wait([calls[1]], timeout=0.1)
            assert (await calls[1])["messages"][0]["text"] == "helper: you are back"

    asyncio.run(agent())
    assert texts_of(zchat, broker).count("meanwhile") == 1


@asynccontextmanager
async def beside(broker: Broker, audit: Path) -> AsyncIterator[tuple[Host, Agent]]:
    """Run an agent in this process, and a host that has it; the broker may be away."""
    connect = functools.partial(ChatClient, "helper", broker.listen, bot=True, timeout=PATIENCE)
    server, running = build(Bounds(("general",)), "helper", audit, connect)
    running.patience = LONG
    task = asyncio.create_task(running.run())
    try:
        async with Client(server) as client:
            yield Host(client), running
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_tool_says_so_where_the_broker_stays_away(broker: Broker, audit: Path, zchat: RunZchat) -> None:
    async def agent() -> None:
        broker.kill()
        async with beside(broker, audit) as (host, running):
            running.patience = 0.05
            assert (await host.refusal("say", room="general", text="hi", key="1")).code == "away"
            await asyncio.to_thread(broker.restart)
            running.patience = LONG
            await host.call("say", room="general", text="first", key="1")
            cursor = (await host.call("read", room="general"))["cursor"]
            broker.kill()
            await until(lambda: not running.client.online)
            running.patience = 0.05
            waiting = asyncio.create_task(host.texts("wait_for", what="any", since=cursor, seconds=300))
            await until(lambda: '"wait_for"' in audit.read_text())
            pending = await host.refusal("say", room="general", text="hello", key="2")
            assert (pending.code, "not stored yet" in str(pending)) == ("pending", True)
            away = await host.refusal("read", room="general")
            assert (away.code, "cannot be reached" in str(away)) == ("away", True)
            await asyncio.to_thread(broker.restart)
            running.patience = LONG
            assert (await host.call("say", room="general", text="hello", key="2"))["duplicate"]
            async with ChatClient("alice", broker.listen) as alice, asyncio.timeout(PATIENCE):
                await alice.say("back?", room="general")
                assert await waiting == ["back?"], "who waits goes on waiting"

    asyncio.run(agent())
    assert texts_of(zchat, broker) == ["first", "hello", "back?"]


def test_a_cursor_of_a_log_that_went_back_is_told_as_such(broker: Broker, audit: Path) -> None:
    async def agent() -> None:
        async with beside(broker, audit) as (host, _):
            await host.call("say", room="general", text="first", key="1")
            broker.kill()
            copy = broker.folder / "copy"
            shutil.copytree(broker.data, copy)
            await asyncio.to_thread(broker.restart)
            await host.call("say", room="general", text="second", key="2")
            cursor = (await host.call("read", room="general"))["cursor"]
            waiting = asyncio.create_task(host.refusal("wait_for", what="any", since=cursor, seconds=300))
            await until(lambda: '"wait_for"' in audit.read_text())
            broker.kill()
            shutil.rmtree(broker.data)
            copy.rename(broker.data)
            await asyncio.to_thread(broker.restart)
            async with asyncio.timeout(PATIENCE):
                assert (await waiting).code == "stale_cursor", "what is new would be missed"
            assert (await host.refusal("read", room="general", since=cursor)).code == "stale_cursor"
            assert await host.texts("read", room="general") == ["first"]

    asyncio.run(agent())


def test_it_is_a_member_of_its_own_where_the_broker_has_a_key(
    start_broker: StartBroker, environment: Environment, tmp_path: Path
) -> None:
    broker = start_broker(listen="zchat://127.0.0.1:0")

    async def invited() -> str:
        async with ChatClient("alice", owner_link(broker), identity=tmp_path / "alice.key") as alice:
            return f"{alice.link}/{(await alice.administration.invite()).code}"

    link = asyncio.run(invited())

    async def comes_in(*args: str) -> dict[str, Any]:
        async with started(environment, *args) as host:
            await host.call("say", room="general", text="hello", key="1")
            return await host.call("rooms")

    first = asyncio.run(comes_in("--invite", link))
    assert (first["nick"], first["role"]) == ("helper", "member")
    assert asyncio.run(comes_in("--invite", link)) == first, "a used link does no harm in a host's settings"
    again = asyncio.run(comes_in())
    assert (again["nick"], again["role"]) == ("helper", "member"), "it goes back there by itself, with its own key"
    home = Path(environment["ZCHAT_DATA"]) / "mcp"
    assert {path.stat().st_mode & 0o777 for path in home.iterdir()} == {0o600}
    assert (home / "helper.key").exists()


# -- over HTTP


@contextmanager
def served(environment: Environment, broker: Broker, *args: str) -> Iterator[tuple[str, str]]:
    """Serve an agent over HTTP; return the address and the token."""
    line = (*ZCHAT, "mcp", "--nick", "helper", "--broker", broker.listen, "--http", "127.0.0.1:0", *args)
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        token = Path(environment["ZCHAT_DATA"]) / "mcp" / "helper.token"
        assert token.exists(), "whoever knows the address finds the token"
        yield url, token.read_text().strip()
        process.terminate()
        assert process.wait(PATIENCE) == 0


def status(url: str, **headers: str) -> int:
    """Return how a POST without a meaning is answered."""
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"} | headers
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, sent), timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_an_agent_over_http_needs_the_token(broker: Broker, environment: Environment, zchat: RunZchat) -> None:
    async def agent(url: str, token: str) -> None:
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
        async with http, Client(streamable_http_client(url, http_client=http)) as client:
            host = Host(client)
            await host.call("say", room="general", text="over HTTP", key="1")
            assert await host.texts("read", room="general") == ["over HTTP"]
            waiting = asyncio.create_task(host.call("ask_human", room="general", question="ok?", key="2"))
            async with ChatClient("alice", broker.listen) as alice:
                await alice.say("helper: ok", room="general")
                while not waiting.done():
                    await alice.say("helper: ok", room="general")
                    await asyncio.wait([waiting], timeout=0.1)
            assert (await waiting)["answer"]["text"] == "helper: ok"

    with served(environment, broker, "--url", "https://agents.example.org") as (url, token):
        ours = {"Authorization": f"Bearer {token}"}
        port = url.split(":")[2].split("/")[0]
        assert status(url) == status(url, Authorization="Bearer wrong") == status(url, Authorization=token) == 401
        assert status(url, **ours, Host="evil.example") == 421
        assert status(url, **ours, Host=f"evil.example:{port}") == 421
        assert status(url, **ours, Origin="https://evil.example") == status(url, **ours, Origin="null") == 403
        assert status(url, **ours, Origin=f"http://localhost:{int(port) - 1}") == 403
        for own in ({"Origin": f"http://127.0.0.1:{port}"}, {"Host": "agents.example.org"}):
            assert status(url, **ours, **own) not in {401, 403, 421}
        asyncio.run(agent(url, token))
        with socket.create_connection(("127.0.0.1", int(port)), PATIENCE) as raw, suppress(ConnectionError):
            raw.sendall(f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            raw.sendall(b"1\r\nx\r\n" * 500_000)  # each would hold up an agent's calls
            while raw.recv(65_536):
                pass
        token_file = Path(environment["ZCHAT_DATA"]) / "mcp" / "helper.token"
        assert token_file.stat().st_mode & 0o777 == 0o600
    assert "over HTTP" in texts_of(zchat, broker)


# -- the command


@pytest.fixture
def loggers() -> Iterator[None]:
    """Put the loggers back as they were: the command is called in this process."""
    names = (None, "mcp", "uvicorn", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}
    before = logging.getLogger().handlers[:]
    yield
    for handler in logging.getLogger().handlers[:]:
        if handler not in before:
            logging.getLogger().removeHandler(handler)
            handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--may", "read,sudo"), "name some of read, say, react, ask"),
        (("--http", "0.0.0.0:0"), "must not travel without TLS"),
        (("--http", "example"), "Write HOST:PORT or PORT, as in 127.0.0.1:8090"),
        (("--http", "127.0.0.1:0", "--url", "http://agents.example.org"), "write it as https://"),
        (("--url", "https://agents.example.org"), "give both"),
        (("--per-minute", "0"), "not in the range 1 to 6000"),
        (("--invite", "zchat://x", "--broker", "tcp://127.0.0.1:1"), "exclude each other"),
    ],
)
@pytest.mark.usefixtures("loggers")
def test_a_wrong_call_is_told(args: tuple[str, ...], told: str, tmp_path: Path) -> None:
    try:
        command.mcp.main(
            ["--nick", "helper", "--data", str(tmp_path), "--log-dir", str(tmp_path), *args], standalone_mode=False
        )
    except (UsageError, click.ClickException) as error:
        assert told in getattr(error, "message", str(error))  # noqa: PT017 — of two kinds
    else:
        pytest.fail("it was not refused")


def test_it_ends_when_it_is_asked_to_and_there_is_one_of_it(
    broker: Broker, environment: Environment, zchat: RunZchat
) -> None:
    line = (*ZCHAT, "mcp", "--nick", "helper", "--broker", broker.listen)
    lock = Path(environment["ZCHAT_DATA"]) / "mcp" / "helper.outbox.lock"
    with subprocess.Popen(line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wait_for(lambda: lock.exists() and lock.read_text().strip() == str(process.pid), "it to have its files")
        second = zchat("mcp", "--nick", "helper", broker=broker)
        assert (second.code, f"is in use by process {process.pid}" in second.err) == (74, True)
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_without_the_sdk_it_says_what_to_install(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ImportError\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from zchat.cli import run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        (sys.executable, "-c", code, "mcp", "--nick", "helper"), env=environment, capture_output=True, text=True,
        check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2,
        "zchat: Agents need mcp, which is not installed: pip install 'zchat-zmq[mcp]'.\n",
    )
