"""The only writer of the log. It opens, checks and locks the folder, and writes each batch in one transaction.

The log uses `synchronous=FULL` and a write-ahead log: when `write` returns, the whole batch is on disk; when it raises,
nothing of it is. All events of a room in a batch are one row, split at 64 KiB.

A file is inspected before it is opened for writing, so that a file of another program stays unchanged. A small log is
checked as a whole. For a large log that would take minutes: only its header, its schema and its last rows are checked,
and SQLite reports a damaged page when it reads it.

The journal of a broker that was killed has what the database has not yet: SQLite reads the one through the other, and
writes it back. It would do the same if a backup had been put in the place of the database, and so undo that. But each
backup has a log id of its own, and every journal has the page with the id. So the id in the database alone is compared
with the one that is read through the journal.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from zchat import files
from zchat.broker.core.effects import CONVERSATIONS_KEPT, ClientRecord, Conversation, Pair
from zchat.errors import (
    DiskFullError,
    FolderError,
    ForeignJournalError,
    ForeignLogError,
    InUseError,
    LostLogError,
    NewerLogError,
    StorageError,
)
from zchat.protocol import messages as m
from zchat.protocol import wire

from . import schema
from .hold import JOURNAL_FULL, JOURNAL_KEPT, Hold

log = logging.getLogger(__name__)

LOG_FILE = "log.db"
CLIENT_KEPT = 30 * 86_400  # s after its last use
ONCE_KEPT = 7 * 86_400  # s
LATEST_KEPT = 10_000  # clients, and `once` keys, kept in any case: a wrong clock must not make us forget them
EPOCHS_KEPT = 4_096  # starts of a broker that stored something: half a year of hourly starts
ANSWERS_TOLD = 1_000  # per client: the latest numbers taken without an event
CHUNK_MAX = 64 * 1024  # bytes of lines in one row: a page of a few lines has to read that much
RECENT = 12_000  # events whose numbers are remembered over a restart: more than one batch can hold
CHECKED_WHOLE = 16 * 1024 * 1024  # bytes of a log: that much is checked in a tenth of a second


class Run(Struct):
    """The events of one room or conversation in a batch: their `seq`s, their senders' numbers, their lines."""

    seqs: list[int] = []
    ns: list[int] = []
    lines: list[bytes] = []


@dataclass(slots=True)
class Batch:
    """The content of one transaction: rows as in `schema`, and the new heads."""

    head: int
    time: int  # milliseconds since 1970
    runs: defaultdict[int, Run] = field(
        default_factory=lambda: defaultdict(Run)
    )  # by the id of the room or conversation
    new_rooms: list[tuple[int, str, int]] = field(default_factory=list)  # id, name, head
    room_heads: dict[int, int] = field(default_factory=dict)
    topics: list[tuple[str, int]] = field(default_factory=list)  # topic, room id
    conversations: list[tuple[int, str, str, str, str, int]] = field(default_factory=list)
    clients: dict[str, int] = field(default_factory=dict)
    answers: list[tuple[str, int, str]] = field(default_factory=list)
    once: dict[tuple[str, str], int] = field(default_factory=dict)
    epoch: m.Epoch | None = None  # the epoch that begins with this batch


