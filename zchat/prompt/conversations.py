"""Conversations with one person each, at a terminal: who has which nick, and what was said while one was away."""

import contextlib
from typing import TYPE_CHECKING

from zchat.client.core.direct import split_name
from zchat.errors import RefusedError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .asker import Asker, require_nick
from .output import Output
from .recent import KEPT
from .target import Target, nick_of, partner
from .targets import Targets

if TYPE_CHECKING:
    from zchat.client.client import ChatClient


class Conversations:
    """The conversations among the targets."""

    def __init__(self, client: "ChatClient", output: Output, asker: Asker, targets: Targets) -> None:
        self._client, self._output, self._asker, self._targets = client, output, asker, targets

    async def begin(self, nick: str) -> None:
        """Have a conversation to look at, with its last messages. Raises RefusedError, TimedOutError."""
        target = self._targets.find(f"@{nick}")
        if target is None or nick_of(nick) == nick:
            require_nick(nick)
            from_ = await self._asker.id_of(nick)
            target = target if from_ is None else self.with_(nick, from_)
            if self._client.online and (target is None or not target.recent):
                await self._look_up(f"@{nick}", m.SEQ_MAX - 1, from_)

    def with_(self, nick: str, from_: str | None) -> Target:
        """Return the conversation with a person, who has this nick now; tell if somebody else had it before."""
        held = self._targets.find(f"@{nick}")
        target = self._targets.conversation(nick, from_)
        if held is not None and held is not target:
            was, now = escape_controls(held.name), escape_controls(nick)
            told = f"{now} is somebody else now; what was said with the one before is in {was}."
            self._output.show(self._output.style.dim(told))
        return target

    async def catch_up(self) -> None:
        """Count what was said to us alone while we were away: the client brings only what is said from now on."""
        with contextlib.suppress(ZchatError):  # /query shows it, too
            pong = await self._asker.ask(m.Ping(), m.Pong)
            for name, head in pong.heads.items():
                if not name.startswith("@"):
                    continue
                nick, from_ = split_name(name[1:])
                if head > self._targets.read_through(name, from_):
                    with contextlib.suppress(RefusedError):  # nobody has this nick any more
                        await self._look_up(f"@{nick}/{from_[:6]}" if from_ else name, head, from_)

    async def _look_up(self, name: str, through: int, from_: str | None) -> None:
        """Fetch the last messages of a conversation; those not seen before are unread."""
        page = await self._asker.history(partner=name[1:], with_=from_, before=through + 1, limit=KEPT)
        events = [event for event in page.events if not isinstance(event, m.Opaque)]
        target = self._targets.with_person(from_) or self._targets.get(name)
        if target.with_ is None and events and (other := partner(events[-1], self._client.from_)) is not None:
            self._targets.meet(target, other[1])
        target.recent.insert(events)
        if target is not self._targets.here:
            target.recount(self._client.from_, self._output.ignores)
            if not target.unread:
                target.see(through)  # all that came later was done to what was read
