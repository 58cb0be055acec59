"""The broker's log goes back to an earlier state while it is followed: everybody sees all that is said then, once."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.terminal import Terminal

GoesBack = Callable[[Broker], AbstractContextManager[None]]
OLD, NEW = [f"old {number}" for number in range(20)], [f"new {number}" for number in range(30)]
READER = """
import sqlite3, sys, time
log = sqlite3.connect(sys.argv[1], isolation_level=None)
log.execute("BEGIN")
print(log.execute("SELECT head FROM log").fetchone()[0], flush=True)
time.sleep(1000)
"""


class Tail:
    """A `tail -f`, and what it has written."""

    def __init__(self, folder: Path, broker: Broker, env: dict[str, str], *args: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        command = (*ZCHAT, "tail", "-f", "--json", "--all", "--broker", broker.listen, *args)
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, env=env, stdout=out, stderr=err)

    def texts(self) -> list[str]:
        return [json.loads(line)["text"] for line in self.out.read_text().splitlines()]

    def heard(self, *texts: str) -> None:
        wait_for(lambda: len(self.texts()) >= len(texts), f"{texts}", 2 * PATIENCE)
        assert self.texts() == [*texts]

    def told(self, what: str) -> None:
        wait_for(lambda: what in self.err.read_text(), what)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def loses_its_journal(broker: Broker) -> Iterator[None]:
    """Lose what is said meanwhile with the journal: nothing of it is written back while somebody reads."""
    command = (sys.executable, "-c", READER, str(broker.data / "log.db"))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"1\n"
        yield
        broker.kill()
        reader.kill()
    for name in ("log.db-wal", "log.db-shm"):
        (broker.data / name).unlink()


@contextmanager
def is_put_back(broker: Broker) -> Iterator[None]:
    """Put a copy of the whole folder back, from before what is said meanwhile."""
    copy = broker.data.with_name("copy")
    assert broker.stop() == 0
    shutil.copytree(broker.data, copy, ignore=shutil.ignore_patterns("*.sock"))
    broker.start()
    yield
    assert broker.stop() == 0
    shutil.rmtree(broker.data)
    copy.rename(broker.data)


@pytest.mark.parametrize("goes_back", [is_put_back, loses_its_journal])
def test_all_who_follow_see_all_that_is_said_after_the_log_went_back(
    start_broker: StartBroker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path, goes_back: GoesBack
) -> None:
    broker = start_broker("--heartbeat", "0.2", "--rate", "0")
    zchat("send", "base", broker=broker)
    assert broker.stop() == 0  # nothing is left in the journal
    broker.start()
    folders = [tmp_path / name for name in ("plain", "kept")]
    for folder in folders:
        folder.mkdir()
    job = ("tail", "--resume", "job", "--all", "--json")
    with ExitStack() as stack:
        with goes_back(broker):
            tails = [Tail(folders[0], broker, environment), Tail(folders[1], broker, environment, "--resume", "x")]
            for tail in tails:
                stack.callback(tail.end)
            at = environment | {"ZCHAT_BROKER": broker.listen}
            carol = stack.enter_context(Terminal("join", "--nick", "carol", env=at, columns=100))
            carol.see("base")
            zchat("send", "-", input="\n".join(OLD), broker=broker)
            carol.see(OLD[-1])
            carol.enter("my own")
            for tail in tails:
                tail.heard("base", *OLD, "my own")
            assert len(zchat(*job, broker=broker).out.splitlines()) == 22
        broker.start()
        zchat("send", "-", input="\n".join(NEW), broker=broker)
        for tail in tails:
            tail.heard("base", *OLD, "my own", *NEW)
            tail.told("went back to an earlier state")
        for shown in (*(f"{text}\n" for text in NEW), "went back to an earlier state", "#general my own"):
            carol.see(shown)
        result = zchat(*job, broker=broker)
        assert [json.loads(line)["text"] for line in result.out.splitlines()] == NEW
        assert "went back to an earlier state" in result.err
