"""All tabs of one person: one session is heard once, what comes of it is written once, and each tab gets it.

A tab begins with a `hello`, which tells through where all is known in each place; what comes afterwards continues from
there without a gap, for both are done in one step. After the session was resumed by a broker whose log may have gone
back, all tabs get another `hello`, which the page compares with what it has. The rooms are joined again only after
that: until then each has the people of before in it, and it is told anew where others are there by then.

A tab that does not read has a bound on what waits for it, and is cut beyond it; it comes back by itself, and asks for
what it has missed.
"""

import asyncio
import logging
from collections import deque
from typing import Any

from zchat.client.core.notices import CaughtUp, Online, Removed, WentBack
from zchat.errors import ZchatError
from zchat.gateways.people.feed import Heard
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

from . import frames
from .commands import MarkUnread
from .places import Place, Places
from .rendering import Rendering
from .wording import sentence

log = logging.getLogger(__name__)

FEED_MAX = 16 * 2**20  # bytes that wait for a household; it writes them as fast as it can
TAB_MAX = 4 * 2**20  # bytes that wait for one tab
TABS_MAX = 32  # of one person
SIGNED_OUT = "You have signed out in this browser."
SIGNED_OUT_ELSEWHERE = "You have logged this browser out in another one."


class Tab:
    """What waits for one tab. `why` tells why nothing more will come."""

    def __init__(self, login: str = "") -> None:
        self.login = login  # by which it came, for `leave`
        self.why: str | None = None
        self.out = False  # whether that login is over
        self.again = False  # whether it is to come back at once: the gateway stops
        self.visible = True  # whether somebody looks at it, as far as it has told
        self._waiting: deque[str] = deque()
        self._size = 0
        self._news, self.ended = asyncio.Event(), asyncio.Event()

    def put(self, frame: str) -> None:
        """Let the tab have a frame; cuts it if too much waits."""
        if self.why is not None:
            return
        if self._waiting and self._size + len(frame) > TAB_MAX:
            self._waiting.clear()
            self.end("too much waits for this tab")
            return
        self._waiting.append(frame)
        self._size += len(frame)
        self._news.set()

    def end(self, why: str) -> None:
        """Let the tab have nothing more after what waits."""
        self.why = self.why or why
        self._news.set()
        self.ended.set()

    async def next(self) -> str | None:
        """Return the next frame; None once nothing more will come."""
        while not self._waiting:
            if self.why is not None:
                return None
            self._news.clear()
            await self._news.wait()
        frame = self._waiting.popleft()
        self._size -= len(frame)
        return frame


