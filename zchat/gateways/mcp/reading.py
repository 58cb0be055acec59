"""What an agent reads: its rooms, their messages, a thread, what it searches for. Nothing outside of its bounds.

A message is named by its `seq` alone, and the broker would tell of any that the agent's role may read. So the place of
a `seq` is always looked for in the agent's own rooms first, and a search asks in each of them: what is elsewhere is in
no answer, nor in any count of answers.
"""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from zchat.client.core.direct import name_of, split_name
from zchat.client.core.pages import Page
from zchat.errors import RefusedError
from zchat.protocol import messages as m

from . import cursors, shapes
from .faults import NotAllowedError, UnknownMessageError
from .marking import visible
from .session import Agent

TEXT_MAX = 40_000  # characters of JSON in one answer: more than that drowns what an agent was about to do
SEARCHED_MAX = 5  # pages of conversations, each of a hundred, that a search with --direct looks through
TOPICS = (m.Message, m.Topic, m.Tombstone)
FOUND = (m.Message, m.Topic, m.Edited)  # a message is found by its latest text, in the edit that brought it


class Place(NamedTuple):
    """A room, or the conversation with one person."""

    room: str | None = None
    to: str | None = None
    with_: str | None = None

    def __str__(self) -> str:
        return self.room or f"the conversation with {self.to}"


