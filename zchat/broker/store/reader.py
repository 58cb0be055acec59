"""Reads history, on a connection of its own.

SQLite itself assembles an answer: one statement returns all chunks of a page as a single value. So a page of a thousand
events needs little Python per row, and holds the interpreter's lock only briefly. A statement before it computes how
many chunks the page needs: to assemble more than that, and drop the rest, could take 100 MB.
"""

import contextlib
import math
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec
from msgspec import Struct

from zchat.broker.core.effects import Query
from zchat.broker.core.rows import CHAIN
from zchat.errors import StorageError
from zchat.protocol import wire

from .views import View


class InterruptedReadError(StorageError):
    """Somebody has interrupted a reading, since it took too long."""


class Answer(Struct, frozen=True):
    """A page of events. `events` is the content of a JSON array, `count` its length; it is complete through `upto`."""

    events: bytes
    count: int
    upto: int
    more: bool


class Event(Struct):
    """The fields that are decoded from a stored line. `text` is indexed for search."""

    seq: int
    text: str = ""


event_of = msgspec.json.Decoder(Event).decode

# The chunks after or before a mark that a page may need. The chunk that contains the mark does not count.
_AFTER = """
    SELECT first, count, length(lines) + 1 AS size, first AS position FROM chunk WHERE room = :room
    AND first >= coalesce((SELECT max(first) FROM chunk WHERE room = :room AND first <= :mark), 0)
    ORDER BY first LIMIT :limit + 2
"""
_BEFORE = """
    SELECT first, count, length(lines) + 1 AS size, -first AS position FROM chunk WHERE room = :room
    AND first < :mark ORDER BY first DESC LIMIT :limit + 2
"""
_NEEDED = """
    SELECT min(first), max(first) FROM (
        SELECT first, sum(count) OVER page - count - first_value(count) OVER page AS events,
        sum(size) OVER page - size - first_value(size) OVER page AS bytes FROM ({}) WINDOW page AS (ORDER BY position)
    ) WHERE events <= :limit AND bytes <= :room_left
"""
_LINES = """
    SELECT CAST(group_concat(CAST(lines AS TEXT), char(10)) AS BLOB)
    FROM (SELECT lines FROM chunk WHERE room = ? AND first BETWEEN ? AND ? ORDER BY first)
"""
END = 2**62
ROOM = wire.ANSWER_MAX - 2_048  # bytes of events: the rest is for commas and the other fields


