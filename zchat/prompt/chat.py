"""The chat of one person: what one can do in it, and what becomes of each event.

`Chat` does not know whether its lines come from a terminal or a pipe. What depends on that is its `View`: which target
one looks at and speaks to, and which events are shown at once. `plain.py` has the view of a pipe, which shows all;
`view.py` has that of a terminal. A view knows nothing of the chat.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from zchat.client.core import notices
from zchat.errors import RefusedError, SessionEndedError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import changes, refusals, render
from .asker import Asker
from .backlog import WANTED, Backlog
from .output import Output
from .preferences import Preferences, save
from .recent import settle
from .sending import Pending, Sending
from .target import Target, nick_of

if TYPE_CHECKING:
    from zchat.client.client import Batch, ChatClient

log = logging.getLogger(__name__)

R = TypeVar("R", bound=m.Reply)

REFUSED_SHOWN = 160  # columns of a text that was refused


class View(Protocol):
    """Where one looks and speaks, and what is shown of what happens."""

    @property
    def here(self) -> Target | None:
        """The room or conversation one looks at and speaks to."""

    def turn_to(self, name: str | None) -> None:
        """Look at another target."""

    async def talk_to(self, nick: str) -> None:
        """Look at the conversation with the person who has this nick. Raises RefusedError, TimedOutError."""

    def id_of(self, nick: str) -> str | None:
        """Return the `from` of the person one knows by this nick, None if one knows nobody."""

    def leave(self, room: str) -> None:
        """Forget a room."""

    async def prepare(self, events: Iterable[object]) -> None:
        """Look up what has to be known to show these events."""

    def message(self, event: m.Durable, history: bool) -> list[str]:
        """Take what was said, or done to it, and return the lines to be shown now."""

    def connection(self, event: object) -> None:
        """Take a change of the connection. The chat tells of it."""

    def other(self, event: object) -> list[str]:
        """Take any other event, and return the lines to be shown now."""

    def quote(self, event: m.Durable) -> str:
        """Return what an event is about, in short: what it replies to, what it was done to; or ""."""


class Chat:
    """What one can do: join, leave, say, ask. `view` shows what happens."""

    def __init__(
        self, client: "ChatClient", output: Output, asker: Asker, view: View, preferences_file: Path | None = None
    ) -> None:
        self.client, self.output, self.asker, self.view = client, output, asker, view
        self._preferences_file = preferences_file
        self.sending = Sending(client, self._refused, self._same)
        self._backlog = Backlog(asker)
        self.search_hits: dict[int, str] = {}  # seq to room: what /search found
        self.transfers: set[asyncio.Task[None]] = set()  # files on their way
        self.leaving = self.is_away = False
        self._expelled_from: str | None = None  # the room from which the broker has not yet let us out
        self.refused = 0  # lines that were refused; a pipe then ends with 1
        self.restyle()

    # -- what commands need to know

    @property
    def here(self) -> Target | None:
        return self.view.here

    @property
    def room(self) -> str | None:
        return self.here.room if self.here is not None else None

    @property
    def partner(self) -> str | None:
        return self.here.partner if self.here is not None else None

    @property
    def with_(self) -> str | None:
        """The `from` of the partner, if it is known."""
        return self.here.with_ if self.here is not None else None

    @property
    def style(self) -> render.Style:
        return self.output.style

    @property
    def preferences(self) -> Preferences:
        return self.output.preferences

    def show(self, text: str) -> None:
        """Print something of the talk."""
        self.output.show(text)

    def tell(self, text: str) -> None:
        """Print something about the talk."""
        self.output.tell(text)

    # -- what one does

    async def ask(self, question: m.Command, answer: type[R]) -> R:
        """Put a question to the broker and return its answer. Raises RefusedError, TimedOutError."""
        return await self.asker.ask(question, answer)

    async def say(
        self, text: str, *, to: str | None = None, kind: m.Kind = "message", reply_to: int | None = None
    ) -> None:
        """Say something where one is, or to one person."""
        here = self.here
        if to is None and reply_to is None and here is not None:
            if self.has_nothing_to_answer(here):
                return
            reply_to = here.answered
        to = to or self.partner
        if to is None and self.room is None:
            self.refused += 1
            self.tell("You are in no room, so nobody would hear it. Enter one with /join ROOM.")
            return
        room = None if to else self.room
        with_ = None if to is None else self.with_ if to == self.partner else self.view.id_of(to)
        self.tell_if_it_waits(text)
        to = None if to is None else nick_of(to)
        await self.sending.say(text, room=room, to=to, with_=with_, kind=kind, reply_to=reply_to)

    def has_nothing_to_answer(self, here: Target) -> bool:
        """Say whether this is a thread of which all is deleted; if so, tell."""
        if here.thread is None or here.answered is not None:
            return False
        self.refused += 1
        self.tell("All of this thread is deleted: there is nothing to answer. /join goes back.")
        return True

    async def set_topic(self, room: str, text: str) -> None:
        """Set a room's topic: at once, or when the broker is back."""
        self.tell_if_it_waits(f"/topic {text}")
        await self.sending.set_topic(room, text)

    def tell_if_it_waits(self, text: str) -> None:
        """Tell if what is said or done now is not sent or stored at once."""
        waiting = escape_controls(text, " ")
        if self.client.stalled:
            self.output.tell_aside(f"Nothing can be stored now; this waits, and is stored once it can be: {waiting}")
        elif not self.client.online and not self.client.moving:
            self.output.tell_aside(f"No broker now; this is sent as soon as it is back: {waiting}")

    async def enter(self, room: str) -> None:
        """Join a room, show who is there, and speak there from now on."""
        joined = await self.ask(m.Join(room=room, backlog=WANTED), m.Joined)
        self.sending.enter(joined.room)
        self.turn_to(f"#{joined.room}")
        nicks = ", ".join(self.style.person(member) for member in joined.members[:12])
        more = f" and {len(joined.members) - 12} more" if len(joined.members) > 12 else ""
        topic = f": {escape_controls(joined.topic, ' ')}" if joined.topic else ""
        mode = ", which is read-only" if joined.mode == "announce" else ""
        self.output.tell_aside(f"You are in {self.style.room(joined.room)}{mode}{topic} (here: {nicks}{more})")

    async def leave(self, room: str, reason: str | None = None) -> None:
        """Leave a room; whoever spoke there speaks in another one, if there is one."""
        await self.ask(m.Part(room=room, reason=reason), m.Parted)
        self.output.tell_aside(f"You left {self.style.room(room)}.")
        spoke_there = room == self.room
        self.forget(room)
        if spoke_there:
            others = [other for other in self.client.rooms if other != room]
            self.turn_to(f"#{others[-1]}" if others else None)

    def _taken_out(self, room: str) -> None:
        """Forget a room, and look nowhere: what one is typing was meant for it, and must not go to another one."""
        spoke_there = room == self.room
        self.forget(room)
        if spoke_there:
            self.turn_to(None)
            self.output.tell_aside("Nobody hears what you say now; /join ROOM leads to another room.")

    def forget(self, room: str) -> None:
        """Forget a room that was left, and what was still to come from it."""
        self.sending.leave(room)
        self._backlog.forget(room)
        self.view.leave(room)

    async def talk_to(self, nick: str) -> None:
        """Speak only to one person from now on. Raises RefusedError, TimedOutError."""
        await self.view.talk_to(nick)
        self.output.tell_aside(f"Only {escape_controls(nick)} hears what you say now; /join ROOM leads back.")

    def turn_to(self, name: str | None) -> None:
        """Look at another target, `#room` or `@nick`, and speak there from now on."""
        self.view.turn_to(name)

    def prefer(self, wanted: Preferences) -> None:
        """Change the preferences, and keep them. Raises FolderError."""
        self.output.preferences = wanted
        self.restyle()
        if self._preferences_file is not None:
            save(self._preferences_file, wanted)

    def restyle(self) -> None:
        """Follow the preferences, and one's own nick."""
        features = self.client.welcome.features if self.client.welcome else ()
        self.output.restyle(self.client.nick or "", roles="members" in features)

    async def settle(self, patience: float | None) -> None:
        """Wait until all is stored, and shown, for `patience` seconds at most (None: as long as it takes)."""
        if self.transfers:
            await asyncio.wait(self.transfers, timeout=patience)
        for transfer in self.transfers:
            self.tell(
                f"Broken off while {escape_controls(transfer.get_name(), ' ')}: the next time it goes on from there."
            )
            self.refused += 1
            transfer.cancel()
        await self.sending.settle(patience)

    # -- what happens

    async def listen(self) -> None:
        """Show what happens until the client ends."""
        async for batch in self.client.batches():
            events = await self._backlog.filled(batch.events, history=batch.history)
            await self.view.prepare(events)
            self.hear(batch._replace(events=events))

    def hear(self, batch: "Batch") -> None:
        """Show what happened; what was said before, as it is now. Raises SessionEndedError."""
        for event in batch.events:
            if isinstance(event, m.Durable):
                self.sending.note(event)
        events = settle(batch.events) if batch.history else batch.events
        lines: list[str] = []
        for event in events:
            said = isinstance(event, m.Durable)
            lines += self.view.message(event, batch.history) if said else self._heard(event)
        if lines:
            self.show("\n".join(lines))

    def _heard(self, event: object) -> list[str]:
        match event:
            case m.MemberChanged() | m.AccessChanged():
                if event.change == "expelled" and event.from_ == self.client.from_:
                    self._expelled_from = event.room
                return changes.heard(event, self.client.from_, self.style)
            case notices.Refused(what=what, code=code, message=message):
                self._tell_refused(what, code, message)
            case m.Dropped(id=id_, code=code, message=message):
                where = f"#{event.room}" if event.room is not None else f"@{event.to}"
                self._tell_refused(f"what was to be said later in {where} ({id_})", code, message)
            case notices.Removed(room=room):
                if room != self._expelled_from:  # else it is told by whom
                    self.tell(render.event(event, self.style) or "")
                self._expelled_from = None
                self._taken_out(room)
            case notices.Ended(reason=reason, text=text, by=by):
                raise SessionEndedError(reason, text, by)
            case notices.Deferred() if self.client.stalled:
                pass  # why was told, and it is no disk
            case (
                notices.Offline()
                | notices.Online()
                | notices.KeptOut()
                | notices.NickRefused()
                | notices.Deferred()
                | notices.Stalled()
                | notices.Flowing()
                | notices.WentBack()
            ):
                self._connection_changed(event)
            case _:
                return self.view.other(event)
        return []

    def _connection_changed(self, event: object) -> None:
        log.info("%s", type(event).__name__.lower())
        self.view.connection(event)
        if isinstance(event, notices.Online) and event.again and event.shared is not None:
            self._go_back(event.shared)
        self.restyle()  # a nick that was chosen without a broker may have been refused
        if line := render.event(event, self.style):
            self.tell(line)
        if isinstance(event, notices.KeptOut | notices.NickRefused) and event.code == "nick_taken":
            self.output.tell_aside("/nick NAME takes another.")

    def _go_back(self, shared: int) -> None:
        """The log went back: forget what comes after this point."""
        self.sending.go_back(shared)
        self.search_hits = {seq: room for seq, room in self.search_hits.items() if seq <= shared}

    def _same(self, done: Pending) -> None:
        self.output.tell_aside(f"Nothing was changed, for it is so already: {escape_controls(done.shown, ' ')}")

    def _refused(self, said: Pending, error: RefusedError) -> None:
        self._tell_refused(said.shown, error.code, error.message)
        if said.with_ is not None and error.code == "unknown_nick":
            self.output.tell_aside(f"/query {escape_controls(said.to or '')} talks to who is called so now.")

    def _tell_refused(self, text: str, code: str, message: str) -> None:
        self.refused += 1
        shown = escape_controls(text, " ")
        cut = render.truncate(shown, REFUSED_SHOWN)
        self.output.tell_aside(f"✗ {cut if cut == shown else f'{cut} … ({len(text):,} characters)'}")
        plain = refusals.explain(code, message, self.style)
        why = f": {plain}" if plain else f" ({escape_controls(code)}): {escape_controls(message, ' ')}"
        self.tell(f"Not sent{why}")
