"""One run of a bot: a client, which of its events go to handlers in which order, and how far each room is finished.

The loop that takes events waits for no handler (unless very many are at work), so that the answer to a question can
arrive while its handler waits. An event is finished when all its handlers are, whether they succeeded or not
(`handling.py`); an exception costs that event only. A handler that is cut short, because the bot stops or the client
has ended, leaves its event unfinished, and the next run begins with it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from zchat.client.client import ChatClient
from zchat.client.consumer import CHAINED, DIRECT, Change, Consumer
from zchat.client.core import notices
from zchat.client.core.phrases import phrase, place
from zchat.client.senders import Senders
from zchat.errors import (
    RefusedError,
    SessionEndedError,
    StorageError,
    TimedOutError,
    UnreachableError,
)
from zchat.protocol import messages as m

from . import pending
from .catching_up import CatchingUp
from .definition import Definition
from .dialogs import Dialogs
from .handlers import Invocation
from .handling import Handling
from .missed_direct import missed_messages
from .store import BotFile
from .watchdog import Watchdog

RETRY = 1.0  # seconds between two tries for a broker that is not there yet

log = logging.getLogger(__name__)


class Runner:
    """Runs what `definition` says until `stop()`, or until the broker ends it for good.

    `connect` makes the client: it takes its outbox, and what is known of the log (`epochs`, `through`).
    """

    def __init__(self, definition: Definition, file: BotFile, connect: Callable[..., ChatClient]) -> None:
        self.definition, self.file, self._new_client = definition, file, connect
        self.ready = asyncio.Event()
        self.tries = 0  # to reach the broker
        self.client: ChatClient
        self.consumer: Consumer
        self._handling: Handling  # once it is connected
        self._dialogs = Dialogs()
        self._senders = Senders()
        self._fault: StorageError | None = None
        self._entered: set[str] = set()  # rooms with a cursor
        self._ended: notices.Ended | None = None
        self._stop, self._moved = asyncio.Event(), asyncio.Event()
        self._behind: set[str] = {DIRECT}  # streams whose events were sent while the bot was away
        self._history: set[str] = set()  # the same, while it was disconnected for a moment
        self._waiting = CatchingUp()

    def stop(self) -> None:
        """Take no more events, and end once those at work are finished."""
        self._stop.set()

    async def run(self) -> None:
        """Connect, and go on where the last run ended. Raises ZchatError for what does not get better by waiting."""
        if await self._connect():
            with Watchdog(self.definition.all_handlers()):
                try:
                    await self._serve()
                finally:
                    await self._end()

    async def finished(self, stream: str, seq: int) -> None:
        """Wait until everything through `seq` in a stream is finished."""
        while not self.consumer.is_finished(stream, seq):
            self._moved.clear()
            await self._moved.wait()

    def look_at_clock(self) -> None:
        """Let the schedules see what time it is: the bot's clock has jumped."""
        if self.ready.is_set():
            self._handling.look_at_clock()

    # -- from the first connection to the end

    async def _connect(self) -> bool:
        """Wait for the broker as long as it takes; False if the bot was stopped before."""
        path, remembered = self.file.path.with_suffix(".outbox"), False
        while not self._stop.is_set():
            self.tries += 1
            if not remembered:
                self.consumer = Consumer(self.file, acts=True)
            kept = self.consumer.kept
            self.client = self._new_client(path, epochs=kept.epochs, through=kept.through)
            try:
                await self.client.__aenter__()
                log_id = self.client.welcome.log if self.client.welcome else ""
                if remembered := self.consumer.remembers(log_id, self.client.shared):
                    await self.client.close()
                    continue
                await self._take_up(log_id)
            except (UnreachableError, TimedOutError) as error:
                await self.client.close()
                log.log(logging.WARNING if self.tries == 1 else logging.DEBUG, "%s Trying again until it does.", error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), RETRY)
            except BaseException:
                await self.client.close()
                raise
            else:
                return True
        return False

    async def _take_up(self, log_id: str) -> None:
        """Go on in each room where the last run ended; in a room that is new, begin with what comes."""
        self.consumer.begin_log(log_id, self.client.epochs, self.client.shared)
        self._handling = self._new_handling()
        await pending.send_pending(self.file.pending(), self.client, self.file)
        cursor, self._missed = await missed_messages(self.client, self.consumer.cursor(DIRECT))
        self.consumer.begin(DIRECT, cursor)
        self._entered.clear()
        for room in self.definition.rooms:
            await self._enter(room)

    def _new_handling(self) -> Handling:
        handling = Handling(
            self.definition,
            self.file,
            self.consumer,
            self.client,
            self._dialogs,
            carried=self._carried,
            save=self._save,
            failed=self._failed,
        )
        handling.remember()
        return handling

    def _carried(self, seq: int) -> Iterable[int]:
        return self._waiting.carried(seq)

    def _failed(self, fault: StorageError) -> None:
        self._fault = fault
        self.stop()

    async def _enter(self, room: str) -> None:
        """Go on in a room; one that is private, and that the bot is not let into, waits until it is."""
        known = self.consumer.cursor(room)
        try:
            joined = await self.client.join(room, after=known)
        except RefusedError as error:
            if error.code != "unknown_room":
                raise
            log.warning("%s is not let into %s: it goes on without, until it is admitted", self.client.nick, room)
            return
        if known is not None:
            self._behind.add(room)
        for member in joined.members:
            self._senders.seen(member)
        if room not in self._entered:  # else its cursor stands, with what is at work there
            self._entered.add(room)
            self.consumer.begin(room, joined.head if known is None else known)

    async def _serve(self) -> None:
        schedules = map(self._handling.run_schedule, self.definition.scheduled)
        loops = [asyncio.create_task(self._listen()), asyncio.create_task(self._stop.wait())]
        loops += [asyncio.create_task(self._handling.guarded(each)) for each in schedules]
        self.ready.set()
        log.info("%s is in %s", self.client.nick, ", ".join(self.definition.rooms))
        try:
            done, _ = await asyncio.wait(loops[:2], return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
            if self._fault is not None:
                raise self._fault
        finally:
            for each in loops:
                each.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _end(self) -> None:
        """Let the handlers at work finish if they do so soon, save the cursors, and leave."""
        try:
            await self._handling.end(patiently=self._stop.is_set())
        finally:
            self._save()
            await self.client.close()

    # -- events

    async def _listen(self) -> None:
        for message in self._missed:
            await self._take(message)
        await self._caught_up(DIRECT)
        async for batch in self.client.batches():
            self._history = set(map(_stream, batch.events)) - self._behind if batch.history else set()
            for event in batch.events:
                await self._take(event)
            for stream in self._history:
                await self._caught_up(stream)
            self._save()
        if self._ended is not None and self._ended.reason != "replaced":
            raise SessionEndedError(self._ended.reason, self._ended.text, self._ended.by)
        raise RefusedError("ended", "the broker has ended this bot's session: another one may run under its identity")

    async def _take(self, event: Any) -> None:
        """Begin what an event asks for, or let it wait until its stream has caught up."""
        self._notice(event)
        if isinstance(event, notices.CaughtUp):
            await self._caught_up(event.room)
        if isinstance(event, CHAINED):  # its `seq` is of no room, and no handler takes it
            await self._changed(event)
            return
        seq = getattr(event, "seq", None)
        stream = _stream(event)
        if seq is not None:
            self.consumer.reach(stream, seq, self.client.joined_at(stream))
            if not self.consumer.take(stream, seq):
                return
        if seq is not None and stream in self._behind | self._history and not self.consumer.is_skipped(stream):
            for waited in self._waiting.hold(stream, event):
                await self._deal(waited, stream)
        else:
            await self._deal(event, stream)

    async def _caught_up(self, stream: str) -> None:
        """Begin what has waited until all that was sent meanwhile had come."""
        for event in self._waiting.release(stream):
            await self._deal(event, stream)
        self._behind.discard(stream)

    async def _deal(self, event: Any, stream: str) -> None:
        seq = getattr(event, "seq", None)
        if isinstance(event, m.Message) and not await self._is_own(event) and await self._answers(event, stream):
            return
        invocations = [] if self.consumer.is_skipped(stream) else await self._invocations(event)
        if invocations:
            await self._handling.begin(event, stream, invocations)
        elif seq is not None:
            self._waiting.carried(seq)
            self.consumer.finish(stream, seq)

    async def _changed(self, event: m.Administrative) -> None:
        """Enter a room of the bot's into which it was just let."""
        if not isinstance(event, m.AccessChanged) or event.from_ != self.client.from_:
            return
        missing = event.room in self.definition.rooms and event.room not in self.client.rooms
        if event.change == "admitted" and missing:
            with suppress(TimedOutError):
                await self._enter(event.room)

    def _notice(self, event: Any) -> None:
        """Take a notice of the client's, or who joins."""
        change = self.consumer.notice(event)
        if change is Change.OTHER_LOG:  # the direct messages that were sent in it before do not come
            log.warning("the broker has another log now: beginning with what comes")
            self._handling.done = set()
            self._waiting = CatchingUp()
        elif change is Change.WENT_BACK:
            self._handling.remember()
        if isinstance(event, notices.WentBack):
            self._waiting.forget_above(event.shared)
            log.warning("the broker's log went back to %d: going on from there", event.shared)
            for command in event.lost:
                log.warning("stored once and gone with it: %s %.60r", place(command), phrase(command))
        elif isinstance(event, notices.Removed):
            log.warning("%s is not in %s any more: %s", self.client.nick, event.room, event.why)
        elif isinstance(event, notices.Ended):
            self._ended = event
        elif isinstance(event, notices.Deferred | notices.Stalled | notices.Flowing):
            _log_storing(event)
        elif isinstance(event, m.MemberJoined):
            self._senders.seen(event)

    async def _answers(self, message: m.Message, stream: str) -> bool:
        """Say whether this is the answer to a question; if so, whoever asked has it now."""
        if stream in self._behind:
            await self._dialogs.wait_turn((message.room, message.from_))
        return self._dialogs.answer(message, stream)

    async def _invocations(self, event: Any) -> list[Invocation]:
        """Return what an event asks for; nothing if the bot itself or another bot did it."""
        if await self._is_own(event):
            return []
        found = self.definition.invocations(event)
        if isinstance(event, m.Edited):  # its text may be old, or a command that was run with its message
            old = self._waiting.is_outdated(event.seq) or (event.seq, "") in self._handling.done
            found = [each for each in found if not (old and each.handler.command)]
        return found if found and not await self._is_bot(event) else []

    async def _is_own(self, event: Any) -> bool:
        """Say whether the bot did this. It may be one device of a member; on another one a person may be talking."""
        if isinstance(event, m.Durable) and event.from_ == self.client.from_:
            return await self.client.is_own(event)
        return getattr(event, "from_", "") == self.client.from_ or getattr(event, "nick", "") == self.client.nick

    async def _is_bot(self, event: Any) -> bool:
        if isinstance(event, m.Durable) and event.from_ == self.client.from_:
            return False  # the roster shows the devices of a member as one
        return await self._senders.is_bot(self.client, event)

    def _save(self) -> None:
        self.consumer.save()
        self._moved.set()


def _stream(event: Any) -> str:
    return getattr(event, "room", None) or DIRECT


def _log_storing(notice: notices.Deferred | notices.Stalled | notices.Flowing) -> None:
    match notice:
        case notices.Deferred(why=why):
            log.warning("not stored yet, and sent again: %s", why)
        case notices.Stalled(why=why):
            log.warning("the brokers cannot store anything now: %s. What the bot says waits", why)
        case notices.Flowing():
            log.warning("the brokers store again what they are sent")
