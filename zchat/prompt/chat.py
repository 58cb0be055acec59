"""One person's seat in the chat: what each typed line does, and how what happens is shown.

It does not know whether the lines come from a terminal or a pipe: it takes them one after the other (`take`), and
shows what it hears (`listen`) through the two functions it was given, `show` for the talk and `tell` for what is said
about it. `converse` runs both until the source of lines ends, somebody says `exit`, or the broker ends the session.
What only a terminal has (places to look at, a bell, a line that tells the state) is in `seat.py`.
"""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zchat.client.core import notices
from zchat.errors import RefusedError, SessionEndedError, TimedOutError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import lookup, render, slash
from .preferences import Preferences, save

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

log = logging.getLogger(__name__)

R = TypeVar("R", bound=m.Reply)

BACKLOG = 20  # messages shown when a room is entered
REFUSED_SHOWN = 160  # columns of a text that was refused
ECHO = 1.0  # seconds to wait, at the end, for what was acknowledged to be shown too


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """What was said and is on no disk yet as far as one knows: as it is shown, and how to know its event.

    `after` is the last place seen when it was said: an older event says the same by chance.
    """

    shown: str
    text: str
    room: str | None
    to: str | None
    with_: str | None
    after: int

    def is_stored_as(self, event: m.Durable) -> bool:
        """Tell whether an event of our own may be this."""
        to = getattr(event, "to", None)
        here = event.room == self.room and (to or "").casefold() == (self.to or "").casefold()
        if self.with_ is not None:  # whatever the nick is now
            here = getattr(event, "with_", None) == self.with_
        return here and event.seq > self.after and event.text == self.text


class Said(str):
    """A line to be said as it stands, whatever it begins with."""

    __slots__ = ()


