"""`zchat tail --resume`: killed at any instant, it misses nothing, and does again only what it was at."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.commands import messages

RUN = """
read -r text
echo "$text" >> {done}
while [ "$text" = stuck ] && [ -e {gate} ]; do sleep 0.02; done
"""


@contextmanager
def tailing(environment: dict[str, str], broker: Broker, *args: str) -> "Iterator[subprocess.Popen[bytes]]":
    command = (*ZCHAT, "tail", "-f", "--broker", broker.listen, *args)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as tail:
        try:
            yield tail
        finally:
            tail.kill()


def places(file: Path) -> dict[str, int]:
    """Return through which message each room is done with: a command may have done its work, and not have ended."""
    rooms: dict[str, int] = json.loads(file.read_text())["rooms"]
    return rooms


def test_what_was_said_while_it_was_dead_is_run_and_what_it_was_at_is_run_again(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    done, gate, state = tmp_path / "done", tmp_path / "gate", tmp_path / "data" / "tail" / "runs.json"
    done.touch()
    gate.touch()
    args = ("--resume", "runs", "-n", "0", "-r", "ops", "-r", "general", "--run", RUN.format(done=done, gate=gate))

    def ran(*texts: str) -> None:
        wait_for(lambda: done.read_text().split() == [*texts], f"{texts} to be run")

    environment["ZCHAT_DATA"] = str(tmp_path / "data")
    zchat("send", "before its first run", broker=broker)
    with tailing(environment, broker, *args):
        wait_for(state.exists, "its first place")
        zchat("send", "one", broker=broker)
        zchat("send", "-r", "ops", "two", broker=broker)
        ran("one", "two")
        zchat("send", "stuck", broker=broker)
        ran("one", "two", "stuck")
    gate.unlink()
    zchat("send", "-r", "ops", "three", broker=broker)
    zchat("send", "four", broker=broker)
    with tailing(environment, broker, *args) as tail:
        wait_for(lambda: len(done.read_text().split()) == 6, "what it had missed")
        assert done.read_text().split()[:3] == ["one", "two", "stuck"]
        assert sorted(done.read_text().split()[3:]) == ["four", "stuck", "three"]
        wait_for(lambda: places(state) == {"ops": 5, "general": 6}, "the last one to have ended")
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(30) == 128 + signal.SIGTERM
    with tailing(environment, broker, *args):
        zchat("send", "five", broker=broker)
        wait_for(lambda: done.read_text().split()[6:] == ["five"], "what is new, and nothing again")


def test_from_cron_it_prints_what_is_new_since_the_last_run(broker: Broker, zchat: RunZchat, tmp_path: Path) -> None:
    def new(*args: str) -> list[str]:
        result = zchat("tail", "--resume", "cron", "--data", str(tmp_path), *args, broker=broker)
        assert (result.code, result.err) == (0, "")
        return [line.rpartition("> ")[2] for line in result.out.splitlines()]

    zchat("send", "-", input="1\n2\n3\n", broker=broker)
    assert new("-n", "2") == ["2", "3"]
    assert new("-n", "2") == []
    zchat("send", "-", input="4\n5\nsix\n", broker=broker)
    assert new("--match", "[0-9]") == ["4", "5"]
    assert new("-r", "general", "-r", "ops") == []
    zchat("send", "-", "-r", "ops", input="7\n", broker=broker)
    assert new("-r", "ops") == ["7"]


def test_an_answer_of_an_earlier_run_is_known_as_ones_own(broker: Broker, zchat: RunZchat, tmp_path: Path) -> None:
    command = ("tail", "--resume", "echo", "--data", str(tmp_path), "--nick", "echo", "--run", "cat", "--reply")
    zchat("send", "--nick", "alice", "hi", broker=broker)
    for _ in range(3):
        assert zchat(*command, broker=broker).code == 0
    assert [(each["nick"], each["text"]) for each in messages(zchat, broker)] == [("alice", "hi"), ("echo", "hi")]


def test_with_another_log_it_begins_as_on_a_first_run(
    start_broker: StartBroker, zchat: RunZchat, tmp_path: Path
) -> None:
    for number in (1, 2):
        broker = start_broker("--memory")
        zchat("send", "-", input="a\nb\n", broker=broker)
        result = zchat("tail", "--resume", "x", "-n", "1", "--data", str(tmp_path), broker=broker)
        assert result.out.endswith("> b\n")
        assert ("another log" in result.err) == (number == 2)


def test_what_a_restored_log_holds_is_not_run_again(
    start_broker: StartBroker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    broker, done = start_broker("--heartbeat", "0.2"), tmp_path / "done"
    args = ("-r", "ops", "--resume", "x", "--data", str(tmp_path), "-n", "1", "--run", f"cat >> {done}")
    zchat("send", "-r", "ops", "-", input="one\ntwo\n", broker=broker)
    with tailing(environment, broker, *args):
        wait_for(lambda: done.exists() and done.read_text() == "two\n", "the last one to be run")
        state = tmp_path / "tail" / "x.json"
        wait_for(lambda: places(state) == {"ops": 2}, "it to have ended")
        log = json.loads(state.read_text())["log"]
        assert zchat("backup", "--data", str(broker.data), str(tmp_path / "copy.db")).code == 0
        assert broker.stop() == 0
        shutil.rmtree(broker.data)
        broker.data.mkdir()
        (tmp_path / "copy.db").rename(broker.data / "log.db")
        broker.start()
        wait_for(lambda: json.loads(state.read_text())["log"] != log, "it to have caught up")
        assert places(state) == {"ops": 2}
        zchat("send", "-r", "ops", "three", broker=broker)
        wait_for(lambda: done.read_text() == "two\nthree\n", "what came then to be run, and nothing else")


def test_a_name_belongs_to_one_process_at_a_time(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    with tailing(environment, broker, "--resume", "x", "--data", str(tmp_path)) as tail:
        wait_for((tmp_path / "tail" / "x.json").exists, "it to have begun")
        other = zchat("tail", "--resume", "x", "--data", str(tmp_path), broker=broker)
    assert other.code == 74
    assert f"in use by process {tail.pid}" in other.err


@pytest.mark.parametrize("name", ["../x", "", ".hidden", "a/b"])
def test_a_name_is_no_path(zchat: RunZchat, name: str) -> None:
    result = zchat("tail", "--resume", name)
    assert result.code == 2
    assert "is no name" in result.err


@pytest.mark.parametrize("content", ["{", f'{{"later": {"[" * 9_999}'], ids=["cut short", "nested deeply"])
def test_a_damaged_file_is_left_alone(broker: Broker, zchat: RunZchat, tmp_path: Path, content: str) -> None:
    file = tmp_path / "tail" / "x.json"
    file.parent.mkdir()
    file.write_text(content)
    result = zchat("tail", "--resume", "x", "--data", str(tmp_path), broker=broker)
    assert (result.code, file.read_text()) == (74, content)
    assert "move it away" in result.err
