"""What the log remembers without an event: through where people have read, and what is to be said later.

A read mark only ever goes forward, and never beyond the head of its place. There is one row for each author and place,
which is replaced: so marks cost the log a row at most, however many come.

What is said for later is kept as the draft that it was. A `Due` takes it out again. Any broker that shares the log may
draft that, as soon as it thinks that the time has come; what counts is the log's clock, and that only one finds it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, cast

import msgspec
from msgspec import structs

from zchat.protocol import messages as m

from .entries import Draft, Due, Noted
from .members import Members
from .rights import Refused, check_proof, check_speech, free_nick
from .rows import Batch

LATER_EACH = 100  # of one author at the same time …
LATER_BYTES = 192 * 1024  # … in so many bytes: `scheduled` lists all of them in one reply
AHEAD = 366 * 86_400.0  # s

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Draft).decode


class Kept(Protocol):
    """What has to be known of a log."""

    last_later: int

    def read(self, from_: str, room: int) -> int:
        """Return through where somebody has read a room or conversation (given by its id)."""

    def postponed(self, id_: int) -> tuple[int, bytes] | None:
        """Return what is to be said later: when (milliseconds since 1970), and its encoded draft."""

    def put_off(self, from_: str) -> tuple[int, int]:
        """Return how much somebody has said for later that is still to be told, and its bytes."""


def later(draft: Draft, wall: float) -> datetime | None:
    """Return when a draft is to be said, if that is not now."""
    command = draft.commands[0]
    at = command.at if type(command) is m.Say else None
    return at if at is not None and at.timestamp() > wall else None


def mark(kept: Kept, batch: Batch, draft: Draft, place: tuple[int, int] | None) -> Noted:
    """Note through where somebody has read a place: (id, head), None if nothing was said there."""
    if place is None:
        return Noted()
    room, head = place
    key = draft.from_, room
    before = batch.read[key][0] if key in batch.read else kept.read(*key)
    through = min(cast("m.MarkRead", draft.commands[0]).seq, head)
    if through <= before:
        return Noted()
    batch.read[key] = through, not draft.producer
    return Noted(read=through)


def schedule(kept: Kept, batch: Batch, draft: Draft, at: datetime, wall: float) -> Noted:
    """Keep a message until it is to be said. Raises Refused."""
    from_, when = draft.from_, at.timestamp()
    if when - wall > AHEAD:
        raise Refused("forbidden", "that is more than a year ahead", int(AHEAD))
    bare = [structs.replace(cast("m.Say", command), ref=None) for command in draft.commands]
    encoded = encode(structs.replace(draft, peer=b"", commands=bare))
    count, size = batch.put_off.get(from_) or kept.put_off(from_)
    if count >= LATER_EACH:
        raise Refused("forbidden", "you have said too much for later: take some of it back", LATER_EACH)
    if size + len(encoded) > LATER_BYTES:
        raise Refused("forbidden", "what you have said for later is too long: take some of it back", LATER_BYTES)
    id_ = batch.last_later = (batch.last_later or kept.last_later) + 1
    batch.later[id_] = int(when * 1_000), from_, encoded
    batch.put_off[from_] = count + 1, size + len(encoded)
    return Noted(later=id_)


def unschedule(kept: Kept, batch: Batch, draft: Draft) -> Noted:
    """Take back what is to be said later. Raises Refused."""
    id_ = cast("m.Unschedule", draft.commands[0]).id
    found = _find(kept, batch, id_)
    if found is None or decode(found[1]).from_ != draft.from_:
        raise Refused("bad_target", f"you have said nothing for later with the id {id_}, or it was told already")
    _remove(kept, batch, id_, found[1])
    return Noted()


def take(kept: Kept, batch: Batch, due: Due, members: Members) -> Draft | None:
    """Take out what is to be said now, as its author is called now; None if another one did, or if it is too early."""
    found = _find(kept, batch, due.id)
    if found is None or found[0] > batch.time:
        return None
    draft = _remove(kept, batch, due.id, found[1])
    member = members.get(draft.from_)
    commands = [structs.replace(cast("m.Say", command), n=0, at=None) for command in draft.commands]
    nick = due.nick if member is None else member.nick
    return structs.replace(draft, nick=nick, to=due.to, commands=commands, producer="")


def refuse(members: Members, due: Due, draft: Draft, wall: float) -> m.Error | None:
    """Return why what is due may not be said, if so."""
    if due.refused is not None:
        return due.refused

    def check() -> None:
        check_proof(members, draft.from_, draft.credential)
        check_speech(members, draft.from_, draft.room, wall, draft.credential)
        if members.get(draft.from_) is None:
            free_nick(members, draft.nick, None, wall)

    return answer(check)


def answer(check: Callable[[], object]) -> m.Error | None:
    """Return the error as which a check is refused, if it is."""
    try:
        check()
    except Refused as refused:
        return m.Error(code=refused.code, message=refused.message, limit=refused.limit)
    return None


def _find(kept: Kept, batch: Batch, id_: int) -> tuple[int, bytes] | None:
    if id_ not in batch.later:
        return kept.postponed(id_)
    row = batch.later[id_]
    return None if row is None else (row[0], row[2])


def _remove(kept: Kept, batch: Batch, id_: int, encoded: bytes) -> Draft:
    draft = decode(encoded)
    count, size = batch.put_off.get(draft.from_) or kept.put_off(draft.from_)
    batch.put_off[draft.from_] = count - 1, size - len(encoded)
    batch.later[id_] = None
    return draft
