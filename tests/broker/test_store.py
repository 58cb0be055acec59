"""The log on disk: what opens, what is refused and left untouched, and what a batch leaves behind."""

import json
import multiprocessing
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from zchat.broker.core.effects import Query
from zchat.broker.core.entries import Draft, Duplicate, Failed, Refusal, Stored
from zchat.broker.log.local import LocalLog
from zchat.broker.store import Reader, SearchIndex, Store, backup, schema
from zchat.broker.store.search import BadSearchError, match
from zchat.errors import FolderError, ForeignJournalError, ForeignLogError, InUseError, NewerLogError, StorageError
from zchat.protocol import messages as m
from zchat.protocol import wire

NOW = 1_700_000_000
DAY = 86_400


@contextmanager
def opened(folder: Path | None, time: int = NOW) -> Iterator[LocalLog]:
    store = Store(folder, "ab" * 16, time)
    try:
        yield LocalLog(store)
    finally:
        store.close()


def draft(n: int, text: str = "hi", from_: str = "f", **fields: object) -> Draft:
    """Return a message; of `fields`, `room`, `pair` and `to` say where it goes, the others are the command's."""
    where = {name: fields.pop(name) for name in ("room", "pair", "to") if name in fields}
    say = m.Say(n=n, text=text, **fields)  # type: ignore[arg-type]
    return Draft(from_, "alice", [say], **({"room": "general"} | where))  # type: ignore[arg-type]


def append(log: LocalLog, *drafts: Draft | Refusal, time: float = NOW) -> list[object]:
    return list(log.write(list(drafts), time))


def history(log: LocalLog, **fields: object) -> bytes:
    with closing(Reader(log.store.path)) as reader:
        query = Query(**({"peer": b"", "ref": None, "room": "general", "after": 0} | fields))  # type: ignore[arg-type]
        return reader.history(query).events


def test_a_log_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1), draft(2, room="ops"), draft(3))
        first = log.id, history(log)
    with opened(tmp_path) as log:
        assert (log.id, history(log)) == first
        assert log.rooms == {"general": (1, 3), "ops": (2, 2)}
        (stored,) = append(log, draft(4))
        assert isinstance(stored, Stored)
        assert stored.seq == 4
        assert b'"prev":3' in stored.lines[0]
        assert log.past("f", "f").n == 4
        assert log.past("f", "f").seqs == {1: 1, 2: 2, 3: 3}


def test_a_seq_is_never_given_twice_even_if_the_last_events_were_taken_out(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1), draft(2))
        log.store.connection.execute("DELETE FROM chunk")
    with opened(tmp_path) as log:
        (stored,) = append(log, draft(3))
        assert isinstance(stored, Stored)
        assert stored.seq == 3


@pytest.mark.parametrize(("then", "later"), [(-400 * DAY, 0), (0, 400 * DAY)], ids=["behind", "ahead"])
def test_a_clock_that_was_wrong_for_a_while_makes_no_number_free_again(tmp_path: Path, then: int, later: int) -> None:
    with opened(tmp_path, NOW + then) as log:
        append(log, draft(1), draft(2), time=NOW + then)
    with opened(tmp_path, NOW + later) as log:
        assert log.past("f", "f").n == 2


def test_a_broker_started_with_its_clock_ahead_frees_no_once_key(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1, once="k"))
    with opened(tmp_path, NOW + 400 * DAY):
        pass
    with opened(tmp_path) as log:
        assert append(log, draft(2, once="k")) == [Duplicate(1)]


def test_a_line_is_read_as_it_was_written_whatever_is_in_it(tmp_path: Path) -> None:
    text = "\x00\x1b[31m\u202eé😀\\\"'\n\r\u2028"
    with opened(tmp_path) as log:
        (stored,) = append(log, draft(1, text))
        assert isinstance(stored, Stored)
        assert history(log) == stored.lines[0]


