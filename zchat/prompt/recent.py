"""The newest messages of a room or conversation, as they are now.

Whatever is done to one of them changes the picture of all (`fold`, of the protocol); what is read here is each message
with its present text and its marks. A message that nobody keeps here can still be told about: by its number alone.

No socket, file or clock is touched here.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import structs

from zchat.protocol import messages as m

from .said import MENDS

KEPT = 300  # messages kept of each target: a few screens


class Recent:
    """The newest messages, at most `most`, by their `seq`."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._picture: m.Picture = {}

    def __iter__(self) -> Iterator[m.Durable]:
        """Yield what is kept, oldest first."""
        return (as_now(item) for item in self._picture.values())

    def __reversed__(self) -> Iterator[m.Durable]:
        """Yield what is kept, newest first."""
        return (as_now(item) for item in reversed(self._picture.values()))

    def __len__(self) -> int:
        return len(self._picture)

    def __contains__(self, seq: object) -> bool:
        return seq in self._picture

    def get(self, seq: int, /) -> m.Durable | None:
        """Return what is kept under a number."""
        item = self._picture.get(seq)
        return None if item is None else as_now(item)

    def take(self, event: m.Durable) -> None:
        """Keep a message, or let what was done to one change it."""
        m.fold(self._picture, event)
        while len(self._picture) > self._most:
            del self._picture[next(iter(self._picture))]

    def insert(self, events: Iterable[m.Durable]) -> None:
        """Keep messages that are older than, or among, those that are kept."""
        older: m.Picture = {}
        for event in events:
            m.fold(older, event)
        both = older | self._picture
        self._picture = dict(sorted(both.items())[-self._most :])

    def go_back(self, shared: int) -> None:
        """Forget what comes after a point of the log."""
        self._picture = {seq: item for seq, item in self._picture.items() if seq <= shared}

    def clear(self) -> None:
        """Forget all."""
        self._picture = {}


def as_now(item: m.Item) -> Any:
    """Return a message as it is now, with its marks; a topic or a tombstone as it is."""
    event = item.event
    if not isinstance(event, m.Message):
        return event
    given = tuple(
        m.Reaction(emoji=emoji, from_=from_, nick=nick)
        for emoji, each in item.reactions.items()
        for from_, nick in each.items()
    )
    answers = max(event.answers, len(item.answers))
    return structs.replace(
        event, text=item.text, edited=item.edited, reactions=given, pinned=item.pinned, answers=answers
    )


def settle(events: Sequence[Any]) -> list[Any]:
    """Return what came in one piece as it is now.

    Messages are as what follows made them, and what was done to them is left out. What was done to others stays, of
    their edits the last one.
    """
    picture: m.Picture = {}
    for event in events:
        if isinstance(event, m.Durable):
            m.fold(picture, event)
    last = {event.target: event for event in events if isinstance(event, m.Edited | m.Deleted)}
    found = []
    for event in events:
        if isinstance(event, m.Edited) and last[event.target] is not event:
            continue
        if not isinstance(event, MENDS) or event.target not in picture:
            item = picture.get(getattr(event, "seq", None) or 0)
            found.append(event if item is None else as_now(item))
    return found
