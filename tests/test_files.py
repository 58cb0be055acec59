"""All that zchat writes is for its owner alone, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunZchat, StartBroker, wait_for
from zchat import files


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def loose(folder: Path) -> list[str]:
    """Return the files below a folder that others may do something with."""
    every = [path for path in folder.rglob("*") if path.is_file()]
    assert every
    return [str(path.relative_to(folder)) for path in every if stat.S_IMODE(path.stat().st_mode) & 0o077]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("open_umask")
def test_a_file_is_private_from_the_start_and_a_looser_one_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "new"
    assert (files.private(path), mode(path)) == (False, 0o600)
    path.chmod(0o644)
    assert (files.private(path), mode(path)) == (True, 0o600)
    files.rewrite(path, b"anew")
    assert (path.read_bytes(), mode(path)) == (b"anew", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


@pytest.mark.usefixtures("open_umask")
def test_a_folder_is_private_with_all_that_are_made_above_it_and_one_that_was_there_keeps_its_mode(
    tmp_path: Path,
) -> None:
    (tmp_path / "home").mkdir()
    for _ in range(2):
        files.folder(tmp_path / "home" / "state" / "zchat" / "log")
    assert [mode(tmp_path / each) for each in ("home", "home/state", "home/state/zchat", "home/state/zchat/log")] == [
        0o777,
        0o700,
        0o700,
        0o700,
    ]


@pytest.mark.usefixtures("open_umask")
def test_what_a_broker_and_its_clients_write_is_for_their_owner_alone(
    tmp_path: Path, start_broker: StartBroker, zchat: RunZchat
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    broker = start_broker()
    zchat("send", "--nick", "alice", "hello", broker=broker)
    zchat("tail", "--resume", "here", "--all", broker=broker)
    zchat("search", "hello", broker=broker)
    zchat("join", "--nick", "alice", input=f"/export {kept / 'talk.txt'}\n/set joins all\n", broker=broker)
    assert (kept / "talk.txt").exists()
    printed = ("stdout", "stderr")  # where these tests put what a broker prints
    assert [name for name in loose(tmp_path) if not Path(name).name.startswith(printed)] == []


@pytest.mark.usefixtures("open_umask")
def test_a_log_of_before_is_tightened_and_that_is_said_once(start_broker: StartBroker, zchat: RunZchat) -> None:
    broker = start_broker()
    zchat("send", "--nick", "alice", "hello", broker=broker)
    broker.stop()
    (broker.data / "log.db").chmod(0o644)
    for _ in range(2):
        broker.start()
        assert loose(broker.data) == []
        wait_for(lambda: "could be read by others" in broker.log_file.read_text(), "the broker to say so")
        assert broker.log_file.read_text().count("could be read by others") == 1
        broker.stop()
