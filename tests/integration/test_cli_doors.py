"""The doors of `zchat broker`: what is printed, which files there are, and what is refused."""

import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.conftest import Broker, RunZchat, StartBroker
from tests.integration.terminal import Terminal
from zchat.protocol import links


def printed(broker: Broker) -> list[tuple[str, str]]:
    """Return the lines of a broker's doors."""
    found = [line.split() for line in broker.output().splitlines()]
    return [(pair[0], pair[1]) for pair in found if len(pair) == 2]


def test_a_broker_tells_of_each_door_and_has_one_for_the_users_of_the_machine(
    start_broker: StartBroker, environment: dict[str, str]
) -> None:
    del environment["XDG_RUNTIME_DIR"]
    broker = start_broker("--listen", "zchat://127.0.0.1:0", "--advertise", "chat.example.org")
    words = [word for word, _ in printed(broker)]
    assert words == ["listen", "publish"] * 3
    ends = [end for _, end in printed(broker)]
    assert ends[0].startswith("tcp://127.0.0.1:")
    assert links.parse(ends[2]).hosts[0][0] == "127.0.0.1"
    assert ends[4:] == [f"ipc://{broker.data}/zchat.sock", f"ipc://{broker.data}/zchat-feed.sock"]


def test_two_brokers_of_one_user_start_side_by_side(
    start_broker: StartBroker, environment: dict[str, str], tmp_path: Path
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment["XDG_RUNTIME_DIR"] = str(runtime)
    first, second = start_broker(), start_broker()
    assert (printed(first)[2], len(printed(second))) == (("listen", f"ipc://{runtime}/zchat.sock"), 2)
    assert "no socket file" in second.log_file.read_text()


def test_where_the_path_is_too_long_there_is_no_socket_file(
    start_broker: StartBroker, environment: dict[str, str], tmp_path: Path
) -> None:
    runtime = tmp_path / ("x" * 100)
    runtime.mkdir()
    environment["XDG_RUNTIME_DIR"] = str(runtime)
    broker = start_broker()
    assert len(printed(broker)) == 2
    assert "is too long" in broker.log_file.read_text()


def test_what_the_broker_writes_is_its_owners_whatever_the_umask(
    start_broker: StartBroker, zchat: RunZchat, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        broker = start_broker("--listen", "zchat://127.0.0.1:0")
        folder = tmp_path / "copy"
        folder.mkdir()
        assert zchat("backup", "--data", str(broker.data), "--with-key", str(folder / "log.db")).code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(broker.data.stat().st_mode) == 0o700
    files = [path for path in (*broker.data.iterdir(), *folder.iterdir()) if path.is_file()]
    assert {"broker.key", "log.db"} <= {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_key_is_made_once_and_told_and_copied_only_if_that_is_asked_for(
    start_broker: StartBroker, zchat: RunZchat, tmp_path: Path
) -> None:
    broker = start_broker("--listen", "zchat://127.0.0.1:0")
    key = links.parse(printed(broker)[2][1]).key
    told = zchat("key", "--data", str(broker.data), "--advertise", "chat.example.org,other:7000")
    assert told.out.splitlines() == [
        f"key {links.encode_key(key)}",
        f"link zchat://chat.example.org,other:7000/{links.encode_key(key)}",
    ]
    assert told.err == "", "somebody has said where it is"
    broker.restart()
    assert links.parse(printed(broker)[2][1]).key == key
    for args, names in (((), {"log.db"}), (("--with-key",), {"log.db", "broker.key"})):
        folder = tmp_path / f"copy{len(args)}"
        folder.mkdir()
        copied = zchat("backup", "--data", str(broker.data), *args, str(folder / "log.db"))
        assert copied.code == 0
        assert {path.name for path in folder.iterdir()} == names
        assert all(f"{folder / name}" in copied.err for name in names)
    again = zchat("backup", "--data", str(broker.data), "--with-key", str(folder / "other.db"))
    assert (again.code, "exists already" in again.err) == (2, True)
    told = zchat("key", "--data", str(folder))
    host = links.parse_hosts(socket.gethostname())[0][0]
    assert told.out.splitlines() == [f"key {links.encode_key(key)}", f"link zchat://{host}/{links.encode_key(key)}"]
    assert told.err == (
        f"zchat: This link is for a broker that others reach as {host}, at port 5555. If it has another name or port, "
        "say so with --advertise, as zchat broker was told: the link that it prints when it starts is the right one.\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every file")
def test_a_socket_file_that_is_not_open_to_one_is_told(zchat: RunZchat, tmp_path: Path) -> None:
    path = tmp_path / "shut.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        path.chmod(0o400)
        told = zchat("who", "--broker", f"ipc://{path}", "--timeout", "0.2")
        assert (told.code, "That file is not open to you" in told.err) == (69, True), told.err


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["broker", "--insecure"], 2, "no --insecure any more"),
        (["broker", "--no-guests", "--listen", "tcp://127.0.0.1:0"], 2, "let guests in"),
        (["broker", "--memory", "--no-guests"], 2, "say where with --listen"),
        (["broker", "--memory", "--data", "here"], 2, "--data and --memory exclude each other"),
        (["broker", "--listen", "tcp://127.0.0.1:0", "--publish", "tcp://*:0"], 2, "Leave --publish out"),
        (["broker", "--listen", "zchat://*:0/key"], 2, "zchat key"),
        (["key"], 74, "there is no broker.key"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(zchat: RunZchat, args: list[str], code: int, said: str) -> None:
    result = zchat(*args, env={"XDG_RUNTIME_DIR": ""})
    assert (result.code, said in result.err, result.out) == (code, True, ""), result.err


def test_a_damaged_key_is_told_and_not_replaced(start_broker: StartBroker, zchat: RunZchat) -> None:
    broker = start_broker("--listen", "zchat://127.0.0.1:0")
    broker.stop()
    (broker.data / "broker.key").write_text("half a k")
    result = zchat("broker", "--data", str(broker.data), "--listen", "zchat://127.0.0.1:0")
    assert (result.code, "holds no key" in result.err) == (74, True)
    assert (broker.data / "broker.key").read_text() == "half a k"


def test_at_the_prompt_the_broker_of_this_machine_is_called_so(
    start_broker: StartBroker, environment: dict[str, str], tmp_path: Path
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment["XDG_RUNTIME_DIR"] = str(runtime)
    broker = start_broker()
    broker.process.send_signal(signal.SIGSTOP)
    with Terminal("join", "--nick", "alice", env=environment) as alice:
        alice.see("Connecting to the broker on this machine …")
        broker.process.send_signal(signal.SIGCONT)
        alice.see("you are alice (owner), on this machine.")
        alice.see("· this machine")
        assert str(runtime) not in alice.text
        alice.leave()


def test_who_joins_under_another_nick_than_their_own_is_told_what_that_means(
    start_broker: StartBroker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment["XDG_RUNTIME_DIR"] = str(runtime)
    start_broker()
    assert zchat("join", "--nick", "alice", input="hi\n").err.count("guest") == 0
    told = zchat("join", "--nick", "bob", input="hi\n").err
    assert "bob is a guest. You are known here as alice: join without --nick" in told
