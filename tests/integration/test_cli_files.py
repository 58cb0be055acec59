"""`zchat send --file` and `zchat get`: real commands, and a broker that is killed while they run."""

import hashlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.commands import messages
from zchat.client.sync import SyncClient
from zchat.protocol import messages as m

MIB = 2**20


def made(folder: Path, size: int = 300_000, name: str = "report.pdf") -> Path:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


def test_a_file_is_sent_and_had_and_nothing_is_printed_but_where_it_is(
    zchat: RunZchat, broker: Broker, tmp_path: Path
) -> None:
    path, other = made(tmp_path), made(tmp_path, 10, "b.txt")
    sent = zchat("send", "--nick", "ann", "--file", str(path), "--file", str(other), "the report", broker=broker)
    assert (sent.code, sent.out, sent.err) == (0, "", "")
    (message,) = messages(zchat, broker)
    assert message["text"] == "the report"
    assert [(one["name"], one["size"]) for one in message["files"]] == [("report.pdf", 300_000), ("b.txt", 10)]
    folder = tmp_path / "saved"
    got = zchat("get", str(message["seq"]), "-o", f"{folder}/", broker=broker)
    assert (got.code, got.out.split(), got.err) == (0, [str(folder / "report.pdf"), str(folder / "b.txt")], "")
    assert (folder / "report.pdf").read_bytes() == path.read_bytes()


def test_two_files_of_one_name_are_both_saved(zchat: RunZchat, broker: Broker, tmp_path: Path) -> None:
    places = tmp_path / "one", tmp_path / "other"
    for place in places:
        place.mkdir()
    one, other = (made(place, 10) for place in places)
    sent = zchat("send", "--nick", "ann", "--file", str(one), "--file", str(other), "both", broker=broker)
    assert sent.code == 0, sent.err
    folder = tmp_path / "saved"
    wanted = {"report.pdf": one.read_bytes(), "report (2).pdf": other.read_bytes()}
    for force in ((), ("--force",)):
        got = zchat("get", "1", "-o", f"{folder}/", *force, broker=broker)
        assert (got.code, got.err) == (0, "")
        assert {each.name: each.read_bytes() for each in folder.iterdir()} == wanted
    (folder / "report.pdf").unlink()
    again = zchat("get", "1", "-o", f"{folder}/", broker=broker)
    assert (again.code, "or say --force" in again.err) == (74, True)
    assert [each.name for each in folder.iterdir()] == ["report (2).pdf"]  # all or nothing


def test_what_goes_wrong_is_said_in_words(zchat: RunZchat, broker: Broker, tmp_path: Path) -> None:
    path = made(tmp_path)
    assert zchat("send", "--nick", "ann", "--file", str(path), broker=broker).code == 0
    assert zchat("send", "--nick", "ann", "plain", broker=broker).code == 0
    saved = tmp_path / "saved"
    saved.write_text("precious")
    for args, code, words in (
        (("get", "1", "-o", str(saved)), 74, "is there already"),
        (("get", "2"), 1, "carries no files"),
        (("get", "3"), 1, "there is no message 3 in #general"),
        (("get", "1", "-r", "other"), 1, "there is no message 1 in #other"),
        (("send", "--file", str(tmp_path / "none"), "x"), 2, "does not exist"),
        (("send", "--file", str(path), "-"), 2, "--file goes with one message"),
    ):
        result = zchat(*args, broker=broker)
        assert (result.code, words in result.err) == (code, True), (args, result.err)
    assert saved.read_text() == "precious"
    assert zchat("get", "1", "-o", str(saved), "--force", broker=broker).code == 0
    assert saved.read_bytes() == path.read_bytes()
    assert zchat("get", "1", "-o", "-", broker=broker).raw == path.read_bytes()


def start(environment: dict[str, str], broker: Broker, *args: str) -> "subprocess.Popen[bytes]":
    command = (*ZCHAT, *args, "--broker", broker.listen, "--timeout", "120")
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killing(broker: Broker, process: "subprocess.Popen[bytes]", there: Path, size: int) -> None:
    """Kill the broker three times while a command runs: each time more of a file has come to a folder."""
    try:
        for quarter in (1, 2, 3):

            def has_come(least: int = size * quarter // 5) -> bool:
                assert process.poll() is None, process.stderr and process.stderr.read()
                return any(each.stat().st_size >= least for each in there.glob("*"))

            wait_for(lambda: has_come() or None, "some of the file", 60)
            broker.restart()
        assert process.wait(240) == 0, process.stderr and process.stderr.read()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


@pytest.mark.parametrize(
    ("size", "rate"), [(6 * MIB, "4"), pytest.param(m.FILE_MAX, "20", marks=pytest.mark.long)]
)  # 128 KiB of files a second for each line of the rate, and twice that at once
def test_a_file_arrives_though_the_broker_is_killed_three_times_each_way(
    size: int, rate: str, start_broker: StartBroker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    broker = start_broker("--rate", rate)
    path, folder = made(tmp_path, size), tmp_path / "saved"
    folder.mkdir()
    sending = start(environment, broker, "send", "--nick", "ann", "--file", str(path), "the report")
    killing(broker, sending, broker.data / "files" / "unfinished", size)
    (message,) = messages(zchat, broker)
    getting = start(environment, broker, "get", str(message["seq"]), "-o", str(folder / "report.pdf"))
    killing(broker, getting, folder, size)
    found = hashlib.sha256((folder / "report.pdf").read_bytes()).hexdigest()
    assert found == message["files"][0]["file"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_backup_carries_the_files_of_its_messages(
    zchat: RunZchat, broker: Broker, start_broker: StartBroker, environment: dict[str, str], tmp_path: Path
) -> None:
    path, restored = made(tmp_path), tmp_path / "restored"
    assert zchat("send", "--nick", "ann", "--file", str(path), "the report", broker=broker).code == 0
    restored.mkdir()
    done = zchat("backup", "--data", str(broker.data), str(restored / "log.db"))
    assert (done.code, "1 files of its messages" in done.err) == (0, True), done.err
    (restored / "log.db-files").rename(restored / "files")
    for each in (restored / "files").rglob("*"):
        assert each.stat().st_mode & 0o077 == 0
    command = (
        *ZCHAT,
        "broker",
        "--data",
        str(restored),
        "--listen",
        "tcp://127.0.0.1:0",
        "--publish",
        "tcp://127.0.0.1:0",
    )
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as other:
        try:
            assert other.stdout is not None
            where = next(line.split()[1] for line in other.stdout if line.startswith("listen"))
            got = zchat("get", "1", "--broker", where, "-o", "-")
            assert (got.code, got.raw == path.read_bytes()) == (0, True), got.err
        finally:
            other.terminate()


def test_a_guest_gets_by_their_nick_the_files_of_their_own_conversation(
    zchat: RunZchat, broker: Broker, tmp_path: Path
) -> None:
    path = made(tmp_path)
    assert zchat("send", "--nick", "bob", "--once", "here", "I am here", broker=broker).code == 0
    with SyncClient("bob", broker.listen):
        sent = zchat("send", "--nick", "ann", "--once", "k", "--to", "bob", "--file", str(path), broker=broker)
        assert sent.code == 0, sent.err
        got = zchat("get", "2", "--to", "bob", "--nick", "ann", "-o", f"{tmp_path}/saved/", broker=broker)
    assert (got.code, got.err) == (0, "")
    assert (tmp_path / "saved" / "report.pdf").read_bytes() == path.read_bytes()
    other = zchat("get", "2", "--to", "ann", "--nick", "eve", broker=broker)
    assert (other.code, other.out) == (1, "")