class Reader:
    """A connection that answers `history`. Only one thread may use it at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        """Read the log at `path`; or over an existing connection, the only one that can see a log in memory."""
        self._shared = connection is not None
        self.connection = connection or sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        if not self._shared:
            self.connection.execute("PRAGMA query_only = ON")
            self.connection.execute("PRAGMA temp_store = MEMORY")
            with readable():  # SQLite opens the file at the first read: later there may be no descriptor left
                self.connection.execute("SELECT head FROM log").fetchone()

    def history(self, query: Query) -> Answer:
        """Return a page of events. Raises StorageError, also if it is interrupted."""
        with readable(), self._snapshot():
            room, head = self._find(query)
            if room is None:
                return Answer(b"", 0, 0, False)
            if query.thread is not None or query.kinds is not None or query.current:
                return self._part(room, head, query)
            if query.after is None and query.since is None:
                return self._before(room, head, END if query.before is None else query.before, query.limit)
            after = query.after if query.since is None else self._since(query)
            return self._after(room, head, after or 0, query.limit)

    def _part(self, room: int, head: int, query: Query) -> Answer:
        """Return a page of a thread, of some kinds of events, or of messages as they are now."""
        forward = query.after is not None or query.since is not None
        after = query.after if query.since is None else self._since(query)
        mark = (after or 0) if forward else END if query.before is None else query.before
        lines = View(self.connection, room, query).lines(mark, forward, query.limit + 1, ROOM)
        page = lines[: _fitting(lines, query.limit)]
        more = len(page) < len(lines)
        if forward:
            return Answer(b",".join(page), len(page), _seq(page[-1]) if more else head, more)
        return Answer(b",".join(reversed(page)), len(page), max(0, min(head, mark - 1)), more)

    def _after(self, room: int, head: int, mark: int, limit: int) -> Answer:
        lines = self._lines(_AFTER, room, mark, limit)
        lines = lines[bisect_right(lines, mark, key=_seq) :]
        page = lines[: _fitting(lines, limit)]
        last = _seq(page[-1]) if page else head
        more = len(page) < len(lines) or self._has("first > ?", room, last)
        return Answer(b",".join(page), len(page), last if more else head, more)

    def _before(self, room: int, head: int, mark: int, limit: int) -> Answer:
        lines = self._lines(_BEFORE, room, mark, limit)
        lines = lines[: bisect_left(lines, mark, key=_seq)]
        page = lines[len(lines) - _fitting(lines[::-1], limit) :]
        more = len(page) < len(lines) or (bool(page) and self._has("first < ?", room, _seq(page[0])))
        return Answer(b",".join(page), len(page), max(0, min(head, mark - 1)), more)

    def _lines(self, chunks: str, room: int, mark: int, limit: int) -> list[bytes]:
        """Return the events of all chunks that a page needs; these may be more events than the page holds."""
        wanted = {"room": room, "mark": mark, "limit": limit, "room_left": ROOM}
        first, last = self.connection.execute(_NEEDED.format(chunks), wanted).fetchone()
        if first is None:
            return []
        joined: bytes = self.connection.execute(_LINES, (room, first, last)).fetchone()[0]
        return joined.split(b"\n")

    def _has(self, condition: str, room: int, mark: int) -> bool:
        sql = f"SELECT EXISTS (SELECT 1 FROM chunk WHERE room = ? AND {condition})"  # noqa: S608 - no user input
        return bool(self.connection.execute(sql, (room, mark)).fetchone()[0])

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the database, without blocking the writer."""
        with readable():
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        if not self._shared:
            self.connection.close()

    def _find(self, query: Query) -> tuple[int | None, int]:
        """Return (id, head) of the room, the conversation or the chain of members; (None, 0) if there is none."""
        row: tuple[int, int] | None
        if query.audit:
            row = self.connection.execute("SELECT ?, chain FROM log", (CHAIN,)).fetchone()
        elif query.pair is not None:
            sql, values = "SELECT id, head FROM conversation WHERE a = ? AND b = ?", query.pair
            row = self.connection.execute(sql, values).fetchone()
        else:
            row = self.connection.execute("SELECT id, head FROM room WHERE name = ?", (query.room,)).fetchone()
        return row or (None, 0)

    def _since(self, query: Query) -> int:
        """Return the `seq` before the first event at or after `since`, by binary search: the log is in order of time.

        (If the clock was set back, the result is where the binary search ends.)
        """
        since = query.since
        wanted = math.ceil(round(since.timestamp() * 1e6) / 1e3) if since is not None else 0
        low, high = 0, (self.connection.execute("SELECT max(id) FROM chunk").fetchone()[0] or 0) + 1
        sql = "SELECT id, time FROM chunk WHERE id >= ? ORDER BY id LIMIT 1"
        while low < high - 1:  # chunks up to `low` are older; those from `high` on are not
            middle = (low + high) // 2
            row = self.connection.execute(sql, (middle,)).fetchone()
            if row is not None and row[1] < wanted:
                low = max(middle, row[0])
            else:
                high = middle
        row = self.connection.execute("SELECT first FROM chunk WHERE id > ? ORDER BY id LIMIT 1", (low,)).fetchone()
        return int(row[0]) - 1 if row is not None else END

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Let several statements see the same state of the log."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            if self.connection.in_transaction:  # some errors have ended it
                self.connection.execute("COMMIT")


def _seq(line: bytes) -> int:
    return event_of(line).seq


def _fitting(lines: Sequence[bytes], limit: int) -> int:
    """Return how many of the first lines fit into a page. A single line that is too large is a page of its own."""
    sizes = list(accumulate(map(len, lines[:limit])))
    return max(bisect_right(sizes, ROOM), min(1, len(sizes)))


@contextlib.contextmanager
def readable(trouble: str = "the log cannot be read") -> Iterator[None]:
    """Convert exceptions to StorageErrors that a peer may be told: they name no path."""
    try:
        yield
    except (sqlite3.Error, OSError, msgspec.MsgspecError, UnicodeError) as error:
        kind = StorageError
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            kind = InterruptedReadError
        raise kind(f"{trouble}: {getattr(error, 'strerror', None) or error}") from error
