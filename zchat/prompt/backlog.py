"""What one is shown of a room when one comes: the last messages, however much was done to them since.

The broker's backlog is of events. After a bot has told how far it is, all of them may be edits of one message, and one
would be shown nothing of what was said. Then the messages before them are asked for, as they are now.
"""

import asyncio
from typing import Any

from zchat.errors import ZchatError
from zchat.protocol import messages as m

from .asker import Asker

WANTED = 20  # events of the backlog, and messages shown where few of those are any
FEW = 10  # messages, of which there are too few
WAIT = 2.0  # seconds that one waits for them


class Backlog:
    """Fills up what comes first of each room, if that was said before one came."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._rooms: set[str] = set()

    async def filled(self, events: list[Any], *, history: bool) -> list[Any]:
        """Return `history` with the messages before it, if nothing of its room has come yet, and it has few.

        What comes later as history was missed without a connection, and what was before it is shown already.
        """
        stored = [event for event in events if isinstance(event, m.Durable) and event.room is not None]
        is_first = bool(stored) and stored[0].room not in self._rooms
        self._rooms.update(event.room for event in stored if event.room is not None)
        said = sum(isinstance(event, m.Message) for event in events)
        if not (history and is_first) or said >= FEW or not stored[0].prev:
            return events
        first = stored[0]
        try:
            async with asyncio.timeout(WAIT):
                page = await self._asker.history(
                    room=first.room, before=first.seq, limit=WANTED - said, current=True
                )  # fmt: skip
        except (TimeoutError, ZchatError):
            return events
        return [*(event for event in page.events if isinstance(event, m.Durable)), *events]

    def forget(self, room: str) -> None:
        """Forget a room that was left."""
        self._rooms.discard(room)
