"""The tables, named with the terms of the protocol. The migrations are a list; they are applied in order, never edited.

All events of a room in one batch are one row, a chunk. Its `lines` are the lines as they were published. A row costs
2 µs and an index entry, whatever its size. At rest there is a row per event, under load one for hundreds of events.
Durable state that the broker needs has a row of its own (`log.head`, `room.head`, `client.n`) and is never computed as
`max(seq)`. So old events may be deleted (`retiring.py`), and still no `seq` is used twice.
"""

import contextlib
import sqlite3

APPLICATION_ID = 0x7A636861  # "zcha": distinguishes a zchat log from other SQLite files

MIGRATIONS = [
    """
    CREATE TABLE log (
        id   TEXT NOT NULL,     -- `welcome.log`
        head INTEGER NOT NULL   -- the last `seq` given
    );
    CREATE TABLE room (
        id    INTEGER PRIMARY KEY,  -- positive
        name  TEXT NOT NULL UNIQUE,
        topic TEXT NOT NULL DEFAULT '',
        head  INTEGER NOT NULL      -- `seq` of its last event
    );
    CREATE TABLE conversation (
        id     INTEGER PRIMARY KEY,  -- negative, so that an event's `room` tells private from public
        a      TEXT NOT NULL,        -- the two `from`s, a <= b
        b      TEXT NOT NULL,
        nick_a TEXT NOT NULL,        -- their nicks when it was last used
        nick_b TEXT NOT NULL,
        head   INTEGER NOT NULL,
        UNIQUE (a, b)
    );
    CREATE INDEX conversation_b ON conversation (b);
    CREATE TABLE event (
        seq  INTEGER PRIMARY KEY,
        room INTEGER NOT NULL,  -- of a room, or of a conversation
        n    INTEGER NOT NULL,  -- its sender's number
        line TEXT NOT NULL      -- the event, as it was published
    );
    CREATE INDEX event_room ON event (room, seq);
    CREATE TABLE client (
        "from" TEXT PRIMARY KEY,
        n      INTEGER NOT NULL,  -- the last number taken
        used   INTEGER NOT NULL   -- when, in seconds since 1970
    ) WITHOUT ROWID;
    CREATE TABLE answer (       -- numbers that were taken without an event
        "from" TEXT NOT NULL,
        n      INTEGER NOT NULL,
        line   TEXT NOT NULL,   -- the `error` or `ack` that was given
        PRIMARY KEY ("from", n)
    ) WITHOUT ROWID;
    CREATE TABLE once (
        "from" TEXT NOT NULL,
        key    TEXT NOT NULL,
        seq    INTEGER NOT NULL,
        used   INTEGER NOT NULL,
        PRIMARY KEY ("from", key)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE chunk (
        id    INTEGER PRIMARY KEY,  -- rising with the batches; within one, by the first event
        room  INTEGER NOT NULL,     -- of a room, or of a conversation
        first INTEGER NOT NULL,     -- `seq` of its first event
        count INTEGER NOT NULL,     -- of its events
        time  INTEGER NOT NULL,     -- of all of them, in milliseconds since 1970
        ns    TEXT NOT NULL,        -- their senders' numbers, a JSON array
        lines BLOB NOT NULL         -- the events, as they were published, with newlines between
    );
    CREATE INDEX chunk_room ON chunk (room, first);
    INSERT INTO chunk (room, first, count, time, ns, lines)
        SELECT room, seq, 1, round((julianday(json_extract(line, '$.time')) - 2440587.5) * 86400000),
        json_array(n), CAST(line AS BLOB) FROM event ORDER BY seq;
    DROP TABLE event;
    """,
    """
    CREATE TABLE epoch (    -- a start of a broker, if something was stored before the next one
        first INTEGER PRIMARY KEY,  -- its first `seq`
        id    TEXT NOT NULL         -- random
    );
    INSERT INTO epoch (first, id) SELECT 1, substr(id, 1, 16) FROM log WHERE head > 0; -- the same in all copies of it
    """,
    """
    ALTER TABLE client RENAME TO producer;
    ALTER TABLE producer RENAME COLUMN "from" TO id;
    ALTER TABLE producer ADD COLUMN author TEXT NOT NULL DEFAULT ''; -- the member that it belongs to; '': a guest's
    ALTER TABLE answer RENAME COLUMN "from" TO producer;
    ALTER TABLE chunk ADD COLUMN producers TEXT; -- a JSON array like `ns`, '' for a guest's; NULL: all are guests'
    ALTER TABLE log ADD COLUMN chain INTEGER NOT NULL DEFAULT 0; -- `seq` of the last event about members: room 0
    """,
    """
    CREATE TABLE applied (  -- one row: how far the stream of a cluster was applied
        term TEXT NOT NULL,     -- of the stream; '': this is no cluster's log
        seq  INTEGER NOT NULL,  -- of the stream's last message that was applied
        hash BLOB NOT NULL,     -- of all messages until then
        time REAL NOT NULL      -- of the last batch: the log's clock, which never goes back
    );
    INSERT INTO applied VALUES ('', 0, x'', 0.0);
    CREATE TABLE broker (       -- of the cluster
        name  TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        nonce TEXT NOT NULL,
        k     INTEGER NOT NULL, -- of its last post that counted
        open  INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE claim (        -- at which broker a client is, and with which nick
        client TEXT PRIMARY KEY,
        broker TEXT NOT NULL,
        nick   TEXT,
        place  INTEGER NOT NULL -- of the stream
    ) WITHOUT ROWID;
    """,
    """
    CREATE INDEX chunk_first ON chunk (first); -- to find an event by its `seq` alone
    CREATE TABLE mark (         -- what is in force of what was done to messages
        target INTEGER NOT NULL,    -- the `seq` of the message
        kind   TEXT NOT NULL,       -- answer, edit, pin, reaction
        key    TEXT NOT NULL,       -- one of each, by target and kind
        room   INTEGER NOT NULL,    -- of a room, or of a conversation
        seq    INTEGER NOT NULL,    -- of the event that left it
        nick   TEXT NOT NULL,
        PRIMARY KEY (target, kind, key)
    ) WITHOUT ROWID;
    CREATE INDEX mark_room ON mark (room, kind, seq);
    CREATE TABLE scrub (        -- what the search index has to forget
        id    INTEGER PRIMARY KEY AUTOINCREMENT,
        seq   INTEGER NOT NULL, -- of the event whose text counts no more
        chunk INTEGER,          -- that was written anew, so that its lines stand elsewhere in it; NULL: none
        line  BLOB              -- the event as it was; NULL: it had no text
    );
    CREATE TABLE attached (     -- the files that messages carry
        file TEXT NOT NULL,     -- SHA-256 in hex
        room INTEGER NOT NULL,
        seq  INTEGER NOT NULL,
        "from" TEXT NOT NULL,   -- who has said the message
        size INTEGER NOT NULL,
        PRIMARY KEY (file, room, seq)
    ) WITHOUT ROWID;
    CREATE INDEX attached_seq ON attached (seq);
    CREATE INDEX attached_from ON attached ("from", file);
    CREATE TABLE detached (     -- files of messages that are gone: they go, too, if nobody else has them
        id   INTEGER PRIMARY KEY,
        file TEXT NOT NULL,
        "from" TEXT NOT NULL
    );
    CREATE TRIGGER attached_gone AFTER DELETE ON attached
        BEGIN INSERT INTO detached (file, "from") VALUES (old.file, old."from"); END;
    CREATE TABLE later (        -- what is to be said at a time
        id   INTEGER PRIMARY KEY AUTOINCREMENT,
        at   INTEGER NOT NULL,  -- milliseconds since 1970
        "from" TEXT NOT NULL,
        draft BLOB NOT NULL     -- as it was handed to the log: JSON
    );
    CREATE INDEX later_at ON later (at);
    CREATE INDEX later_from ON later ("from");
    CREATE TABLE read (         -- through where somebody has read
        "from" TEXT NOT NULL,
        room   INTEGER NOT NULL,
        seq    INTEGER NOT NULL,
        guest  INTEGER NOT NULL, -- whether to forget it with the guest's client
        PRIMARY KEY ("from", room)
    ) WITHOUT ROWID;
    """,
]
SHARED = 5  # the version that brought what a log of several brokers has
SCRUBBED = 6  # the version that brought `scrub`


def version(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def strange(connection: sqlite3.Connection, found: int) -> str:
    """Return what is foreign, changed or missing in the schema of a log of version `found`; "" if nothing is."""
    query = "SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        for migration in MIGRATIONS[:found]:
            empty.executescript(migration)
        ours = {name: (kind, sql) for name, kind, sql in empty.execute(query)}
    theirs = {name: (kind, sql) for name, kind, sql in connection.execute(query)}
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours:
            return f"it has a {theirs[name][0]} {name!r} that is not zchat's"
        if theirs.get(name) != ours[name]:
            return f"its {ours[name][0]} {name!r} is missing or was changed"
    return ""


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the tables to the newest version, one transaction per step."""
    for number in range(version(connection), len(MIGRATIONS)):
        marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1};"
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} {marks} COMMIT;")
