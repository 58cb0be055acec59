"""`zchat cluster`, as one types it: folders, nodes, and how all are."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.machines import machines, needs_nodes, ports
from tests.conftest import ZCHAT, RunZchat, StartBroker, wait_for
from tests.integration.machines import Machines, options, some
from zchat.broker.cluster import node


@pytest.fixture
def cluster(zchat: RunZchat, environment: dict[str, str], tmp_path: Path) -> Iterator[Machines]:
    """Return a cluster of three machines, of which nothing runs yet."""
    with some(zchat, environment, tmp_path / "team") as machines:
        yield machines


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a cluster of which nothing runs."""
    with machines(tmp_path / "team"):
        yield tmp_path / "team"


def test_what_to_do_next_is_told(zchat: RunZchat, tmp_path: Path) -> None:
    team = str(tmp_path / "team")
    made = zchat("cluster", "init", team, "a=10.0.0.1", "b=10.0.0.2", "c=10.0.0.3")
    assert (made.code, made.err) == (0, "")
    for line in (f"scp -rp {team}/a 10.0.0.1:a", "zchat broker --cluster a ", "zchat broker --cluster c "):
        assert line in made.out
    assert "cannot survive" not in made.out
    assert "a link for the owner" in made.out
    told = zchat("key", "--data", f"{team}/b")
    assert "link zchat://10.0.0.1,10.0.0.2,10.0.0.3/" in told.out
    assert told.err == "", "it is known where all are"
    two = zchat("cluster", "init", str(tmp_path / "two"), "a=10.0.0.1", "b=10.0.0.2")
    assert "Two machines cannot survive the loss of either." in two.out
    one = zchat("cluster", "init", str(tmp_path / "one"), "a=127.0.0.1")
    assert f"zchat broker --cluster {tmp_path}/one/a" in one.out
    assert "scp" not in one.out
    alone = zchat("cluster", "add", str(tmp_path / "one"), "b=127.0.0.1")
    assert (alone.code, f"--from {tmp_path}/one/a/data" in alone.err) == (2, True), alone.err
    assert zchat("cluster", "init", str(tmp_path / "near"), "a=127.0.0.1", "b=127.0.0.1").code == 0
    here = zchat("cluster", "add", str(tmp_path / "near"), "c=127.0.0.1")
    assert "start their brokers again" in here.out
    assert "cluster.json  to" not in here.out
    more = zchat("cluster", "add", team, "d=10.0.0.4", "--without", "c")
    assert (more.code, more.err) == (0, "")
    for line in (f"scp -rp {team}/d", f"{team}/a/cluster.json  to 10.0.0.1", f"zchat cluster leave c {team}"):
        assert line in more.out
    assert "a link for the owner" not in more.out
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
        (("leave", "c", "nats://127.0.0.1:1"), 2, "is yours to change"),
    ],
)
@needs_nodes
def test_mistakes_are_told_in_a_sentence(
    zchat: RunZchat, team: Path, args: tuple[str, ...], code: int, told: str
) -> None:
    new = str(team.with_name("new"))
    result = zchat("cluster", *(each.replace("TEAM", str(team)).replace("NEW", new) for each in args))
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
def test_a_node_runs_in_the_foreground_until_sigterm(
    cluster: Machines, environment: dict[str, str], zchat: RunZchat
) -> None:
    folder = cluster.folder("a")
    command = (*ZCHAT, "cluster", "node", folder.path.name)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, cwd=cluster.where) as process:
        wait_for(lambda: node.answers(folder), "the node")
        assert node.running(folder) == process.pid
        again = zchat("cluster", "node", str(folder.path))
        assert (again.code, f"in use by process {process.pid}" in again.err) == (74, True), again.err
        assert zchat("cluster", "stop", str(folder.path)).err == "zchat: the node has ended\n"
        told = process.stderr.read().decode() if process.stderr else ""
    assert "Server is ready" in told
    assert process.returncode == 0
    assert zchat("cluster", "stop", str(folder.path)).err == "zchat: no node runs there\n"


def status(zchat: RunZchat, cluster: Machines) -> dict[str, dict[str, str]]:
    """Return the states of nodes and brokers, by their names."""
    found = json.loads(zchat("cluster", "status", str(cluster.where), "--json").out)
    return {kind: {each["name"]: each["state"] for each in found[kind]} for kind in ("nodes", "brokers")}


