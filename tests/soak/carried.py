"""The audit of what those saw who came by a gateway. Pure.

What they said is audited as what all others said. A page sees every event of its rooms, as a follower does. A client of
IRC sees the messages; one that was deleted it may have seen, or not.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.soak.audit import Check, Event, Evidence, compared
from tests.soak.journal import AnyRecord, Seen


def pages_see_each_once_in_order(found: Evidence) -> Iterator[str]:
    for room, who, view in _views(found, found.pages):
        yield from compared(f"{who} in {room}", view, _told(found.rooms[room]))


def clients_of_irc_see_each_message_once_in_order(found: Evidence) -> Iterator[str]:
    for room, who, view in _views(found, found.ircs):
        others = {event.seq for event in found.rooms[room] if event.kind != "message"}
        messages = [event for event in found.rooms[room] if event.kind == "message"]
        yield from compared(f"{who} in {room}", [seen for seen in view if seen.seq not in others], _told(messages))


def _views(found: Evidence, views: Mapping[str, Sequence[AnyRecord]]) -> Iterator[tuple[str, str, list[Seen]]]:
    """Yield what each saw in each room that it follows, or saw something of."""
    for who, records in views.items():
        by_room: dict[str, list[Seen]] = defaultdict(list)
        for record in records:
            if isinstance(record, Seen):
                by_room[record.room].append(record)
        for room in sorted({*found.follows[who], *by_room}):
            yield room, who, by_room[room]


def _told(events: Sequence[Event]) -> list[Event]:
    """Return events with the checksums of what a gateway tells of them."""
    return [event._replace(sum=event.told) for event in events]


CHECKS: tuple[Check, ...] = (pages_see_each_once_in_order, clients_of_irc_see_each_message_once_in_order)
