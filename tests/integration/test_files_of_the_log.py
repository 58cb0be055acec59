"""What a broker does when its log is removed, replaced or written to under it, or reached by another name."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, Broker, RunZchat, wait_for
from zchat.broker.store import hold


def remove(data: Path) -> None:
    for path in data.iterdir():
        path.unlink()


def replace(data: Path) -> None:
    shutil.copy(data / "log.db", data / "copy")
    (data / "copy").rename(data / "log.db")


def lose_the_journal(data: Path) -> None:
    (data / "log.db-wal").unlink()


def move_away(data: Path) -> None:
    data.rename(data.with_name("elsewhere"))


def write_beside(data: Path) -> None:
    with sqlite3.connect(data / "log.db") as other:
        other.execute("UPDATE log SET head = head + 5")


@pytest.mark.parametrize("harm", [remove, replace, lose_the_journal, move_away, write_beside])
def test_nothing_is_acknowledged_that_nobody_will_find(
    broker: Broker, zchat: RunZchat, harm: Callable[[Path], None]
) -> None:
    assert zchat("send", "--nick", "alice", "before", broker=broker).code == 0
    harm(broker.data)
    late = zchat("send", "--nick", "alice", "--timeout", "3", "after", broker=broker)
    assert late.code != 0
    assert broker.process.wait(PATIENCE) == 74
    told = broker.output("stderr")
    assert "is not this broker's any more" in told
    assert "Traceback" not in told


def cut_the_journal(data: Path) -> None:
    os.truncate(data / "log.db-wal", 0)


def copy_over(data: Path) -> None:
    shutil.copyfile(data / "yesterday.db", data / "log.db")


@pytest.mark.parametrize("harm", [cut_the_journal, copy_over])
def test_a_log_that_is_written_over_in_its_place_ends_the_broker(
    broker: Broker, zchat: RunZchat, harm: Callable[[Path], None]
) -> None:
    assert zchat("send", "--nick", "alice", "before", broker=broker).code == 0
    assert zchat("backup", "--data", str(broker.data), str(broker.data / "yesterday.db")).code == 0
    assert zchat("send", "--nick", "alice", "later", broker=broker).code == 0
    for _ in range(100):  # once may be while the broker itself writes to it
        with contextlib.suppress(FileNotFoundError):  # when it has ended
            harm(broker.data)
        with contextlib.suppress(subprocess.TimeoutExpired):
            broker.process.wait(0.2)
            break
    assert broker.process.wait(PATIENCE) == 74
    assert "is not this broker's any more" in broker.output("stderr")


def test_a_journal_that_is_written_back_is_no_harm(broker: Broker, zchat: RunZchat) -> None:
    seen: set[int] = set()

    def is_written_to() -> bool:
        return (broker.data / "log.db").stat().st_mtime_ns not in seen

    for k in range(3):
        seen.add((broker.data / "log.db").stat().st_mtime_ns)
        assert zchat("send", "--nick", "alice", f"line {k}", broker=broker).code == 0
        wait_for(is_written_to, "the journal to be written back")
    assert zchat("send", "--nick", "alice", "the last", broker=broker).code == 0
    assert broker.process.poll() is None


def test_a_broker_at_rest_notices_within_seconds_that_its_log_is_gone(broker: Broker) -> None:
    remove(broker.data)
    assert broker.process.wait(PATIENCE) == 74


@pytest.mark.parametrize("way", ["symlink", "hard link", "no lock file"])
def test_a_second_broker_does_not_get_at_the_same_log_by_another_way(
    broker: Broker, zchat: RunZchat, tmp_path: Path, way: str
) -> None:
    other = tmp_path / "other"
    if way == "no lock file":
        other = broker.data
        (broker.data / "lock").unlink()
    else:
        other.mkdir()
        link = (other / "log.db").symlink_to if way == "symlink" else (other / "log.db").hardlink_to
        link(broker.data / "log.db")
    ports = ("--listen", "tcp://127.0.0.1:0", "--publish", "tcp://127.0.0.1:0")
    second = zchat("broker", "--data", str(other), *ports)
    assert second.code == 74
    assert "in use by another process" in second.err
    assert zchat("send", "--nick", "alice", "still here", broker=broker).code == 0


def test_a_backup_that_is_put_over_the_log_of_a_killed_broker_is_not_undone_by_its_journal(
    broker: Broker, zchat: RunZchat
) -> None:
    assert zchat("send", "--nick", "alice", "before", broker=broker).code == 0
    assert zchat("backup", "--data", str(broker.data), str(broker.folder / "yesterday.db")).code == 0
    assert zchat("send", "--nick", "alice", "later", broker=broker).code == 0
    broker.kill()
    shutil.copyfile(broker.folder / "yesterday.db", broker.data / "log.db")
    files = {name: (broker.data / name).read_bytes() for name in ("log.db", "log.db-wal")}
    ports = ("--listen", broker.listen, "--publish", broker.publish)
    refused = zchat("broker", "--data", str(broker.data), *ports)
    assert refused.code == 74
    assert "remove log.db-wal and log.db-shm, then start again" in refused.err
    assert {name: (broker.data / name).read_bytes() for name in files} == files
    (broker.data / "log.db-wal").unlink()
    (broker.data / "log.db-shm").unlink()
    broker.start()
    told = zchat("history", "--room", "general", broker=broker)
    assert "before" in told.out
    assert "later" not in told.out


def test_a_file_is_identified_as_stat_does_without_asking_for_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 5_000)
    found = path.stat()
    assert hold.identify(path) == (found.st_ino, 5_000)
    with pytest.raises(FileNotFoundError):
        hold.identify(tmp_path / "none")
    monkeypatch.setattr(hold, "LIBC", object())  # a C library that has no `statx`
    assert hold.identify(path) == (found.st_ino, 5_000)
