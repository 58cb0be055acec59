"""What is done to messages, as rows: marks, texts that count no more, and tombstones in the place of what was deleted.

A chunk is written anew where a line of it has to go. The search index is another file and may be behind: so the line
that was there waits in `scrub` until the index has forgotten it, too (`indexing.py`).

What is deleted must be in no byte of the file. With `secure_delete` SQLite overwrites what it frees. But where a row
shrinks or grows, it may move the rows beside it to other pages, and then sometimes leaves a copy behind, in the unused
middle of a page: no later deletion would reach that. A row of the same size it overwrites where it stands. So `ns` is
filled up with spaces, which mean nothing in JSON.

Where the texts before an edit are forgotten, the message's line gets its text. A line must not grow, for the same
reason: so a longer text is cut there. The edit itself has all of it. The edits before it become tombstones, without a
mark: so the next edit has no more to do, however many there were.
"""

import sqlite3
from bisect import bisect_right

import msgspec
from msgspec import structs

from zchat.broker.core.rows import Batch
from zchat.protocol import messages as m
from zchat.protocol import wire

from .batch import HOLDING, event_of, line_of

_mendable = msgspec.json.Decoder(m.Message | m.Edited).decode
_EDIT_BEFORE = "SELECT seq FROM mark WHERE target = ? AND kind = 'edit' AND key < ? ORDER BY key DESC LIMIT 1"
_HOLDING = f"SELECT id, ns, lines {HOLDING}"


def mend(connection: sqlite3.Connection, batch: Batch) -> bool:
    """Write what the events of a batch, which are written, have done to messages.

    Return whether there is something that the search index has to forget.
    """
    if batch.attached:
        connection.executemany("INSERT OR IGNORE INTO attached VALUES (?, ?, ?, ?, ?)", batch.attached)
    if not batch.marks and not batch.buried:
        return False
    run = connection.execute
    for (target, kind, key), (room, seq, nick) in batch.marks.items():
        run("DELETE FROM mark WHERE target = ? AND kind = ? AND key = ?", (target, kind, key))
        if seq:
            run("INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?)", (target, kind, key, room, seq, nick))
    for room, target, seq, forget in batch.edited:
        if forget:
            _overwrite(connection, room, target, seq)
            continue
        row = run(_EDIT_BEFORE, (target, f"{seq:016}")).fetchone()
        before = target if row is None else row[0]
        run("INSERT INTO scrub (seq, line) VALUES (?, ?)", (before, line_of(connection, room, before)))
    for target, (room, by) in batch.buried.items():
        _bury(connection, room, target, by)
    return bool(batch.edited or batch.buried)


def _overwrite(connection: sqlite3.Connection, room: int, target: int, seq: int) -> None:
    """Put the text of the edit `seq` in the place of the message's, and tombstones in that of the edits before it."""
    line, edit = line_of(connection, room, target), line_of(connection, room, seq)
    if line is None or edit is None:
        return
    text, key = _mendable(edit).text, f"{seq:016}"
    older = "FROM mark WHERE target = ? AND kind = 'edit' AND key < ?"
    edits = [one for (one,) in connection.execute(f"SELECT seq {older} ORDER BY key", (target, key))]
    bury_all(connection, room, edits)
    connection.execute(f"DELETE {older}", (target, key))
    id_, ns, lines = connection.execute(_HOLDING, (room, target)).fetchone()
    anew = _fitted(_mendable(line), text, len(line))
    _replace(connection, id_, ns, lines, b"\n".join(anew if one == line else one for one in bytes(lines).split(b"\n")))
    connection.execute("INSERT INTO scrub (seq, chunk, line) VALUES (?, ?, ?)", (target, id_, line))


def _fitted(event: m.Message | m.Edited, text: str, size: int) -> bytes:
    """Return the line of an event with another text: with as much of its beginning as `size` bytes have room for."""

    def line(length: int) -> bytes:
        return wire.encode(structs.replace(event, text=text[:length]))

    lengths = range(len(text) + 1)
    return line(max(0, bisect_right(lengths, size, key=lambda length: len(line(length))) - 1))


def _bury(connection: sqlite3.Connection, room: int, target: int, by: str) -> None:
    """Put tombstones in the place of a message and its edits."""
    run = connection.execute
    edits = [seq for (seq,) in run("SELECT seq FROM mark WHERE target = ? AND kind = 'edit' ORDER BY key", (target,))]
    bury_all(connection, room, [target, *edits], by)
    run("DELETE FROM mark WHERE target = ? AND kind != 'answer'", (target,))
    run("DELETE FROM mark WHERE room = ? AND kind = 'answer' AND seq = ?", (room, target))
    run("DELETE FROM attached WHERE seq = ?", (target,))


def bury_all(connection: sqlite3.Connection, room: int, seqs: list[int], by: str | None = None) -> None:
    """Put tombstones in the place of events. They tell `by` whom: with None, by whoever has said it."""
    left = set(seqs)
    for seq in seqs:
        if seq in left:
            left -= {seq, *_bury_in_chunk(connection, room, seq, left, by)}


def _bury_in_chunk(connection: sqlite3.Connection, room: int, seq: int, wanted: set[int], by: str | None) -> list[int]:
    """Put tombstones in the place of the wanted events of the chunk that has one of them. Return which it had.

    Thousands of edits of one message may be in a chunk: so it is written anew once for all of them.
    """
    row = connection.execute(_HOLDING, (room, seq)).fetchone()
    if row is None:
        return []
    id_, ns, before = row
    lines, buried = bytes(before).split(b"\n"), []
    for place, line in enumerate(lines):
        number = event_of(line).seq
        if number in wanted:
            buried.append(number)
            event = _mendable(line)
            lines[place] = wire.encode(m.tombstone(event, by or event.from_))
            connection.execute("INSERT INTO scrub (seq, chunk, line) VALUES (?, ?, ?)", (number, id_, line))
    if buried:
        _replace(connection, id_, ns, before, b"\n".join(lines))
    return buried


def _replace(connection: sqlite3.Connection, chunk: int, ns: str, lines: bytes, anew: bytes) -> None:
    """Put other lines in the place of those of a chunk."""
    size = _taken(len(ns)) + _taken(len(lines)) - _taken(len(anew))
    ns = next((filled for less in (1, 2, 3, 4) if _taken(len(filled := ns.rstrip().ljust(size - less))) == size), ns)
    connection.execute("UPDATE chunk SET ns = ?, lines = ? WHERE id = ?", (ns, anew, chunk))


def _taken(length: int) -> int:
    """Return the bytes that a value takes in a row, with those that tell its length."""
    return length + (((2 * length + 13).bit_length() + 6) // 7)
