"""The only writer of the log: it writes each batch in one transaction.

The log uses `synchronous=FULL` and a write-ahead log: when `write` returns, the whole batch is on disk; when it raises,
nothing of it is. All events of a room in a batch are one row, split at 64 KiB (`batch.py`).
"""

import contextlib
import logging
import time as time_
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from zchat.broker.core.effects import CONVERSATIONS_KEPT, ClientRecord, Conversation
from zchat.broker.core.entries import Pair, Place
from zchat.broker.core.rows import CHAIN, Batch
from zchat.broker.counting import Spread
from zchat.errors import (
    LostLogError,
)
from zchat.protocol import messages as m

from . import asides, schema
from .batch import MARK, RECENT, chunks, event_in, line_of, recent
from .hold import Hold
from .mending import mend
from .opening import LOG_FILE, lock, open_database, translated
from .retiring import retire

log = logging.getLogger(__name__)

CLIENT_KEPT = 30 * 86_400  # s after its last use
ONCE_KEPT = 7 * 86_400  # s
LATEST_KEPT = 10_000  # clients, and `once` keys, kept in any case: a wrong clock must not make us forget them
EPOCHS_KEPT = 4_096  # starts of a broker that stored something: half a year of hourly starts
ANSWERS_TOLD = 1_000  # per client: the latest numbers taken without an event


