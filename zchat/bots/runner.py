"""One run of a bot: a client, the handlers that its events start, and how far each room is finished.

The loop that takes events in waits for no handler (unless RUNNING_MAX are at work), so that the answer to a question
can arrive while its asker waits. Each event that somebody cares for becomes a task. An event is finished when all its
handlers are, whether they succeeded or not; an exception costs that event only. A handler that is cut short, because
the bot stops or the client ended, leaves its event unfinished, and the next run begins with it.
"""

import asyncio
import functools
import logging
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from zchat.client.client import ChatClient, check_size
from zchat.client.consumer import DIRECT, Change, Consumer
from zchat.client.core import notices
from zchat.errors import ClosedError, RefusedError, StorageError, TimedOutError, UnreachableError
from zchat.protocol import messages as m

from .context import Asked, Context
from .core.schedule import Rhythm
from .handlers import Handler, Work
from .invoke import apologise, called
from .private import missed
from .senders import Senders
from .store import BotFile, Call, Mark, Saying, Transaction, current
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .bot import Bot

RUNNING_MAX = 1_000  # events being handled: beyond that the feed waits
RETRY = 1.0  # seconds between two tries for a broker that is not there yet
STOPPING = 5.0  # seconds for handlers to end before they are cut short
LOOK = 60.0  # seconds between two looks at the clock on the wall, which may be set, or go on while the machine sleeps
TURN = 2.0  # seconds that an old message waits for the handler of the one before it

log = logging.getLogger(__name__)

Place = tuple[str | None, str]
Answer = tuple[m.Message, str]


