"""Search: a full-text index over all messages, of which each asker finds those that it may read.

The index is a file of its own (`search.db`), because it is derived data: it may be behind the log, and may be deleted.
Filling it never locks the log. It is filled when the broker is at rest, and by a search that needs it.

Chinese and Japanese are written without spaces: the tokenizer would take a whole sentence for one word. So each of
their characters is indexed as a word, and a search for several becomes a phrase of such words.

What not everybody may read is indexed under other words: each begins with who may read it, a private room or one end of
a conversation. So a search reads only what its asker may read. If all were indexed alike and what was found were
sorted out, the time of a search would tell how often a word is said where one may not read.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from zchat import files
from zchat.broker.core.effects import Query
from zchat.errors import StorageError
from zchat.protocol import names, wire

from . import indexing
from .batch import event_in
from .reader import END, ROOM, Answer, readable

SEARCH_FILE = "search.db"
FORMAT = 5  # version of the index; an index of another version is deleted
QUOTES = re.compile('["“”„‟«»]')
UNSEARCHABLE = "the log cannot be searched"
EXPANDED = 30_000  # characters of a query, for all readers together: some 100 ms
CHUNK = 2_000  # events indexed in one transaction …
CHUNK_BYTES = 512 * 1024  # … or bytes of their lines: about 40 ms
VACUUMED = 32 * 1024 * 1024  # bytes of an index that is written anew as a whole after a deletion: some 200 ms


# The chunks to be indexed in one transaction; the first one is taken whatever its size.
_NEXT = """
    SELECT max(id) FROM (
        SELECT id, sum(count) OVER page - count AS events, sum(size) OVER page - size AS bytes
        FROM (SELECT id, count, length(lines) AS size FROM chunk WHERE id > ? ORDER BY id LIMIT ?)
        WINDOW page AS (ORDER BY id)
    ) WHERE events < ? AND bytes < ?
"""


class BadSearchError(ValueError):
    """The search text has no word in it."""


# What `scrub` has does not count any more, and in the chunks that it names lines stand elsewhere than the index knows.
_FOUND = """
    SELECT place.seq, CAST(CASE WHEN chunk.id IN (SELECT chunk FROM scrub WHERE chunk IS NOT NULL)
        THEN event_in(chunk.lines, place.seq) ELSE substr(chunk.lines, place.start, place.size) END AS TEXT) AS line
    FROM words JOIN place ON place.seq = words.rowid JOIN chunk ON chunk.id = place.chunk
    WHERE words MATCH :text AND words.rowid < :mark AND (:room IS NULL OR chunk.room = :room)
    AND CASE WHEN chunk.room < 0
        THEN EXISTS (SELECT 1 FROM conversation WHERE id = chunk.room AND :asker IN (a, b))
        ELSE (SELECT name NOT LIKE '+%' OR name IN (SELECT value FROM json_each(:visible)) FROM room
              WHERE id = chunk.room) END
    AND words.rowid NOT IN (SELECT seq FROM scrub)
    AND (:but IS NULL OR json_extract(line, '$.from') != :but)
    AND (:nick IS NULL OR nick_key(json_extract(line, '$.nick')) = :nick)
    ORDER BY words.rowid DESC LIMIT :limit
