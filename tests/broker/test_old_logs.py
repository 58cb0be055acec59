"""A log of the format before members (3) goes on under this broker; and the broker of before refuses one of now.

`log-of-format-3.sql` is a dump of a log that such a broker has written: alice and bob speak in two rooms and with each
other, with a `once` key, a topic, a refusal and a second start.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.broker.dialogue import NOON, Broker, codes
from tests.broker.team import OWN, TERMS, Team, do
from zchat.broker.store import Store, schema

DUMP = Path(__file__).parent / "log-of-format-3.sql"
ROOT = Path(__file__).parents[2]
BEFORE = "d6ecb872aeacecda1c0c1a58fbc54518ad467d2b"  # the last commit whose broker knows no members
ALICE, BOB = "3ba3f5f43b926026", "bdb339768bc5e4fe"
EPOCHS = [["09074e1013223050", 1], ["1a650af00279a0bb", 6]]


def old(folder: Path) -> Broker:
    """Return a broker of now on the log of before."""
    with closing(sqlite3.connect(folder / "log.db")) as log:
        log.executescript(DUMP.read_text())
        log.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        log.execute("PRAGMA user_version = 3")
    broker = Broker(Store(folder, "f" * 32, NOON + 120), terms=TERMS)
    broker.now = 120.0
    return broker


def test_guests_stay_who_they_were_with_their_numbers_answers_and_keys(tmp_path: Path) -> None:
    broker = old(tmp_path)
    alice, bob = broker.hello("alice", client="a" * 32), broker.hello("bob", client="b" * 32)
    assert (alice.welcome["from"], bob.welcome["from"]) == (ALICE, BOB)
    assert (alice.welcome["n"], bob.welcome["n"]) == (3, 5)
    assert "member" not in alice.welcome
    assert alice.welcome["log"] == "0" * 32
    assert alice.welcome["epochs"] == [*EPOCHS, [broker.log.epochs[-1][0], 8]]
    assert alice.ask("say", n=2, room="general", text="once only", once="k1") == [{"type": "ack", "n": 2, "seq": 3}]
    assert bob.ask("say", n=3, room="dev", text="")[0]["code"] == "bad_text"
    assert alice.ask("say", n=4, room="general", text="again", once="k1") == [
        {"type": "ack", "n": 4, "seq": 3, "duplicate": True}
    ]
    assert codes(bob.ask("say", n=6, room="dev", text="on")) == ["ack"]
    (event,) = broker.heard("dev")
    assert (event["seq"], event["prev"], event["from"]) == (8, 5, BOB)
    broker.store.close()


def test_conversations_rooms_and_topics_stay(tmp_path: Path) -> None:
    broker = old(tmp_path)
    alice = broker.hello("alice", client="a" * 32)
    assert alice.ask("ping")[-1]["heads"] == {"@bob": 7}
    (talk,) = alice.ask("history", to="bob")
    assert [(event["from"], event["text"]) for event in talk["events"]] == [(ALICE, "psst"), (BOB, "psst too")]
    (joined,) = alice.ask("join", room="dev")
    assert (joined["topic"], joined["head"]) == ("the topic", 5)
    (history,) = alice.ask("history", room="general")
    assert [(event["seq"], event["prev"]) for event in history["events"]] == [(1, 0), (3, 1), (6, 3)]
    (found,) = alice.ask("search", text="psst")
    assert len(found["events"]) == 2
    assert broker.hello("carol").ask("search", text="psst")[0]["events"] == []
    broker.store.close()


def test_members_begin_in_it_and_everything_is_there_after_the_next_start(tmp_path: Path) -> None:
    broker = old(tmp_path)
    olga = broker.peer()
    broker.credentials[olga.id] = OWN
    assert olga.ask("hello", protocol=1, device="host")[-1]["member"]["role"] == "owner"
    assert do(olga, "say", room="general", text="here I am")["seq"] == 9
    broker.store.close()
    again = Broker(Store(tmp_path, "f" * 32, NOON + 120), terms=TERMS)
    assert [member.nick for member in again.hub.members.members.values()] == ["olga"]
    alice = again.hello("alice", client="a" * 32)
    assert (alice.welcome["from"], alice.welcome["n"]) == (ALICE, 3)
    (history,) = alice.ask("history", room="general", after=3)
    assert [(event["seq"], event["prev"]) for event in history["events"]] == [(6, 3), (9, 6)]
    again.store.close()


def test_the_broker_of_before_refuses_a_log_of_now_with_its_sentence(tmp_path: Path) -> None:
    git = shutil.which("git")
    archive = [str(git), "-C", str(ROOT), "archive", BEFORE, "zchat"]
    made = subprocess.run(archive, capture_output=True, check=False) if git and (ROOT / ".git").exists() else None
    if made is None or made.returncode:
        pytest.skip("the commit of before is not here")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as files:
        files.extractall(tmp_path / "before", filter="data")
    data = tmp_path / "data"
    data.mkdir()
    team = Team(store=Store(data, "f" * 32, NOON))
    team.store.close()
    log = (data / "log.db").read_bytes()
    command = (
        "-m",
        "zchat",
        "broker",
        "--data",
        str(data),
        "--listen",
        "tcp://127.0.0.1:0",
        "--log-dir",
        str(tmp_path),
    )
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "before")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"was written by a newer zchat (format {len(schema.MIGRATIONS)}, this one knows 3)" in " ".join(
        done.stderr.split()
    )
    assert done.returncode not in {0, 1}
    assert (data / "log.db").read_bytes() == log
