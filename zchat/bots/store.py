"""What a bot keeps on disk: its own mapping, its cursors, and the messages that it has yet to send.

It is one SQLite file, because these three have to change together. A handler that runs under `ctx.once()` changes
nothing while it runs: what it reads and writes goes into a `Transaction`. At its end one commit writes the values, the
messages to be sent, and a note that this handler is done with this event. A bot that is killed before the commit has
done nothing, and handles the event again. A bot that is killed after it has only to send the messages, under keys that
the broker takes once. Two handlers side by side may have read what the other has changed. Then the later one is told
so, and runs again, which costs nothing, because it had no effect.

`synchronous=NORMAL`: this is about a process that dies. After a power cut the last commits may be gone, all three parts
of them, and the events are handled again.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from zchat import files
from zchat.client.core.cursors import Cursors
from zchat.errors import DiskFullError, FolderError, StorageError
from zchat.protocol import messages as m

_SCHEMA = """
create table if not exists mapping (key text primary key, value blob not null) without rowid;
create table if not exists cursor (log text, room text, seq integer not null, primary key (log, room)) without rowid;
create table if not exists handled (log text, seq integer, handler text, room text not null,
    primary key (log, seq, handler)) without rowid;
create table if not exists history (log text primary key, epochs blob not null);
create table if not exists schedule (handler text primary key, due real not null) without rowid;
create table if not exists pending (id integer primary key, line blob not null);
"""

_RENAMED = {  # tables, by what older versions called them
    "kept": "mapping",
    "place": "cursor",
    "done": "handled",
    "called": "schedule",
    "saying": "pending",
}


class PendingMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message to be sent: the arguments of `ChatClient.say`."""

    text: str
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    kind: str = "message"
    reply_to: int | None = None
    once: str | None = None
    files: tuple[m.Attachment, ...] = ()


class PendingMend(msgspec.Struct, frozen=True):
    """A command about a message to be sent, as the line that it is: done twice, it is done once."""

    line: str


class Handled(NamedTuple):
    """A note that one handler is done with one event; without its name, all commands are, since an edit is old."""

    log: str
    room: str
    seq: int
    handler: str


class LastDue(NamedTuple):
    """A note when a handler of `every` was last due, in seconds since 1970."""

    handler: str
    due: float


_NOTES: dict[type, str] = {
    Handled: "insert or ignore into handled (log, room, seq, handler) values (?, ?, ?, ?)",
    LastDue: "insert or replace into schedule (handler, due) values (?, ?)",
}


class Transaction:
    """What a handler under `ctx.once()` has read, and wants written and sent."""

    def __init__(self) -> None:
        self.reads: dict[str, bytes | None] = {}
        self.writes: dict[str, bytes | None] = {}
        self.messages: list[PendingMessage | PendingMend] = []


current: ContextVar[Transaction | None] = ContextVar("current", default=None)


