"""A batch as rows: the events of one room are one row, split at 64 KiB, with their numbers beside them."""

import sqlite3
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from zchat.broker.core.rows import Batch
from zchat.protocol import wire

CHUNK_MAX = 64 * 1024  # bytes of lines in one row: a page of a few lines has to read that much
RECENT = 12_000  # events whose numbers are remembered over a restart: more than one batch can hold


HOLDING = (
    "FROM chunk WHERE room = ? AND first <= ? ORDER BY first DESC LIMIT 1"  # the chunk of an event, if it is there
)
MARK = b'"seq":%d,"prev"'  # stands in the line of an event, and in no text: quotes in that are escaped


class _Event(Struct, rename={"from_": "from"}):
    """The fields that are decoded from a stored line."""

    seq: int
    from_: str = ""


_events = msgspec.json.Decoder(_Event).decode_lines
event_of = msgspec.json.Decoder(_Event).decode
_texts = msgspec.json.Decoder(list[str]).decode
_numbers = msgspec.json.Decoder(list[int]).decode


def event_in(lines: bytes, seq: int) -> bytes | None:
    """Return the line of an event in a chunk."""
    mark = MARK % seq
    return next((line for line in bytes(lines).split(b"\n") if mark in line), None) if mark in lines else None


def line_of(connection: sqlite3.Connection, room: int, seq: int) -> bytes | None:
    """Return an event of a room or conversation (given by its id), as it was published; None if there is none."""
    row = connection.execute(f"SELECT lines {HOLDING}", (room, seq)).fetchone()
    return None if row is None else event_in(row[0], seq)


def recent(connection: sqlite3.Connection) -> dict[str, dict[int, int]]:
    """Return the `seq`s of the last events, by producer and number. Raises ValueError if they are not valid."""
    recent: dict[str, dict[int, int]] = {}
    chunks, told = [], 0
    for count, *rest in connection.execute("SELECT count, ns, producers, lines FROM chunk ORDER BY id DESC"):
        chunks.append(rest)
        told += count
        if told >= RECENT:
            break
    for ns, producers, lines in reversed(chunks):
        numbers = _numbers(ns)
        by = _texts(producers) if producers else [""] * len(numbers)
        for n, producer, event in zip(numbers, by, _events(lines), strict=True):
            recent.setdefault(producer or event.from_, {})[n] = event.seq
    return recent


def chunks(batch: Batch) -> Iterator[tuple[int, int, int, int, str, str | None, bytes]]:
    """Yield the rows of a batch: (first, room, count, time, ns, producers, lines)."""
    for room, run in batch.runs.items():
        for part in wire.cut(run.lines, CHUNK_MAX):
            ns, lines, by = wire.encode(run.ns[part]).decode(), run.lines[part], run.producers[part]
            producers = wire.encode(by).decode() if any(by) else None
            yield run.seqs[part.start], room, len(lines), batch.time, ns, producers, b"\n".join(lines)
