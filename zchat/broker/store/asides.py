"""What the log keeps beside events, as rows: through where people have read, and what is to be said later.

Both are written in the transaction of the events: so what is due is told and forgotten in one step.
"""

import sqlite3
from typing import Any

from zchat.broker.core.effects import READ_KEPT
from zchat.broker.core.entries import Postponed, other_end
from zchat.broker.core.noting import decode
from zchat.broker.core.rows import CHAIN, Batch

DUE_AT_ONCE = 500  # what is due is told in parts, so that nobody waits for all of it


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write what a batch has changed."""
    if batch.read:
        rows = [(from_, room, seq, guest) for (from_, room), (seq, guest) in batch.read.items()]
        connection.executemany("INSERT OR REPLACE INTO read VALUES (?, ?, ?, ?)", rows)
    for id_, row in batch.later.items():
        if row is None:
            connection.execute("DELETE FROM later WHERE id = ?", (id_,))
            connection.execute("DELETE FROM attached WHERE seq = ?", (-id_,))
        else:
            connection.execute("INSERT INTO later VALUES (?, ?, ?, ?)", (id_, *row))
            _hold_files(connection, id_, row[1], row[2])
    if batch.last_later:  # also if it was taken back in the same batch
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'later'")
        connection.execute("INSERT INTO sqlite_sequence VALUES ('later', ?)", (batch.last_later,))


def _hold_files(connection: sqlite3.Connection, id_: int, from_: str, draft: bytes) -> None:
    """Keep the files of what is to be said later: in `attached`, in no room and as `-id`. So nobody reads them."""
    files = [one for command in decode(draft).commands for one in getattr(command, "files", ())]
    rows = [(one.file, CHAIN, -id_, from_, one.size) for one in files]
    connection.executemany("INSERT OR IGNORE INTO attached VALUES (?, ?, ?, ?, ?)", rows)


class Asides:
    """The two tables, to be read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, from_: str, room: int) -> int:
        """Return through where somebody has read a room or conversation (given by its id)."""
        rows = self._all('SELECT seq FROM read WHERE "from" = ? AND room = ?', (from_, room))
        return rows[0][0] if rows else 0

    def read_by(self, from_: str) -> dict[str, int]:
        """Return through where somebody has read, as in `ClientRecord`."""
        sql = (
            "SELECT read.seq, room.name, a, b FROM read LEFT JOIN room ON room.id = read.room"
            ' LEFT JOIN conversation ON conversation.id = read.room WHERE read."from" = ?'
            " ORDER BY read.seq DESC LIMIT ?"
        )
        rows = reversed(self._all(sql, (from_, READ_KEPT)))
        return {"@" + other_end((a, b), from_) if name is None else name: seq for seq, name, a, b in rows}

    def postponed(self, id_: int) -> tuple[int, bytes] | None:
        """Return what is to be said later: when, and its draft."""
        rows = self._all("SELECT at, draft FROM later WHERE id = ?", (id_,))
        return rows[0] if rows else None

    def put_off(self, from_: str) -> tuple[int, int]:
        """Return how much somebody has said for later that is still to be told, and its bytes."""
        sql = 'SELECT count(*), coalesce(sum(length(draft)), 0) FROM later WHERE "from" = ?'
        count, size = self._all(sql, (from_,))[0]
        return count, size

    def of(self, from_: str) -> list[Postponed]:
        """Return what somebody has said for later, the soonest first."""
        rows = self._all('SELECT id, at, draft FROM later WHERE "from" = ? ORDER BY at, id', (from_,))
        return [Postponed(id_, at, decode(draft)) for id_, at, draft in rows]

    def due(self, wall: float) -> list[Postponed]:
        """Return what is to be said at a time, in seconds since 1970: the first of it."""
        sql = "SELECT id, at, draft FROM later WHERE at <= ? ORDER BY at, id LIMIT ?"
        rows = self._all(sql, (int(wall * 1_000), DUE_AT_ONCE))
        return [Postponed(id_, at, decode(draft)) for id_, at, draft in rows]

    def last_later(self) -> int:
        """Return the last id that was given."""
        rows = self._all("SELECT seq FROM sqlite_sequence WHERE name = 'later'")
        return rows[0][0] if rows else 0

    def _all(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()
