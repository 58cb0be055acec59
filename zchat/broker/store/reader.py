"""History and search, on a connection beside the writer's.

An answer is put together by SQLite itself: one statement returns the events as one JSON array, so that a page of a
thousand events costs 0.4 ms, no Python a row, and the interpreter's lock for an instant only.

The search index is a file of its own (`search.db`), for it is derived: it may lag, and it may be deleted. Filling it
never locks the log, and what it costs is paid when the broker is at rest, or by the search that wants it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from zchat.errors import StorageError
from zchat.protocol import names, wire

from ..effects import Query

SEARCH_FILE = "search.db"
CHUNK = 2_000  # rows indexed in one transaction …
CHUNK_BYTES = 512 * 1024  # … or the bytes of their lines: some 40 ms


class Answer(Struct, frozen=True):
    """`events` is the inside of a JSON array, `count` its length; complete through `upto`."""

    events: bytes
    count: int
    upto: int
    more: bool


class BadSearchError(ValueError):
    """There is nothing in it that could be searched for."""


_AFTER = "SELECT seq, line FROM event WHERE room = :room AND seq > :mark ORDER BY seq LIMIT :limit"
_BEFORE = "SELECT seq, line FROM event WHERE room = :room AND seq < :mark ORDER BY seq DESC LIMIT :limit"
_FOUND = """
    SELECT event.seq, event.line FROM words JOIN event ON event.seq = words.rowid
    WHERE words MATCH :text AND words.rowid < :mark AND (:room IS NULL OR event.room = :room)
    AND (:nick IS NULL OR nick_key(json_extract(event.line, '$.nick')) = :nick)
    ORDER BY words.rowid DESC LIMIT :limit
"""
_END = 2**62
_ROOM = wire.ANSWER_MAX - 512  # bytes: the rest is for the fields around the events


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
                mark = _END if query.before is None else query.before
                page = _page(self.connection, _BEFORE, query.limit, room=room, mark=mark)
                return Answer(page.events, page.count, max(0, min(head, mark - 1)), page.more)
            after = query.after if query.since is None else self._since(query)
            page = _page(self.connection, _AFTER, query.limit, room=room, mark=after)
            return Answer(page.events, page.count, page.upto if page.more else head, page.more)

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
        wanted = since.timestamp() if since is not None else 0.0
        low, high = 0, self.connection.execute("SELECT head FROM log").fetchone()[0] + 1
        sql = (
            "SELECT seq, (julianday(json_extract(line, '$.time')) - 2440587.5) * 86400 FROM event WHERE seq > ?"
            " ORDER BY seq LIMIT 1"
        )
        while low < high - 1:  # all up to `low` are older; `high` and what follows are not
            middle = (low + high) // 2
            row = self.connection.execute(sql, (middle - 1,)).fetchone()
            if row is not None and row[1] < wanted - 0.0005:
                low = max(middle, row[0])
            else:
                high = middle
        return int(low)

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
            f"CREATE TABLE IF NOT EXISTS {schema}indexed (log TEXT, upto INTEGER, line TEXT)",
        ):
            self.connection.execute(sql)
        if self.connection.execute("SELECT count(*) FROM indexed").fetchone()[0] == 0:
            self.connection.execute("INSERT INTO indexed SELECT id, 0, NULL FROM log")

    def fill(self) -> int:
        """Index the next rows; return how many events of the log are still to be read."""
        with _readable():
            done: int = self.connection.execute("SELECT upto FROM indexed").fetchone()[0]
            head: int = self.connection.execute("SELECT head FROM log").fetchone()[0]
            if done >= head:
                return 0
            # The first row counts whatever its size. Where no event is left, there is nothing to read up to the head.
            upto = self.connection.execute(
                "SELECT max(seq) FROM (SELECT seq, sum(length(line)) OVER (ORDER BY seq) - length(line) AS before"
                " FROM (SELECT seq, line FROM event WHERE seq > ? ORDER BY seq LIMIT ?)) WHERE before < ?",
                (done, CHUNK, CHUNK_BYTES),
            ).fetchone()[0]
            self._index(done, upto or head)
            return head - (upto or head)

    def _index(self, done: int, upto: int) -> None:
        self.connection.execute("BEGIN")  # not IMMEDIATE: that would lock the log as well, and the broker waits
        try:
            self.connection.execute(
                "INSERT INTO words (rowid, text) SELECT seq, json_extract(line, '$.text') FROM event"
                " WHERE seq > ? AND seq <= ? AND room > 0",
                (done, upto),
            )
            self.connection.execute(
                "UPDATE indexed SET upto = ?1, line = (SELECT line FROM event WHERE seq = ?1)", (upto,)
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
    if not connection.execute("SELECT count(*) FROM main.sqlite_master WHERE name = 'indexed'").fetchone()[0]:
        return True
    sql = (
        "SELECT count(*) FROM indexed, log.log AS log WHERE indexed.log = log.id AND indexed.upto <= log.head"
        " AND coalesce((SELECT line FROM event WHERE seq = indexed.upto), indexed.line) IS indexed.line"
    )
    return bool(connection.execute(sql).fetchone()[0])


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"The log cannot be read: {error}.") from error
