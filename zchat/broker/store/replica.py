"""What a log that several brokers share has beside its events: how far the stream was applied, brokers and claims.

It is written in the transaction of the events, so that whoever starts again knows exactly what to apply next.
"""

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from zchat.broker.core.cluster import Epoch, Held

from . import schema
from .opening import LOG_FILE, inspect, translated
from .store import Store


class Applied(Struct, frozen=True):
    """How far the stream of a term was applied."""

    term: str = ""  # "": none
    seq: int = 0
    hash: bytes = b""
    time: float = 0.0


class Replica:
    """The tables, in the store's file. `write` has to be called within its `writing`."""

    def __init__(self, store: Store) -> None:
        self._run, self._many = store.connection.execute, store.connection.executemany

    def applied(self) -> Applied:
        return Applied(*self._run("SELECT term, seq, hash, time FROM applied").fetchone())

    def epochs(self) -> dict[str, Epoch]:
        rows = self._run("SELECT name, epoch, nonce, k, open FROM broker")
        return {name: Epoch(epoch, nonce, k, bool(is_open)) for name, epoch, nonce, k, is_open in rows}

    def claims(self) -> dict[str, Held]:
        return {client: Held(*rest) for client, *rest in self._run("SELECT client, broker, nick, place FROM claim")}

    def write(self, applied: Applied, epochs: dict[str, Epoch], claims: Iterable[tuple[str, Held | None]]) -> None:
        """Write how far the stream was applied, all epochs, and the claims that have changed (None: freed)."""
        row = (applied.term, applied.seq, applied.hash, applied.time)
        self._run("UPDATE applied SET term = ?, seq = ?, hash = ?, time = ?", row)
        rows = [(name, one.epoch, one.nonce, one.k, one.open) for name, one in epochs.items()]
        self._many("INSERT OR REPLACE INTO broker VALUES (?, ?, ?, ?, ?)", rows)
        for client, held in claims:
            if held is None:
                self._run("DELETE FROM claim WHERE client = ?", (client,))
            else:
                self._run(
                    "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?)", (client, held.broker, held.nick, held.place)
                )


class Standing(Struct, frozen=True):
    """What a log is that nobody has open: its id, its last `seq`, and how far it has applied a cluster's stream."""

    id: str
    head: int
    applied: Applied


def standing(folder: Path) -> Standing | None:
    """Return what the log in a folder is, without writing to it; None if there is none. Raises StorageError."""
    path = folder / LOG_FILE
    if not path.exists() or not path.stat().st_size:
        return None
    with translated(path, opening=True):
        inspect(path)
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT id, head FROM log").fetchone() if schema.version(connection) else None
            if row is None:
                return None
            shares = schema.version(connection) >= schema.SHARED
            applied = connection.execute("SELECT term, seq, hash, time FROM applied").fetchone() if shares else ()
            return Standing(row[0], row[1], Applied(*applied))
