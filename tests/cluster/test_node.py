"""Nodes as processes: they find each other, let nobody else in, and live and die on their own."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.machines import machines, needs_nodes
from tests.conftest import wait_for
from zchat.broker.cluster import node, node_settings
from zchat.broker.cluster.folder import Folder

pytestmark = needs_nodes


@pytest.fixture
def three(tmp_path: Path) -> Iterator[dict[str, Folder]]:
    with machines(tmp_path / "team") as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Folder]:
    with machines(tmp_path / "team", ("a",)) as made:
        yield made["a"]


def ask(folder: Folder, subject: str, many: int = 1, **who: Any) -> list[bytes]:
    """Return the answers to a question by one who has the folder's certificate; as many as come, up to `many`."""
    import nats  # noqa: PLC0415 - an extra
    from nats.errors import NoRespondersError, TimeoutError  # noqa: A004, PLC0415 - an extra

    async def asked() -> list[bytes]:
        server = f"tls://127.0.0.1:{folder.me.node}"
        client = await nats.connect(server, tls=folder.tls(), allow_reconnect=False, **who)
        answers = await client.subscribe("answers")
        await client.publish(subject, b"", reply="answers")
        found: list[bytes] = []
        try:
            while len(found) < many:
                found.append((await answers.next_msg(1.0)).data)
        except (NoRespondersError, TimeoutError):
            pass  # no more
        finally:
            await client.close()
        return found

    return asyncio.run(asked())


def told_by(connection: ssl.SSLSocket) -> bytes:
    """Return what comes until the other side hangs up, or has answered."""
    found = b""
    with contextlib.suppress(OSError):  # it says why, as an alert
        while b"PONG" not in found and (more := connection.recv(4096)):
            found += more
    return found


def test_three_nodes_are_a_cluster_which_syncs_always_and_one_may_be_killed(three: dict[str, Folder]) -> None:
    for folder in three.values():
        assert node.ensure(folder)
        assert not node.ensure(folder)

    def together() -> bool:
        told = ask(three["a"], "$SYS.REQ.SERVER.PING.JSZ", 3, user="system", password="system")
        return len(told) == 3 and all(b'"sync_always":true' in each for each in told)

    wait_for(together, "three nodes that know each other")
    wait_for(lambda: ask(three["b"], "$JS.API.INFO"), "a leader")
    before = node.running(three["c"])
    assert before
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: node.running(three["c"]) is None, "the end of a node")
    assert node.ensure(three["c"])
    assert node.running(three["c"]) not in {None, before}
    wait_for(together, "the third to be back")
    assert node.stop(three["a"])
    assert node.running(three["a"]) is None
    assert not node.stop(three["a"])


def test_nobody_comes_in_without_a_certificate(one: Folder, tmp_path: Path) -> None:
    node.ensure(one)
    assert ask(one, "$JS.API.INFO")
    without = ssl.create_default_context(cafile=one.path / "ca.crt")
    with socket.create_connection(("127.0.0.1", one.me.node)) as connection:
        while connection.recv(1) != b"\n":
            pass
        with without.wrap_socket(connection, server_hostname="127.0.0.1") as secure:
            secure.sendall(b"CONNECT {}\r\nPING\r\n")
            assert b"PONG" not in told_by(secure)
    with machines(tmp_path / "others", ("a",)) as others:
        stranger = Folder(others["a"].path, one.settings)
        with pytest.raises(node.NodeError, match="answers another server"):
            node.ensure(stranger)


def test_what_a_node_writes_is_private(one: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_settings, "LOG_MAX", 1_000)  # bytes: it begins another file
    before = os.umask(0)
    try:
        node.ensure(one)
        ask(one, "$JS.API.STREAM.NAMES")
    finally:
        os.umask(before)
    written = list(one.path.rglob("*"))
    assert len(list(one.path.glob("node.log*"))) > 1
    assert {path.name for path in written} >= {"node.log", "nats.conf", "stream", "jetstream"}
    assert [str(path) for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_node_outlives_who_started_it_and_is_not_started_twice(one: Folder) -> None:
    code = f"""
from pathlib import Path
from zchat.broker.cluster import folder, node
print(node.ensure(folder.read(Path({str(one.path)!r}))))
"""
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    assert [each.communicate()[0].strip() for each in both]
    assert [each.returncode for each in both] == [0, 0]
    pid = node.running(one)
    assert pid
    assert os.getsid(pid) not in {os.getsid(0), *(each.pid for each in both)}
    assert (one.path / "node.log").read_text().count("Starting nats-server") == 1


def test_a_port_that_somebody_else_has_is_told(one: Folder) -> None:
    with socket.create_server(("127.0.0.1", one.me.node)) as other:
        other.settimeout(0)
        with pytest.raises(node.NodeError, match="not of NATS"):
            node.ensure(one)
    node.ensure(one)
    (one.path / "node.lock").unlink()
    with pytest.raises(node.NodeError, match="was not started from this folder"):
        node.stop(one)
    os.kill(process_in(one.path), signal.SIGTERM)
    wait_for(lambda: not node.answers(one), "the end of the node")


def test_a_node_that_is_stopped_has_not_answered_and_is_nobody_else(one: Folder) -> None:
    node.ensure(one)
    pid = process_in(one.path)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(node.NodeError, match="has not answered"):
            node.ensure(one, patience=0.1)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not node.ensure(one)


def test_what_the_server_says_is_told_when_it_does_not_start(one: Folder) -> None:
    (one.path / "node.crt").write_text("nothing")
    with pytest.raises(node.NodeError, match=r"does not start: .*(certificate|x509|tls).*Its log is"):
        node.ensure(one)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo nats-server: v2.14.6", "it is version 2.14. Install one from 2.15 on"),
        ("echo hello", "it does not tell its version"),
        (None, "no such file or directory"),
    ],
)
def test_a_server_that_cannot_be_used_is_told(
    one: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, told: str
) -> None:
    path = tmp_path / "nats-server"
    if script is not None:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
    monkeypatch.setenv("ZCHAT_NATS_SERVER", str(path))
    with pytest.raises(node.BadServerError) as caught:
        node.ensure(one)
    assert told in str(caught.value).replace("No such", "no such")


def process_in(where: Path) -> int:
    """Return the process that works in a folder."""
    (found,) = [each.pid for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(where.resolve())]
    return found