"""


class SearchIndex:
    """The full-text index over messages and topics. Only one thread may use it at a time."""

    def __init__(self, folder: Path | None, log: Path, connection: sqlite3.Connection | None = None) -> None:
        self._shared = connection is not None
        self._merging = False
        with readable(UNSEARCHABLE):
            self.connection = connection or _open_index(folder or Path(), log)
            self.connection.create_function("nick_key", 1, _nick_key, deterministic=True)
            self.connection.create_function("event_in", 2, event_in, deterministic=True)
            if self._shared:
                self.connection.execute("ATTACH ':memory:' AS search")
            self._make("search." if self._shared else "")

    def _make(self, schema: str) -> None:
        for sql in (
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {schema}words USING fts5"
            "(text, content='', tokenize='unicode61 remove_diacritics 2')",
            f"CREATE TABLE IF NOT EXISTS {schema}place"  # where the line of a `seq` is in the log
            " (seq INTEGER PRIMARY KEY, chunk INTEGER, start INTEGER, size INTEGER, files TEXT)",
            # `digest` is of chunk `upto`; `scrubbed` is the last row of `scrub` that was worked off; `untidy`: what was
            # taken out may still be in segments (2), or in the file (1)
            f"CREATE TABLE IF NOT EXISTS {schema}indexed"
            " (log TEXT, upto INTEGER, digest BLOB, scrubbed INTEGER, untidy INTEGER)",
        ):
            self.connection.execute(sql)
        if not self._shared:
            self.connection.execute(f"PRAGMA main.user_version = {FORMAT}")
        if self.connection.execute("SELECT count(*) FROM indexed").fetchone()[0] == 0:
            self.connection.execute("INSERT INTO indexed SELECT id, 0, x'', 0, 0 FROM log")

    def fill(self) -> int:
        """Forget what counts no more, and index the next chunks. Return how many are still to be indexed."""
        with readable(UNSEARCHABLE), self._step():
            if self._forget():
                return 1
            done, scrubbed = self.connection.execute("SELECT upto, scrubbed FROM indexed").fetchone()
            last: int = self.connection.execute("SELECT coalesce(max(id), 0) FROM chunk").fetchone()[0]
            if done >= last:
                return 0
            upto: int = self.connection.execute(_NEXT, (done, CHUNK, CHUNK, CHUNK_BYTES)).fetchone()[0]
            indexing.fill(self.connection, done, upto)
            self._note(upto, scrubbed)
            return last - upto

    def tidy(self) -> bool:
        """Do the next step of forgetting, so that not even the file has what was deleted. Return whether one is left.

        Once none is, all is forgotten that `forgotten` tells, also if the machine fails.
        """
        with readable(UNSEARCHABLE):
            with self._step():
                if self._forget():
                    return True
                untidy: int = self.connection.execute("SELECT untidy FROM indexed").fetchone()[0]
                if untidy > 1:
                    self._merging = indexing.merge(self.connection, begin=not self._merging)
                    self.connection.execute("UPDATE indexed SET untidy = ?", (1 + self._merging,))
                    return True
                self.connection.execute("UPDATE indexed SET untidy = 0 WHERE untidy")
            if not self._shared:
                self._write_back(anew=bool(untidy))
            return False

    def _write_back(self, anew: bool) -> None:
        pages, page = (self.connection.execute(f"PRAGMA main.page_{what}").fetchone()[0] for what in ("count", "size"))
        if anew and pages * page <= VACUUMED:
            self.connection.execute("VACUUM main")
        self.connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")

    def forgotten(self) -> int:
        """Return the last row of `scrub` that was worked off."""
        with readable(UNSEARCHABLE):
            upto: int = self.connection.execute("SELECT scrubbed FROM indexed").fetchone()[0]
            return upto

    def _forget(self) -> bool:
        """Forget the next texts. Return whether there were any."""
        upto, before = self.connection.execute("SELECT upto, scrubbed FROM indexed").fetchone()
        scrubbed, deleted = indexing.forget(self.connection, before)
        if scrubbed > before:
            self._note(upto, scrubbed)
        if deleted:
            self._merging = False
            self.connection.execute("UPDATE indexed SET untidy = 2")
        return bool(scrubbed > before)

    def _note(self, upto: int, scrubbed: int) -> None:
        digest = indexing.digest(self.connection, upto, scrubbed)
        self.connection.execute("UPDATE indexed SET upto = ?, digest = ?, scrubbed = ?", (upto, digest, scrubbed))

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        """A transaction that sees one state of the log. It does not lock that, so the broker may write meanwhile."""
        self.connection.execute("BEGIN")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk has ended it
                self.connection.execute("ROLLBACK")
            raise

    def search(self, query: Query) -> Answer:
        """Return the newest matching events, in log order. Raises BadSearchError, and StorageError like `history`."""
        room = None
        with readable(UNSEARCHABLE):
            if query.room is not None:
                row = self.connection.execute("SELECT id FROM room WHERE name = ?", (query.room,)).fetchone()
                room = row[0] if row else 0
            values = {
                "text": self._everywhere(query),
                "mark": END if query.before is None else query.before,
                "room": room,
                "nick": None if query.nick is None else _nick_key(query.nick),
                "asker": query.asker,
                "but": query.asker if query.others else None,
                "visible": wire.encode(sorted(query.visible)).decode(),
            }
            with self._step():  # all statements see the same state
                return _page(self.connection, _FOUND, query.limit, **values)

    def _everywhere(self, query: Query) -> str:
        """Return the query to the index: the words, as each of those as whom the asker reads."""
        text, readers = query.text or "", self._readers(query)
        if len(readers) * len(text) > EXPANDED:
            raise BadSearchError("this is too long to be searched for in so many private rooms: say in which one")
        return " OR ".join(f"({match(text, reader)})" for reader in readers)

    def _readers(self, query: Query) -> list[str]:
        """Return as whom one reads: as everybody, as oneself, and as who was let into each private room."""
        if query.room is not None and not names.is_private(query.room):
            return [""]
        wanted = query.visible if query.room is None else query.visible & {query.room}
        sql = "SELECT 'room' || id FROM room WHERE name IN (SELECT value FROM json_each(?))"
        rooms = self.connection.execute(sql, (wire.encode(sorted(wanted)).decode(),)).fetchall()
        return ["", *([query.asker] if query.asker else ()), *(name for (name,) in rooms)]

    def close(self) -> None:
        if not self._shared:
            self.connection.close()


def _page(connection: sqlite3.Connection, sql: str, limit: int, **values: object) -> Answer:
    """Return the first rows of `sql`, in log order: at most `limit`, and at most what fits into an answer.

    A first statement computes their size: to assemble more than fits, and drop the rest, could take 100 MB.
    """
    rows = limit + 1
    while True:
        count, size = connection.execute(
            f"SELECT count(*), total(length(CAST(line AS BLOB)) + 1) FROM ({sql})",  # noqa: S608 - no user input
            {**values, "limit": rows},
        ).fetchone()
        if size <= ROOM or count <= 1:
            break
        rows = max(1, int(count * ROOM / size))
    taken = min(count, limit)
    events, last = connection.execute(
        "SELECT CAST(coalesce(group_concat(line, ','), '') AS BLOB), coalesce(max(seq), 0) "  # noqa: S608 - as above
        f"FROM (SELECT seq, line FROM ({sql}) ORDER BY seq)",
        {**values, "limit": taken},
    ).fetchone()
    return Answer(events, taken, last, count > limit or rows <= limit)


def match(text: str, reader: str = "") -> str:
    """Convert what a person typed to an FTS5 query: all words, `"phrases"` as they stand, `word*` as a prefix.

    They are looked for where this reader may read; "": everybody.
    """
    terms = []
    for i, part in enumerate(QUOTES.split(text)):
        for term in [part] if i % 2 else part.split():
            if any(character.isalnum() for character in term):
                prefix = "*" if i % 2 == 0 and term.endswith("*") else ""
                terms.append(f'"{indexing.words(term.rstrip("*"), reader)}"{prefix}')
    if not terms:
        raise BadSearchError("there is no word in it to search for")
    return " ".join(terms).replace("\0", " ")


def _nick_key(nick: str) -> str:
    try:
        return names.nick_key(nick)
    except names.BadNameError:
        return nick


def _open_index(folder: Path, log: Path) -> sqlite3.Connection:
    """Open the index. Delete one that is damaged, or that belongs to another log or to another history of this log."""
    path = folder / SEARCH_FILE
    for attempt in range(2):
        files.private(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA secure_delete = ON")  # also for the log, to which it does not write
            connection.execute("PRAGMA temp_store = MEMORY")  # a temporary file might find no descriptor left
            connection.execute("PRAGMA synchronous = NORMAL")  # a crash may lose the last rows: they are indexed again
            connection.execute("ATTACH ? AS log", (str(log),))
            if attempt or _belongs(connection):
                connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")
                return connection
        except sqlite3.DatabaseError:
            if attempt:
                connection.close()
                raise
        connection.close()
        for leftover in folder.glob(SEARCH_FILE + "*"):
            leftover.unlink()
    raise StorageError(f"{UNSEARCHABLE}: its index cannot be made")


def _belongs(connection: sqlite3.Connection) -> bool:
    tables = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")}
    if "place" not in tables:
        return not tables
    if connection.execute("PRAGMA main.user_version").fetchone()[0] != FORMAT:
        return False
    sql = "SELECT upto, digest, scrubbed FROM indexed, log.log AS log WHERE indexed.log = log.id"
    row = connection.execute(sql).fetchone()
    return row is not None and indexing.digest(connection, row[0], row[2]) == row[1]
