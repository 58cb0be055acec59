"""What a client says: messages, topics, that it is typing; and how all that is numbered goes to the broker.

What is said is sent again, over each next connection, until the broker has answered. So a call returns once it is on
the broker's disk, however long that is away, and an outbox keeps it over a crash.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from zchat.protocol import messages as m

from .arguments import check_size, checked_place, checked_time, plain_room, text_of
from .asking import Asking
from .messages import written


class Saying(Asking):
    """A client, as far as it says something. `ChatClient` is one that connects, and listens."""

    async def post(
        self,
        text: str,
        *,
        room: str | None = None,
        to: str | None = None,
        with_: str | None = None,
        kind: m.Kind = "message",
        reply_to: int | None = None,
        once: str | None = None,
        files: Iterable[m.Attachment] = (),
        at: datetime | None = None,
    ) -> "asyncio.Future[m.Ack]":
        """Queue a message, and return a future of its ack: for many messages at once.

            answers = [await chat.post(line, room="builds") for line in lines]
            await asyncio.gather(*answers)

        It waits only while 2,000 messages are unanswered. The future raises RefusedError where the broker refuses. The
        parameters are those of `say`. Raises ValueError without a place or with two, RefusedError for what could not
        even be sent, ClosedError.
        """
        room = checked_place(room, to, with_)
        if once is not None:
            text_of(once, "once")
        command = m.Say(
            n=1, room=room, to=to, with_=with_, text=written(text), kind=kind, reply_to=reply_to, once=once,
            files=tuple(files), at=checked_time(at, "at"),
        )  # fmt: skip
        return await self._post(command)

    async def say(
        self,
        text: str,
        *,
        room: str | None = None,
        to: str | None = None,
        with_: str | None = None,
        kind: m.Kind = "message",
        reply_to: int | None = None,
        once: str | None = None,
        files: Iterable[m.Attachment] = (),
        at: datetime | None = None,
    ) -> m.Ack:
        """Send a message; returns its ack once it is on the broker's disk, however long the broker is away.

        - `text`: at most 16 KiB of UTF-8; it may have several lines.
        - `room` or `to`: where to say it: in a room, or to one person's nick alone.
        - `with_`: the `from_` of the person whom `to` is to be. Whoever else has the nick by then does not hear it.
        - `kind`: "message"; "action" for what one does ("waves"); "notice" for what no bot is to answer.
        - `reply_to`: the `seq` of the message that this answers, in the same room or conversation.
        - `once`: a key of at most 128 bytes. Within 7 days, a second message of the same sender with the same key is
          not stored, and its ack tells the `seq` of the first and `duplicate`.
        - `files`: what it carries, at most 10, as `client.files.upload` has returned them. Then `text` may be "".
        - `at`: a time with its zone: the broker says it then, also if this client is gone. The ack tells `scheduled`
          instead of a `seq`, by which `messages.unschedule` takes it back.

        Raises RefusedError (its `code` tells why: `unknown_nick`, `bad_reply`, `too_long` …), ValueError without a
        place or with two, ClosedError, and what ended the client meanwhile. To wait for a time only, use
        `asyncio.timeout`; the message is sent nevertheless.
        """
        posted = await self.post(
            text, room=room, to=to, with_=with_, kind=kind, reply_to=reply_to, once=once, files=files, at=at
        )
        return await posted

    async def post_topic(self, room: str, text: str) -> "asyncio.Future[m.Ack]":
        """Queue a room's topic, as `post` queues a message. Raises RefusedError, ClosedError."""
        return await self._post(m.SetTopic(n=1, room=plain_room(room), text=text_of(text, "text")))

    async def set_topic(self, room: str, text: str) -> m.Ack:
        """Set a room's topic ("" removes it); returns its ack once it is on the broker's disk. Raises as `say`."""
        return await (await self.post_topic(room, text))

    async def send_typing(self, room: str | None = None, *, to: str | None = None, with_: str | None = None) -> None:
        """Tell a room, or the nick `to` (of the one whose `from_` is `with_`), that something is being typed.

        Nobody answers, and nothing is kept. Raises ValueError without a place or with two, RefusedError for what could
        not even be sent, ClosedError.
        """
        driver, command = self._running(), m.Typing(room=checked_place(room, to, with_), to=to, with_=with_)
        check_size(command, driver.session.welcome)
        driver.tell(command)

    async def drain(self) -> None:
        """Wait until the broker has answered all that was posted, however long it is away.

        Raises what ended the client meanwhile.
        """
        await self._running().drain()

    async def _post(self, command: m.NumberedCommand) -> "asyncio.Future[m.Ack]":
        driver = self._running()
        check_size(command, driver.session.welcome)
        return await driver.post(command)
