"""The view of a pipe, or of a terminal without a line editor: each event is shown as it comes, from whatever room."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zchat.client.core.notices import Online
from zchat.protocol import messages as m

from . import render, said
from .asker import Asker, require_nick
from .output import Output
from .quotes import Quotes
from .recent import Recent
from .said import MENDS
from .target import Target

if TYPE_CHECKING:
    from zchat.client.client import ChatClient


class PlainView:
    """Shows all, and knows only the target one speaks to."""

    def __init__(self, client: "ChatClient", output: Output, asker: Asker) -> None:
        self._client, self._output, self._asker = client, output, asker
        self.here: Target | None = None
        self._recent = Recent()  # of all rooms: what a reply can quote, and what is done to it
        self._quotes = Quotes(client, asker, lambda _: self._recent)

    def turn_to(self, name: str | None) -> None:
        """Speak to another target."""
        self.here = None if name is None else Target(name)
        self._output.look_at(*(None, None) if self.here is None else (self.here.room, self.here.thread))

    async def talk_to(self, nick: str) -> None:
        """Speak to the person who has this nick now. Raises RefusedError, TimedOutError."""
        require_nick(nick)
        # Before asking: if that fails, the next line must not be said in the room.
        self.here = target = Target(f"@{nick}")
        self._output.look_at(None)
        target.with_ = await self._asker.id_of(nick)

    def id_of(self, nick: str) -> str | None:
        """Return the `from` of the person one speaks to, if this is their nick."""
        return self.here.with_ if self.here is not None and self._is_partner(nick) else None

    def leave(self, room: str) -> None:
        """Forget nothing: nothing is kept of a room."""

    def message(self, event: m.Durable, history: bool) -> list[str]:
        """Return the lines of what was said or done."""
        if event.from_ != self._client.from_ and event.room is None and self._is_partner(event.nick):
            assert self.here is not None  # noqa: S101 — there is a partner
            self.here.with_ = self.here.with_ or event.from_
        if self.here is not None and self.here.thread is not None and self.here.has_in_thread(event):
            self.here.recent.take(event)
        about = self._recent.get(event.target) if isinstance(event, MENDS) else None
        self._recent.take(event)
        self._quotes.take(event)
        if self._output.ignores(event) or (about is not None and self._output.ignores(about)):
            return []
        return self._output.render(event, self.quote(event))

    def _is_partner(self, nick: str) -> bool:
        partner = None if self.here is None else self.here.partner
        return partner is not None and partner.casefold() == nick.casefold()

    def connection(self, event: object) -> None:
        """What was looked up may be of a log that went back."""
        if isinstance(event, Online) and event.again:
            self._quotes.clear()

    async def prepare(self, events: Iterable[object]) -> None:
        """Look up what these events quote."""
        await self._quotes.look_up(events)

    def other(self, event: object) -> list[str]:
        """Return the line of any other event, if it has one."""
        if isinstance(event, m.MemberJoined) and event.from_ == self._client.from_:
            return []  # one knows
        line = render.event(event, self._output.style)
        return [] if line is None else [line]

    def quote(self, event: m.Durable) -> str:
        """Return what a message replies to, or what something was done to, in short; "" for nothing."""
        return said.context(event, self._quotes.at(event), lambda _: "", self._output.style)