def test_every_page_of_history_is_the_same_however_the_events_were_batched(tmp_path: Path) -> None:
    """Batches of 1, 2, 3 … events in turn in two rooms, one of them far over what a row holds."""
    with opened(tmp_path) as log:
        stored = []
        for size in (1, 2, 3, 1, 50, 1, 4):
            first = log.head + 1
            drafts = [
                draft(n, "x" * 4_000 if size == 50 else "hi", room="ab"[n % 2]) for n in range(first, first + size)
            ]
            stored += [outcome for outcome in append(log, *drafts) if isinstance(outcome, Stored)]
        lines = [one for one in stored if one.seq % 2]  # of the room `b`
        assert log.store.connection.execute("SELECT max(count) FROM chunk").fetchone()[0] < 25, "it was cut"
        with closing(Reader(log.store.path)) as reader:
            for limit in (1, 2, 7, 1_000):
                for mark in range(log.head + 2):
                    after = reader.history(Query(peer=b"", ref=None, room="b", after=mark, limit=limit))
                    wanted = [one for one in lines if one.seq > mark]
                    assert after.events == b",".join(one.lines[0] for one in wanted[:limit])
                    assert after.more == (len(wanted) > limit)
                    assert after.upto == (wanted[limit - 1].seq if after.more else lines[-1].seq)
                    before = reader.history(Query(peer=b"", ref=None, room="b", before=mark, limit=limit))
                    wanted = [one for one in lines if one.seq < mark]
                    assert before.events == b",".join(one.lines[0] for one in wanted[-limit:])
                    assert (before.count, before.more) == (min(limit, len(wanted)), len(wanted) > limit)


def test_a_page_is_cut_where_an_answer_is_full_and_the_next_goes_on_there(tmp_path: Path) -> None:
    with opened(tmp_path) as log, closing(Reader(log.store.path)) as reader:
        stored = append(log, *(draft(n, "x" * 16_000) for n in range(1, 101)))
        lines, mark = [], 0
        while True:
            page = reader.history(Query(peer=b"", ref=None, room="general", after=mark))
            assert len(page.events) + page.count <= wire.ANSWER_MAX
            lines.append(page.events)
            mark = page.upto
            if not page.more:
                break
        assert len(lines) == 7
        assert b",".join(lines) == b",".join(one.lines[0] for one in stored if isinstance(one, Stored))
        last = reader.history(Query(peer=b"", ref=None, room="general"))
        assert lines[-1] in last.events
        assert last.more


def test_since_finds_the_first_event_of_that_millisecond(tmp_path: Path) -> None:
    with opened(tmp_path) as log, closing(Reader(log.store.path)) as reader:
        for second in range(5):
            append(log, draft(2 * second + 1), draft(2 * second + 2, room="ops"), time=NOW + second + 0.001)
        for second in range(5):
            for micro, wanted in ((1_000, second), (1_001, second + 1), (0, second)):
                since = datetime.fromtimestamp(NOW + second, UTC) + timedelta(microseconds=micro)
                page = reader.history(Query(peer=b"", ref=None, room="ops", since=since))
                assert page.count == 5 - wanted


def test_a_log_of_the_first_form_is_brought_to_the_newest_with_all_that_is_in_it(tmp_path: Path) -> None:
    line = '{"type":"message","seq":%d,"prev":%d,"time":"2023-11-14T22:13:2%d.250Z","from":"f","text":"é%d"}'
    with closing(sqlite3.connect(tmp_path / "log.db")) as old:
        old.executescript(schema.MIGRATIONS[0])
        old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        old.execute("INSERT INTO log VALUES (?, 3)", ("ef" * 16,))
        old.execute("INSERT INTO room VALUES (1, 'general', '', 3)")
        old.execute("INSERT INTO client VALUES ('f', 9, ?)", (NOW,))
        old.executemany(
            "INSERT INTO event VALUES (?, 1, ?, ?)", [(n, n + 6, line % (n, n - 1, n, n)) for n in (1, 2, 3)]
        )
        old.commit()
    with opened(tmp_path) as log, closing(Reader(log.store.path)) as reader:
        assert log.id == "ef" * 16
        assert log.past("f", "f").seqs == {7: 1, 8: 2, 9: 3}
        assert history(log).decode() == ",".join(line % (n, n - 1, n, n) for n in (1, 2, 3))
        since = datetime.fromisoformat("2023-11-14T22:13:22.250Z")
        assert reader.history(Query(peer=b"", ref=None, room="general", since=since)).count == 2
        assert isinstance(append(log, draft(10))[0], Stored)