class Store:
    """The open log. With `folder` None it is in memory."""

    def __init__(self, folder: Path | None, fresh_id: str, time: int) -> None:
        """Open the log, or create one with the id `fresh_id`.

        Raises FolderError, InUseError, ForeignLogError, ForeignJournalError, NewerLogError, DiskFullError.
        """
        self.folder = folder
        self.path = folder / LOG_FILE if folder else Path(":memory:")
        self.commits = Spread()  # seconds in which batches came to disk, fsync and all
        self._lock = lock(folder) if folder else None
        self._hold: Hold | None = None
        try:
            if folder:
                self._hold = Hold(self.path)
            with translated(self.path, opening=True):
                self.connection = open_database(self.path)
                schema.migrate(self.connection)
                self._begin(fresh_id)
                self.forget(time)
                self.scrubs: bool = self._all("SELECT EXISTS (SELECT 1 FROM scrub)")[0][0]
                self.uncut = not self._truncate()  # whether somebody else has read
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
        """Delete what the protocol allows to be forgotten at `time`, in seconds since 1970.

        Does nothing to the log of a cluster, which forgets by its own clock: all its brokers the same.
        """
        if self.term:
            return
        with self._undone():
            self.connection.execute("BEGIN IMMEDIATE")
            self.forget_now(time)
            self.connection.execute("COMMIT")

    def forget_now(self, time: int) -> None:
        """The same, within a transaction."""
        for table, kept in (("once", ONCE_KEPT), ("producer", CLIENT_KEPT)):
            latest = f"SELECT used FROM {table} ORDER BY used DESC LIMIT 1 OFFSET ?"  # noqa: S608 — no user input
            sql = f"DELETE FROM {table} WHERE used < ? AND used <= ({latest})"  # noqa: S608
            self.connection.execute(sql, (time - kept, LATEST_KEPT))
        self.connection.execute(_FORGET_EPOCHS, (EPOCHS_KEPT - 1,))
        self.connection.execute("DELETE FROM answer WHERE producer NOT IN (SELECT id FROM producer)")
        self.connection.execute('DELETE FROM read WHERE guest AND "from" NOT IN (SELECT id FROM producer)')

    @property
    def term(self) -> str:
        """The term of the cluster's stream of which this is the log; "" if it is a single broker's."""
        term: str = self._all("SELECT term FROM applied")[0][0]
        return term

    def taken(self, producer: str) -> int:
        """Return the last number of a client that was taken."""
        rows = self._all("SELECT n FROM producer WHERE id = ?", (producer,))
        return rows[0][0] if rows else 0

    def recent(self) -> dict[str, dict[int, int]]:
        """Return the `seq`s of the last events, by producer and number: unanswered commands are sent again."""
        return recent(self.connection)

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

    def chain(self) -> Iterator[m.Administrative]:
        """Yield all events about members, and about access to rooms, in log order."""
        for (lines,) in self.connection.execute("SELECT lines FROM chunk WHERE room = ? ORDER BY first", (CHAIN,)):
            yield from _administrative(lines)

    def seen(self) -> dict[str, int]:
        """Return when each member last sent a numbered command, by its `from`, in seconds since 1970."""
        return dict(self._all("SELECT author, max(used) FROM producer WHERE author != '' GROUP BY author"))

    def conversation(self, pair: Pair) -> tuple[int, int] | None:
        """Return (id, head) of a conversation."""
        rows = self._all("SELECT id, head FROM conversation WHERE a = ? AND b = ?", pair)
        return rows[0] if rows else None

    def line(self, room: int, seq: int) -> bytes | None:
        """Return an event of a room or conversation (given by its id), as it was published; None if there is none."""
        return line_of(self.connection, room, seq)

    def where(self, seq: int) -> Place | None:
        """Return where an event was said; None if there is none, or if it is in neither room nor conversation."""
        if not 0 < seq <= self._head:
            return None
        rows = self._all(_HOLDING, (seq, seq - RECENT, MARK % seq))
        room = rows[0][0] if rows else CHAIN
        if room > CHAIN:
            return Place(room=self._all("SELECT name FROM room WHERE id = ?", (room,))[0][0])
        if room < CHAIN:
            a, b, *nicks = self._all("SELECT a, b, nick_a, nick_b FROM conversation WHERE id = ?", (room,))[0]
            return Place(pair=(a, b), nicks=(nicks[0], nicks[1]))
        return None

    def event(self, seq: int) -> bytes | None:
        """Return the event `seq`, wherever it was said; None if there is none."""
        rows = self._all(_HOLDING, (seq, seq - RECENT, MARK % seq))
        return event_in(rows[0][1], seq) if rows else None

    def marked(self, target: int, kind: str, key: str) -> int | None:
        """Return the `seq` of the event that left this mark on a message; None if there is none."""
        rows = self._all("SELECT seq FROM mark WHERE target = ? AND kind = ? AND key = ?", (target, kind, key))
        return rows[0][0] if rows else None

    def count_marks(self, target: int, kind: str) -> int:
        """Return how many marks of a kind a message has."""
        count: int = self._all("SELECT count(*) FROM mark WHERE target = ? AND kind = ?", (target, kind))[0][0]
        return count

    def next_conversation(self) -> int:
        lowest: int = self._all("SELECT coalesce(min(id), 0) FROM conversation")[0][0]
        return lowest - 1

    def once(self, from_: str, key: str, time: int) -> int | None:
        """Return the `seq` for which this sender used this key in the last 7 days."""
        sql = 'SELECT seq FROM once WHERE "from" = ? AND key = ? AND used >= ?'
        rows = self._all(sql, (from_, key, time - ONCE_KEPT))
        return rows[0][0] if rows else None

    def past(self, producer: str, author: str) -> ClientRecord:
        """Return what is remembered of a client, and of its author."""
        rows = self._all("SELECT n, author FROM producer WHERE id = ?", (producer,))
        sql = "SELECT n, line FROM answer WHERE producer = ? ORDER BY n DESC LIMIT ?"
        kept = reversed(self._all(sql, (producer, ANSWERS_TOLD)))
        answers = {n: _answer(line) for n, line in kept}
        ends = self._all(
            "SELECT b, nick_b, head FROM conversation WHERE a = ?1 UNION SELECT a, nick_a, head FROM conversation"
            " WHERE b = ?1 ORDER BY head DESC LIMIT ?2",
            (author, CONVERSATIONS_KEPT),
        )
        talks = {other: Conversation(nick, head) for other, nick, head in reversed(ends)}
        n, of = rows[0] if rows else (0, "")
        return ClientRecord(n=n, author=of, answers=answers, conversations=talks)

    def answer(self, producer: str, n: int) -> m.Error | m.Ack | None:
        """Return the answer to a number that was taken without an event."""
        rows = self._all("SELECT line FROM answer WHERE producer = ? AND n = ?", (producer, n))
        return _answer(rows[0][0]) if rows else None

    def write(self, batch: Batch) -> None:
        """Write a batch to disk, all or nothing. Raises DiskFullError, LostLogError or another StorageError."""
        with translated(self.path), self._undone():
            self.connection.execute("BEGIN IMMEDIATE")
            self._insert(batch)
            self._commit()
        self._head = batch.head
        self.check()  # after the commit, so that nothing is acknowledged that is in a lost file

    @contextlib.contextmanager
    def writing(self) -> Iterator[Callable[[Batch], None]]:
        """Return a context that is one transaction, and a function that writes a batch in it. Raises StorageError.

        Within it the batches that were written are read, too.
        """
        head = self._head
        try:
            with translated(self.path), self._undone():
                self.connection.execute("BEGIN IMMEDIATE")
                yield self._insert_next
                self._commit()
        except BaseException:
            self._head = head
            raise
        self.check()

    def _commit(self) -> None:
        began = time_.perf_counter()
        self.connection.execute("COMMIT")
        self.commits.add(time_.perf_counter() - began)

    def _insert_next(self, batch: Batch) -> None:
        self._insert(batch)
        self._head = batch.head

    def check(self) -> None:
        """Check that the open files are still in place; takes some microseconds. Raises LostLogError."""
        if self._hold:
            self._hold.check()

    def _insert(self, batch: Batch) -> None:
        run, many = self.connection.execute, self.connection.executemany
        many(_INSERT_CHUNK, sorted(chunks(batch)))
        if batch.new_rooms:
            many("INSERT INTO room (id, name, head) VALUES (?, ?, ?)", batch.new_rooms)
        many("UPDATE room SET head = ?2 WHERE id = ?1", batch.room_heads.items())
        if batch.topics:
            many("UPDATE room SET topic = ? WHERE id = ?", batch.topics)
        if batch.conversations:
            many("INSERT OR REPLACE INTO conversation VALUES (?, ?, ?, ?, ?, ?)", batch.conversations)
        self.scrubs |= mend(self.connection, batch) or bool(batch.retired)
        for each in batch.retired:
            retire(self.connection, *each)
        asides.write(self.connection, batch)
        seconds = batch.time // 1_000
        many(_UPSERT_PRODUCER, [(id_, n, seconds, author) for id_, (n, author) in batch.clients.items()])
        if batch.answers:
            many("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", batch.answers)
        if batch.once:
            rows = [(from_, key, seq, seconds) for (from_, key), seq in batch.once.items()]
            many("INSERT OR REPLACE INTO once VALUES (?, ?, ?, ?)", rows)
        if batch.epoch is not None:
            run("INSERT INTO epoch (id, first) VALUES (?, ?)", batch.epoch)
        if batch.chain is not None:
            run("UPDATE log SET chain = ?", (batch.chain,))
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

    def truncate(self) -> bool:
        """Empty the journal, which may have what was deleted. Return whether nobody reads it. Raises StorageError."""
        with translated(self.path):
            done = self._truncate()
        if self._hold:
            self._hold.cut()
        return done

    def _truncate(self) -> bool:
        self.connection.execute("PRAGMA busy_timeout = 0")  # the event loop waits for no reader
        busy: int = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self.connection.execute("PRAGMA busy_timeout = 5000")
        return not busy

    def forget_scrubbed(self, upto: int) -> None:
        """Delete what the search index has forgotten, through row `upto` of `scrub`. Raises StorageError."""
        with translated(self.path), self._undone():
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute("DELETE FROM scrub WHERE id <= ?", (upto,))
            self.scrubs = bool(self._all("SELECT EXISTS (SELECT 1 FROM scrub)")[0][0])
            if not self.scrubs:
                self.connection.execute("DELETE FROM scrub")  # without a condition SQLite overwrites its last page, too
            self.connection.execute("COMMIT")

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


_INSERT_CHUNK = (  # `id` rises for ever, also when the last chunk is gone: the search index goes by it
    "INSERT INTO chunk (id, first, room, count, time, ns, producers, lines) VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)"
)
# The chunk that has an event is of the batch, and so of the time, of the last chunk that begins at it or before. Where
# it has been retired, thousands of chunks need not be read to find that out.
_HOLDING = """
    SELECT room, lines FROM chunk WHERE first <= ?1 AND first > ?2
    AND time = (SELECT time FROM chunk WHERE first <= ?1 ORDER BY first DESC LIMIT 1)
    AND instr(lines, ?3) ORDER BY first DESC LIMIT 1
"""
_FORGET_EPOCHS = "DELETE FROM epoch WHERE first < (SELECT first FROM epoch ORDER BY first DESC LIMIT 1 OFFSET ?)"
_UPSERT_PRODUCER = (
    "INSERT INTO producer (id, n, used, author) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET n = excluded.n, used = excluded.used, author = excluded.author"
)
_administrative = msgspec.json.Decoder(m.Administrative).decode_lines
_answer = msgspec.json.Decoder(m.Error | m.Ack).decode
