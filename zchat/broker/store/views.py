"""Parts of a room's history: a thread, some kinds of events, or the messages as they are now.

What is wanted comes as a stream of lines, in the direction of the query: from the chunks, of which SQLite leaves out
those that have no event of a wanted kind; or from the places that `mark` has of a thread, or of what is pinned. So a
scarce kind is found in a large room without decoding what is between.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import cast

import msgspec
from msgspec import Struct, structs

from zchat.broker.core.effects import Query
from zchat.protocol import messages as m
from zchat.protocol import wire

from .batch import line_of

STANDING = ("message", "topic", "tombstone")  # the kinds of which a picture is made

_CHUNKS = {
    True: """SELECT lines FROM chunk WHERE room = :room AND ({})
        AND first >= coalesce((SELECT max(first) FROM chunk WHERE room = :room AND first <= :mark), 0)
        ORDER BY first""",
    False: "SELECT lines FROM chunk WHERE room = :room AND ({}) AND first < :mark ORDER BY first DESC",
}
_THREAD = """
    WITH said (seq) AS (SELECT :root UNION SELECT seq FROM mark WHERE target = :root AND kind = 'answer')
    SELECT seq FROM said UNION SELECT mark.seq FROM mark JOIN said ON mark.target = said.seq
    WHERE room = :room AND kind != 'answer' ORDER BY 1
"""
_PINNED = "SELECT target FROM mark WHERE room = :room AND kind = 'pin' ORDER BY target"
_AMONG = "target IN (SELECT value FROM json_each(?))"
_MARKS = f"SELECT target, kind, key, nick FROM mark WHERE {_AMONG} AND kind IN ('pin', 'reaction') ORDER BY seq"  # noqa: S608
_SUMS = f"""
    SELECT target, max(CASE kind WHEN 'edit' THEN seq END), sum(kind = 'answer') FROM mark
    WHERE {_AMONG} AND kind IN ('answer', 'edit') GROUP BY target
"""  # noqa: S608 — a message may have 100,000 answers: SQLite counts them


class _Event(Struct):
    """The fields of a line that decide whether it is wanted."""

    type: str
    seq: int
    target: int | None = None


_event = msgspec.json.Decoder(_Event).decode
_standing = msgspec.json.Decoder(m.Message | m.Topic | m.Tombstone).decode
_edited = msgspec.json.Decoder(m.Edited | m.Tombstone).decode


class View:
    """What a query wants of a room or conversation, over a connection in a transaction of its own."""

    def __init__(self, connection: sqlite3.Connection, room: int, query: Query) -> None:
        self._connection, self._run = connection, connection.execute
        self._room, self._query = room, query

    def lines(self, mark: int, forward: bool, most: int, size: int) -> list[bytes]:
        """Return lines after `mark`, or before it, in this direction: `most` of them at most.

        They end with the one with which they exceed `size` bytes.
        """
        found: list[bytes] = []
        for line in self._wanted(mark, forward):
            found.append(line)
            size -= len(line) + 1
            if len(found) == most or size < 0:
                break
        if not self._query.current:
            return found
        return [wire.encode(event) for event in self._now([_standing(line) for line in found])]

    def _wanted(self, mark: int, forward: bool) -> Iterator[bytes]:
        query, kinds = self._query, self._query.kinds
        if query.current and kinds is not None and "pin" in kinds and query.thread is None:
            seqs = [seq for (seq,) in self._run(_PINNED, {"room": self._room})]
            return self._at(seqs, mark, forward, STANDING)
        if query.current:
            kinds = STANDING
        if query.thread is not None:
            seqs = [seq for (seq,) in self._run(_THREAD, {"root": query.thread, "room": self._room})]
            return self._at(seqs, mark, forward, kinds)
        return self._scan(mark, forward, kinds or ())

    def _scan(self, mark: int, forward: bool, kinds: tuple[str, ...]) -> Iterator[bytes]:
        """Yield the events of these kinds, after the mark or before it."""
        named = {f"kind{number}": f'"type":"{kind}"'.encode() for number, kind in enumerate(kinds)}
        condition = " OR ".join(f"instr(lines, :{name})" for name in named) or "false"
        starts = tuple(b'{"type":"%s",' % kind.encode() for kind in kinds)
        for (lines,) in self._run(_CHUNKS[forward].format(condition), {"room": self._room, "mark": mark, **named}):
            said = bytes(lines).split(b"\n")
            for line in said if forward else reversed(said):
                if line.startswith(starts) and self._stands(line, mark, forward):
                    yield line

    def _stands(self, line: bytes, mark: int, forward: bool) -> bool:
        event = _event(line)
        on_its_side = event.seq > mark if forward else event.seq < mark
        return on_its_side and not (self._query.current and event.target is not None)

    def _at(self, seqs: list[int], mark: int, forward: bool, kinds: tuple[str, ...] | None) -> Iterator[bytes]:
        """Yield the events at these places, if they are of these kinds, after the mark or before it."""
        for seq in seqs[bisect_right(seqs, mark) :] if forward else reversed(seqs[: bisect_left(seqs, mark)]):
            line = self._line(seq)
            if line is not None and (kinds is None or _event(line).type in kinds) and self._stands(line, mark, forward):
                yield line

    def _line(self, seq: int) -> bytes | None:
        return line_of(self._connection, self._room, seq)

    def _now(self, events: list[m.Message | m.Topic | m.Tombstone]) -> Iterator[m.Event]:
        """Yield messages with their present text, their reactions, whether they are pinned, and how many answer."""
        among = (wire.encode([event.seq for event in events]).decode(),)
        marks: dict[int, list[tuple[str, str, str]]] = {}
        for target, *mark in self._run(_MARKS, among):
            marks.setdefault(target, []).append((mark[0], mark[1], mark[2]))
        sums = {target: (edit, answers) for target, edit, answers in self._run(_SUMS, among)}
        for event in events:
            mine, (edit, answers) = marks.get(event.seq, []), sums.get(event.seq, (None, 0))
            plain = not isinstance(event, m.Message) or not (mine or edit or answers)
            yield event if plain else self._message(cast("m.Message", event), mine, edit, answers)

    def _message(
        self, event: m.Message, marks: list[tuple[str, str, str]], last: int | None, answers: int
    ) -> m.Message:
        line = None if last is None else self._line(last)
        edit = None if line is None else _edited(line)
        reactions = [(key.partition(" "), nick) for kind, key, nick in marks if kind == "reaction"]
        return structs.replace(
            event,
            text=edit.text if isinstance(edit, m.Edited) else event.text,
            edited=edit.time if isinstance(edit, m.Edited) else None,
            reactions=tuple(m.Reaction(emoji=emoji, from_=from_, nick=nick) for (from_, _, emoji), nick in reactions),
            pinned=any(kind == "pin" for kind, *_ in marks),
            answers=answers,
        )