class BotFile:
    """The SQLite file at `path`; usable from any thread. Raises FolderError, StorageError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            files.folder(path.parent)
            for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                files.tighten(file)
            files.private(path)  # SQLite makes its journal with the mode of the file
        except OSError as error:
            raise FolderError(path.parent, error) from error
        with self._told():
            self._sql = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
            self._sql.executescript("pragma journal_mode=wal; pragma synchronous=normal;")
            self._rename_tables()
            self._sql.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._sql.close()

    def _rename_tables(self) -> None:
        """Give the tables of a file that an older version made the names that they have now."""
        with self._sql:
            self._sql.execute("begin immediate")
            there = {name for (name,) in self._sql.execute("select name from sqlite_master where type = 'table'")}
            for old in there & _RENAMED.keys():
                self._sql.execute(f"alter table {old} rename to {_RENAMED[old]}")

    # -- the mapping

    def read(self, key: str) -> bytes | None:
        with self._lock, self._told():
            row = self._sql.execute("select value from mapping where key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def keys(self) -> list[str]:
        with self._lock, self._told():
            return [key for (key,) in self._sql.execute("select key from mapping order by key")]

    def commit(self, done: Transaction, *notes: Handled | LastDue) -> list[int] | None:
        """Write a transaction as a whole; return the ids of its messages, or None if what it had read has changed."""
        with self._lock, self._told(), self._sql:
            self._sql.execute("begin immediate")
            if any(self.read(key) != value for key, value in done.reads.items()):
                return None
            for key, value in done.writes.items():
                if value is None:
                    self._sql.execute("delete from mapping where key = ?", (key,))
                else:
                    self._sql.execute("insert or replace into mapping values (?, ?)", (key, value))
            ids = [self._add(message) for message in done.messages]
            for note in notes:
                self._sql.execute(_NOTES[type(note)], tuple(note))
            return ids

    def _add(self, message: PendingMessage | PendingMend) -> int:
        row = self._sql.execute("insert into pending (line) values (?)", (msgspec.json.encode(message),))
        return row.lastrowid or 0

    # -- how far the bot has come

    def load(self, log: str = "") -> Cursors:
        """Return the cursors of this log; without a name, of the log that was followed last."""
        with self._lock, self._told():
            sql = "select log, epochs from history where log = ?1 or ?1 = '' order by rowid desc limit 1"
            row = self._sql.execute(sql, (log,)).fetchone()
            if row is None:
                return Cursors(log)
            cursors = dict(self._sql.execute("select room, seq from cursor where log = ?", (row[0],)).fetchall())
        return Cursors(row[0], cursors, msgspec.json.decode(row[1], type=m.Epochs))

    def move(self, log: str, cursors: Mapping[str, int]) -> None:
        """Set these cursors: everything through them is finished."""
        if not cursors:
            return
        rows = [(log, room, seq) for room, seq in cursors.items()]
        with self._lock, self._told(), self._sql:
            self._sql.execute("begin immediate")
            self._sql.executemany("insert or replace into cursor values (?, ?, ?)", rows)
            self._sql.executemany("delete from handled where log = ? and room = ? and seq <= ?", rows)

    def follow(self, log: str, epochs: m.Epochs, shared: int | None, known_as: str) -> None:
        """The log known as `known_as` is now this one, and ours through `shared` (None: all of it): cut the rest."""
        with self._lock, self._told(), self._sql:
            self._sql.execute("begin immediate")
            for table in ("cursor", "handled"):
                sql = f"update or ignore {table} set log = ? where log = ?"  # noqa: S608 — names of our own
                self._sql.execute(sql, (log, known_as))
            if shared is not None:
                self._sql.execute("update cursor set seq = ? where log = ? and seq > ?", (shared, log, shared))
                self._sql.execute("delete from handled where log = ? and seq > ?", (log, shared))
            self._sql.execute("insert or replace into history values (?, ?)", (log, msgspec.json.encode(epochs)))

    def handled(self, log: str) -> set[tuple[int, str]]:
        """Return which handlers are done with which events beyond the cursors: seq and handler."""
        with self._lock, self._told():
            return set(self._sql.execute("select seq, handler from handled where log = ?", (log,)))

    def last_due(self, handler: str) -> float | None:
        """Return when this handler of `every` was last due, None for one that is new to the bot."""
        with self._lock, self._told():
            row = self._sql.execute("select due from schedule where handler = ?", (handler,)).fetchone()
        return None if row is None else row[0]

    # -- what has to be sent

    def pending(self) -> list[tuple[int, PendingMessage | PendingMend]]:
        """Return the messages that are not known to have reached the broker, in order."""
        with self._lock, self._told():
            rows = self._sql.execute("select id, line from pending order by id").fetchall()
        return [(id_, _pending(msgspec.json.decode(line))) for id_, line in rows]

    def sent(self, id_: int) -> None:
        """Strike out a message that the broker has answered."""
        with self._lock, self._told():
            self._sql.execute("delete from pending where id = ?", (id_,))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn an error of SQLite into one that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise DiskFullError(self.path) from error
            raise StorageError(f"{self.path} cannot be used as a bot's store: {error}.") from error


def _pending(fields: dict[str, Any]) -> PendingMessage | PendingMend:
    return PendingMend(fields["line"]) if "line" in fields else msgspec.convert(fields, PendingMessage)


class Store(MutableMapping[str, Any]):
    """A mapping that outlives the process: keys are text, values anything that JSON can hold.

    What neither can hold raises TypeError or UnicodeEncodeError. A value read is a copy: change it and assign it again.
    Each assignment is committed at once, or with the rest of its handler under `ctx.once()`.
    """

    def __init__(self, file: BotFile) -> None:
        self._file = file

    def __getitem__(self, key: str) -> Any:
        raw = self._read(key)
        if raw is None:
            raise KeyError(key)
        return msgspec.json.decode(raw)

    def __setitem__(self, key: str, value: Any) -> None:
        key.encode()  # half a character has to fail here, not when the handler's work is committed
        self._write(key, msgspec.json.encode(value))

    def __delitem__(self, key: str) -> None:
        if self._read(key) is None:
            raise KeyError(key)
        self._write(key, None)

    def __iter__(self) -> Iterator[str]:
        transaction = current.get()
        keys = dict.fromkeys(self._file.keys())
        if transaction is None:
            return iter(keys)
        for key in keys:
            self._read(key)
        keys |= dict.fromkeys(transaction.writes)
        return iter([key for key in keys if self._read(key) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _read(self, key: str) -> bytes | None:
        transaction = current.get()
        if transaction is None:
            return self._file.read(key)
        if key in transaction.writes:
            return transaction.writes[key]
        if key not in transaction.reads:
            transaction.reads[key] = self._file.read(key)
        return transaction.reads[key]

    def _write(self, key: str, value: bytes | None) -> None:
        transaction = current.get()
        if transaction is None:
            transaction = Transaction()
            transaction.writes[key] = value
            self._file.commit(transaction)
        else:
            transaction.writes[key] = value
