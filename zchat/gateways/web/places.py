"""The rooms and conversations of one person as a page begins with them: through where all is known, and what is unread.

The log knows what was said, and the marks through where it was read. Of what is unread the newest hundred messages are
counted: nobody needs to know more, and a room that was not read for a year costs one short question.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from zchat.client.core.mentions import mentions
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

COUNTED = 100  # messages of a place
TALKS = 100  # conversations: those that were used last
AT_ONCE = 8  # questions


@dataclass
class Place:
    """A room, or a conversation with `with_` (a `from`), who is called `name`."""

    name: str
    with_: str | None = None
    topic: str = ""
    mode: str = "public"
    through: int = 0
    read: int = 0
    unmarked: bool = False  # it was read further, and marked as unread afterwards
    unread: list[tuple[int, bool]] = field(default_factory=list)  # of each message its `seq`, and whether it calls one

    def said(self, seq: int, *, calls: bool) -> None:
        """Somebody else has said something here."""
        counted = self.unread[-1][0] if self.unread else 0
        if seq > max(self.read, counted):
            self.unread = [*self.unread[1 - COUNTED :], (seq, calls)]

    def mark(self, seq: int) -> bool:
        """It was read through `seq`; return whether that is news."""
        if seq <= self.read:
            return False
        self.read, self.unmarked = seq, False
        self.unread = [each for each in self.unread if each[0] > seq]
        return True

    def gone(self, seq: int) -> None:
        """A message was deleted."""
        self.unread = [each for each in self.unread if each[0] != seq]


class Places:
    """All places of a person, by the room's name or by the `from` of the other end.

    `unread` has, by the same, through where places are read that were marked as unread here: the broker's marks only
    go forward. It outlives the places.
    """

    def __init__(self, person: Person, unread: dict[str, int]) -> None:
        self._person, self._client, self._unread = person, person.client, unread
        self.rooms: dict[str, Place] = {}
        self.talks: dict[str, Place] = {}

    async def load(self) -> None:
        """Ask for all of them. Raises ZchatError."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def bounded(work: Any) -> Any:
            async with limit:
                return await work

        infos = {each.room: each for each in cast(m.Rooms, await self._client.ask(m.ListRooms())).rooms}
        heads = cast(m.Pong, await self._client.ask(m.Ping())).heads
        talks = sorted((seq, key) for key, seq in heads.items() if key.startswith("@"))[-TALKS:]
        rooms = [bounded(self.load_room(name, infos.get(name))) for name in self._client.followed]
        await asyncio.gather(*rooms, *(bounded(self._load_talk(key, seq)) for seq, key in reversed(talks)))
        through = {each.name: each.through for each in self.rooms.values()}
        self._person.begin(through | self._person.begun)  # what is said from now on in a room without a mark is new

    async def load_room(self, name: str, info: m.RoomInfo | None) -> Place:
        """Ask for a room that one is in."""
        place = self.rooms.setdefault(name, Place(name))
        if info is not None:
            place.topic, place.mode = info.topic, info.mode if isinstance(info.mode, str) else "public"
        place.through = max(place.through, self._client.joined_at(name), info.head if info else 0)
        marked = self._client.read_marks.through(room=name)
        begun = min(place.through, self._person.begun.get(name, place.through))
        place.read, place.unmarked = max(place.read, marked or begun), name in self._unread
        place.read = self._unread.get(name, place.read)
        if place.through > place.read:
            page = await self._client.history(room=name, after=place.read, limit=COUNTED, kinds=["message"])
            self._count(place, page.messages)
        return place

    async def _load_talk(self, key: str, head: int) -> None:
        """Ask for a conversation by its name among the heads.

        One that was never marked is read through one's own last word.
        """
        nick, _, from_ = key[1:].partition("/")
        marked = self._client.read_marks.all.get(key, 0)
        page = await self._client.history(to=nick, with_=from_ or None, limit=COUNTED, kinds=["message"])
        if not page.messages:
            return
        me, last = self._client.from_, page.messages[-1]
        own = max((each.seq for each in page.messages if each.from_ == me), default=0)
        with_ = last.with_ if last.from_ == me else last.from_
        place = self.talks.setdefault(with_ or from_, Place(nick, with_ or from_))
        place.name, place.through, place.read = nick, max(place.through, head), max(place.read, marked, own)
        place.unmarked = place.with_ in self._unread
        place.read = self._unread.get(place.with_ or "", place.read)
        self._count(place, page.messages)

    def _count(self, place: Place, messages: Iterable[m.Message]) -> None:
        counted = (each for each in messages if each.seq > place.read and each.from_ != self._client.from_)
        place.unread = [(each.seq, place.with_ is not None or self.calls(each.text)) for each in counted]

    def find(self, room: str | None, with_: str | None, to: str | None = None) -> Place | None:
        """Return a place as a command names it."""
        if room is not None:
            return self.rooms.get(room)
        if with_ is not None:
            return self.talks.get(with_)
        return next((each for each in self.talks.values() if each.name == to), None)

    def mark(self, place: Place, seq: int) -> bool:
        """A place was read through `seq`; return whether that is news."""
        news = place.mark(seq)
        if news:
            self._unread.pop(place.with_ or place.name, None)
        return news

    async def unmark(self, place: Place, seq: int) -> None:
        """A place is unread from `seq` on. Raises ZchatError."""
        room, to = (place.name, None) if place.with_ is None else (None, place.name)
        page = await self._client.history(
            room=room, to=to, with_=place.with_, after=seq - 1, limit=COUNTED, kinds=["message"]
        )
        place.read = self._unread[place.with_ or place.name] = seq - 1
        place.unmarked = True
        self._count(place, page.messages)

    # -- what happens

    def hear(self, event: Any) -> None:
        """Take what was said or done."""
        if isinstance(event, m.AccessChanged) and event.change == "mode" and event.room in self.rooms:
            self.rooms[event.room].mode = event.mode or "public"
        seq = getattr(event, "seq", None)
        if seq is None or isinstance(event, m.ReadMarked | m.Administrative) or (place := self.of(event)) is None:
            return
        place.through = max(place.through, seq)
        match event:
            case m.Message(from_=from_) if from_ == self._client.from_:
                self.mark(place, seq)
            case m.Message(text=text):
                place.said(seq, calls=place.with_ is not None or self.calls(text))
            case m.Topic(text=text):
                place.topic = text
            case m.Deleted(target=target):
                place.gone(target)

    def of(self, event: Any) -> Place | None:
        """Return the place of a durable event; a conversation may be new."""
        if (room := getattr(event, "room", None)) is not None:
            return self.rooms.get(room)
        from_, with_ = getattr(event, "from_", None), getattr(event, "with_", None)
        if from_ is None or with_ is None:
            return None
        mine = from_ == self._client.from_
        other, nick = (with_, event.to) if mine else (from_, event.nick)
        place = self.talks.setdefault(other, Place(nick, other))
        place.name = nick or place.name
        return place

    def calls(self, text: str) -> bool:
        """Say whether a text calls this person."""
        return mentions(text, self._client.nick or "")
