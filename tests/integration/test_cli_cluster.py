"""`zchat cluster`, as one types it: folders, nodes, and how all are."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.machines import needs_nodes, ports
from tests.conftest import ZCHAT, Result, RunZchat, wait_for
from zchat.broker.cluster import node
from zchat.broker.cluster.folder import Folder, Machine, read


@pytest.fixture
def first() -> Iterator[Machine]:
    with ports() as reserved:
        yield reserved


@pytest.fixture
def three(zchat: RunZchat, first: Machine, tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a cluster of three machines; its nodes are stopped at the end."""
    where = tmp_path / "team"
    made = zchat("cluster", "init", str(where), *(f"{name}=127.0.0.1" for name in "abc"), *options(first))
    assert made.code == 0, made.err
    yield where
    for folder in machines(where).values():
        node.stop(folder)


def options(first: Machine) -> list[str]:
    each = {"--port": first.broker, "--node-port": first.node, "--route-port": first.routes}
    return [text for name, port in each.items() for text in (name, str(port))]


def machines(where: Path) -> dict[str, Folder]:
    return {each.parent.name: read(each.parent) for each in where.glob("*/cluster.json")}


def test_what_to_do_next_is_told(zchat: RunZchat, tmp_path: Path) -> None:
    team = str(tmp_path / "team")
    made = zchat("cluster", "init", team, "a=10.0.0.1", "b=10.0.0.2", "c=10.0.0.3")
    assert (made.code, made.err) == (0, "")
    for line in (f"scp -rp {team}/a 10.0.0.1:a", "zchat broker --cluster a ", "zchat broker --cluster c "):
        assert line in made.out
    assert "cannot survive" not in made.out
    two = zchat("cluster", "init", str(tmp_path / "two"), "a=10.0.0.1", "b=10.0.0.2")
    assert "Two machines cannot survive the loss of either." in two.out
    one = zchat("cluster", "init", str(tmp_path / "one"), "a=127.0.0.1")
    assert f"zchat broker --cluster {tmp_path}/one/a" in one.out
    assert "scp" not in one.out
    more = zchat("cluster", "add", team, "d=10.0.0.4", "--without", "c")
    assert (more.code, more.err) == (0, "")
    for line in (f"scp -rp {team}/d", f"{team}/a/cluster.json  to 10.0.0.1", f"zchat cluster leave c {team}"):
        assert line in more.out
    assert f"{team}/c/cluster.json" not in more.out


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("init", "TEAM", "a=10.0.0.1"), 2, "is there already, and nothing in it was touched"),
        (("init", "NEW", "a"), 2, "Write NAME=HOST"),
        (("init", "NEW"), 2, "Missing argument"),
        (("add", "TEAM"), 2, "Say which machine"),
        (("add", "TEAM", "a=10.0.0.9"), 2, "two machines a"),
        (("add", "TEAM/a", "d=10.0.0.9"), 2, "is not the folder that `zchat cluster init` made"),
        (("status", "NEW"), 74, "there is no cluster.json in it"),
        (("status", "TEAM"), 69, "does not answer"),
        (("status", "nats://"), 2, "is no address of NATS"),
        (("status", "TEAM", "--creds", "x"), 2, "are for nats://"),
        (("stop", "TEAM"), 2, "is the folder of the whole cluster. Give that of a machine"),
        (("leave", "c", "TEAM"), 69, "does not answer"),
        (("leave", "c", "nats://127.0.0.1:1"), 2, "is yours to change"),
    ],
)
@needs_nodes
def test_mistakes_are_told_in_a_sentence(
    zchat: RunZchat, three: Path, args: tuple[str, ...], code: int, told: str
) -> None:
    new = str(three.with_name("new"))
    result = zchat("cluster", *(each.replace("TEAM", str(three)).replace("NEW", new) for each in args))
    assert (result.code, told in result.err) == (code, True), result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(("library", "args"), [("nats", ("status", "TEAM")), ("cryptography", ("init", "NEW", "a=b"))])
def test_without_the_extra_a_sentence_says_how_to_install_it(
    zchat: RunZchat, environment: dict[str, str], tmp_path: Path, library: str, args: tuple[str, ...]
) -> None:
    team = tmp_path / "team"
    assert zchat("cluster", "init", str(team), "a=127.0.0.1").code == 0
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        f"import sys\nclass No:\n def find_spec(self, name, path=None, target=None):\n"
        f"  if name.partition('.')[0] == '{library}': raise ModuleNotFoundError(name, name=name)\n"
        f"sys.meta_path.insert(0, No())\n"
    )
    environment["PYTHONPATH"] = str(hidden)
    found = zchat("cluster", *(each.replace("TEAM", str(team)).replace("NEW", str(tmp_path / "new")) for each in args))
    assert found.code == 2
    assert "pip install 'zchat-zmq[cluster]'" in found.err


@needs_nodes
def test_a_node_runs_in_the_foreground_until_sigterm(three: Path, environment: dict[str, str], zchat: RunZchat) -> None:
    folder = machines(three)["a"]
    command = (*ZCHAT, "cluster", "node", str(folder.path))
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        wait_for(lambda: node.answers(folder), "the node")
        assert node.running(folder) == process.pid
        again = zchat("cluster", "node", str(folder.path))
        assert (again.code, f"in use by process {process.pid}" in again.err) == (74, True), again.err
        assert zchat("cluster", "stop", str(folder.path)).err == "zchat: the node has ended\n"
        told = process.stderr.read().decode() if process.stderr else ""
    assert "Server is ready" in told
    assert process.returncode == 0
    assert zchat("cluster", "stop", str(folder.path)).err == "zchat: no node runs there\n"


def status(zchat: RunZchat, where: Path) -> dict[str, dict[str, str]]:
    """Return the states of nodes and brokers, by their names."""
    found = json.loads(told(zchat, where).out)
    return {kind: {each["name"]: each["state"] for each in found[kind]} for kind in ("nodes", "brokers")}


def told(zchat: RunZchat, where: Path) -> Result:
    return zchat("cluster", "status", str(where), "--json")


@needs_nodes
def test_a_machine_takes_the_place_of_another_one(zchat: RunZchat, three: Path, first: Machine) -> None:
    each = machines(three)
    for folder in each.values():
        node.ensure(folder)
    leave = ("cluster", "leave")
    wait_for(lambda: "c runs. Stop it first" in zchat(*leave, "c", str(three), "--yes").err, "three nodes that are led")
    pid = node.running(each["c"])
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: status(zchat, three)["nodes"] == {"a": "here", "b": "here", "c": "away"}, "the loss to be seen")
    assert zchat("cluster", "add", str(three), "d=127.0.0.1", "--without", "c", *options(first)).code == 0
    node.ensure(read(three / "d"))
    wait_for(lambda: zchat(*leave, "c", str(three), "--yes").code == 0, "the node to leave, once the others are led")
    wait_for(lambda: status(zchat, three)["nodes"] == {"a": "here", "b": "here", "d": "here"}, "the fourth to be seen")
    again = zchat(*leave, "c", str(three), "--yes")
    assert "There is no node c. There are: a, b" in again.err
