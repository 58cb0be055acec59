"""What a broker does not tell of those who are in a room: another role, and that somebody who comes is away.

A change of role is told to whom it concerns and to moderators; who is away is told when they go away, not to those who
come later. A client of IRC shows both beside each nick. So a room is asked about anew: a moment after somebody has come
in, and every so often. One question is for all connections of the gateway that show the room.
"""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from typing import cast

from zchat.errors import ZchatError
from zchat.protocol import messages as m

from .client import Client
from .core.presence import face_of
from .soon import Soon, Spawn, surely

AFTER, AT_MOST = 0.05, 1.0  # seconds until a room is asked about, and between two times
EVERY = 60.0  # seconds in which each room is asked about


_turns = itertools.count()


def in_turn(those: Sequence[Client]) -> Client | None:
    """Return another one each time: a long answer counts against what its asker may do, so all bear it."""
    return those[next(_turns) % len(those)] if those else None


class Rosters:
    """Keeps what is shown of those in the rooms of `clients` as it is."""

    def __init__(self, clients: Sequence[Client], spawn: Spawn) -> None:
        self._clients = clients
        self._revs: dict[str, int] = {}  # the last change of a room that was heard
        self.soon = Soon(self._ask, spawn, after=AFTER, every=AT_MOST)

    async def run(self) -> None:
        """Ask about all rooms, again and again."""
        while True:
            await asyncio.sleep(EVERY)
            for room in {room for each in self._clients for room in each.presence.rooms}:
                await surely(self._ask(room))

    def heard(self, room: str, rev: int) -> None:
        """A change of a room was told: an answer from before it is too old."""
        self._revs[room] = rev

    def has_role(self, event: m.MemberChanged) -> None:
        """Somebody has another role: all who are shown them are told, though only some are sent the event."""
        if event.change != "role" or event.nick is None or event.role is None:
            return
        for each in self._clients:
            faces = each.scene.world.faces
            faces.note(event.nick, faces.of(event.nick)._replace(from_=event.from_ or "", role=event.role))
            source = each.scene.mask(event.by_nick, event.by) if event.by_nick else None
            each.send(each.presence.role(event.nick, event.role, *([source] if source else ())))

    async def _ask(self, room: str) -> None:
        asker = in_turn([each for each in self._showing(room) if each.carried.person.client.online])
        if asker is None:
            return
        try:
            roster = cast(m.Roster, await asker.carried.person.client.ask(m.Who(room=room)))
        except ZchatError:
            return
        if (roster.rev or 0) < self._revs.pop(room, 0):  # counted anew after a start of the broker: so once
            self.soon(room)
            return
        for member in roster.members:
            asker.scene.world.faces.note(member.nick, face_of(member))
        for each in tuple(self._showing(room)):
            each.send(each.presence.refresh(room, roster.members))
            await asyncio.sleep(0)

    def _showing(self, room: str) -> Iterator[Client]:
        return (each for each in self._clients if room in each.presence.rooms)