def test_a_search_tells_each_line_out_of_its_batch(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        words = ["héron", "crow", "Heron of Alexandria", "heronry", "owl"]
        stored = append(log, *(draft(n, word, room="ab"[n % 2]) for n, word in enumerate(words, 1)))
        with closing(SearchIndex(tmp_path, log.store.path)) as index:
            while index.fill():
                pass
            found = index.search(Query(peer=b"", ref=None, text="heron"))
            assert found.events == b",".join(one.lines[0] for one in (stored[0], stored[2]) if isinstance(one, Stored))
            assert index.search(Query(peer=b"", ref=None, text="heron", room="a")).count == 0
            assert index.search(Query(peer=b"", ref=None, text="heron*", room="a")).count == 1
            assert index.search(Query(peer=b"", ref=None, text="heron", before=3)).count == 1


def test_what_is_written_without_spaces_is_found_by_any_part_of_it(tmp_path: Path) -> None:
    words = ["中文字符测试", "発売日はテストです", "ﾊﾝｶｸ", "𠮷野家で会おう", "한국어 문장", "中 文 apart"]
    with opened(tmp_path) as log:
        append(log, *(draft(n, word) for n, word in enumerate(words, 1)))
        with closing(SearchIndex(tmp_path, log.store.path)) as index:
            while index.fill():
                pass

            def found(text: str) -> list[int]:
                answer = index.search(Query(peer=b"", ref=None, text=text)).events
                return [event["seq"] for event in json.loads(b"[" + answer + b"]")]

            assert found("中文") == [1, 6]
            assert found("字符") == [1]
            assert found("文中") == []
            assert found("テスト") == [2]
            assert found("売日* 発") == [2]
            assert found("ｶｸ") == [3]
            assert found("𠮷野") == [4]
            assert found("국어") == []
            assert found("한국*") == [5]


def test_a_full_disk_is_told_without_where_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1))
        pages = log.store.connection.execute("PRAGMA page_count").fetchone()[0]
        log.store.connection.execute(f"PRAGMA max_page_count = {pages}")
        failed = append(log, *(draft(n, text="long" * 1_000) for n in range(2, 100)))
        assert set(failed) == {Failed("the broker's disk is full: there has to be room on it")}


@pytest.mark.parametrize("statement", ["INSERT ON chunk", "INSERT ON once", "UPDATE ON log"])  # first, middle, last
def test_a_batch_that_fails_leaves_no_trace(tmp_path: Path, statement: str) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1))
        log.store.connection.execute(f"CREATE TRIGGER t BEFORE {statement} BEGIN SELECT RAISE(ABORT, 'no'); END")
        assert (
            append(log, draft(2), draft(3, room="new"), draft(4, once="k"))
            == [Failed("the broker cannot write its log now (no)")] * 3
        )
        assert isinstance(log.trouble, StorageError)
        log.store.connection.execute("DROP TRIGGER t")
        (stored,) = append(log, draft(2, once="k"))
        assert isinstance(stored, Stored)
        assert stored.seq == 2
        assert log.trouble is None
        assert "new" not in log.rooms
        assert log.store.connection.execute("SELECT count(*) FROM room").fetchone() == (1,)