class Runner:
    """Runs `bot` until `stop()`, or until the broker ends it for good."""

    def __init__(self, bot: "Bot", file: BotFile) -> None:
        self.bot, self.file = bot, file
        self.ready = asyncio.Event()
        self.tries = 0  # to reach the broker
        self.client: ChatClient
        self.consumer: Consumer
        self._done: set[tuple[int, str]] = set()  # what is finished beyond the cursors: seq and handler
        self._asking: dict[Place, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders = Senders()
        self._fault: StorageError | None = None
        self._stop, self._moved, self._turn = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._look = asyncio.Event()
        self._busy: dict[Place, asyncio.Task[None]] = {}  # what each person's last message has begun
        self._behind: set[str] = {DIRECT}  # rooms whose events were said while the bot was away

    def stop(self) -> None:
        """Take no more events, and end once those at work are finished."""
        self._stop.set()

    async def run(self) -> None:
        """Connect, take up where the last run ended, and go on. Raises ZchatError for what time does not heal."""
        if await self._connect():
            with Watchdog(self.bot.all_handlers()):
                try:
                    await self._serve()
                finally:
                    await self._end()

    async def say(self, saying: Saying) -> m.Ack:
        """Say something; return once it is on the broker's disk."""
        return await (await self._post(saying))

    @contextmanager
    def asking(self, place: Place) -> Iterator["asyncio.Future[Answer]"]:
        """Take what this person says next in this place, instead of handling it."""
        if place in self._asking:
            raise RuntimeError("this person is being asked something else already")
        self._asking[place] = asyncio.get_running_loop().create_future()
        self._turn.set()
        try:
            yield self._asking[place]
        finally:
            del self._asking[place]

    async def finished(self, room: str, seq: int) -> None:
        """Wait until all through `seq` in a room is finished."""
        while not self.consumer.is_finished(room, seq):
            self._moved.clear()
            await self._moved.wait()

    # -- from the first connection to the end

    async def _connect(self) -> bool:
        """Wait for the broker as long as it takes; False if the bot was stopped before."""
        path, remembered = self.file.path.with_suffix(".outbox"), False
        while not self._stop.is_set():
            self.tries += 1
            if not remembered:
                self.consumer = Consumer(self.file, acts=True)
            kept = self.consumer.kept
            self.client = self.bot.client(path, epochs=kept.epochs, through=kept.through)
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
        """Enter the rooms where the last run left them; in a room that is new, begin with what comes."""
        self.consumer.begin_log(log_id, self.client.epochs, self.client.shared)
        self._done = self.file.done(log_id)
        await self._settle(self.file.unsaid())
        cursor, self._missed = await missed(self.client, self.consumer.cursor(DIRECT))
        self.consumer.begin(DIRECT, cursor)
        for room in self.bot.rooms:
            known = self.consumer.cursor(room)
            joined = await self.client.join(room, after=known)
            if known is not None:
                self._behind.add(room)
            for member in joined.members:
                self._senders.seen(member)
            self.consumer.begin(room, joined.head if known is None else known)

    async def _serve(self) -> None:
        loops = [asyncio.create_task(self._listen()), asyncio.create_task(self._stop.wait())]
        loops += [asyncio.create_task(self._guarded(self._repeat(each))) for each in self.bot.repeated]
        self.ready.set()
        log.info("%s is in %s", self.client.nick, ", ".join(self.bot.rooms))
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
        """Let what is at work finish if it does so soon, note how far it came, and leave."""
        try:
            if self._tasks and self._stop.is_set():
                await asyncio.wait(self._tasks, timeout=STOPPING)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._save()
            await self.client.close()

    # -- events

    async def _listen(self) -> None:
        for message in self._missed:
            await self._take(message)
        self._behind.discard(DIRECT)
        async for batch in self.client.batches():
            for event in batch.events:
                await self._take(event)
            self._save()
        raise RefusedError("ended", "the broker has ended this bot's session: another one may run under its identity")

    async def _take(self, event: Any) -> None:
        """Begin what an event asks for."""
        self._notice(event)
        seq = getattr(event, "seq", None)
        room = getattr(event, "room", None) or DIRECT
        if seq is not None and not self.consumer.take(room, seq):
            return
        if isinstance(event, m.Message) and event.from_ != self.client.from_ and await self._answers(event, room):
            return
        work = [] if self.consumer.is_skipped(room) else await self._work(event)
        if work:
            await self._begin(event, room, work)
        elif seq is not None:
            self.consumer.finish(room, seq)

    def _notice(self, event: Any) -> None:
        """Take what the client tells, and who comes."""
        change = self.consumer.notice(event)
        if change is Change.OTHER_LOG:  # what was said in it to us alone meanwhile does not come
            log.warning("the broker has another log now: beginning with what comes")
            self._done = set()
        elif change is Change.WENT_BACK:
            self._done = self.file.done(self.consumer.log)
        if isinstance(event, notices.WentBack):
            log.warning("the broker's log went back to %d: going on from there", event.shared)
            for command in event.lost:
                where = command.room or getattr(command, "to", None) or ""
                log.warning("said in %s and gone with it: %.60r", where, command.text)
        elif isinstance(event, notices.Deferred):
            log.warning("not stored yet, and sent again: %s", event.why)
        elif isinstance(event, notices.CaughtUp):
            self._behind.discard(event.room)
        elif isinstance(event, m.MemberJoined):
            self._senders.seen(event)

    async def _answers(self, message: m.Message, room: str) -> bool:
        """Say whether this is the answer to a question; if so, whoever asked has it now."""
        place = (message.room, message.from_)
        if room in self._behind:
            await self._answerable(place)
        waiting = self._asking.get(place)
        if waiting is None or waiting.done():
            return False
        waiting.set_result((message, room))
        return True

    async def _begin(self, event: Any, room: str, work: list[Work]) -> None:
        while len(self._tasks) >= RUNNING_MAX:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        place = (getattr(event, "room", None), getattr(event, "from_", ""))
        task = self._task(self._handle(event, room, work))
        self._busy[place] = task
        task.add_done_callback(functools.partial(self._ended, place))

    def _task(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[None]":
        """Begin something that may finish before the bot stops."""
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _ended(self, place: Place, task: "asyncio.Task[None]") -> None:
        if self._busy.get(place) is task:
            del self._busy[place]
        self._turn.set()

    async def _answerable(self, place: Place) -> None:
        """Wait until what this person said before is finished, or asks: this may be the answer, given long ago."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN):
                while place in self._busy and place not in self._asking:
                    self._turn.clear()
                    await self._turn.wait()

    async def _work(self, event: Any) -> list[Work]:
        """Return what there is to do; nothing for what the bot itself or another bot did."""
        if getattr(event, "from_", "") == self.client.from_ or getattr(event, "nick", "") == self.client.nick:
            return []
        work = self.bot.work(event)
        return work if work and not await self._senders.is_bot(self.client, event) else []

    def _save(self) -> None:
        self.consumer.save()
        self._moved.set()

    # -- handlers

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        """Await something; a store that cannot be written ends the bot, before it forgets what it did."""
        try:
            await work
        except ClosedError:
            pass
        except StorageError as error:
            self._fault = error
            self.stop()

    async def _handle(self, event: Any, room: str, work: list[Work]) -> None:
        """Run all handlers of one event; it is finished then, whatever came of it."""
        seq: int | None = getattr(event, "seq", None)
        also: list[tuple[str, int]] = []
        epoch = self.consumer.epoch(seq or 0)
        for each in work:
            if self.is_gone(seq, epoch):
                break
            mark = None if seq is None else Mark(self.consumer.log, room, seq, each.handler.name)
            if seq is None or (seq, each.handler.name) not in self._done:
                try:
                    also += await self._attempt(each, event, mark)
                except ClosedError:
                    return  # the client is gone, not the event: the next run takes it up
        for finished_in, finished in [(room, None if self.is_gone(seq, epoch) else seq), *also]:
            if finished is not None:
                self.consumer.finish(finished_in, finished)
        self._save()

    def is_gone(self, seq: int | None, epoch: str) -> bool:
        """Say whether an event is in the log no more: its seq is of another epoch now, and may be another event's."""
        return seq is not None and self.consumer.epoch(seq) != epoch

    async def _attempt(self, work: Work, event: Any, mark: Mark | Call | None) -> list[tuple[str, int]]:
        """Run one handler to its end, anew if what it had read has changed; return what it has taken besides."""
        asked: list[Asked] = []  # people are asked once, however often it is run
        while True:
            current.set(None)
            context = Context(self, work.handler.name, event, work.match, asked)
            gone = functools.partial(self.is_gone, context.seq, context.epoch)
            failed = not await called(work, context, self.client)
            current.set(None)
            transaction = Transaction() if failed or context.transaction is None else context.transaction
            ids = self.file.commit(transaction, None if gone() else mark)
            if ids is None:
                continue
            await self._settle(zip(ids, transaction.sayings, strict=True))
            if failed:
                await apologise(work.handler.name, context, self.client)
            return [(each.answer[1], each.answer[0].seq) for each in asked if each.answer is not None]

    async def _repeat(self, handler: Handler) -> None:
        """Call a handler whenever it is due; a call at work when the bot is stopped is finished as any other."""
        clock = self.bot.clock
        last = self.file.called(handler.name)
        rhythm = Rhythm(handler.seconds, last, clock())
        if last is None:
            self.file.commit(Transaction(), Call(handler.name, rhythm.last))
        while True:
            while wait := rhythm.wait(clock()):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._look.wait(), min(wait, LOOK))
            rhythm.called(clock())
            await asyncio.shield(self._task(self._attempt(Work(handler), None, Call(handler.name, rhythm.last))))

    def look_at_clock(self) -> None:
        """Let the handlers that are called again and again see what time it is: `bot.clock` has jumped."""
        self._look.set()
        self._look = asyncio.Event()

    # -- saying

    def check(self, saying: Saying) -> None:
        """Refuse what could not be sent. Raises RefusedError."""
        command = m.Say(n=1, room=saying.room, to=saying.to, with_=saying.with_, text=saying.text, once=saying.once)
        check_size(command, self.client.welcome)

    async def _post(self, saying: Saying) -> "asyncio.Future[m.Ack]":
        return await self.client.post(
            saying.text,
            room=saying.room,
            to=saying.to,
            with_=saying.with_,
            kind=saying.kind,  # type: ignore[arg-type]
            reply_to=saying.reply_to,
            once=saying.once,
        )

    async def _settle(self, sayings: Iterable[tuple[int, Saying]]) -> None:
        for id_, saying in sayings:
            try:
                self._said(id_, await self._post(saying))
            except RefusedError as error:
                if self.client.over:
                    raise
                log.warning("not said: %s", error)  # this broker takes less than the one it was meant for
                self.file.said(id_)

    def _said(self, id_: int, answer: "asyncio.Future[m.Ack]") -> None:
        """Strike out what was to be said once the broker has answered, whatever it answers."""

        def settle(done: "asyncio.Future[m.Ack]") -> None:
            error = None if done.cancelled() else done.exception()
            if done.cancelled() or isinstance(error, ClosedError) or self.client.over:
                return
            if error is not None:
                log.warning("not said: %s", error)
            self.file.said(id_)

        answer.add_done_callback(settle)
