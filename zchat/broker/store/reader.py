"""History and search, on a connection beside the writer's.

An answer is put together by SQLite itself: one statement returns a page's chunks as one value, so that a page of a
thousand events costs little Python a row, and the interpreter's lock for an instant only. How many chunks it takes is
asked first, in numbers: to put together what is then thrown away could take 100 MB.

The search index is a file of its own (`search.db`), for it is derived: it may lag, and it may be deleted. Filling it
never locks the log, and what it costs is paid when the broker is at rest, or by the search that wants it.
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

from zchat.errors import StorageError
from zchat.protocol import names, wire

from ..effects import Query

SEARCH_FILE = "search.db"
CHUNK = 2_000  # events indexed in one transaction …
CHUNK_BYTES = 512 * 1024  # … or the bytes of their lines: some 40 ms


class Answer(Struct, frozen=True):
    """`events` is the inside of a JSON array, `count` its length; complete through `upto`."""

    events: bytes
    count: int
    upto: int
    more: bool


class BadSearchError(ValueError):
    """There is nothing in it that could be searched for."""


class _Event(Struct):
    """What is read of a stored line; `text` is what people search in."""

    seq: int
    text: str = ""


_event = msgspec.json.Decoder(_Event).decode

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
_FOUND = """
    SELECT place.seq, CAST(substr(chunk.lines, place.start, place.size) AS TEXT) AS line
    FROM words JOIN place ON place.seq = words.rowid JOIN chunk ON chunk.id = place.chunk
    WHERE words MATCH :text AND words.rowid < :mark AND (:room IS NULL OR chunk.room = :room)
    AND (:nick IS NULL OR nick_key(json_extract(line, '$.nick')) = :nick)
    ORDER BY words.rowid DESC LIMIT :limit
