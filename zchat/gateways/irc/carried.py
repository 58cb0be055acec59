"""A person and all their connections of IRC: what the connections share, and whose line an event answers.

What somebody says comes back from the broker as an event like any other, for all their connections. The connection that
said it has to know: one without `echo-message` has shown the line already, and one with a label waits for it. The ack
tells the `seq`; ack and event come in either order. So an event of one's own waits here for the ack (`origin`), which
is on its way already.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from zchat.client.core.notices import Removed, WentBack
from zchat.errors import ZchatError
from zchat.gateways.people.person import Person
from zchat.gateways.rates import Bucket, Rate
from zchat.protocol import messages as m

from .core.lines import Line
from .core.presence import Presence
from .core.scene import Scene

AT_MOST = 2.0  # seconds that an event waits: what an earlier run has said is one's own, too, and nobody's here
NICKS = Rate(5, 0.2)  # other nicks that one takes, or tries to: all rooms are told
STAMPS = 500  # places of which it is remembered what a client has told
ANSWERED = 1_000  # acknowledged events whose connection is remembered


class Peer(Protocol):
    """A connection of the person's, as the others know it."""

    presence: Presence
    scene: Scene
    began: datetime
    known: dict[str, int]
    through: dict[str, int]

    def send(self, lines: Iterable[Line]) -> None:
        """Send lines."""

    async def show(self, room: str, answer: Any = None) -> None:
        """Show a room."""

    def reach(self, through: dict[str, int]) -> None:
        """Know how far it has come."""


@dataclass(frozen=True)
class Sent:
    """Who has sent something, and the label that was on it."""

    client: Peer
    label: str | None


class Stamp(NamedTuple):
    """What a client has told: it has read all through `time`, and the last event through then is `seq`."""

    seq: int
    time: datetime


@dataclass(frozen=True)
class RoomTopic:
    """What a room is about, who has said so, and when; `text` is "" where nobody has."""

    text: str = ""
    nick: str = ""
    time: str = ""


class Carried:
    """One person; `clients` are their connections that are in."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.clients: list[Peer] = []
        self.is_bot = False  # as one of them has told by a mode
        self.stamps: OrderedDict[str, Stamp] = OrderedDict()  # by place
        self._topics: dict[str, RoomTopic] = {}  # of rooms that they are in, where each change is heard
        self.nicks = Bucket(NICKS, asyncio.get_running_loop().time())
        self._unanswered = 0
        self._news = asyncio.Event()
        self._sent: OrderedDict[int, Sent] = OrderedDict()

    async def post(
        self, posting: Awaitable["asyncio.Future[m.Ack]"], sent: Sent, told: Callable[[m.Ack | ZchatError], None]
    ) -> None:
        """Send something; `told` hears what became of it. Raises RefusedError for what could not even be sent."""
        self._unanswered += 1
        try:
            future = await posting
        except BaseException:
            self._answered()
            raise
        future.add_done_callback(lambda done: self._settle(done, sent, told))

    def _settle(self, done: "asyncio.Future[m.Ack]", sent: Sent, told: Callable[[m.Ack | ZchatError], None]) -> None:
        error = None if done.cancelled() else done.exception()
        if not done.cancelled() and error is None:
            ack = done.result()
            if ack.seq is not None:
                self._sent[ack.seq] = sent
                if len(self._sent) > ANSWERED:
                    self._sent.popitem(last=False)
            told(ack)
        elif isinstance(error, ZchatError):
            told(error)
        self._answered()

    def _answered(self) -> None:
        self._unanswered -= 1
        self._news.set()

    async def origin(self, event: Any) -> Sent | None:
        """Return which connection has caused an event of this person's; None for what was done elsewhere."""
        seq: int = event.seq
        if seq not in self._sent and await self.person.client.is_own(event):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AT_MOST):  # the ack is here, and `_settle` is about to be called
                    while seq not in self._sent and self._unanswered:
                        self._news.clear()
                        await self._news.wait()
        return self._sent.get(seq)

    async def topic_of(self, room: str) -> RoomTopic:
        """Return a room's topic. Raises RefusedError, TimedOutError."""
        if room not in self._topics or room not in self.person.client.rooms:
            page = await self.person.client.history(room="#" + room, kinds=["topic"], limit=1)
            found = [event for event in page.events if isinstance(event, m.Topic)]
            self._topics[room] = RoomTopic(found[-1].text, found[-1].nick, found[-1].time) if found else RoomTopic()
        return self._topics[room]

    def note(self, event: Any) -> None:
        """Know what a room is about, as long as its changes are heard."""
        if isinstance(event, m.Topic):
            self._topics[event.room] = RoomTopic(event.text, event.nick, event.time)
        elif isinstance(event, Removed):
            self.forget(event.room)
        elif isinstance(event, WentBack):
            self._topics.clear()
            self.stamps.clear()

    def stamp(self, place: str, stamp: Stamp) -> None:
        """Know what a client has told of what was read in a place."""
        self.stamps[place] = stamp
        self.stamps.move_to_end(place)
        if len(self.stamps) > STAMPS:
            self.stamps.popitem(last=False)

    def forget(self, room: str) -> None:
        """Ask for the topic of a room anew the next time."""
        self._topics.pop(room, None)
