"""History, on a connection beside the writer's.

An answer is put together by SQLite itself: one statement returns a page's chunks as one value, so that a page of a
thousand events costs little Python a row, and the interpreter's lock for an instant only. How many chunks it takes is
asked first, in numbers: to put together what is then thrown away could take 100 MB.
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
from zchat.errors import StorageError
from zchat.protocol import wire


class Answer(Struct, frozen=True):
    """`events` is the inside of a JSON array, `count` its length; complete through `upto`."""

    events: bytes
    count: int
    upto: int
    more: bool


class Event(Struct):
    """What is read of a stored line; `text` is what people search in."""

    seq: int
    text: str = ""


event_of = msgspec.json.Decoder(Event).decode

# Of the chunks after or before a mark, those that a page may need: the one that holds the mark does not count.
_AFTER = """
    SELECT first, count, length(lines) + 1 AS size, first AS place FROM chunk WHERE room = :room
    AND first >= coalesce((SELECT max(first) FROM chunk WHERE room = :room AND first <= :mark), 0)
    ORDER BY first LIMIT :limit + 2
"""
_BEFORE = """
    SELECT first, count, length(lines) + 1 AS size, -first AS place FROM chunk WHERE room = :room
    AND first < :mark ORDER BY first DESC LIMIT :limit + 2
"""
_NEEDED = """
    SELECT min(first), max(first) FROM (
        SELECT first, sum(count) OVER page - count - first_value(count) OVER page AS events,
        sum(size) OVER page - size - first_value(size) OVER page AS bytes FROM ({}) WINDOW page AS (ORDER BY place)
    ) WHERE events <= :limit AND bytes <= :room_left
"""
_LINES = """
    SELECT CAST(group_concat(CAST(lines AS TEXT), char(10)) AS BLOB)
    FROM (SELECT lines FROM chunk WHERE room = ? AND first BETWEEN ? AND ? ORDER BY first)
"""
END = 2**62
ROOM = wire.ANSWER_MAX - 2_048  # bytes: the rest is for the commas, and the fields around the events


class Reader:
    """A connection that answers `history`; to be used by one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        """Read the log at `path`; or over a connection that is there, which alone can see a log in memory."""
        self._shared = connection is not None
        self.connection = connection or sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        if not self._shared:
            self.connection.execute("PRAGMA query_only = ON")
            self.connection.execute("PRAGMA temp_store = MEMORY")
            with readable():  # SQLite opens a file when it is read first: later there may be no descriptor left
                self.connection.execute("SELECT head FROM log").fetchone()

    def history(self, query: Query) -> Answer:
        """Return a page of events. Raises StorageError, also when it was interrupted."""
        with readable(), self._snapshot():
            room, head = self._place(query)
            if query.after is None and query.since is None:
                return self._before(room, head, END if query.before is None else query.before, query.limit)
            after = query.after if query.since is None else self._since(query)
            return self._after(room, head, after or 0, query.limit)

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
        """Return the events of the chunks that a page needs, and perhaps some more."""
        wanted = {"room": room, "mark": mark, "limit": limit, "room_left": ROOM}
        first, last = self.connection.execute(_NEEDED.format(chunks), wanted).fetchone()
        if first is None:
            return []
        joined: bytes = self.connection.execute(_LINES, (room, first, last)).fetchone()[0]
        return joined.split(b"\n")

    def _has(self, condition: str, room: int, mark: int) -> bool:
        sql = f"SELECT EXISTS (SELECT 1 FROM chunk WHERE room = ? AND {condition})"  # noqa: S608 - of our own making
        return bool(self.connection.execute(sql, (room, mark)).fetchone()[0])

    def checkpoint(self) -> None:
        """Copy what is in the write-ahead log into the log proper, without keeping the writer waiting."""
        with readable():
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        if not self._shared:
            self.connection.close()

    def _place(self, query: Query) -> tuple[int, int]:
        """Return (id, head) of the room or conversation, (0, 0) if there is none."""
        if query.pair is not None:
            sql, values = "SELECT id, head FROM conversation WHERE a = ? AND b = ?", query.pair
            row = self.connection.execute(sql, values).fetchone()
        else:
            row = self.connection.execute("SELECT id, head FROM room WHERE name = ?", (query.room,)).fetchone()
        return row or (0, 0)

    def _since(self, query: Query) -> int:
        """Return the `seq` before the first event of that time or later: by halving, for the log is in its order.

        (Where the clock was put back, it is the place where halving ends up.)
        """
        since = query.since
        wanted = math.ceil(round(since.timestamp() * 1e6) / 1e3) if since is not None else 0
        low, high = 0, (self.connection.execute("SELECT max(id) FROM chunk").fetchone()[0] or 0) + 1
        sql = "SELECT id, time FROM chunk WHERE id >= ? ORDER BY id LIMIT 1"
        while low < high - 1:  # all chunks up to `low` are older; `high` and what follows are not
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
        """See one state of the log through several statements."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("COMMIT")


def _seq(line: bytes) -> int:
    return event_of(line).seq


def _fitting(lines: Sequence[bytes], limit: int) -> int:
    """Return how many of the lines, from the first, make a page; one that is too large makes it alone."""
    sizes = list(accumulate(map(len, lines[:limit])))
    return max(bisect_right(sizes, ROOM), min(1, len(sizes)))


@contextlib.contextmanager
def readable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"The log cannot be read: {error}.") from error