class Store:
    """The open log. With `folder` None it is in memory."""

    def __init__(self, folder: Path | None, fresh_id: str, time: int) -> None:
        """Open the log, or create one with the id `fresh_id`.

        Raises FolderError, InUseError, ForeignLogError, ForeignJournalError, NewerLogError, DiskFullError.
        """
        self.folder = folder
        self.path = folder / LOG_FILE if folder else Path(":memory:")
        self._lock = _lock(folder) if folder else None
        self._hold: Hold | None = None
        try:
            if folder:
                self._hold = Hold(self.path)
            with translated(self.path, opening=True):
                self.connection = _open(self.path)
                schema.migrate(self.connection)
                self._begin(fresh_id)
                self.forget(time)
            if self._hold:
                self._hold.begin()
        except BaseException:
            self.close()
            raise

    def _begin(self, fresh_id: str) -> None:
        row = self.connection.execute("SELECT id, head FROM log").fetchone()
        if row is None:
            row = (fresh_id, 0)
            self.connection.execute("INSERT INTO log (id, head) VALUES (?, ?)", row)
        self.id: str = row[0]
        self._head: int = row[1]  # as last read or written by this process

    def forget(self, time: int) -> None:
        """Delete what the protocol allows to be forgotten at `time`, in seconds since 1970."""
        with self._undone():
            self.connection.execute("BEGIN IMMEDIATE")
            for table, kept in (("once", ONCE_KEPT), ("client", CLIENT_KEPT)):
                latest = f"SELECT used FROM {table} ORDER BY used DESC LIMIT 1 OFFSET ?"  # noqa: S608 — no user input
                sql = f"DELETE FROM {table} WHERE used < ? AND used <= ({latest})"  # noqa: S608
                self.connection.execute(sql, (time - kept, LATEST_KEPT))
            self.connection.execute(_FORGET_EPOCHS, (EPOCHS_KEPT - 1,))
            self.connection.execute('DELETE FROM answer WHERE "from" NOT IN (SELECT "from" FROM client)')
            self.connection.execute("COMMIT")

    def recent(self) -> dict[str, dict[int, int]]:
        """Return the `seq`s of the last events, by `from` and number: unanswered commands are sent again."""
        return _recent(self.connection)

    def head(self) -> int:
        """Return the last `seq` given. From now on only this process may give one."""
        self._head = self._all("SELECT head FROM log")[0][0]
        return self._head

    def epochs(self) -> list[m.Epoch]:
        """Return the epochs in which something was stored, oldest first (the latest EPOCHS_KEPT)."""
        return self._all("SELECT id, first FROM epoch ORDER BY first")

    def rooms(self) -> list[tuple[int, str, str, int]]:
        """Return (id, name, topic, head) of every room."""
        return self._all("SELECT id, name, topic, head FROM room")

    def conversation(self, pair: Pair) -> tuple[int, int] | None:
        """Return (id, head) of a conversation."""
        rows = self._all("SELECT id, head FROM conversation WHERE a = ? AND b = ?", pair)
        return rows[0] if rows else None

    def holds(self, room: int, seq: int) -> bool:
        """Return whether an event of a room or conversation (given by its id) is in the log."""
        sql = "SELECT lines FROM chunk WHERE room = ? AND first <= ? ORDER BY first DESC LIMIT 1"
        rows = self._all(sql, (room, seq))
        # No text can contain this: quotes in it are escaped.
        return bool(rows) and b'"seq":%d,"prev"' % seq in bytes(rows[0][0])

    def next_conversation(self) -> int:
        lowest: int = self._all("SELECT coalesce(min(id), 0) FROM conversation")[0][0]
        return lowest - 1

    def once(self, from_: str, key: str, time: int) -> int | None:
        """Return the `seq` for which this sender used this key in the last 7 days."""
        sql = 'SELECT seq FROM once WHERE "from" = ? AND key = ? AND used >= ?'
        rows = self._all(sql, (from_, key, time - ONCE_KEPT))
        return rows[0][0] if rows else None

    def past(self, from_: str) -> ClientRecord:
        """Return what is remembered of a client."""
        rows = self._all('SELECT n FROM client WHERE "from" = ?', (from_,))
        sql = 'SELECT n, line FROM answer WHERE "from" = ? ORDER BY n DESC LIMIT ?'
        kept = reversed(self._all(sql, (from_, ANSWERS_TOLD)))
        answers = {n: _answer(line) for n, line in kept}
        ends = self._all(
            "SELECT b, nick_b, head FROM conversation WHERE a = ?1 UNION SELECT a, nick_a, head FROM conversation"
            " WHERE b = ?1 ORDER BY head DESC LIMIT ?2",
            (from_, CONVERSATIONS_KEPT),
        )
        talks = {other: Conversation(nick, head) for other, nick, head in reversed(ends)}
        return ClientRecord(n=rows[0][0] if rows else 0, answers=answers, conversations=talks)

    def answer(self, from_: str, n: int) -> m.Error | m.Ack | None:
        """Return the answer to a number that was taken without an event."""
        rows = self._all('SELECT line FROM answer WHERE "from" = ? AND n = ?', (from_, n))
        return _answer(rows[0][0]) if rows else None

    def write(self, batch: Batch) -> None:
        """Write a batch to disk, all or nothing. Raises DiskFullError, LostLogError or another StorageError."""
        with translated(self.path), self._undone():
            self.connection.execute("BEGIN IMMEDIATE")
            self._insert(batch)
            self.connection.execute("COMMIT")
        self._head = batch.head
        self.check()  # after the commit, so that nothing is acknowledged that is in a lost file

    def check(self) -> None:
        """Check that the open files are still in place; takes some microseconds. Raises LostLogError."""
        if self._hold:
            self._hold.check()

    def _insert(self, batch: Batch) -> None:
        run, many = self.connection.execute, self.connection.executemany
        many(_INSERT_CHUNK, sorted(_chunks(batch)))
        if batch.new_rooms:
            many("INSERT INTO room (id, name, head) VALUES (?, ?, ?)", batch.new_rooms)
        many("UPDATE room SET head = ?2 WHERE id = ?1", batch.room_heads.items())
        if batch.topics:
            many("UPDATE room SET topic = ? WHERE id = ?", batch.topics)
        if batch.conversations:
            many("INSERT OR REPLACE INTO conversation VALUES (?, ?, ?, ?, ?, ?)", batch.conversations)
        seconds = batch.time // 1_000
        many(_UPSERT_CLIENT, [(from_, n, seconds) for from_, n in batch.clients.items()])
        if batch.answers:
            many("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", batch.answers)
        if batch.once:
            rows = [(from_, key, seq, seconds) for (from_, key), seq in batch.once.items()]
            many("INSERT OR REPLACE INTO once VALUES (?, ?, ?, ?)", rows)
        if batch.epoch is not None:
            run("INSERT INTO epoch (id, first) VALUES (?, ?)", batch.epoch)
        written = run("UPDATE log SET head = ? WHERE head = ?", (batch.head, self._head)).rowcount
        if written != 1:
            why = "another program has written to it"
            raise LostLogError(self.path, why) if self._hold is None else self._hold.lose(why)

    def writing_back(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which the journal may be written back."""
        return contextlib.nullcontext() if self._hold is None else self._hold.writing_back()

    def checkpoint(self) -> None:
        """Copy the journal into the database, so that the next batch restarts the journal. Raises StorageError."""
        with translated(self.path):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def size(self) -> int:
        """Return the bytes that the log takes on disk."""
        if self.folder is None:
            pages, page = self._all("PRAGMA page_count")[0][0], self._all("PRAGMA page_size")[0][0]
            return int(pages * page)
        total = 0
        for path in (self.path, self.path.with_name(LOG_FILE + "-wal")):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def close(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()
        if self._hold is not None:  # after the connection: closing a file drops the locks that SQLite has on it
            self._hold.close()
        if self._lock is not None:
            self._lock.close()

    @contextlib.contextmanager
    def _undone(self) -> Iterator[None]:
        """Roll the transaction back on an error."""
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def _all(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values).fetchall()


_INSERT_CHUNK = "INSERT INTO chunk (first, room, count, time, ns, lines) VALUES (?, ?, ?, ?, ?, ?)"
_FORGET_EPOCHS = "DELETE FROM epoch WHERE first < (SELECT first FROM epoch ORDER BY first DESC LIMIT 1 OFFSET ?)"
_UPSERT_CLIENT = (
    'INSERT INTO client ("from", n, used) VALUES (?, ?, ?)'
    " ON CONFLICT DO UPDATE SET n = excluded.n, used = excluded.used"
)


class _Event(Struct, rename={"from_": "from"}):
    """The fields that are decoded from a stored line."""

    seq: int
    from_: str


_events = msgspec.json.Decoder(_Event).decode_lines
_answer = msgspec.json.Decoder(m.Error | m.Ack).decode
_numbers = msgspec.json.Decoder(list[int]).decode


def _recent(connection: sqlite3.Connection) -> dict[str, dict[int, int]]:
    """Return the `seq`s of the last events, by `from` and number. Raises ValueError if they are not valid."""
    recent: dict[str, dict[int, int]] = {}
    chunks, told = [], 0
    for count, ns, lines in connection.execute("SELECT count, ns, lines FROM chunk ORDER BY id DESC"):
        chunks.append((ns, lines))
        told += count
        if told >= RECENT:
            break
    for ns, lines in reversed(chunks):
        for n, event in zip(_numbers(ns), _events(lines), strict=True):
            recent.setdefault(event.from_, {})[n] = event.seq
    return recent


def _chunks(batch: Batch) -> Iterator[tuple[int, int, int, int, str, bytes]]:
    """Yield the rows of a batch: (first, room, count, time, ns, lines)."""
    for room, run in batch.runs.items():
        for part in wire.cut(run.lines, CHUNK_MAX):
            ns, lines = run.ns[part], run.lines[part]
            yield run.seqs[part.start], room, len(lines), batch.time, wire.encode(ns).decode(), b"\n".join(lines)


def _lock(folder: Path) -> IO[str]:
    """Create the folder if it does not exist, and lock it against other brokers."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.private(folder / "lock")
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise FolderError(folder, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        pid = file.read().strip()
        file.close()
        raise InUseError(folder, int(pid) if pid.isdigit() else 0) from None
    try:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        file.close()
        raise DiskFullError(folder) from error
    return file


def _open(path: Path) -> sqlite3.Connection:
    """Open the database, after checking that it is a zchat log. Any other file is not written to."""
    if path.exists() and path.stat().st_size:
        inspect(path)
    _keep_private(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        f"wal_autocheckpoint = {JOURNAL_FULL}",  # 128 MiB: `checkpoint` writes it back long before, every second
        f"journal_size_limit = {JOURNAL_KEPT}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _keep_private(path: Path) -> None:
    """Make the log and the files beside it readable by their owner only: older versions left them open to all.

    SQLite creates a journal with the mode of its database.
    """
    if str(path) == ":memory:":
        return
    beside = [file for file in path.parent.glob("*.db*") if file.stem in (path.stem, "search")]
    loose = [file.name for file in beside if files.tighten(file)]
    files.private(path)
    if loose:
        log.warning("%s in %s could be read by others: now only by their owner", ", ".join(sorted(loose)), path.parent)


def inspect(path: Path) -> None:
    """Inspect a file without writing to it, and reject what is not a valid log of a known version."""
    _check_journal(path)
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = schema.version(connection)
        application: int = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != schema.APPLICATION_ID:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables or found or application:
                raise _unsound(path, "it is another program's SQLite database")
        if found > len(schema.MIGRATIONS):
            raise NewerLogError(path, found, len(schema.MIGRATIONS))
        if found:
            _check(path, connection, found)


def _check_journal(path: Path) -> None:
    """Reject a journal that belongs to another log. Raises ForeignJournalError.

    A backup is made while a broker may be writing to the database: so that is read twice.
    """
    if not _has_journal(path):
        return
    alone = {_id(path, "immutable=1&mode=ro") for _ in range(2)}  # SQLite looks for no journal of what is immutable
    if len(alone) == 1 and None not in alone and _id(path, "mode=ro") not in {None, *alone}:
        raise ForeignJournalError(path)


def _has_journal(path: Path) -> bool:
    real = path.resolve()
    try:
        return real.with_name(real.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def _id(path: Path, options: str) -> str | None:
    """Return the id of a log; None if none can be read: in a new log it is in the journal alone."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True)) as connection:
        try:
            row = connection.execute("SELECT id FROM log").fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else str(row[0])


def _unsound(path: Path, why: str) -> ForeignLogError:
    """Return the error for a file that is not to be opened, with what to do if its journal may be another log's."""
    return ForeignLogError(path, why, _has_journal(path))


def _check(path: Path, connection: sqlite3.Connection, found: int) -> None:
    """Reject a zchat log of version `found` that is damaged, as far as that can be checked quickly."""
    if strange := schema.strange(connection, found):
        raise _unsound(path, strange)
    if found == len(schema.MIGRATIONS):
        try:
            _recent(connection)
        except (ValueError, TypeError) as error:  # a line is no event, or the numbers do not match the lines
            raise _unsound(path, f"its last events cannot be read: {error}") from None
        sql = "SELECT (SELECT first FROM chunk ORDER BY id DESC LIMIT 1), (SELECT head FROM log)"
        last, head = connection.execute(sql).fetchone()
        if last is not None and (head is None or last > head):
            raise _unsound(path, "its events go beyond its head")
    if path.stat().st_size <= CHECKED_WHOLE:
        problem: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise _unsound(path, problem)


@contextlib.contextmanager
def translated(path: Path, opening: bool = False) -> Iterator[None]:
    """Convert SQLite's exceptions to errors that tell a person what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_FULL"):
            raise DiskFullError(path) from error
        if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"} or name.startswith("SQLITE_CORRUPT"):
            raise (_unsound(path, str(error)) if opening else ForeignLogError(path, str(error))) from error
        if opening and name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            raise FolderError(path.parent, str(error)) from error
        if opening and type(error) is sqlite3.OperationalError and name == "SQLITE_ERROR":
            raise _unsound(path, str(error)) from error
        raise StorageError(f"The log {path} cannot be used: {error}.") from error