@needs_nodes
def test_a_machine_takes_the_place_of_another_one(zchat: RunZchat, cluster: Machines) -> None:
    team, leave = str(cluster.where), ("cluster", "leave")
    for name in "abc":
        node.ensure(cluster.folder(name))
    wait_for(lambda: "c runs. Stop it first" in zchat(*leave, "c", team, "--yes").err, "three nodes that are led")
    pid = node.running(cluster.folder("c"))
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: status(zchat, cluster)["nodes"] == {"a": "here", "b": "here", "c": "away"}, "the loss to be seen")
    same = options(cluster.folder("a").me)
    assert zchat("cluster", "add", team, "d=127.0.0.1", "--without", "c", *same).code == 0
    node.ensure(cluster.folder("d"))
    wait_for(lambda: zchat(*leave, "c", team, "--yes").code == 0, "the node to leave, once the others are led")
    wait_for(
        lambda: status(zchat, cluster)["nodes"] == {"a": "here", "b": "here", "d": "here"}, "the fourth to be seen"
    )
    again = zchat(*leave, "c", team, "--yes")
    assert "There is no node c. There are: a, b" in again.err


@needs_nodes
def test_three_brokers_are_one_chat_which_goes_on_without_one_of_them(zchat: RunZchat, cluster: Machines) -> None:
    cluster.start("a", "b", "c")
    come = zchat("join", cluster.link("a"), "--nick", "alice", input="hello\n")
    assert come.code == 0, come.err
    name = cluster.link("a").split("/")[2].split(",")[0]
    found = zchat("tail", "--broker", name)
    assert "<alice> hello" in found.out, found.err
    assert status(zchat, cluster) == {
        "nodes": dict.fromkeys("abc", "keeps") | {leader(zchat, cluster): "leads"},
        "brokers": dict.fromkeys("abc", "well"),
    }
    assert all((cluster.where / name / "server.log").stat().st_size for name in "abc")
    pid = node.running(cluster.folder("a"))
    cluster.end("a", signal.SIGKILL)
    assert node.running(cluster.folder("a")) == pid
    sent = zchat("send", "--broker", name, "without a")
    assert sent.code == 0, sent.err
    assert "<alice> without a" in zchat("tail", "--broker", name).out
    assert status(zchat, cluster)["brokers"] == {"a": "away", "b": "well", "c": "well"}
    cluster.start("a")
    wait_for(lambda: status(zchat, cluster)["brokers"]["a"] == "well", "the broker to be back")
    assert "was started" not in cluster.told("a", "err")
    assert [cluster.end(each) for each in "abc"] == [0, 0, 0]
    assert node.running(cluster.folder("a")) == pid


def leader(zchat: RunZchat, cluster: Machines) -> str:
    """Return the node that leads the stream."""
    (name,) = (each for each, state in status(zchat, cluster)["nodes"].items() if state == "leads")
    return name


@needs_nodes
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--cluster", "TEAM/a", "--memory"), "--memory and --cluster exclude each other"),
        (("--cluster", "TEAM/a", "--data", "x"), "Leave --data out"),
        (("--cluster", "TEAM/a", "--name", "x"), "are for nats://"),
        (("--cluster", "TEAM"), "Give that of a machine"),
        (("--cluster", "nats://127.0.0.1:1"), "Give this broker a name of its own"),
        (("--cluster", "TEAM/a", "--copies", "1"), "are for nats://"),
        (("--cluster", "nats://127.0.0.1:1", "--name", "a", "--no-node"), "--no-node is for a folder"),
        (("--name", "x"), "say which with --cluster"),
        (("--no-node",), "say which with --cluster"),
        (("--copies", "1"), "say which with --cluster"),
    ],
)
def test_what_does_not_go_together_is_told(zchat: RunZchat, team: Path, args: tuple[str, ...], told: str) -> None:
    result = zchat("broker", *(each.replace("TEAM", str(team)) for each in args))
    assert (result.code, told in result.err) == (2, True), result.err


@needs_nodes
@pytest.mark.long
def test_a_lost_stream_is_made_anew_from_the_logs(zchat: RunZchat, cluster: Machines) -> None:
    cluster.start("a", "b", "c")
    link = cluster.link("b")
    assert zchat("join", link, "--nick", "alice", input="before\n").code == 0
    team, name = str(cluster.where), link.split("/")[2].split(",")[0]
    assert "Nothing was lost" in zchat("cluster", "restore", team, "--yes").err
    for each in "abc":
        node.stop(cluster.folder(each))
        shutil.rmtree(cluster.folder(each).path / "stream")
    for each in "abc":
        node.ensure(cluster.folder(each))
    wait_for(lambda: set(status(zchat, cluster)["brokers"].values()) == {"lost"}, "the loss to be told")
    wait_for(lambda: zchat("cluster", "restore", team, "--yes").code == 0, "the brokers to give the stream up")
    wait_for(lambda: set(status(zchat, cluster)["brokers"].values()) == {"well"}, "the brokers to go on")
    sent = zchat("send", "--broker", name, "--timeout", "30", "after")
    assert sent.code == 0, sent.err
    found = zchat("tail", "--broker", name).out
    assert found.index("<alice> before") < found.index("<alice> after")


