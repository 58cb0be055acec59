"""What a log that several brokers share has beside its events: how far the stream was applied, brokers and claims.

It is written in the transaction of the events, so that whoever starts again knows exactly what to apply next.
"""

from collections.abc import Iterable

from msgspec import Struct

from zchat.broker.core.cluster import Epoch, Held

from .store import Store

TABLES = """
    CREATE TABLE IF NOT EXISTS applied (   -- one row
        seq  INTEGER NOT NULL,  -- of the stream's last message that was applied
        hash BLOB NOT NULL,     -- of all messages until then
        time REAL NOT NULL      -- of the last batch: the log's clock, which never goes back
    );
    CREATE TABLE IF NOT EXISTS broker (
        name  TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        nonce TEXT NOT NULL,
        k     INTEGER NOT NULL,  -- of its last post that counted
        open  INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS claim (
        client TEXT PRIMARY KEY,
        broker TEXT NOT NULL,
        nick   TEXT
    ) WITHOUT ROWID;
"""


class Applied(Struct, frozen=True):
    """How far the stream was applied."""

    seq: int = 0
    hash: bytes = b""
    time: float = 0.0


class Replica:
    """The tables, in the store's file. `write` has to be called within its `writing`."""

    def __init__(self, store: Store) -> None:
        self._run, self._many = store.connection.execute, store.connection.executemany
        for statement in TABLES.split(";"):
            self._run(statement)
        if self._run("SELECT 1 FROM applied").fetchone() is None:
            self._run("INSERT INTO applied VALUES (0, x'', 0.0)")

    def applied(self) -> Applied:
        return Applied(*self._run("SELECT seq, hash, time FROM applied").fetchone())

    def epochs(self) -> dict[str, Epoch]:
        rows = self._run("SELECT name, epoch, nonce, k, open FROM broker")
        return {name: Epoch(epoch, nonce, k, bool(is_open)) for name, epoch, nonce, k, is_open in rows}

    def claims(self) -> dict[str, Held]:
        return {client: Held(broker, nick) for client, broker, nick in self._run("SELECT * FROM claim")}

    def write(self, applied: Applied, epochs: dict[str, Epoch], claims: Iterable[tuple[str, Held | None]]) -> None:
        """Write how far the stream was applied, all epochs, and the claims that have changed (None: freed)."""
        self._run("UPDATE applied SET seq = ?, hash = ?, time = ?", (applied.seq, applied.hash, applied.time))
        rows = [(name, one.epoch, one.nonce, one.k, one.open) for name, one in epochs.items()]
        self._many("INSERT OR REPLACE INTO broker VALUES (?, ?, ?, ?, ?)", rows)
        for client, held in claims:
            if held is None:
                self._run("DELETE FROM claim WHERE client = ?", (client,))
            else:
                self._run("INSERT OR REPLACE INTO claim VALUES (?, ?, ?)", (client, held.broker, held.nick))
