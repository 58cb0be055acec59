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
    """Fills up the first that comes of each room."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._rooms: set[str] = set()

    async def filled(self, events: list[Any]) -> list[Any]:
        """Return history with the messages before it, if it is the first of its room and has few."""
        first = next((event for event in events if isinstance(event, m.Durable)), None)
        if first is None or first.room is None or first.room in self._rooms:
            return events
        self._rooms.add(first.room)
        said = sum(isinstance(event, m.Message) for event in events)
        if said >= FEW or not first.prev:
            return events
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
