"""Where histories part: epochs begin with a start, outlive it with what was stored in them, and tell how far a log that
went back is the one that a client knows."""

import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.broker.dialogue import Broker, codes
from zchat.broker.core.entries import Draft
from zchat.broker.core.epochs import Epochs
from zchat.broker.log.local import LocalLog
from zchat.broker.store import Store, backup, schema, store
from zchat.protocol import messages as m

ONE = ("1" * 16, 1)


def said(log: LocalLog, times: int = 1) -> None:
    for _ in range(times):
        assert log.write([Draft("f" * 16, "alice", [m.Say(n=1, text="hi")], "general")], 0.0)
        assert log.trouble is None


def opened(folder: Path | None) -> Store:
    return Store(folder, "ab" * 16, 0)


def test_each_start_in_which_something_was_stored_is_an_epoch_of_the_log(tmp_path: Path) -> None:
    begun: list[m.Epoch] = []
    for stored in (2, 0, 3, 0):
        with closing(opened(tmp_path)) as log_file:
            log = LocalLog(log_file)
            assert log.epochs[:-1] == begun, "what was stored before is told, and nothing of an empty run"
            assert log.epochs[-1][1] == log.head + 1
            said(log, stored)
            begun = list(log.epochs) if stored else begun
    assert [first for _, first in begun] == [1, 3]
    assert len({id_ for id_, _ in begun}) == 2


def test_an_epoch_is_written_with_its_first_event_or_not_at_all() -> None:
    with closing(opened(None)) as log_file:
        log = LocalLog(log_file)
        log_file.connection.execute("CREATE TEMP TRIGGER full BEFORE INSERT ON chunk BEGIN SELECT RAISE(FAIL, ''); END")
        log.write([Draft("f" * 16, "alice", [m.Say(n=1, text="hi")], "general")], 0.0)
        assert log.trouble is not None
        assert log_file.epochs() == []
        log_file.connection.execute("DROP TRIGGER full")
        said(log, 2)
        assert log_file.epochs() == log.epochs


def test_a_log_of_before_has_one_epoch_which_all_copies_of_it_have(tmp_path: Path) -> None:
    for name in ("log", "copy"):
        folder = tmp_path / name
        folder.mkdir()
        with closing(sqlite3.connect(folder / "log.db")) as old:
            old.executescript(schema.MIGRATIONS[0] + schema.MIGRATIONS[1])
            old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            old.execute("PRAGMA user_version = 2")
            old.execute("INSERT INTO log VALUES (?, 7)", ("0123456789abcdef" * 2,))
            old.commit()
        with closing(opened(folder)) as log_file:
            log = LocalLog(log_file)
            assert log.epochs == [("0123456789abcdef", 1), (log.epochs[1][0], 8)]


def test_a_backup_has_the_epochs_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "restored").mkdir()
    with closing(opened(tmp_path / "data")) as log_file:
        said(log := LocalLog(log_file), 5)
        backup(tmp_path / "data", tmp_path / "restored" / "log.db", lambda done, total: None)
        said(log)
        with closing(opened(tmp_path / "restored")) as restored:
            assert Epochs(LocalLog(restored).epochs).shared(log.epochs) == 5


def test_only_so_many_epochs_are_kept(monkeypatch: Any) -> None:
    monkeypatch.setattr(store, "EPOCHS_KEPT", 3)
    with closing(opened(None)) as log_file:
        for _ in range(5):
            said(log := LocalLog(log_file))
        log_file.forget(0)
        assert log_file.epochs() == log.epochs[-3:]


class Disk:
    """A log as a list: its epochs, and its events, of which no two are the same."""

    def __init__(self, epochs: list[m.Epoch], events: list[int]) -> None:
        self.epochs, self.events = epochs, events
        self.run: list[m.Epoch] = []  # the epoch that the broker has begun, while it is not written

    def copy(self) -> "Disk":
        return Disk([*self.epochs], [*self.events])

    def told(self) -> Epochs:
        return Epochs(self.epochs + self.run)


@given(st.lists(st.tuples(st.sampled_from(["start", "store", "copy", "restore", "look"]), st.integers(0, 9))))
def test_what_is_shared_is_what_both_have_seen_however_often_logs_are_copied_and_put_back(
    steps: list[tuple[str, int]],
) -> None:
    ids, events = (f"{number:016x}" for number in count()), count()
    disk, running = Disk([], []), False
    copies, looks = [disk.copy()], []
    for step, number in steps:
        if step == "copy":
            copies.append(disk.copy())
        elif step == "restore":
            disk, running = copies[number % len(copies)].copy(), False
        if step == "start" or not running:
            disk.run, running = [(next(ids), len(disk.events) + 1)], True
        if step == "store":
            disk.epochs, disk.run = disk.epochs + disk.run, []
            disk.events += [next(events) for _ in range(number + 1)]
        elif step == "look":
            looks.append((disk.told().latest, [*disk.events]))
    for chain, known in looks:
        shared = disk.told().shared(chain) if running else None
        same = sum(1 for one, other in zip(known, disk.events, strict=False) if one == other)
        assert min(len(known), len(known) if shared is None else shared) == same


def test_a_broker_tells_its_epochs_and_where_they_leave_those_of_a_hello() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    known = alice.welcome["epochs"]
    assert known == [[known[0][0], 1]]
    assert "shared" not in alice.welcome
    alice.say()
    broker.open()
    back = broker.hello("alice", epochs=known)
    assert back.welcome.get("shared") == 1
    assert back.welcome["epochs"] == [*known, [back.welcome["epochs"][1][0], 2]]
    assert "shared" not in broker.hello("bob", epochs=back.welcome["epochs"]).welcome
    assert broker.hello("carol", epochs=[["9" * 16, 1]]).welcome.get("shared") == 0


def test_a_chain_that_is_none_is_refused() -> None:
    peer = Broker().peer()
    for wrong in ([], ["1" * 16], [["1", 1]], [["1" * 16, 0]], [["1" * 16, 1, 1]], [list(ONE)] * 65):
        assert codes(peer.ask("hello", protocol=1, epochs=wrong)) == ["bad_command"], wrong
    assert codes(peer.ask("hello", protocol=1, epochs=[list(ONE)] * 64)) == ["welcome"]