class Household:
    """The tabs of a `person`. `push` is the public key for Web Push.

    `unread` is what they have marked as unread, as `Places` has it.
    """

    def __init__(self, person: Person, rendering: Rendering, push: str | None, unread: dict[str, int]) -> None:
        self.person, self.tabs = person, list[Tab]()
        self.places, self._unread = Places(person, unread), unread
        self.over = False  # whether it hears nothing more
        self.turn = asyncio.Lock()  # of those who ask for much to be rendered
        self.sent_away: str | None = None  # why the broker has ended the session, if it has
        self._rendering, self._push = rendering, push
        self._me = frames.me(person.client)
        self._rosters: dict[str, dict[str, m.Member]] = {}  # as told, of rooms that are joined again only now
        self._feed = person.attach(FEED_MAX)
        self._pump: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Ask for all places. Raises ZchatError."""
        try:
            await self.places.load()
        except BaseException:
            self.close()
            raise
        self._note_rosters()
        self._pump = asyncio.create_task(self._listen())

    def close(self) -> None:
        """End it; the tabs are told nothing."""
        self.person.detach(self._feed)
        if self._pump is not None:
            self._pump.cancel()

    def enter(self, login: str = "") -> Tab:
        """Add a tab, which begins with a `hello`; `login` is the key of its login."""
        tab = Tab(login)
        tab.put(self._hello())
        self.tabs.append(tab)
        while len(self.tabs) > TABS_MAX:
            self.tabs.pop(0).end("so many tabs are open that this one, the oldest, was closed")
        return tab

    def leave(self, tab: Tab) -> None:
        """Remove a tab."""
        if tab in self.tabs:
            self.tabs.remove(tab)

    def tell(self, frame: frames.Frame, *, but: Tab | None = None) -> None:
        """Let all tabs have a frame."""
        self._send(frames.text(frame), but)

    # -- what a tab has done

    async def entered(self, room: str) -> None:
        """A tab has joined a room: the others are told of it."""
        place = self.places.rooms.get(room)
        if place is None:
            infos = await self.person.client.ask(m.ListRooms())
            info = next((each for each in getattr(infos, "rooms", ()) if each.room == room), None)
            place = await self.places.load_room(room, info)
        self.tell(frames.RoomNow(frames.room(self.person.client, place)))

    def left(self, room: str, why: str | None = None) -> None:
        """A room is not one of the person's any more."""
        self.places.rooms.pop(room, None)
        self.tell(frames.Parted(room, why))

    def marked(self, command: m.MarkRead | m.ReadMarked, tab: Tab | None = None) -> None:
        """A place was read, in this tab or on another device."""
        place = self.places.find(command.room, command.with_, command.to)
        if place is not None and self.places.mark(place, command.seq):
            self.tell(frames.Read(place.read, _room(place), place.with_), but=tab)

    async def unmarked(self, command: MarkUnread) -> m.Reply:
        """A place is unread from a message on, in all tabs. Raises ZchatError."""
        place = self.places.find(command.room, command.with_)
        if place is not None:
            await self.places.unmark(place, command.seq)
            calls = sum(calls for _, calls in place.unread)
            self.tell(frames.Unread(place.read, len(place.unread), calls, _room(place), place.with_))
        return m.Ok()

    def look_at_me(self) -> None:
        """Tell the tabs if one has another nick or role by now."""
        if (me := frames.me(self.person.client)) != self._me:
            self._me = me
            self.tell(frames.MeNow(me))

    # -- what happens

    async def _listen(self) -> None:
        try:
            while (batch := await self._feed.next()) is not None:
                await self._take(batch)
        except ZchatError as error:
            log.warning("the tabs of %s are closed: %s", self.person.id, error)
            self.end(sentence(error), again=True)
        except Exception:
            log.exception("the tabs of %s are closed", self.person.id)
            self.end("something went wrong in the page's server", again=True)
        else:
            self._is_over(self._feed.why or "")
        finally:
            self.over = True

    def _is_over(self, why: str) -> None:
        """The session has ended, or has brought more than could be written."""
        if self._feed.slow:
            self.end(why, again=True)
            return
        if self.person.removed:
            self.tell(frames.Out(why))
        else:
            self.sent_away = why
            self.tell(frames.State(False, why))
        self.end(why)

    def sign_out(self, login: str, why: str) -> None:
        """End the tabs of a login: whoever sits there now is to read nothing more."""
        for tab in self.tabs:
            if tab.login == login:
                tab.put(frames.text(frames.Out(why)))
                tab.out = True
                tab.end(why)

    def end(self, why: str, *, again: bool = False) -> None:
        """Let no tab have anything more after what waits; `again`: they are to come back at once."""
        for tab in self.tabs:
            tab.again = again
            tab.end(why)

    async def _take(self, batch: list[Heard]) -> None:
        shown: list[Heard] = []
        for heard in batch:
            event = heard.event
            self.places.hear(event)
            if isinstance(event, m.Event | m.Opaque | m.Durable) and not isinstance(event, m.ReadMarked | _SILENT):
                shown.append(heard)
                continue
            if shown:
                self._send(frames.events(await self._rendering.events(shown)))
                shown = []
            await self._noticed(event)
        if shown:
            self._send(frames.events(await self._rendering.events(shown)))
        self.look_at_me()

    async def _noticed(self, event: Any) -> None:
        match event:
            case m.ReadMarked():
                self.marked(event)
            case Removed(room=room, why=why):
                self.left(room, why)
            case WentBack() | Online(again=True):
                await self._begin_anew()
            case CaughtUp(room=room):
                self._joined_again(room)
            case _:
                if (state := frames.state(event)) is not None:
                    self.tell(state)

    async def _begin_anew(self) -> None:
        """Tell the tabs with what they begin after the session was resumed."""
        places = Places(self.person, self._unread)
        try:
            await places.load()
        except ZchatError as error:  # it is lost again, and comes back again; or it answers slowly, and is there
            log.info("the places of %s are not known: %s", self.person.id, error)
            self.tell(frames.State(self.person.client.online))
            return
        self.places = places
        self._note_rosters()
        self._send(self._hello())

    def _note_rosters(self) -> None:
        client = self.person.client
        self._rosters = {room: client.members(room) for room in set(client.followed).difference(client.rooms)}

    def _joined_again(self, room: str) -> None:
        """Tell the tabs of a room anew, if others are in it than they were told."""
        told, client, place = self._rosters.pop(room, None), self.person.client, self.places.rooms.get(room)
        if told is not None and place is not None and told != client.members(room):
            self.tell(frames.RoomNow(frames.room(client, place)))

    def _hello(self) -> str:
        return frames.text(frames.hello(self.person.client, self.places, self._push))

    def _send(self, frame: str, but: Tab | None = None) -> None:
        for tab in self.tabs:
            if tab is not but:
                tab.put(frame)


def _room(place: Place) -> str | None:
    return place.name if place.with_ is None else None


_SILENT = m.Echo | m.BrokerBye | m.BrokerStalled | m.BrokerFlowing
