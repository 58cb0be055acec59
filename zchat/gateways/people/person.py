"""One person whom a gateway carries: one session with the broker, and the connections that hear it.

The session lives while somebody uses it, and for a while longer: a page that is loaded anew is no reason to tell all
rooms that one has left and come back. What ends it from outside (a moderator, a device that was taken away, a broker
that refuses) ends the feeds, and they tell why.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from zchat.client.arguments import room_name
from zchat.client.client import ChatClient
from zchat.client.core.notices import Ended, Online, Removed
from zchat.errors import SessionEndedError, ZchatError
from zchat.protocol import messages as m

from .feed import BYTES_MAX, Feed
from .record import Folder, Record

log = logging.getLogger(__name__)

GONE = "this device was removed from its member"


class Person:
    """A person with a session; `id` is their `from_`. Made by `People`, which is told by `idle` and `ended`.

    `client` is theirs: ask it and say with it whatever is to be asked and said, but join and part rooms by the methods
    here, which remember the rooms. Listen to a feed, and not to the client.
    """

    def __init__(
        self,
        client: ChatClient,
        folder: Folder,
        record: Record,
        credential: str,
        *,
        idle: Callable[["Person"], None],
        ended: Callable[["Person"], None],
    ) -> None:
        self.id, self.client, self.kind = client.from_, client, record.kind
        self.over = False  # whether the session has ended
        self.removed = False  # whether their device was taken away: they have to come in anew
        self.credential = credential  # that of the key here; "" where none is of use
        self._folder, self._record = folder, record
        self._idle, self._ended = idle, ended
        self._feeds: list[Feed] = []
        self._holds = 0
        self._why = "the gateway has ended this session"
        self._task = asyncio.create_task(self._listen())

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms that they follow, also over a restart of the gateway."""
        return self._record.rooms

    @property
    def begun(self) -> dict[str, int]:
        """Of rooms the `seq` behind which all is new to this person, unless a mark tells more."""
        return self._record.begun

    @property
    def in_use(self) -> bool:
        """Whether somebody is connected, or holds the session."""
        return bool(self._feeds or self._holds)

    # -- connections

    def attach(self, bytes_max: int = BYTES_MAX) -> Feed:
        """Begin a connection: its feed has all that comes from now on. `detach` it in the end."""
        feed = Feed(bytes_max)
        if self.over:
            feed.end(self._why)
        self._feeds.append(feed)
        return feed

    def detach(self, feed: Feed) -> None:
        """End a connection."""
        if feed in self._feeds:
            self._feeds.remove(feed)
        if not self.in_use:
            self._idle(self)

    def hold(self) -> None:
        """Keep the session without a connection, until it is released."""
        self._holds += 1

    def release(self) -> None:
        """Hold it no more."""
        self._holds -= 1
        if not self.in_use:
            self._idle(self)

    # -- rooms

    async def join(self, room: str, *, after: int | None = None, backlog: int | None = None) -> m.Joined:
        """Follow a room from now on, also after a restart. Raises RefusedError, TimedOutError."""
        joined = await self.client.join(room, after=after, backlog=backlog)
        begun = {joined.room: joined.head, **self.begun} if joined.room not in self.rooms else self.begun
        self._keep((*self.rooms, joined.room), begun)
        return joined

    async def part(self, room: str, reason: str | None = None) -> m.Parted:
        """Follow a room no more. Raises RefusedError, TimedOutError."""
        parted = await self.client.part(room, reason)
        self._leave(parted.room)
        return parted

    async def rename(self, nick: str) -> None:
        """Take another nick, also after a restart. Raises NickTakenError, RefusedError, TimedOutError."""
        await self.client.rename(nick)
        self._keep(self.rooms)

    def begin(self, begun: dict[str, int]) -> None:
        """Note behind which `seq` all is new in rooms."""
        self._keep(self.rooms, self.begun | begun)

    def _leave(self, room: str) -> None:
        name = room_name(room)
        self._keep(tuple(each for each in self.rooms if each != name))

    def _keep(self, rooms: tuple[str, ...], begun: dict[str, int] | None = None) -> None:
        nick = self.client.nick if self.kind == "guest" else None
        known = {room: seq for room, seq in (self.begun if begun is None else begun).items() if room in rooms}
        record = Record(self.kind, nick, tuple(dict.fromkeys(rooms)), self._record.bot, known)
        if record != self._record:
            self._record = record
            self._folder.write(record)

    # -- the session

    async def close(self) -> None:
        """End the session."""
        await self.client.close()
        await self._task

    async def _listen(self) -> None:
        try:
            async for batch in self.client.batches():
                for event in batch.events:
                    self._note(event)
                for feed in self._feeds:
                    feed.put(batch.events, batch.lines)
                if self.removed:
                    break
        except ZchatError as error:
            self._why = str(error)
        except Exception:
            log.exception("the session of %s has ended", self.id)
        self._why = GONE if self.removed else self._why
        self.over = True
        for feed in self._feeds:
            feed.end(self._why)
        await self.client.close()
        self._ended(self)

    def _note(self, event: Any) -> None:
        match event:
            case Removed(room=room):
                self._leave(room)
            case Ended(reason=reason, text=text, by=by):
                self._why = str(SessionEndedError(reason, text, by))
            case m.MemberChanged(change="removed", credential=credential) if credential == self.credential:
                self.removed = True
            case Online() if not self._is_themselves():
                self.removed = True

    def _is_themselves(self) -> bool:
        """Whether they are here as who they are: a key that was taken away may still be let in as that of a guest."""
        return self.client.from_ == self.id and (self.kind == "guest" or self.client.member is not None)
