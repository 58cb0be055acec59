"""One run of a bot: a client, the handlers that its events start, and how far each room is finished.

The loop that takes events in never waits for a handler, so that the answer to a question can arrive while its asker
waits. Each event that somebody cares for becomes a task. An event is finished when all its handlers are, whether they
succeeded or not; an exception costs that event only. A handler that is cut short, because the bot stops or the client
ended, leaves its event unfinished, and the next run begins with it.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from zchat.client import session
from zchat.client.client import ChatClient
from zchat.errors import ClosedError, RefusedError, StorageError, TimedOutError, UnreachableError
from zchat.protocol import messages as m
from zchat.protocol import wire

from .commands import WrongCallError
from .context import Context, NoAnswerError, PlainContext
from .handlers import Handler, Work
from .progress import Progress
from .senders import Senders
from .store import BotFile, Mark, Saying, Transaction, current

if TYPE_CHECKING:
    from .bot import Bot

RUNNING_MAX = 1_000  # events being handled: beyond that the feed waits
RETRY = 1.0  # seconds between two tries for a broker that is not there yet
STOPPING = 5.0  # seconds for handlers to end before they are cut short
PRIVATE = "@"  # where all direct messages stand among the rooms

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
        self.progress: dict[str, Progress] = {}
        self._log = ""
        self._done: set[tuple[int, str]] = set()
        self._kept: dict[str, int] = {}  # the places on disk
        self._mute: set[str] = set()  # rooms whose old events are no news
        self._asking: dict[Place, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders = Senders()
        self._fault: StorageError | None = None
        self._stop, self._moved = asyncio.Event(), asyncio.Event()

    def stop(self) -> None:
        """Take no more events, and end once those at work are finished."""
        self._stop.set()

    async def run(self) -> None:
        """Connect, take up where the last run ended, and go on. Raises ZchatError for what time does not heal."""
        if await self._connect():
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
        try:
            yield self._asking[place]
        finally:
            del self._asking[place]

    async def finished(self, room: str, seq: int) -> None:
        """Wait until all through `seq` in a room is finished."""
        while not self.progress[room].idle(seq):
            self._moved.clear()
            await self._moved.wait()

    # -- from the first connection to the end

    async def _connect(self) -> bool:
        """Wait for the broker as long as it takes; False if the bot was stopped before."""
        while not self._stop.is_set():
            self.tries += 1
            self.client = self.bot.client(self.file.path.with_suffix(".outbox"))
            try:
                await self.client.__aenter__()
                await self._take_up()
            except (UnreachableError, TimedOutError) as error:
                await self.client.close()
                log.warning("%s Trying again.", error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), RETRY)
            except BaseException:
                await self.client.close()
                raise
            else:
                return True
        return False

    async def _take_up(self) -> None:
        """Enter the rooms where the last run left them; in a room that is new, begin with what comes."""
        welcome = self.client.welcome
        self._log = welcome.log if welcome else ""
        self._done = self.file.done(self._log)
        await self._settle(self.file.unsaid())
        self._private = await self._missed()
        for room in self.bot.rooms:
            place = self.file.place(self._log, room)
            joined = await self.client.join(room, after=place)
            for member in joined.members:
                self._senders.seen(member)
            self._begin_at(room, joined.head if place is None else place)

    def _begin_at(self, room: str, place: int) -> None:
        self.progress[room] = Progress(place)
        self.file.move(self._log, room, place)
        self._kept[room] = place

    async def _missed(self) -> list[m.Message]:
        """Return the direct messages since the last run: each conversation's, through one moment."""
        pong = await self.client.ask(m.Ping())
        assert isinstance(pong, m.Pong)  # noqa: S101 — the client matches answers to questions
        heads = {name[1:]: head for name, head in pong.heads.items() if name.startswith("@")}
        most = max(heads.values(), default=0)
        place = self.file.place(self._log, PRIVATE)
        self._begin_at(PRIVATE, most if place is None else place)
        found: list[m.Message] = []
        for nick, head in heads.items():
            after = most if place is None else place
            while after < head:
                page = await self.client.ask(m.AskHistory(to=nick, after=after))
                assert isinstance(page, m.History)  # noqa: S101 — the client matches answers to questions
                events = [wire.event(line) for line in page.events]
                found += [event for event in events if isinstance(event, m.Message) and event.seq <= most]
                if page.upto <= after or not page.more:
                    break
                after = page.upto
        return sorted(found, key=lambda event: event.seq)

    async def _serve(self) -> None:
        loops = [asyncio.create_task(self._listen()), asyncio.create_task(self._stop.wait())]
        loops += [asyncio.create_task(self._repeat(each)) for each in self.bot.repeated]
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
            self._keep_places()
            await self.client.close()

    # -- events

    async def _listen(self) -> None:
        for message in self._private:
            await self._take(message)
        async for batch in self.client.batches():
            for event in batch.events:
                await self._take(event)
            self._keep_places()
        raise RefusedError("ended", "the broker has ended this bot's session: another one may run under its identity")

    async def _take(self, event: Any) -> None:
        """Begin what an event asks for."""
        if isinstance(event, session.Online) and event.welcome.log != self._log:
            self._new_log(event.welcome.log)
        elif isinstance(event, session.CaughtUp):
            self._mute.discard(event.room)
        elif isinstance(event, m.MemberJoined):
            self._senders.seen(event)
        seq = getattr(event, "seq", None)
        room = getattr(event, "room", None) or PRIVATE
        progress = self.progress.get(room)
        if seq is not None and (progress is None or not progress.begin(seq)):
            return
        work = [] if room in self._mute else await self._work(event)
        if isinstance(event, m.Message) and event.from_ != self.client.from_:
            waiting = self._asking.get((event.room, event.from_))
            if waiting is not None and not waiting.done():
                waiting.set_result((event, room))
                return
        if work:
            while len(self._tasks) >= RUNNING_MAX:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._guarded(self._handle(event, room, work)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif progress is not None and seq is not None:
            progress.finish(seq)

    async def _work(self, event: Any) -> list[Work]:
        """Return what there is to do; nothing for what the bot itself or another bot did."""
        if getattr(event, "from_", "") == self.client.from_ or getattr(event, "nick", "") == self.client.nick:
            return []
        work = self.bot.work(event)
        return work if work and not await self._senders.is_bot(self.client, event) else []

    def _new_log(self, log_id: str) -> None:
        """The broker has another log: what it holds already is not for us to act on."""
        log.warning("the broker has another log now: beginning with what comes")
        self._log, self._done = log_id, set()
        for room in self.progress:
            self._begin_at(room, 0)
        self._mute = set(self.bot.rooms)

    def _keep_places(self) -> None:
        for room, progress in self.progress.items():
            if progress.place != self._kept[room]:
                self.file.move(self._log, room, progress.place)
                self._kept[room] = progress.place
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
        for each in work:
            mark = None if seq is None else Mark(self._log, room, seq, each.handler.name)
            if seq is None or (seq, each.handler.name) not in self._done:
                try:
                    also += await self._attempt(each, event, mark)
                except ClosedError:
                    return  # the client is gone, not the event: the next run takes it up
        for finished, place in [(room, seq), *also]:
            if place is not None:
                self.progress[finished].finish(place)
        self._keep_places()

    async def _attempt(self, work: Work, event: Any, mark: Mark | None) -> list[tuple[str, int]]:
        """Run one handler to its end, anew if what it had read has changed; return what it has taken besides."""
        while True:
            current.set(None)
            context = Context(self, work.handler.name, event, work.match)
            failed = not await self._called(work, context)
            current.set(None)
            transaction = Transaction() if failed or context.transaction is None else context.transaction
            ids = self.file.commit(transaction, mark)
            if ids is None:
                continue
            await self._settle(zip(ids, transaction.sayings, strict=True))
            if failed:
                await self._apologise(work.handler, context)
            return context.also

    async def _called(self, work: Work, context: Context) -> bool:
        """Call a handler and say what it returned; False if it failed."""
        call = work.handler.call
        try:
            args, settings = work.arguments(self.bot.prefix)
            if asyncio.iscoroutinefunction(call):
                answer = await call(context, *args, **settings)
            else:
                loop = asyncio.get_running_loop()
                answer = await asyncio.to_thread(call, PlainContext(context, loop), *args, **settings)
            if answer is not None and answer != "":
                await context.reply(str(answer))
        except NoAnswerError as error:
            context.transaction = None
            await self._politely(context, f"I heard nothing for {error.seconds:g} s, so I let it be.")
        except WrongCallError as error:
            await self._politely(context, str(error), whisper=True)
        except Exception as error:
            if isinstance(error, ClosedError) or self.client.over:
                raise ClosedError from error
            log.exception("%s failed", work.handler.name)
            return False
        return True

    async def _apologise(self, handler: Handler, context: Context) -> None:
        context.transaction = None
        if isinstance(context.event, m.Message):
            await self._politely(context, f"Sorry, something went wrong in {handler.name}. It has been logged.")

    async def _politely(self, context: Context, text: str, *, whisper: bool = False) -> None:
        """Tell the one who wrote; in the room, if they cannot be told alone any more."""
        try:
            if whisper:
                with suppress(RefusedError):
                    await context.whisper(text)
                    return
            await context.reply(text)
        except RefusedError as error:
            if self.client.over:
                raise ClosedError from error
            log.warning("could not be told: %s", error)

    async def _repeat(self, handler: Handler) -> None:
        """Call a handler again and again; a run that takes long delays the next, and is never doubled."""
        clock = asyncio.get_running_loop().time
        due = clock() + handler.seconds
        while True:
            await asyncio.sleep(max(0.0, due - clock()))
            due = max(due + handler.seconds, clock())
            await self._guarded(self._attempt(Work(handler), None, None))

    # -- saying

    async def _post(self, saying: Saying) -> "asyncio.Future[m.Ack]":
        return await self.client.post(
            saying.text,
            room=saying.room,
            to=saying.to,
            kind=saying.kind,  # type: ignore[arg-type]
            reply_to=saying.reply_to,
            once=saying.once,
        )

    async def _settle(self, sayings: Iterable[tuple[int, Saying]]) -> None:
        for id_, saying in sayings:
            self._said(id_, await self._post(saying))

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