def test_a_full_disk_is_told_as_such_and_the_log_stays_sound(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1))
        pages = log.store.connection.execute("PRAGMA page_count").fetchone()[0]
        log.store.connection.execute(f"PRAGMA max_page_count = {pages}")
        outcomes = append(log, *(draft(n, "x" * 16_000) for n in range(2, 30)))
        assert set(map(type, outcomes)) == {Failed}
        assert "is full" in str(log.trouble)
        log.store.connection.execute("PRAGMA max_page_count = 1000000")
        assert isinstance(append(log, draft(2))[0], Stored)
        assert log.store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_once_holds_for_seven_days_for_each_sender_also_within_a_batch(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        first, second, other = append(log, draft(1, once="k"), draft(2, once="k"), draft(1, once="k", from_="g"))
        assert isinstance(first, Stored)
        assert second == Duplicate(first.seq)
        assert isinstance(other, Stored)
        assert append(log, draft(3, once="k"), time=NOW + 7 * DAY) == [Duplicate(first.seq)]
        assert isinstance(append(log, draft(4, once="k"), time=NOW + 7 * DAY + 1)[0], Stored)


def test_what_a_number_was_answered_without_an_event_is_remembered(tmp_path: Path) -> None:
    refusal = m.Error(code="bad_text", message="no", n=2)
    with opened(tmp_path) as log:
        append(log, draft(1, once="k"), Refusal("f", [m.Say(n=2, text="")], refusal), draft(3, once="k"))
    with opened(tmp_path) as log:
        assert log.past("f", "f").seqs == {1: 1}
        assert log.past("f", "f").answers == {2: refusal, 3: m.Ack(n=3, seq=1, duplicate=True)}


def test_a_client_is_forgotten_thirty_days_after_its_last_use_if_very_many_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zchat.broker.store.store.LATEST_KEPT", 2)
    with opened(tmp_path) as log:
        append(log, draft(7), Refusal("f", [m.Say(n=8, text="")], m.Error(code="bad_text", message="no", n=8)))
        append(log, draft(1, from_="g"), draft(1, from_="h"), time=NOW + 1)
    with opened(tmp_path, NOW + 30 * DAY) as log:
        assert log.past("f", "f").n == 8
    with opened(tmp_path, NOW + 60 * DAY) as log:
        assert log.past("f", "f").n == 0
        assert (log.past("g", "g").n, log.past("h", "h").n) == (1, 1)
        assert log.store.connection.execute("SELECT count(*) FROM answer").fetchone() == (0,)


def _try_to_open(folder: Path, found: "multiprocessing.Queue[tuple[int, str]]") -> None:
    try:
        Store(folder, "cd" * 16, NOW).close()
    except InUseError as error:
        found.put((error.pid, str(error)))


def test_two_brokers_never_open_one_log_and_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    with opened(tmp_path):
        context = multiprocessing.get_context("spawn")
        found: multiprocessing.Queue[tuple[int, str]] = context.Queue()
        other = context.Process(target=_try_to_open, args=(tmp_path, found))
        other.start()
        pid, sentence = found.get(timeout=30)
        other.join()
        found.close()
        found.join_thread()
    assert pid == os.getpid()
    assert str(os.getpid()) in sentence
    with opened(tmp_path):
        pass


def _refused(folder: Path, error: type[StorageError]) -> str:
    path = folder / "log.db"
    before = path.read_bytes()
    with pytest.raises(error) as caught, opened(folder):
        pass
    assert path.read_bytes() == before, "it was left untouched"
    assert {one.name for one in folder.iterdir()} <= {"log.db", "lock", "log.db-wal", "log.db-shm"}
    return str(caught.value)


@pytest.mark.parametrize("content", [b"hello", b"x" * 10_000, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.db").write_bytes(content)
    assert str(tmp_path / "log.db") in _refused(tmp_path, ForeignLogError)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    assert "another program" in _refused(tmp_path, ForeignLogError)


def test_a_damaged_log_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, *(draft(n, "x" * 1_000) for n in range(1, 200)))
    path = tmp_path / "log.db"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 4] = b"\xa5" * (4096 * 3)
    path.write_bytes(content)
    _refused(tmp_path, ForeignLogError)


def test_a_log_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, *(draft(n, "x" * 1_000) for n in range(1, 200)))
    path = tmp_path / "log.db"
    path.write_bytes(path.read_bytes()[: 4096 * 20])
    _refused(tmp_path, ForeignLogError)


def crashed(data: Path, folder: Path) -> Path:
    """Copy the files of an open log to a folder: what a broker leaves that is killed now. Return the folder."""
    folder.mkdir()
    for name in ("log.db", "log.db-wal"):
        shutil.copy(data / name, folder)
    return folder


