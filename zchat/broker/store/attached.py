"""Which files messages carry: asked beside the writer, in the event loop, by keys of an index.

A file that many messages carry is asked for by room: one step for each room, and not for each message.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from zchat.broker.core.entries import Place

from .store import Store

PAGE = 500  # rows that are read at a time


def files_in(log: Path) -> list[str]:
    """Return the files that the messages of the log in this file carry."""
    with contextlib.closing(sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'attached'").fetchone() is None:
            return []  # of an older version
        return [file for (file,) in connection.execute("SELECT DISTINCT file FROM attached ORDER BY file")]


class Attached:
    """The files that the messages of a log carry."""

    def __init__(self, store: Store) -> None:
        self._run = store.connection.execute

    def places(self, file: str) -> Iterator[Place]:
        """Yield the rooms and conversations where messages carry a file."""
        sql = "SELECT room FROM attached WHERE file = ? AND room > ? ORDER BY room LIMIT 1"
        row = self._run(sql, (file, -(2**62))).fetchone()
        while row is not None:
            if (place := self._place(row[0])) is not None:
                yield place
            row = self._run(sql, (file, row[0])).fetchone()

    def _place(self, room: int) -> Place | None:
        if room > 0:
            found = self._run("SELECT name FROM room WHERE id = ?", (room,)).fetchone()
            return None if found is None else Place(room=found[0])
        found = self._run("SELECT a, b FROM conversation WHERE id = ?", (room,)).fetchone()
        return None if found is None else Place(pair=(found[0], found[1]))

    def by(self, file: str, from_: str) -> bool:
        """Return whether a message of somebody carries a file, one that was said."""
        sql = 'SELECT 1 FROM attached WHERE "from" = ? AND file = ? AND room != 0 LIMIT 1'
        return self._run(sql, (from_, file)).fetchone() is not None

    def wanted(self, file: str) -> bool:
        """Return whether a message carries a file, or one that is still to be said."""
        return self._run("SELECT 1 FROM attached WHERE file = ? LIMIT 1", (file,)).fetchone() is not None

    def size(self, from_: str, least: int) -> int:
        """Return the bytes of all files that the messages of somebody carry, each counted once, as `least` at least."""
        sql = 'SELECT coalesce(sum(max(size, ?2)), 0) FROM (SELECT DISTINCT file, size FROM attached WHERE "from" = ?1)'
        found: int = self._run(sql, (from_, least)).fetchone()[0]
        return found

    def after(self, file: str) -> list[tuple[str, int]]:
        """Return (file, size) of the next files that messages carry, those after a file."""
        sql = "SELECT file, max(size) FROM attached WHERE file > ? GROUP BY file ORDER BY file LIMIT ?"
        return self._run(sql, (file, PAGE)).fetchall()

    def detached(self) -> list[tuple[int, str, str]]:
        """Return (id, file, from) of some files of messages that are gone."""
        return self._run('SELECT id, file, "from" FROM detached ORDER BY id LIMIT ?', (PAGE,)).fetchall()

    def forget(self, last: int) -> None:
        """Forget what `detached` has told, up to an id."""
        self._run("DELETE FROM detached WHERE id <= ?", (last,))