@needs_nodes
@pytest.mark.long
def test_the_log_and_the_key_of_a_broker_alone_become_those_of_a_cluster(
    zchat: RunZchat, environment: dict[str, str], tmp_path: Path, start_broker: StartBroker
) -> None:
    alone = start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")
    (link,) = (line.split()[-1] for line in alone.output().splitlines() if line.startswith("zchat join "))
    assert zchat("join", link, "--nick", "alice", input="of old\n").code == 0
    team = tmp_path / "team"
    early = zchat("cluster", "init", str(team), "a=127.0.0.1", "--from", str(alone.data))
    assert (early.code, "in use" in early.err, "another --from" in early.err) == (74, True, True), early.err
    assert not team.exists()
    nothing = zchat("cluster", "init", str(team), "a=127.0.0.1", "--from", str(tmp_path))
    assert (nothing.code, "there is no log in it" in nothing.err) == (74, True), nothing.err
    alone.stop()
    with some(zchat, environment, team, ("a", "b"), "--from", str(alone.data)) as cluster:
        cluster.start("b", "a")
        links_ = [line for name in "ab" for line in cluster.told(name).splitlines() if line.startswith("listen zchat")]
        assert {line.rpartition("/")[2] for line in links_} == {link.split("/")[3]}
        hosts = [f"127.0.0.1:{cluster.folder(name).me.broker}" for name in "ab"]
        for each in (cluster.where, cluster.where / "a", cluster.where / "b" / "data"):
            told = zchat("key", "--data", str(each)).out.splitlines()[1]
            assert told.split("/")[2] == ",".join(hosts)
        for line in links_:
            found = zchat("tail", "--broker", line.split()[1])
            assert "<alice> of old" in found.out, found.err
        assert not [name for name in "ab" if "zchat join" in cluster.told(name)]  # its owner is known


@needs_nodes
@pytest.mark.long
def test_a_third_machine_comes_to_two(zchat: RunZchat, environment: dict[str, str], tmp_path: Path) -> None:
    with some(zchat, environment, tmp_path / "two", ("a", "b")) as cluster:
        cluster.start("a", "b")
        same = options(cluster.folder("a").me)
        assert zchat("cluster", "add", str(cluster.where), "c=127.0.0.1", *same).code == 0
        few = zchat("cluster", "spread", str(cluster.where))
        assert (few.code, "Only 2 nodes are heard" in few.err) == (2, True), few.err
        cluster.start("c")
        wait_for(lambda: status(zchat, cluster)["nodes"]["c"] == "spare", "the third node to be seen")
        wait_for(lambda: zchat("cluster", "spread", str(cluster.where)).code == 0, "the stream to be spread")
        wait_for(lambda: status(zchat, cluster)["nodes"]["c"] in {"keeps", "leads"}, "the third node to keep it")
        assert set(status(zchat, cluster)["brokers"].values()) == {"well"}


@needs_nodes
def test_a_broker_takes_part_beside_a_nats_of_ones_own(
    zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    with ports() as first, (tmp_path / "nats.log").open("wb") as log:
        server, where = str(node.server()), f"nats://127.0.0.1:{first.node}/team"
        command = (server, "-js", "-sd", str(tmp_path / "stream"), "-a", "127.0.0.1", "-p", str(first.node))
        door, chat = f"tcp://127.0.0.1:{first.broker}", ("--cluster", where, "--name", "a", "--copies", "1")
        broker = (*ZCHAT, "broker", *chat, "--listen", door)
        nats = subprocess.Popen(command, stdout=log, stderr=log)
        process = subprocess.Popen(broker, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            sent = zchat("send", "--broker", door, "--timeout", "60", "hi")
            assert sent.code == 0, sent.err
            found = json.loads(zchat("cluster", "status", where, "--json").out)
            assert (found["works"], [each["name"] for each in found["brokers"]]) == (True, ["a"])
        finally:
            process.terminate()
            told = process.communicate()[1].decode()
            nats.kill()
            nats.wait()
    assert process.returncode == 0, told
    assert "set sync_interval: always in their jetstream" in told
