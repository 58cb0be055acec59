"""The agent in the chat: one session that is kept, its rooms, and a bell that rings when something has happened there.

Nothing that comes live is kept for tools. Who waits for something asks the log for what came behind a cursor, and asks
again when the bell rings. So what was said between two calls, during a restart of the broker, or while nobody waited is
found like everything else, and there is no queue that could overflow.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from zchat.client.client import Batch, ChatClient
from zchat.client.core import notices
from zchat.client.senders import Senders
from zchat.errors import RefusedError, SessionEndedError, TimedOutError, UnreachableError
from zchat.protocol import messages as m

from .bounds import Bounds
from .faults import AwayError

PATIENCE = 20.0  # seconds that a tool waits for a broker that is away: a restart takes less, and hosts give up later
RETRY = 1.0  # seconds between two tries for a broker that is not there yet

log = logging.getLogger(__name__)

T = TypeVar("T")
Changed = Callable[[set[tuple[str | None, int | None]]], Awaitable[None]]  # places: a room, or a thread by its root


async def _nobody(_places: set[tuple[str | None, int | None]]) -> None:
    """Nobody has to know what changed."""


class Agent:
    """Keeps `connect()`'s client in the rooms of `bounds`; `changed` hears where something happened."""

    def __init__(self, bounds: Bounds, connect: Callable[[], ChatClient], changed: Changed = _nobody) -> None:
        self.bounds, self._connect, self._changed = bounds, connect, changed
        self.senders = Senders()
        self.bell = asyncio.Event()
        self.patience = PATIENCE
        self._client: ChatClient | None = None
        self._ready = asyncio.Event()
        self._why = "it has not answered yet"
        self._ended: notices.Ended | None = None

    async def run(self) -> None:
        """Connect, wait for the broker as long as it takes, and stay. Raises ZchatError for what ends it."""
        client = await self._reach()
        try:
            self._ready.set()
            async for batch in client.batches():
                await self._take(batch)
        finally:
            self._ready.clear()
            await client.close()
        if self._ended is not None:
            raise SessionEndedError(self._ended.reason, self._ended.text, self._ended.by)

    @property
    def client(self) -> ChatClient:
        """The client. Raises AwayError before it was connected for the first time."""
        if self._client is None or not self._ready.is_set():
            raise AwayError(self._why)
        return self._client

    async def reached(self) -> ChatClient:
        """Return the client, once it was connected; it may have to wait. Raises AwayError."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):  # asyncio.wait_for may swallow that the call was cancelled
                await self._ready.wait()
        return self.client

    async def answer(self, question: Awaitable[T]) -> T:
        """Return the answer to a question that goes on over a restart of the broker. Raises AwayError, ZchatError."""
        try:
            return await question
        except TimedOutError:
            if self.client.online:
                raise
            raise AwayError(self._why) from None

    async def stored(self, ack: "asyncio.Future[m.Ack]") -> m.Ack | None:
        """Return the ack of what was said; None if that takes too long, and then it waits for the broker."""
        ack.add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )  # nobody may be there any more to read it
        await asyncio.wait([ack], timeout=self.patience)
        return ack.result() if ack.done() else None

    @property
    def why(self) -> str:
        """Why the broker is not there, or cannot store anything."""
        client = self._client
        return (client and (client.stalled or client.deferred)) or self._why

    async def is_bot(self, message: m.Message) -> bool:
        """Say whether a bot wrote this."""
        return await self.senders.is_bot(self.client, message)

    # -- connecting

    async def _reach(self) -> ChatClient:
        while True:
            client = self._connect()
            try:
                await client.__aenter__()
                self._client = client
                for room in self.bounds.rooms:
                    await self._enter(client, room)
            except (UnreachableError, TimedOutError) as error:
                await client.close()
                if str(error) != self._why:
                    log.warning("%s Trying again until it does.", error)
                self._why = str(error)
                await asyncio.sleep(RETRY)
            except BaseException:
                await client.close()
                raise
            else:
                return client

    async def _enter(self, client: ChatClient, room: str) -> None:
        """Join a room; one that is private, and that the agent is not let into, waits until it is."""
        try:
            joined = await client.join(room)
        except RefusedError as error:
            if error.code != "unknown_room":
                raise
            log.warning("%s is not let into %s, until it is admitted", client.nick, room)
            return
        for member in joined.members:
            self.senders.seen(member)

    # -- what happens

    async def _take(self, batch: Batch) -> None:
        places: set[tuple[str | None, int | None]] = set()
        rings = False
        for event in batch.events:
            if isinstance(event, m.Durable) and self.bounds.sees(event.room):
                places |= _places(event)
            rings = rings or isinstance(event, notices.Online | notices.WentBack | notices.CaughtUp)
            await self._notice(event)
        if places or rings:
            self.ring()
        if places:
            await self._changed(places)

    async def _notice(self, event: Any) -> None:
        match event:
            case notices.Ended():
                self._ended = event
            case notices.Offline(why=why) | notices.KeptOut(why=why):
                self._why = why
            case notices.Removed(room=room, why=why):
                log.warning("not in %s any more: %s", room, why)
            case m.MemberJoined():
                self.senders.seen(event)
            case m.AccessChanged(change="admitted", room=room, from_=from_) if from_ == self.client.from_:
                if room in self.bounds.rooms and room not in self.client.rooms:
                    with suppress(TimedOutError):
                        await self._enter(self.client, room)

    def ring(self) -> None:
        """Wake all who wait, so that they look."""
        self.bell.set()
        self.bell = asyncio.Event()


def _places(event: Any) -> set[tuple[str | None, int | None]]:
    """Return where an event has changed something: its room, and the thread that it may belong to."""
    roots = {getattr(event, name, None) for name in ("seq", "thread", "target")} - {None}
    return {(event.room, None)} | {(event.room, root) for root in roots}