@pytest.mark.parametrize("texts", [1, 400], ids=["small", "large"])
@pytest.mark.parametrize("written_back", [True, False], ids=["written back", "in the journal"])
def test_a_backup_beside_the_journal_of_the_log_before_is_refused_and_not_undone(
    tmp_path: Path, texts: int, written_back: bool
) -> None:
    data = tmp_path / "data"
    with opened(data) as log:
        append(log, *(draft(n, "x" * 15_000) for n in range(1, texts + 1)))
        backup(data, tmp_path / "yesterday.db", lambda done, total: None)
        if written_back:
            log.store.checkpoint()
        for n in range(texts + 1, 2 * texts + 1):
            append(log, draft(n, "later " + "y" * 15_000))
        crash = crashed(data, tmp_path / "crash")
    shutil.copy(tmp_path / "yesterday.db", crash / "log.db")
    journal = (crash / "log.db-wal").read_bytes()
    told = _refused(crash, ForeignJournalError)
    assert "remove log.db-wal and log.db-shm, then start again" in told
    with pytest.raises(ForeignJournalError):  # to copy it would write the journal back
        backup(crash, tmp_path / "another.db", lambda done, total: None)
    assert (crash / "log.db-wal").read_bytes() == journal
    (crash / "log.db-wal").unlink()
    (crash / "log.db-shm").unlink(missing_ok=True)
    with opened(crash) as restored:
        assert restored.head == texts


def test_a_crash_is_recovered_from_the_journal_whatever_was_written_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data) as log:
        crash = crashed(data, tmp_path / "new")
        with opened(crash) as recovered:
            assert (recovered.id, recovered.head) == (log.id, 0)
        append(log, draft(1))
        log.store.checkpoint()
        with opened(crashed(data, tmp_path / "written back")) as recovered:
            assert (recovered.id, recovered.head) == (log.id, 1)
        append(log, draft(2), draft(3))
        with opened(crashed(data, tmp_path / "half written back")) as recovered:
            assert (recovered.id, recovered.head) == (log.id, 3)


def test_what_is_damaged_beside_a_journal_may_be_a_backup_and_that_is_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data) as log:
        append(log, *(draft(n, "x" * 1_000) for n in range(1, 200)))
        log.store.checkpoint()
        append(log, draft(200))
        crash = crashed(data, tmp_path / "crash")
    content = bytearray((crash / "log.db").read_bytes())
    content[4096 * 20 : 4096 * 30] = b"\xa5" * (4096 * 10)
    (crash / "log.db").write_bytes(content)
    assert "If it is a backup that was put there: remove log.db-wal" in _refused(crash, ForeignLogError)


def test_a_log_with_events_beyond_its_head_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1), draft(2))
        append(log, draft(3))
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("UPDATE log SET head = 2")
    assert "beyond its head" in _refused(tmp_path, ForeignLogError)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("UPDATE chunk SET lines = CAST('{\"seq\":1,' AS BLOB)", "last events cannot be read"),
        ("UPDATE chunk SET lines = CAST('[]' AS BLOB)", "last events cannot be read"),
        ("UPDATE chunk SET ns = '[1, 2]'", "last events cannot be read"),
        ("UPDATE chunk SET ns = 'x'", "last events cannot be read"),
        (
            "CREATE TRIGGER mine AFTER INSERT ON chunk BEGIN DELETE FROM chunk; END",
            "a trigger 'mine' that is not zchat's",
        ),
        ("CREATE TABLE mine (x)", "a table 'mine' that is not zchat's"),
        ("CREATE VIEW mine AS SELECT * FROM chunk", "a view 'mine' that is not zchat's"),
        ("DROP INDEX chunk_room", "'chunk_room' is missing or was changed"),
        ("ALTER TABLE room ADD COLUMN x", "'room' is missing or was changed"),
    ],
)
def test_a_log_that_is_damaged_or_has_something_of_others_in_it_is_refused(
    tmp_path: Path, harm: str, told: str
) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1))
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute(harm)
    assert told in _refused(tmp_path, ForeignLogError)


def test_a_log_that_was_analysed_is_still_a_log(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1))
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("ANALYZE")
    with opened(tmp_path) as log:
        assert log.head == 1


def test_a_log_of_a_newer_zchat_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.store.connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    assert "Upgrade zchat" in _refused(tmp_path, NewerLogError)


def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    (tmp_path / "log.db").touch()
    with opened(tmp_path) as log:
        assert isinstance(append(log, draft(1))[0], Stored)


def test_a_folder_that_is_made_is_for_its_owner_only(tmp_path: Path) -> None:
    with opened(tmp_path / "data"):
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="--data"), opened(tmp_path / "file" / "data"):
        pass


