"""What has been kept for long enough: finding it beside the loop, and deleting it in small steps.

All events of a chunk have the same time, so whole chunks go, the oldest of a room first. What follows from them goes
with them: marks on their messages, files that they alone carried, and the texts of later edits. In the place of these
stay tombstones, as where the message was deleted: nobody else could take such a text back. Heads, cursors, and `prev`
of what is left stay as they are: whoever asks for what is gone gets what came after it. The search index is another
file, so the lines wait in `scrub` until it has forgotten them, as those of deleted messages do.
"""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from .batch import event_of
from .mending import bury_all

STEP_EVENTS = 500  # of one transaction, with the edits of its messages, or a chunk's …
STEP_BYTES = 128 * 1024  # … or bytes of their lines: some milliseconds


class Due(NamedTuple):
    """A room or conversation of which something is due: its id, the room's name, and the time before which."""

    place: int
    room: str | None
    before: int  # in milliseconds since 1970


class _Text(msgspec.Struct):
    seq: int
    text: str | None = None


_texts = msgspec.json.Decoder(_Text).decode

_OLD = """
    SELECT id, name FROM (SELECT id, name FROM room UNION ALL SELECT id, NULL FROM conversation) AS place
    WHERE (SELECT time FROM chunk WHERE chunk.room = place.id ORDER BY first LIMIT 1) < ?
"""


def due(connection: sqlite3.Connection, now: int, keep: float, own: Mapping[str, float]) -> list[Due]:
    """Return where something is due at `now`, in ms. `keep`, and `own` of rooms, are in seconds; 0: for ever."""
    kept = [each for each in (keep, *own.values()) if each]
    if not kept:
        return []
    found: list[Due] = []
    for place, room in connection.execute(_OLD, (now - int(min(kept) * 1_000),)):
        here = keep if room is None else own.get(room, keep)
        if here:
            found.append(Due(place, room, now - int(here * 1_000)))
    return found


def newest(connection: sqlite3.Connection) -> int | None:
    """Return the time of the last chunk, in ms; None if there is none."""
    row = connection.execute("SELECT time FROM chunk ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else int(row[0])


def last_before(connection: sqlite3.Connection, time: int) -> int | None:
    """Return the time of the last chunk that is older than a time, both in ms; None if there is none.

    It is looked for by halves: there may be millions.
    """
    low, high = connection.execute("SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM chunk").fetchone()
    found: int | None = None
    while low <= high:
        middle = (low + high) // 2
        at, there = connection.execute("SELECT id, time FROM chunk WHERE id >= ? ORDER BY id", (middle,)).fetchone()
        if there < time:
            found, low = there, at + 1
        else:
            high = middle - 1
    return found


def next_step(connection: sqlite3.Connection, one: Due) -> int | None:
    """Return the last `seq` of what is to go next from a room or conversation; None: nothing is due any more."""
    events = size = 0
    upto: int | None = None
    rows = connection.execute(
        "SELECT first, time, count, lines FROM chunk WHERE room = ? ORDER BY first LIMIT ?",
        (one.place, STEP_EVENTS),
    )
    for first, time, count, lines in rows:
        last = event_of(bytes(lines).rpartition(b"\n")[2]).seq
        edits = len(_edits(connection, one.place, first, last))
        events, size = events + count + edits, size + len(lines)
        if time >= one.before or (upto is not None and (events > STEP_EVENTS or size > STEP_BYTES)):
            break
        upto = first
    return upto


def retire(connection: sqlite3.Connection, place: int, upto: int, before: int) -> None:
    """Delete the chunks of a room or conversation that begin at `upto` or sooner, and are from before a time."""
    run = connection.execute
    sql = "SELECT id, lines FROM chunk WHERE room = ? AND first <= ? AND time < ? ORDER BY first"
    edits: list[int] = []
    for id_, lines in run(sql, (place, upto, before)).fetchall():
        events = [(_texts(line), line) for line in bytes(lines).split(b"\n")]
        told = [(event.seq, id_, line) for event, line in events if event.text is not None]
        connection.executemany("INSERT INTO scrub (seq, chunk, line) VALUES (?, ?, ?)", told)
        run("DELETE FROM chunk WHERE id = ?", (id_,))
        reach = (place, events[0][0].seq, events[-1][0].seq)
        edits += _edits(connection, *reach)
        run("DELETE FROM mark WHERE +room = ? AND target BETWEEN ? AND ?", reach)  # `+`: not by all marks of the room
        run(
            "DELETE FROM mark WHERE room = ? AND kind = 'answer' AND seq BETWEEN ? AND ?", reach
        )  # to what was gone before
        run("DELETE FROM attached WHERE room = ? AND seq BETWEEN ? AND ?", reach)
    bury_all(connection, place, edits)  # some of them are gone themselves


def _edits(connection: sqlite3.Connection, place: int, first: int, last: int) -> list[int]:
    """Return the edits of what was said in a room or conversation from one `seq` to another."""
    sql = "SELECT seq FROM mark WHERE +room = ? AND kind = 'edit' AND target BETWEEN ? AND ?"
    return [seq for (seq,) in connection.execute(sql, (place, first, last))]
