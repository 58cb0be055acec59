"""What a client may ask for about messages that were said before, or are to be said later.

    ack = await chat.say("tommorow at ten", room="general")
    await chat.messages.edit(ack.seq, "tomorrow at ten")
    await chat.messages.react(1042, "👍")

A message is named by its `seq` alone: the broker knows where it was said. What changes a message is numbered, as what
one says is. So it is sent again until the broker has answered, however long that is away, and never done twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from zchat.errors import RefusedError
from zchat.protocol import messages as m

from .arguments import checked_place, text_of
from .core.pages import Page, page_of

Post = Callable[[m.NumberedCommand], Awaitable["asyncio.Future[m.Ack]"]]
Ask = Callable[[m.Command], Awaitable[m.Reply]]


class Messages:
    """Messages and topics, by their `seq`. All calls raise RefusedError, ClosedError.

    A message that one cannot read, that was deleted, or that is not there is refused with the code `bad_target`.
    """

    def __init__(self, post: Post, ask: Ask) -> None:
        self._post, self._ask = post, ask

    async def do(self, command: m.NumberedCommand) -> m.Ack:
        """Send any command about a message, whatever its `n`; return its ack once it is on the broker's disk."""
        return await (await self._post(command))

    async def edit(self, seq: int, text: str) -> m.Ack:
        """Give a message of one's own another text."""
        return await self.do(m.Edit(n=1, seq=_seq_of(seq), text=written(text)))

    async def delete(self, seq: int, reason: str | None = None) -> m.Ack:
        """Take a message back; that of somebody else as a moderator, perhaps for a `reason` (1,024 characters)."""
        return await self.do(m.Delete(n=1, seq=_seq_of(seq), reason=reason))

    async def react(self, seq: int, emoji: str, *, off: bool = False) -> m.Ack:
        """React to a message; with `off`, take that back. The ack of what was so already has `duplicate`."""
        return await self.do(m.React(n=1, seq=_seq_of(seq), emoji=text_of(emoji, "emoji"), off=off))

    async def pin(self, seq: int, *, off: bool = False) -> m.Ack:
        """Have the room keep a message in sight; with `off`, no more. The ack of what was so has `duplicate`."""
        return await self.do(m.Pin(n=1, seq=_seq_of(seq), off=off))

    async def mark_read(
        self, seq: int, *, room: str | None = None, to: str | None = None, with_: str | None = None
    ) -> m.Ack:
        """Tell one's other devices that a room, or the conversation with a nick, was read through `seq`.

        Raises ValueError without a place or with two.
        """
        room = checked_place(room, to, with_)
        return await self.do(m.MarkRead(n=1, room=room, to=to, with_=with_, seq=seq))

    async def scheduled(self) -> tuple[m.Later, ...]:
        """Return what one has said for later (`say` with `at`), the soonest first. Raises TimedOutError."""
        return cast(m.Scheduled, await self._ask(m.AskScheduled())).messages

    async def unschedule(self, id_: int) -> m.Ack:
        """Take back what one has said for later, by the `scheduled` of its ack."""
        return await self.do(m.Unschedule(n=1, id=_seq_of(id_)))

    async def mentions(self, before: int | None = None, limit: int = 100) -> Page:
        """Return what called one by one's nick, oldest first: the newest page, or the one `before` a `seq`.

        `limit` is how many at most (1 to 1,000). Raises TimedOutError.
        """
        return page_of(cast(m.Found, await self._ask(m.AskMentions(before=before, limit=limit))))


def written(text: str) -> str:
    """Return a text that is to be read. Raises RefusedError (`bad_text`) for white space, TypeError.

    The broker refuses an empty text, and stores white space as it is sent.
    """
    if text_of(text, "text").isspace():
        raise RefusedError("bad_text", "there is no text in it")
    return text


def _seq_of(value: int) -> int:
    """Return what is to name a message. Raises TypeError, RefusedError (`bad_target`)."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"a message is named by its seq, an int, not by {type(value).__name__}")
    if not 0 < value <= m.SEQ_MAX:
        raise RefusedError("bad_target", f"there is no message {value}")
    return value