def test_a_log_in_memory_leaves_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(None) as log:
        assert isinstance(append(log, draft(1))[0], Stored)
        assert log.store.size() > 0
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_what_is_committed_while_the_log_is_written(tmp_path: Path) -> None:
    with opened(tmp_path) as log, closing(Reader(log.store.path)) as reader:
        query = Query(peer=b"", ref=None, room="general", after=0)
        for n in range(1, 5):
            append(log, draft(n))
            answer = reader.history(query)
            assert (answer.count, answer.upto, answer.more) == (n, n, False)


def test_a_reader_can_write_the_journal_back_beside_the_writer(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with opened(tmp_path) as log, closing(Reader(log.store.path)) as reader:
        append(log, draft(1), draft(2))
        reader.checkpoint()
        (tmp_path / "copy" / "log.db").write_bytes((tmp_path / "log.db").read_bytes())  # without its journal
        append(log, draft(3))
    with opened(tmp_path / "copy") as copy:
        assert copy.head == 2


def test_a_backup_is_a_whole_log_of_its_own_while_the_log_is_written(tmp_path: Path) -> None:
    target = tmp_path / "copy" / "log.db"
    target.parent.mkdir()
    with opened(tmp_path / "data") as log:
        append(log, *(draft(n, "x" * 10_000) for n in range(1, 2_001)))
        told: list[tuple[int, int]] = []

        def progress(done: int, total: int) -> None:
            told.append((done, total))
            append(log, draft(2_000 + len(told)))

        backup(tmp_path / "data", target, progress)
        assert len(told) > 1
        assert told[-1][0] == told[-1][1]
    with opened(target.parent) as copy:
        assert copy.head == 2_000
        assert copy.past("f", "f").n == 2_000


def test_half_a_backup_is_not_left_behind(tmp_path: Path) -> None:
    def give_up(done: int, total: int) -> None:
        assert (tmp_path / "copy").exists()
        raise KeyboardInterrupt

    with opened(tmp_path / "data"), pytest.raises(KeyboardInterrupt):
        backup(tmp_path / "data", tmp_path / "copy", give_up)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_backup_does_not_overwrite_and_wants_a_log(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="no log"):
        backup(tmp_path, tmp_path / "copy", lambda done, total: None)
    with opened(tmp_path):
        (tmp_path / "copy").write_text("precious")
        with pytest.raises(FolderError, match="not overwritten"):
            backup(tmp_path, tmp_path / "copy", lambda done, total: None)
    assert (tmp_path / "copy").read_text() == "precious"


def test_the_search_index_is_made_anew_when_it_is_damaged_or_of_another_log(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        append(log, draft(1, "needle"))

        def found() -> int:
            with closing(SearchIndex(tmp_path, log.store.path)) as index:
                while index.fill():
                    pass
                return index.search(Query(peer=b"", ref=None, text="needle")).count

        assert found() == 1
        with closing(SearchIndex(tmp_path, log.store.path)) as kept:
            assert kept.connection.execute("SELECT upto FROM indexed").fetchone()[0] == 1
        with closing(sqlite3.connect(tmp_path / "search.db")) as old:
            old.executescript("PRAGMA user_version = 1; INSERT INTO words (words) VALUES ('delete-all')")
        assert found() == 1
        (tmp_path / "search.db").write_bytes(b"rubbish" * 1_000)
        assert found() == 1
        log.store.connection.execute("UPDATE log SET id = 'another'")
        log.store.connection.execute("DELETE FROM chunk")
        assert found() == 0


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("green deploy", '"green" "deploy"'),
        ('say "as is" now', '"say" "as is" "now"'),
        ("say “as is” „as is“ «as is» it’s", '"say" "as is" "as is" "as is" "it’s"'),
        ("gree*", '"gree"*'),
        ("a-b NOT", '"a-b" "NOT"'),
        ("* - x", '"x"'),
    ],
)
def test_what_a_person_types_becomes_words_phrases_and_beginnings(typed: str, query: str) -> None:
    assert match(typed) == query


@pytest.mark.parametrize("typed", ["", "  ", "!?", '""', "***"])
def test_a_search_for_no_word_is_refused(typed: str) -> None:
    with pytest.raises(BadSearchError):
        match(typed)
