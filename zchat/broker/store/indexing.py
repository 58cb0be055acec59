"""What of the log the search index has, and how that leaves it again.

The index is contentless: it keeps words and not texts, so to take a text out one has to hand it in once more. `scrub`
in the log has the texts that count no more, in the order in which they ceased to; the index notes how far it has worked
them off. A text was indexed if and only if its event has a `place`. Each step sees one state of the log, and does not
add what that state has as edited. So whatever ceases to count later has a row of `scrub` behind the note.

A word that was taken out stays in the file until the segments that have it, and the mark that it is gone, are merged.
So after a deletion all segments are merged, in small steps. (SQLite has done that alone since 3.42 and 3.43, with
`secure-delete` and `contentless_delete`, which not everybody has.)
"""

import re
import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from unicodedata import normalize

import msgspec
from msgspec import Struct

from zchat.protocol import names

from .batch import line_of

UNSPACED = re.compile(  # 々 〆 〇, kana, ideographs with their extensions and compatibility forms, half-width kana
    "([\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff])"
)
MARK = "\ue000"  # around the reader with which a word begins; a letter to the tokenizer, and in no text
WORD = re.compile(r"[^\W_]+")
FORGOTTEN = 200  # texts taken out in one transaction
MERGED = 500  # pages merged in one: about 30 ms
DONE = 2  # changes: a merge that had nothing to do makes fewer


class _File(Struct):
    name: str


class Event(Struct, rename={"from_": "from", "with_": "with"}):
    """The fields of a line that decide what is indexed of it, and for whom."""

    seq: int
    from_: str = ""
    room: str | None = None
    with_: str | None = None
    target: int | None = None
    text: str = ""
    files: list[_File] = []


_event = msgspec.json.Decoder(Event).decode


def fill(connection: sqlite3.Connection, done: int, upto: int) -> None:
    """Index the chunks after `done` up to `upto`."""
    sql = "SELECT id, room, lines FROM chunk WHERE id > ? AND id <= ? AND room != 0 ORDER BY id"
    for id_, room, lines in connection.execute(sql, (done, upto)).fetchall():
        for line, start in _located(lines):
            event = _event(line)
            if event.text or event.files:
                _add(connection, event, room, (id_, start, len(line)))


def _add(connection: sqlite3.Connection, event: Event, room: int, place: tuple[int, int, int]) -> None:
    """Index a line, unless another text stands for it."""
    latest = "SELECT seq FROM mark WHERE target = ? AND kind = 'edit' ORDER BY key DESC LIMIT 1"
    last = connection.execute(latest, (event.target or event.seq,)).fetchone()
    if last is not None and last[0] > event.seq:
        return
    files = _names(connection, event, room)
    text = _indexed(connection, event, files)
    connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (event.seq, text))
    connection.execute("INSERT INTO place VALUES (?, ?, ?, ?, ?)", (event.seq, *place, files))


def _names(connection: sqlite3.Connection, event: Event, room: int) -> str | None:
    """Return the names of the files that a message carries, or the one that was edited."""
    if event.target is not None:
        line = line_of(connection, room, event.target)
        event = event if line is None else _event(line)
    return " ".join(file.name for file in event.files) or None


def forget(connection: sqlite3.Connection, done: int) -> tuple[int, bool]:
    """Take out the next texts that count no more. Return how far that went, and whether some were deleted."""
    sql = "SELECT id, seq, chunk, line FROM scrub WHERE id > ? ORDER BY id LIMIT ?"
    anew: set[int] = set()
    for id_, seq, chunk, line in connection.execute(sql, (done, FORGOTTEN)).fetchall():
        done = id_
        if chunk is not None:
            anew.add(chunk)
        row = connection.execute("SELECT files FROM place WHERE seq = ?", (seq,)).fetchone()
        if row is not None and line is not None:
            text = _indexed(connection, _event(line), row[0])
            connection.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (seq, text))
        connection.execute("DELETE FROM place WHERE seq = ?", (seq,))
    for chunk in anew:
        _follow(connection, chunk)
    return done, bool(anew)


def _follow(connection: sqlite3.Connection, chunk: int) -> None:
    """Note where the lines of a chunk are that was written anew."""
    row = connection.execute("SELECT lines FROM chunk WHERE id = ?", (chunk,)).fetchone()
    places = [] if row is None else [(start, len(line), _event(line).seq, chunk) for line, start in _located(row[0])]
    connection.executemany("UPDATE place SET start = ?, size = ? WHERE seq = ? AND chunk = ?", places)


def merge(connection: sqlite3.Connection, *, begin: bool) -> bool:
    """Merge some pages of the index. Return whether there is more to merge."""
    before = connection.total_changes
    connection.execute(f"INSERT INTO words (words, rank) VALUES ('merge', {'-' if begin else ''}{MERGED})")  # noqa: S608
    return connection.total_changes - before >= DONE


def digest(connection: sqlite3.Connection, chunk: int, done: int) -> bytes:
    """Return what tells a chunk from that of another past, as it was before what of `scrub` is not worked off yet."""
    row = connection.execute("SELECT lines FROM chunk WHERE id = ?", (chunk,)).fetchone()
    if row is None:
        return b""
    sql = "SELECT seq, line FROM scrub WHERE chunk = ? AND id > ? ORDER BY id DESC"
    before: dict[int, bytes] = dict(connection.execute(sql, (chunk, done)).fetchall())
    lines = [before.get(_event(line).seq, line) for line in bytes(row[0]).split(b"\n")] if before else [row[0]]
    return sha256(b"\n".join(lines)).digest()


def _located(lines: bytes) -> list[tuple[bytes, int]]:
    """Return each line of a chunk, and where it starts, from 1 on."""
    found, start = [], 1
    for line in bytes(lines).split(b"\n"):
        found.append((line, start))
        start += len(line) + 1
    return found


def _indexed(connection: sqlite3.Connection, event: Event, files: str | None) -> str:
    """Return the text of an event, and the names of files, as they are indexed for those who may read it."""
    text = event.text if files is None else f"{event.text} {files}"
    return " ".join(words(text, reader) for reader in _readers(connection, event) or [""])


def _readers(connection: sqlite3.Connection, event: Event) -> Sequence[str]:
    """Return who may read an event; nobody: everybody may."""
    if event.room is None:
        return sorted((event.from_, event.with_ or ""))
    if not names.is_private(event.room):
        return ()
    row = connection.execute("SELECT 'room' || id FROM room WHERE name = ?", (event.room,)).fetchone()
    return row or ()


def words(text: str, reader: str) -> str:
    """Return a text as it is indexed, and looked for, for one reader; "": everybody."""
    spaced = text if text.isascii() else UNSPACED.sub(r" \1 ", text)
    if not reader:
        return spaced if spaced.isascii() else spaced.replace(MARK, " ")
    return " ".join(f"{MARK}{reader}{MARK}{word}" for word in WORD.findall(normalize("NFC", spaced)))
