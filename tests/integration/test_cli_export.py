"""`zchat export`: to a pipe, to a file, over a broker that is started again, and cut short."""

import hashlib
import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.commands import texts
from tests.integration.terminal import Terminal
from zchat import SyncClient


@pytest.fixture
def broker(start_broker: StartBroker, zchat: RunZchat) -> Broker:
    """Return a broker at which something was said in two rooms."""
    broker = start_broker("--rate", "0")
    lines = "\n".join(f"line {i}" for i in range(2_500))
    assert zchat("send", "-r", "dev", "-", input=lines, broker=broker).code == 0
    assert zchat("send", "-r", "general", "--once", "a", "--nick", "alice", "hello <b>all</b>", broker=broker).code == 0
    return broker


def test_all_rooms_are_exported_as_they_are_in_the_log(broker: Broker, zchat: RunZchat) -> None:
    done = zchat("export", broker=broker)
    assert (done.code, done.err) == (0, "")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["text"] for event in events] == [*(f"line {i}" for i in range(2_500)), "hello <b>all</b>"]
    assert [event["seq"] for event in events] == list(range(1, 2_502))
    one = zchat("export", "--room", "general", "--since", "1h", broker=broker)
    assert [json.loads(line)["text"] for line in one.out.splitlines()] == ["hello <b>all</b>"]


def test_messages_are_exported_as_they_are_now(broker: Broker, zchat: RunZchat) -> None:
    assert zchat("edit", "2501", "hello all", "--nick", "alice", broker=broker).code == 0
    assert zchat("react", "2501", "👍", "--nick", "bob", broker=broker).code == 0
    done = zchat("export", "--room", "general", "--current", broker=broker)
    (line,) = map(json.loads, done.out.splitlines())
    assert (line["text"], [one["emoji"] for one in line["reactions"]]) == ("hello all", ["👍"])
    assert "edited" in line


def test_a_file_is_new_and_private_and_whole(
    broker: Broker, zchat: RunZchat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "chat.html"
    done = zchat("export", "-o", str(path), broker=broker)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert path.read_text().endswith("</html>\n")
    assert "hello &lt;b&gt;all&lt;/b&gt;" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    again = zchat("export", "-o", str(path), broker=broker)
    assert again.code == 2
    assert "exists already" in again.err
    assert list(tmp_path.glob("*.part")) == []
    nothing = zchat("export", "-r", "genral", "-o", "-", broker=broker)
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "zchat: nothing was found.\n")
    out = zchat("export", "-r", "general", "-o", "-", "--format", "html", broker=broker)
    assert out.out.endswith("</html>\n")
    assert not (tmp_path / "-").exists()


def test_a_room_that_is_not_there_leaves_no_file(broker: Broker, zchat: RunZchat, tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    done = zchat("export", "--room", "+ops", "-o", str(path), broker=broker)
    assert done.code == 1
    assert list(tmp_path.glob("chat*")) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_it_finds_no_half_of_a_file(
    broker: Broker, environment: dict[str, str], tmp_path: Path, how: signal.Signals
) -> None:
    path = tmp_path / "chat.jsonl"
    broker.process.send_signal(signal.SIGSTOP)  # so that it waits, with a file that has begun
    try:
        command = (*ZCHAT, "export", "-o", str(path), "--timeout", "60")
        running = subprocess.Popen(command, env=environment | {"ZCHAT_BROKER": broker.listen})
        wait_for(lambda: list(tmp_path.glob("chat.jsonl.*.part")), "the file")
        running.send_signal(how)
        assert running.wait(PATIENCE) in {130, 128 + how}
    finally:
        broker.process.send_signal(signal.SIGCONT)
    assert list(tmp_path.glob("chat*")) == []


def test_it_goes_on_when_the_broker_is_started_again(
    broker: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    broker.args = ("--rate", "2")  # so that the pages do not all come at once
    broker.restart()
    path = tmp_path / "chat.jsonl"
    running = subprocess.Popen((*ZCHAT, "export", "-o", str(path)), env=environment | {"ZCHAT_BROKER": broker.listen})
    wait_for(lambda: [part for part in tmp_path.glob("*.part") if part.stat().st_size], "the first page")
    broker.kill()
    assert running.poll() is None, "it was over before"
    broker.args = ("--rate", "0")
    broker.start()
    assert running.wait(3 * PATIENCE) == 0
    assert [json.loads(line)["seq"] for line in path.read_text().splitlines()] == list(range(1, 2_502))


def test_files_are_fetched_beside_the_page(start_broker: StartBroker, zchat: RunZchat, tmp_path: Path) -> None:
    broker = start_broker()
    content = b"%PDF" * 100_000
    id_ = hashlib.sha256(content).hexdigest()
    (tmp_path / "re port.pdf").write_bytes(content)
    assert zchat("send", "--file", str(tmp_path / "re port.pdf"), "the report", broker=broker).code == 0
    done = zchat("export", "-o", str(tmp_path / "chat.html"), "--files", str(tmp_path / "files"), broker=broker)
    assert (done.code, done.err) == (0, "")
    (path,) = (tmp_path / "files").iterdir()
    assert path.read_bytes() == content
    assert path.name == f"{id_[:12]}-re port.pdf"
    assert f'<a href="files/{id_[:12]}-re%20port.pdf" download>' in (tmp_path / "chat.html").read_text()


def test_it_shows_how_far_it_is_on_a_terminal(broker: Broker, environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    with Terminal("export", "-o", str(path), env=environment | {"ZCHAT_BROKER": broker.listen}) as terminal:
        terminal.see("100%")
        assert terminal.ends() == 0
    assert len(path.read_text().splitlines()) == 2_501


def test_ones_own_conversations_are_exported_and_nobody_elses(broker: Broker, zchat: RunZchat, tmp_path: Path) -> None:
    zchat("send", "--nick", "ann", "in public", broker=broker)
    with SyncClient("bob", broker.listen), SyncClient("carl", broker.listen):
        for to, text in (("bob", "psst, bob"), ("carl", "psst, carl"), ("bob", "and <b>more</b>")):
            sent = zchat("send", "--nick", "ann", "--once", text, "--to", to, text, broker=broker)
            assert sent.code == 0, sent.err
        assert texts(zchat("export", "--with", "bob", "--nick", "ann", broker=broker).out) == [
            "psst, bob", "and <b>more</b>"
        ]  # fmt: skip
        both = texts(zchat("export", "--direct", "--room", "general", "--nick", "ann", broker=broker).out)
        assert both == ["hello <b>all</b>", "in public", "psst, bob", "and <b>more</b>", "psst, carl"]
        page = tmp_path / "talks.html"
        assert zchat("export", "--direct", "--nick", "ann", "-o", str(page), broker=broker).code == 0
        shown = page.read_text()
        assert "<h2>@bob</h2>" in shown
        assert "and &lt;b&gt;more&lt;/b&gt;" in shown
    other = zchat("export", "--direct", "--nick", "eve", broker=broker)
    assert (other.code, other.out) == (0, "")