class Chat:
    """The rooms one is in, the one one speaks in, and what was shown of them."""

    def __init__(
        self,
        client: "ChatClient",
        style: render.Style,
        show: Callable[[str], None],
        tell: Callable[[str], None],
        preferences: Preferences | None = None,
        kept_in: Path | None = None,
    ) -> None:
        self.client, self.style, self.show, self.tell = client, style, show, tell
        self.preferences, self._kept_in = preferences or Preferences(), kept_in
        self.room: str | None = None
        self.partner: str | None = None  # whom one speaks to, when not in a room …
        self.with_: str | None = None  # … and their `from`, as far as it is known: the nick may change hands
        self.pending: dict[asyncio.Future[m.Ack], Pending] = {}  # neither acknowledged nor heard yet
        self._last = 0  # the highest place seen
        self.found: dict[int, str] = {}  # where /search found what
        self.leaving = self.is_away = False
        self.refused = 0
        self._day, self._oldest = "", 0
        self._unpaired: dict[
            int, str | None
        ] = {}  # own messages acknowledged and not shown yet, or the other way round
        self._left: set[str] = set()  # rooms that were left: what was said there is not shown
        self._paired = asyncio.Event()
        self._paired.set()

    async def take(self, line: str) -> None:
        """Do what a typed line means: say it, obey it, or leave; white space before a command does not count."""
        begins = line.lstrip()
        if isinstance(line, Said):
            await self.say(line)
        elif line.strip() == "exit":
            self.leaving = True
        elif begins.startswith("/") and not begins.startswith("//"):
            await slash.run(begins, self)
        elif begins:
            await self.say(begins[1:] if begins.startswith("//") else line)

    async def say(
        self, text: str, *, to: str | None = None, kind: m.Kind = "message", reply_to: int | None = None
    ) -> None:
        """Say something where one is, or to one person."""
        to = to or self.partner
        if to is None and self.room is None:
            self.tell("You are in no room, so nobody would hear it. Enter one with /join ROOM.")
            return
        room = None if to else self.room
        with_ = None if to is None else self.who_is(to)
        to = None if to is None else nick_of(to)
        pending = Pending(text, str(text), room, to, with_, self._last)
        posting = self.client.post(str(text), room=room, to=to, with_=with_, kind=kind, reply_to=reply_to)
        await self._queue(pending, posting)

    def who_is(self, partner: str) -> str | None:
        """Return the `from` of the one whom we know as this, None if we know of nobody."""
        return self.with_ if partner.casefold() == (self.partner or "").casefold() else None

    async def set_topic(self, room: str, text: str) -> None:
        """Set a room's topic, as one says something: at once, or when the broker is back."""
        pending = Pending(f"/topic {text}", text, room, None, None, self._last)
        await self._queue(pending, self.client.post_topic(room, text))

    async def _queue(self, pending: Pending, posting: "Awaitable[asyncio.Future[m.Ack]]") -> None:
        """Queue what is numbered, and show it as pending until its answer or its event is there."""
        if not self.client.online:
            waiting = escape_controls(pending.shown, " ")
            self.tell(self.style.dim(f"No broker now; this is sent as soon as it is back: {waiting}"))
        answer = await posting
        self.pending[answer] = pending
        answer.add_done_callback(lambda answer: self._answered(answer, pending))

    def _answered(self, answer: "asyncio.Future[m.Ack]", said: Pending) -> None:
        self.pending.pop(answer, None)
        if answer.cancelled():
            return
        error = answer.exception()
        if error is None:
            if said.room not in self._left:
                self._pair(answer.result().seq, said.room)
        elif isinstance(error, RefusedError) and not self.client.over:  # else it is kept, and sent the next time
            self._not_sent(said.shown, error.code, error.message)
            if said.with_ is not None and error.code == "unknown_nick":
                self.tell(self.style.dim(f"/query {escape_controls(said.to or '')} talks to who is called so now."))

    def _not_sent(self, text: str, code: str, message: str) -> None:
        self.refused += 1
        shown = escape_controls(text, " ")
        cut = render.truncate(shown, REFUSED_SHOWN)
        self.tell(self.style.dim(f"✗ {cut if cut == shown else f'{cut} … ({len(text):,} characters)'}"))
        self.tell(f"Not sent ({escape_controls(code)}): {escape_controls(message, ' ')}")

    async def ask(self, question: m.Command, answer: type[R]) -> R:
        """Put a question to the broker and return its answer. Raises RefusedError, TimedOutError."""
        reply = await self.client.ask(question, self.patience())
        assert isinstance(reply, answer)  # noqa: S101 — the client matches answers to questions
        return reply

    def patience(self) -> float | None:
        """Return how many seconds an answer may take (None: as long as the client waits)."""
        return None

    async def enter(self, room: str) -> None:
        """Join a room, show who is there, and speak there from now on."""
        joined = await self.ask(m.Join(room=room, backlog=BACKLOG), m.Joined)
        self._left.discard(joined.room)
        self.turn_to(joined.room)
        nicks = ", ".join(escape_controls(member.nick) for member in joined.members[:12])
        more = f" and {len(joined.members) - 12} more" if len(joined.members) > 12 else ""
        topic = f": {escape_controls(joined.topic, ' ')}" if joined.topic else ""
        self.tell(self.style.dim(f"You are in #{escape_controls(joined.room)}{topic} (here: {nicks}{more})"))

    async def leave(self, room: str, reason: str | None = None) -> None:
        """Leave a room, and speak in another one if there is one."""
        await self.ask(m.Part(room=room, reason=reason), m.Parted)
        self.tell(self.style.dim(f"You left #{escape_controls(room)}."))
        self.forget(room)
        if room == self.room:
            others = [other for other in self.client.rooms if other != room]
            self.turn_to(others[-1] if others else None)

    def forget(self, room: str) -> None:
        """Wait no more for what was said in a room that was left: it is not shown."""
        self._left.add(room)
        self._unpaired = {seq: where for seq, where in self._unpaired.items() if where != room}
        self._pairs_changed()

    async def talk_to(self, nick: str) -> None:
        """Speak to one person only from now on: the one who has the nick now, if anybody has. Raises TimedOutError."""
        self.turn_to(None, self.known_partner(nick))
        self.with_ = await self.look_for(nick)
        self.tell(self.style.dim(f"Only {escape_controls(nick)} hears what you say now; /join ROOM leads back."))

    def known_partner(self, name: str) -> str:
        """Return the name of a conversation. Raises RefusedError for one with somebody from before who is not known."""
        if "/" in name:
            raise RefusedError("unknown_nick", f"there is no conversation {name} here")
        return name

    async def look_for(self, nick: str) -> str | None:
        """Return the `from` of the one who has a nick now, None if nobody has. Raises TimedOutError."""
        if not self.client.online:
            return None
        try:
            found = await self.ask(m.Who(nick=nick), m.Roster)
        except RefusedError:
            return None
        return found.members[0].from_ if found.members else None

    def turn_to(self, room: str | None, partner: str | None = None) -> None:
        """Speak in `room`, or to `partner`, from now on."""
        self.room, self.partner, self.with_ = room, partner, None
        self.style = dataclasses.replace(self.style, here=room)

    def prefer(self, preferences: Preferences) -> None:
        """Take other preferences, and keep them. Raises FolderError."""
        self.preferences = preferences
        self.restyle()
        if self._kept_in is not None:
            save(self._kept_in, preferences)

    def restyle(self) -> None:
        """Show things as the preferences and one's own nick have it."""
        called = render.mentions((self.client.nick or "", *self.preferences.highlight))
        self.style = dataclasses.replace(self.style, stamp=self.preferences.stamp, mentions=called)

    def ignores(self, event: object) -> bool:
        """Say whether an event comes from somebody whose words one does not want to see."""
        nick = getattr(event, "nick", None)
        return nick is not None and nick.casefold() in {name.casefold() for name in self.preferences.ignore}

    async def older(self) -> None:
        """Show the page before the oldest message shown."""
        self._oldest = await lookup.older(self, self._oldest or m.SEQ_MAX)

    def clear(self) -> None:
        """Clear the screen, if there is one."""

    def progress(self, label: str, done: float) -> None:
        """Show how far something is (0 to 1), if there is a place for it."""

    async def listen(self) -> None:
        """Show what happens until the client ends."""
        async for batch in self.client.batches():
            shown = [line for event in batch.events for line in self._rendered(event, batch.history)]
            if shown:
                self.show("\n".join(shown))

    def _rendered(self, event: object, history: bool) -> list[str]:
        match event:
            case m.Message() | m.Topic():
                self._note(event, history)
                line = None if self.ignores(event) else render.event(event, self.style, self.quote(event))
                return [] if line is None else [*self._new_day(event.time), line]
            case m.MemberJoined() if event.from_ == self.client.from_:
                return []  # one knows
            case notices.Refused(command=command, code=code, message=message):
                self._not_sent(command.text, code, message)
                return []
            case notices.Ended(reason=reason):
                raise SessionEndedError(reason)
            case (
                notices.Offline()
                | notices.Online()
                | notices.KeptOut()
                | notices.NickRefused()
                | notices.PutOff()
                | notices.WentBack()
            ):
                log.info("%s", type(event).__name__.lower())
                if isinstance(event, notices.Online) and event.again and event.shared is not None:
                    self._go_back(event.shared)
                self.restyle()  # a nick that was chosen without a broker may have been refused
                if line := render.event(event, self.style):
                    self.tell(line)
                if isinstance(event, notices.KeptOut | notices.NickRefused) and event.code == "nick_taken":
                    self.tell(self.style.dim("/nick NAME takes another."))
                return []
        line = render.event(event, self.style)
        return [] if line is None else [line]

    def quote(self, event: m.Durable) -> str:
        """Return what a message replies to, in short."""
        return f"{event.reply_to}" if isinstance(event, m.Message) and event.reply_to else ""

    def _new_day(self, time: str) -> list[str]:
        """Return a line that tells the day, when it is not that of the message before."""
        day = render.day(time, self.style)
        if day == self._day:
            return []
        self._day = day
        return [self.style.dim(f"— {day} —")]

    def _go_back(self, shared: int) -> None:
        """The log went back: what is known by a place above this one is gone from it."""
        self._last = min(self._last, shared)
        self.found = {seq: room for seq, room in self.found.items() if seq <= shared}
        self._unpaired = {seq: where for seq, where in self._unpaired.items() if seq <= shared}
        self._pairs_changed()

    def _note(self, event: m.Durable, history: bool) -> None:
        """Take note of a message: one of our own is no longer pending, whether or not its ack has come."""
        self._last = max(self._last, event.seq)
        if event.from_ != self.client.from_:
            if event.room is None and self.with_ is None and event.nick.casefold() == (self.partner or "").casefold():
                self.with_ = event.from_
            return
        known = event.seq in self._unpaired
        proved = None
        if not known:
            proved = next((answer for answer, said in self.pending.items() if said.is_stored_as(event)), None)
        if proved is not None:
            del self.pending[proved]
        if known or proved is not None or not history:
            self._pair(event.seq, event.room)

    def _pair(self, seq: int | None, room: str | None) -> None:
        if seq is None:
            return
        if seq in self._unpaired:
            del self._unpaired[seq]
        else:
            self._unpaired[seq] = room
        self._pairs_changed()

    def _pairs_changed(self) -> None:
        (self._paired.clear if self._unpaired else self._paired.set)()

    async def settle(self, patience: float | None) -> None:
        """Wait until all is acknowledged (at most `patience` seconds), and shown."""
        try:
            async with asyncio.timeout(patience):
                await self.client.drain()
            async with asyncio.timeout(ECHO):
                await self._paired.wait()
        except TimeoutError:
            pass


