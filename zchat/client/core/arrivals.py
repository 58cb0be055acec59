"""What arrives in one payload: the line of each record, and the records of one room that stand together.

A busy private room brings many events at once over the DEALER socket, and one that is handled alone costs as much as a
hundred together.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from zchat.protocol import messages as m
from zchat.protocol import wire

CHAINED = ("member", "access")  # the types of the events whose `prev` is that of a chain of their own

Pairs = list[tuple[Any, bytes]]  # an event, and its line


def lines_of(payload: bytes, records: list[Any]) -> list[bytes]:
    """Return the line of each record of a payload."""
    lines = payload.split(b"\n")
    if len(lines) == len(records):
        return lines
    lines = [line for line in lines if line.strip()]
    return lines if len(lines) == len(records) else [wire.encode(record) for record in records]


def by_room(pairs: Pairs) -> Iterator[tuple[str | None, list[Any], list[bytes]]]:
    """Yield the durable events of each room that stand together, with their lines; under None, direct messages.

    What has no `seq`, and what is of the chain about members and rooms, though it could not be read, is left out.
    """
    for room, group in groupby((pair for pair in pairs if _is_followed(pair[0])), key=lambda pair: _room(pair[0])):
        events, lines = zip(*group, strict=True)
        yield room, list(events), list(lines)


def _is_followed(event: Any) -> bool:
    return event.seq is not None and not (isinstance(event, m.Opaque) and event.type in CHAINED)


def _room(event: Any) -> str | None:
    return None if getattr(event, "to", None) is not None else event.room or ""
