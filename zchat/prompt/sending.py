"""What one has said, from the moment it is typed until it is stored and shown.

The broker tells twice that a message is stored: by an ack, and by the event itself, the echo. Either may come first,
and either ends the row "…" of a pending message. Only when both have come is the message shown, so who leaves waits
for both (`settle`).

A member may be here on several devices, and what is said on another one has the same author. So only an ack tells a
member what was said here, and nothing waits for the ack of an event that has none.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from zchat.errors import RefusedError
from zchat.protocol import messages as m

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

ECHO = 1.0  # seconds to wait, at the end, for the echo of what was acknowledged


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """What was said and is not stored as far as one knows: how it is shown, and how to know its echo.

    `after` is the latest event seen when it was said. An older event may have the same text by chance. `target` is the
    message that something is done to, wherever it was said.
    """

    shown: str
    text: str | None
    room: str | None
    to: str | None
    with_: str | None
    after: int
    stored_as: type[m.Event] = m.Message
    target: int | None = None

    def is_stored_as(self, event: m.Durable) -> bool:
        """Say whether an event of our own may be the echo of this."""
        if type(event) is not self.stored_as:
            return False
        if self.target is not None:
            return getattr(event, "target", None) == self.target and getattr(event, "text", None) == self.text
        to = getattr(event, "to", None)
        here = event.room == self.room and (to or "").casefold() == (self.to or "").casefold()
        if self.with_ is not None:  # whatever the nick is now
            here = getattr(event, "with_", None) == self.with_
        return here and event.seq > self.after and getattr(event, "text", None) == self.text


class Sending:
    """Queues what is said and done, and matches acks and echoes.

    `on_refused` is called with what the broker refuses, `on_same` with what was so already.
    """

    def __init__(
        self,
        client: "ChatClient",
        on_refused: Callable[[Pending, RefusedError], None],
        on_same: Callable[[Pending], None] = lambda _: None,
    ) -> None:
        self._client, self._on_refused, self._on_same = client, on_refused, on_same
        self.pending: dict[asyncio.Future[m.Ack], Pending] = {}  # neither acknowledged nor echoed yet
        self._last = 0  # the latest event seen
        self._unechoed: dict[int, str | None] = {}  # seq to room: acknowledged, and the echo is to come
        self._echoed: set[int] = set()  # of our own `from`, while something waits for its ack
        self._waiting = 0  # for acks
        self._matched = asyncio.Event()  # nothing is acknowledged and not echoed
        self._matched.set()
        self._left: set[str] = set()  # rooms that were left: they echo nothing more

    @property
    def settled(self) -> bool:
        """Whether each ack has its echo."""
        return not self._unechoed

    async def say(
        self,
        text: str,
        *,
        room: str | None,
        to: str | None,
        with_: str | None,
        kind: m.Kind = "message",
        reply_to: int | None = None,
        files: tuple[m.Attachment, ...] = (),
    ) -> None:
        """Queue a message."""
        shown = text or ", ".join(f"📎 {one.name}" for one in files)
        pending = Pending(shown, str(text), room, to, with_, self._last)
        posting = self._client.post(str(text), room=room, to=to, with_=with_, kind=kind, reply_to=reply_to, files=files)
        await self._queue(pending, posting)

    async def set_topic(self, room: str, text: str) -> None:
        """Queue a topic."""
        pending = Pending(f"/topic {text}", text, room, None, None, self._last)
        await self._queue(pending, self._client.post_topic(room, text))

    async def do(
        self, acting: Coroutine[Any, Any, m.Ack], what: type[m.Event], seq: int, shown: str, text: str | None = None
    ) -> None:
        """Queue what is done to the message `seq`, to become an event of the type `what`."""
        pending = Pending(shown, text, None, None, None, self._last, what, seq)
        doing = asyncio.get_running_loop().create_task(acting)
        await self._queue(pending, _numbered(doing))

    async def _queue(self, pending: Pending, posting: "Awaitable[asyncio.Future[m.Ack]]") -> None:
        answer = await posting
        self.pending[answer] = pending
        self._waiting += 1
        answer.add_done_callback(lambda answer: self._answered(answer, pending))

    def _answered(self, answer: "asyncio.Future[m.Ack]", said: Pending) -> None:
        self.pending.pop(answer, None)
        self._waiting -= 1
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        if error is None and answer.result().duplicate:
            self._on_same(said)
        elif error is None:
            self._acknowledged(answer.result().seq, said.room)
        if not self._waiting:
            self._echoed.clear()  # what is acknowledged later comes later, too
        if isinstance(error, RefusedError) and not self._client.over:  # else it is kept, and sent the next time
            self._on_refused(said, error)

    def note(self, event: m.Durable) -> None:
        """Take note of a message. If it is an echo, what it echoes is pending no more."""
        self._last = max(self._last, event.seq)
        if event.from_ != self._client.from_:
            return
        if event.seq in self._unechoed:
            del self._unechoed[event.seq]
            self._update()
        elif self._waiting:
            self._echoed.add(event.seq)
            if self._client.member is None:  # else it may have been said on another device
                self._end_row(event)

    def _end_row(self, event: m.Durable) -> None:
        """What this echoes is pending no more."""
        echoed = next((answer for answer, said in self.pending.items() if said.is_stored_as(event)), None)
        if echoed is not None:
            del self.pending[echoed]

    def _acknowledged(self, seq: int | None, room: str | None) -> None:
        if seq in self._echoed:
            self._echoed.discard(seq)
        elif seq is not None and room not in self._left:
            self._unechoed[seq] = room
            self._update()

    def _update(self) -> None:
        (self._matched.clear if self._unechoed else self._matched.set)()

    def enter(self, room: str) -> None:
        """Expect echoes from a room."""
        self._left.discard(room)

    def leave(self, room: str) -> None:
        """Expect no more echoes from a room."""
        self._left.add(room)
        self._unechoed = {seq: where for seq, where in self._unechoed.items() if where != room}
        self._update()

    def go_back(self, shared: int) -> None:
        """The log went back: forget what comes after this point."""
        self._last = min(self._last, shared)
        self._unechoed = {seq: where for seq, where in self._unechoed.items() if seq <= shared}
        self._echoed = {seq for seq in self._echoed if seq <= shared}
        self._update()

    async def settle(self, patience: float | None) -> None:
        """Wait until all is acknowledged (at most `patience` seconds), and shown."""
        try:
            async with asyncio.timeout(patience):
                await self._client.drain()
            async with asyncio.timeout(ECHO):
                await self._matched.wait()
        except TimeoutError:
            pass


async def _numbered(doing: "asyncio.Task[m.Ack]") -> "asyncio.Future[m.Ack]":
    """Let a task begin before what comes after it: so it has the lower number."""
    await asyncio.sleep(0)
    return doing