class Reader:
    """Reads for an agent. Raises ToolFaultError, RefusedError."""

    def __init__(self, agent: Agent) -> None:
        self._agent, self._bounds = agent, agent.bounds

    def place(self, room: str | None, to: str | None) -> Place:
        """Return the place that an agent names, if it is one of its own."""
        if (room is None) == (to is None):
            raise NotAllowedError("Say where: either `room` or `to`, and not both.")
        if to is not None:
            self._bounds.check_direct()
            return Place(to=to.removeprefix("@"))
        return Place(room=self._bounds.room(room or ""))

    async def page(self, place: Place, **which: Any) -> Page:
        """Return a page of a place's messages as they are now, also if the broker has to come back first."""
        client = await self._agent.reached()
        asked = client.history(**place._asdict(), current=True, timeout=self._agent.patience, **which)
        return await self._agent.answer(asked)

    async def find(self, seq: int, to: str | None = None) -> tuple[Place, Any]:
        """Return a message by its seq, and where it is; with `to`, in the conversation with that nick only."""
        places = [self.place(None, to)] if to else [Place(room=room) for room in self._bounds.rooms]
        for place in places:
            found = await self.at(place, seq)
            if found is not None:
                return place, found
        raise UnknownMessageError(seq)

    async def at(self, place: Place, seq: int) -> Any:
        """Return the event of a place with this seq, as it was first said; None if it is not there."""
        client = await self._agent.reached()
        try:
            asked = client.history(**place._asdict(), after=seq - 1, limit=1, timeout=self._agent.patience)
            page = await self._agent.answer(asked)
        except RefusedError as error:
            if error.code in {"unknown_room", "unknown_nick"}:
                return None
            raise
        return next((event for event in page.events if isinstance(event, TOPICS) and event.seq == seq), None)

    async def thread(self, seq: int, to: str | None) -> Place:
        """Return where a message is of which there may be a thread. Raises UnknownMessageError."""
        place, message = await self.find(seq, to)
        if isinstance(message, m.Topic):
            raise UnknownMessageError(seq)
        return place

    async def since(self, cursor: str | None) -> int | None:
        """Return the seq of a cursor. Raises StaleCursorError."""
        client = await self._agent.reached()
        return None if cursor is None else cursors.read(cursor, client.epochs)

    async def read(
        self, place: Place, since: str | None, before: int | None, thread: int | None, limit: int
    ) -> shapes.Messages:
        """Return a page: the newest, the one behind a cursor, the one before a seq; perhaps of one thread only."""
        after = await self.since(since)
        page = await self.page(place, after=after, before=before, thread=thread, limit=limit)
        told, cut = bounded(self.said(page), newest=after is None)
        through = told[-1].seq if cut and after is not None else max(page.upto, after or 0)
        more: shapes.More = "no"
        if cut or page.more:
            more = "older" if after is None else "newer"
        return shapes.Messages(messages=told, cursor=cursors.write(through, self._agent.client.epochs), more=more)

    async def search(
        self, text: str, room: str | None, nick: str | None, before: int | None, limit: int
    ) -> shapes.Found:
        """Return the newest messages that hold all words of a text, in each of the agent's rooms or in one."""
        rooms = self._bounds.rooms if room is None else (self._bounds.room(room),)
        client = await self._agent.reached()
        found: list[Any] = []
        more = False
        for each in rooms:
            asked = client.search(text, room=each, nick=nick, before=before, limit=limit, timeout=self._agent.patience)
            page = await self._of_place(self._agent.answer(asked))
            found += [event for event in page.events if isinstance(event, FOUND)]
            more = more or page.more
        if self._bounds.direct and room is None:
            found += await self._search_direct(text, nick, before)
        edited = {
            event.target for event in found if isinstance(event, m.Edited)
        }  # found by the names of its files, too
        found = sorted((event for event in found if event.seq not in edited), key=lambda event: event.seq)
        more = more or len(found) > limit
        now = [(event.seq, each) for event in found[-limit:] if (each := await self._now(event)) is not None]
        told, cut = bounded(self._all(each for _, each in now), newest=True)
        older = now[-len(told)][0] if told and (more or cut) else None
        return shapes.Found(messages=told, more=more or cut, before=older)

    async def _now(self, event: Any) -> Any:
        """Return the message whose new text was found, as it is now; None where it is gone. All else is what it is."""
        if not isinstance(event, m.Edited):
            return event
        name = name_of(event, self._agent.client.from_)
        place = Place(room=event.room) if event.room is not None else Place(None, *split_name(name))
        page = await self._of_place(self.page(place, after=event.target - 1, limit=1))
        return next((each for each in page.events if isinstance(each, TOPICS) and each.seq == event.target), None)

    async def _of_place(self, answer: Awaitable[Page]) -> Page:
        """Return what a place answers; nothing where the agent is not let in, or nobody is called so any more."""
        try:
            return await answer
        except RefusedError as error:
            if error.code not in {"unknown_room", "unknown_nick"}:
                raise
            return Page((), (), False)

    async def _search_direct(self, text: str, nick: str | None, before: int | None) -> list[Any]:
        """Return what was found in conversations: the broker searches them only together with all rooms."""
        client, found = self._agent.client, list[Any]()
        for _ in range(SEARCHED_MAX):
            page = await self._agent.answer(client.search(text, nick=nick, before=before, timeout=self._agent.patience))
            found += [event for event in page.events if isinstance(event, FOUND) and event.room is None]
            if not page.more or not page.events:
                break
            before = page.events[0].seq
        return found

    async def rooms(self) -> shapes.Rooms:
        """Return who the agent is, and its rooms, also while the broker is away."""
        client, bounds = await self._agent.reached(), self._bounds
        listed = await self._agent.answer(client.ask(m.ListRooms(), self._agent.patience))
        known = {each.room: each for each in listed.rooms} if isinstance(listed, m.Rooms) else {}
        return shapes.Rooms(
            nick=client.nick or "", role=client.role, may=sorted(bounds.may), direct=bounds.direct,
            per_minute=bounds.rate, online=client.online, rooms=[self._room(room, known) for room in bounds.rooms],
        )  # fmt: skip

    def _room(self, room: str, known: dict[str, m.RoomInfo]) -> shapes.Room:
        client, info = self._agent.client, known.get(room)
        if room not in client.rooms:
            return shapes.Room(room=room, joined=False)
        people = [
            shapes.Person(nick=each.nick, bot=each.bot, away=each.away and visible(each.away))
            for each in list(client.members(room).values())[:100]
        ]
        return shapes.Room(
            room=room, joined=True, people=people,
            topic=visible(info.topic) if info else "",
            mode=(info.mode or "public") if info else "public",
            cursor=cursors.write(info.head, client.epochs) if info else None,
        )  # fmt: skip

    async def conversations(self) -> tuple[list[Place], int]:
        """Return the agent's conversations, and through which seq all that it knows of has come."""
        client = await self._agent.reached()
        pong = await self._agent.answer(client.ask(m.Ping(), self._agent.patience))
        heads = pong.heads if isinstance(pong, m.Pong) else {}
        names = [name[1:] for name in heads if name.startswith("@")] if self._bounds.direct else []
        return [Place(None, *split_name(name)) for name in names], max(heads.values(), default=0)

    def said(self, page: Page) -> list[shapes.Said]:
        """Return the messages of a page as an agent is told of them."""
        return self._all(page.events)

    def _all(self, events: Any) -> list[shapes.Said]:
        own = self._agent.client.from_
        return [shapes.said(event, own) for event in events if isinstance(event, TOPICS)]


def bounded(messages: list[shapes.Said], newest: bool) -> tuple[list[shapes.Said], bool]:
    """Return as many of these as one answer may hold, the `newest` or the first, and whether some were left out."""
    told: list[shapes.Said] = []
    size = 0
    for each in reversed(messages) if newest else messages:
        size += len(each.model_dump_json(exclude_defaults=True))
        if told and size > TEXT_MAX:
            break
        told.append(each)
    cut = len(told) < len(messages)
    return (told[::-1] if newest else told), cut