def nick_of(partner: str) -> str:
    """Return the nick of somebody; that of a person whose nick is somebody else's now stands before a slash."""
    return partner.partition("/")[0]


async def converse(chat: Chat, source: AsyncIterator[str], patience: float | None) -> None:
    """Take all lines of `source` and show what happens, until the end; then wait for what is unanswered.

    Lines are read while the one before is still being obeyed, so that a slow answer does not hold up the typing.
    """
    typed: asyncio.Queue[str | None] = asyncio.Queue(maxsize=100)

    async def read() -> None:
        try:
            async for line in source:
                await typed.put(line)
        finally:
            await typed.put(None)

    async def work() -> None:
        while not chat.leaving and (line := await typed.get()) is not None:
            try:
                await chat.take(line)
            except ZchatError as error:
                chat.refused += isinstance(error, RefusedError)
                gone = isinstance(error, TimedOutError) and not chat.client.online
                chat.tell("No broker now: ask again when it is back." if gone else escape_controls(str(error), " "))
        await chat.settle(patience)

    reading, working, listening = (asyncio.create_task(job) for job in (read(), work(), chat.listen()))
    try:
        done, _ = await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if reading.done():
            reading.result()
    finally:
        for task in (reading, working, listening):
            task.cancel()
        await asyncio.gather(reading, working, listening, return_exceptions=True)