"""
_END = 2**62
_ROOM = wire.ANSWER_MAX - 2_048  # bytes: the rest is for the commas, and the fields around the events


class Reader:
    """A connection that answers `history`; to be used by one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        """Read the log at `path`; or over a connection that is there, which alone can see a log in memory."""
        self._shared = connection is not None
        self.connection = connection or sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        if not self._shared:
            self.connection.execute("PRAGMA query_only = ON")

    def history(self, query: Query) -> Answer:
        """Return a page of events. Raises StorageError, also when it was interrupted."""
        with _readable(), self._snapshot():
            room, head = self._place(query)
            if query.after is None and query.since is None:
                return self._before(room, head, _END if query.before is None else query.before, query.limit)
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
        wanted = {"room": room, "mark": mark, "limit": limit, "room_left": _ROOM}
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
        with _readable():
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
        return int(row[0]) - 1 if row is not None else _END

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        """See one state of the log through several statements."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("COMMIT")


class SearchIndex:
    """The full-text index over public messages; to be used by one thread at a time."""

    def __init__(self, folder: Path | None, log: Path, connection: sqlite3.Connection | None = None) -> None:
        self._shared = connection is not None
        with _readable():
            self.connection = connection or _open_index(folder or Path(), log)
            self.connection.create_function("nick_key", 1, _nick_key, deterministic=True)
            if self._shared:
                self.connection.execute("ATTACH ':memory:' AS search")
            self._make("search." if self._shared else "")

    def _make(self, schema: str) -> None:
        for sql in (
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {schema}words USING fts5"
            "(text, content='', tokenize='unicode61 remove_diacritics 2')",
            f"CREATE TABLE IF NOT EXISTS {schema}place"  # where in the log the line of a `seq` is
            " (seq INTEGER PRIMARY KEY, chunk INTEGER, start INTEGER, size INTEGER)",
            f"CREATE TABLE IF NOT EXISTS {schema}indexed (log TEXT, upto INTEGER, lines BLOB)",  # its last chunk
        ):
            self.connection.execute(sql)
        if self.connection.execute("SELECT count(*) FROM indexed").fetchone()[0] == 0:
            self.connection.execute("INSERT INTO indexed SELECT id, 0, NULL FROM log")

    def fill(self) -> int:
        """Index the next chunks; return how many of the log are still to be read."""
        with _readable():
            done: int = self.connection.execute("SELECT upto FROM indexed").fetchone()[0]
            last: int = self.connection.execute("SELECT coalesce(max(id), 0) FROM chunk").fetchone()[0]
            if done >= last:
                return 0
            # The first chunk counts whatever its size.
            upto: int = self.connection.execute(
                "SELECT max(id) FROM (SELECT id, sum(count) OVER page - count AS events, sum(size) OVER page - size"
                " AS bytes FROM (SELECT id, count, length(lines) AS size FROM chunk WHERE id > ? ORDER BY id LIMIT ?)"
                " WINDOW page AS (ORDER BY id)) WHERE events < ? AND bytes < ?",
                (done, CHUNK, CHUNK, CHUNK_BYTES),
            ).fetchone()[0]
            self._index(done, upto)
            return last - upto

    def _index(self, done: int, upto: int) -> None:
        sql = "SELECT id, lines FROM chunk WHERE id > ? AND id <= ? AND room > 0 ORDER BY id"
        chunks = self.connection.execute(sql, (done, upto)).fetchall()
        self.connection.execute("BEGIN")  # not IMMEDIATE: that would lock the log as well, and the broker waits
        try:
            for id_, lines in chunks:
                events, places = _located(id_, lines)
                self.connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", events)
                self.connection.executemany("INSERT INTO place VALUES (?, ?, ?, ?)", places)
            self.connection.execute(
                "UPDATE indexed SET upto = ?1, lines = (SELECT lines FROM chunk WHERE id = ?1)", (upto,)
            )
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise

    def search(self, query: Query) -> Answer:
        """Return the newest events that match, in order. Raises BadSearchError, or StorageError as `history` does."""
        room = None
        with _readable():
            if query.room is not None:
                row = self.connection.execute("SELECT id FROM room WHERE name = ?", (query.room,)).fetchone()
                room = row[0] if row else 0
            return _page(
                self.connection,
                _FOUND,
                query.limit,
                text=match(query.text or ""),
                mark=_END if query.before is None else query.before,
                room=room,
                nick=None if query.nick is None else _nick_key(query.nick),
            )

    def close(self) -> None:
        if not self._shared:
            self.connection.close()


def _seq(line: bytes) -> int:
    return _event(line).seq


def _fitting(lines: Sequence[bytes], limit: int) -> int:
    """Return how many of the lines, from the first, make a page; one that is too large makes it alone."""
    fits = bisect_right(list(accumulate(map(len, lines[:limit]))), _ROOM)
    return max(fits, min(1, len(lines)))


def _located(chunk: int, lines: bytes) -> tuple[list[tuple[int, str]], list[tuple[int, int, int, int]]]:
    """Return (seq, text) of each event in a chunk, and (seq, chunk, start, size) of its line, in bytes from 1."""
    events, places, start = [], [], 1
    for line in lines.split(b"\n"):
        event = _event(line)
        events.append((event.seq, event.text))
        places.append((event.seq, chunk, start, len(line)))
        start += len(line) + 1
    return events, places


def _page(connection: sqlite3.Connection, sql: str, limit: int, **values: object) -> Answer:
    """Return the first rows of `sql` in log order, at most `limit` and at most what fits into an answer.

    How much they are is asked first, in numbers: to put together what is then thrown away could take 100 MB.
    """
    rows = limit + 1
    while True:
        count, size = connection.execute(
            f"SELECT count(*), total(length(CAST(line AS BLOB)) + 1) FROM ({sql})",  # noqa: S608 - of our own making
            {**values, "limit": rows},
        ).fetchone()
        if size <= _ROOM or count <= 1:
            break
        rows = max(1, int(count * _ROOM / size))
    taken = min(count, limit)
    events, last = connection.execute(
        "SELECT CAST(coalesce(group_concat(line, ','), '') AS BLOB), coalesce(max(seq), 0) "  # noqa: S608 - as above
        f"FROM (SELECT seq, line FROM ({sql}) ORDER BY seq)",
        {**values, "limit": taken},
    ).fetchone()
    return Answer(events, taken, last, count > limit or rows <= limit)


def match(text: str) -> str:
    """Return what a person typed as an FTS5 query: all words, `"phrases"` as they stand, `word*` by its beginning."""
    terms = []
    for i, part in enumerate(text.split('"')):
        for term in [part] if i % 2 else part.split():
            if any(character.isalnum() for character in term):
                prefix = "*" if i % 2 == 0 and term.endswith("*") else ""
                terms.append(f'"{term.rstrip("*")}"{prefix}')
    if not terms:
        raise BadSearchError("there is no word in it to search for")
    return " ".join(terms).replace("\0", " ")


def _nick_key(nick: str) -> str:
    try:
        return names.nick_key(nick)
    except names.BadNameError:
        return nick


def _open_index(folder: Path, log: Path) -> sqlite3.Connection:
    """Open the index beside the log; one that is damaged, or of another log or another past, is thrown away."""
    path = folder / SEARCH_FILE
    for attempt in range(2):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # a crash may take the last rows: they are read again
            connection.execute("ATTACH ? AS log", (str(log),))
            if attempt or _belongs(connection):
                return connection
        except sqlite3.DatabaseError:
            if attempt:
                connection.close()
                raise
        connection.close()
        for leftover in folder.glob(SEARCH_FILE + "*"):
            leftover.unlink()
    raise StorageError(f"The search index {path} cannot be made.")


def _belongs(connection: sqlite3.Connection) -> bool:
    tables = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")}
    if "place" not in tables:
        return not tables
    sql = (
        "SELECT count(*) FROM indexed, log.log AS log WHERE indexed.log = log.id"
        " AND (SELECT lines FROM chunk WHERE id = indexed.upto) IS indexed.lines"
    )
    return bool(connection.execute(sql).fetchone()[0])


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"The log cannot be read: {error}.") from error
