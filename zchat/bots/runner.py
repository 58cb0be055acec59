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
from zchat.client.core import notices
from zchat.client.core.history import epoch_of
from zchat.errors import ClosedError, RefusedError, StorageError, TimedOutError, UnreachableError
from zchat.protocol import messages as m

from .context import Asked, Context
from .core.progress import Progress
from .core.schedule import Rhythm
from .handlers import Handler, Work
from .invoke import apologise, called
from .private import missed
from .senders import Senders
from .store import BotFile, Call, History, Mark, Saying, Transaction, current
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .bot import Bot

RUNNING_MAX = 1_000  # events being handled: beyond that the feed waits
RETRY = 1.0  # seconds between two tries for a broker that is not there yet
STOPPING = 5.0  # seconds for handlers to end before they are cut short
LOOK = 60.0  # seconds between two looks at the clock on the wall, which may be set, or go on while the machine sleeps
TURN = 2.0  # seconds that an old message waits for the handler of the one before it
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
        self.epochs: m.Epochs = ()  # the history that all places are of, as far as events were taken
        self._done: set[tuple[int, str]] = set()
        self._kept: dict[str, int] = {}  # the places on disk
        self._mute: set[str] = set()  # rooms whose old events are no news
        self._asking: dict[Place, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders = Senders()
        self._fault: StorageError | None = None
        self._stop, self._moved, self._turn = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._look = asyncio.Event()
        self._busy: dict[Place, asyncio.Task[None]] = {}  # what each person's last message has begun
        self._behind: set[str] = {PRIVATE}  # rooms whose events were said while the bot was away

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
        while not self.progress[room].idle(seq):
            self._moved.clear()
            await self._moved.wait()

    # -- from the first connection to the end

    async def _connect(self) -> bool:
        """Wait for the broker as long as it takes; False if the bot was stopped before."""
        while not self._stop.is_set():
            self.tries += 1
            known = self.file.history(self._log)
            path = self.file.path.with_suffix(".outbox")
            self.client = self.bot.client(path, epochs=known.epochs, through=known.through)
            try:
                await self.client.__aenter__()
                if self._is_elsewhere(known):
                    await self.client.close()
                    continue
                await self._take_up(known)
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

    def _is_elsewhere(self, known: History) -> bool:
        """Say whether this is another log, in which the bot was before: its hello has to tell that one's history."""
        log_id = self.client.welcome.log if self.client.welcome else ""
        if log_id in ("", known.log) or self.client.shared or not self.file.history(log_id).epochs:
            return False
        self._log = log_id
        return True

    async def _take_up(self, known: History) -> None:
        """Enter the rooms where the last run left them; in a room that is new, begin with what comes."""
        welcome, shared = self.client.welcome, self.client.shared
        self._log = welcome.log if welcome else ""
        self.epochs = self.client.epochs
        same = known.log in ("", self._log) or bool(shared)
        self.file.follow(self._log, self.epochs, shared if same else None, known.log if same else self._log)
        self._done = self.file.done(self._log)
        await self._settle(self.file.unsaid())
        head, self._private = await missed(self.client, self.file.place(self._log, PRIVATE))
        self._begin_at(PRIVATE, head)
        for room in self.bot.rooms:
            place = self.file.place(self._log, room)
            joined = await self.client.join(room, after=place)
            if place is not None:
                self._behind.add(room)
            for member in joined.members:
                self._senders.seen(member)
            self._begin_at(room, joined.head if place is None else place)

    def _begin_at(self, room: str, place: int) -> None:
        self.progress[room] = Progress(place)
        self.file.move(self._log, room, place)
        self._kept[room] = place

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
            self._keep_places()
            await self.client.close()

    # -- events

    async def _listen(self) -> None:
        for message in self._private:
            await self._take(message)
        self._behind.discard(PRIVATE)
        async for batch in self.client.batches():
            for event in batch.events:
                await self._take(event)
            self._keep_places()
        raise RefusedError("ended", "the broker has ended this bot's session: another one may run under its identity")

    async def _take(self, event: Any) -> None:
        """Begin what an event asks for."""
        self._notice(event)
        seq = getattr(event, "seq", None)
        room = getattr(event, "room", None) or PRIVATE
        progress = self.progress.get(room)
        if seq is not None and (progress is None or not progress.begin(seq)):
            return
        if isinstance(event, m.Message) and event.from_ != self.client.from_ and await self._answers(event, room):
            return
        work = [] if room in self._mute else await self._work(event)
        if work:
            await self._begin(event, room, work)
        elif progress is not None and seq is not None:
            progress.finish(seq)

    def _notice(self, event: Any) -> None:
        """Take what the client tells, and who comes."""
        if isinstance(event, notices.Online) and event.again:
            self._connected(event)
        elif isinstance(event, notices.WentBack):
            log.warning("the broker's log went back to %d: going on from there", event.shared)
            for command in event.lost:
                where = command.room or getattr(command, "to", None) or ""
                log.warning("said in %s and gone with it: %.60r", where, command.text)
        elif isinstance(event, notices.PutOff):
            log.warning("not stored yet, and sent again: %s", event.why)
        elif isinstance(event, notices.CaughtUp):
            self._mute.discard(event.room)
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

    def _connected(self, online: notices.Online) -> None:
        """Connected again, perhaps to a log that went back, or to another one."""
        log_id, shared = online.welcome.log, online.shared
        if log_id != self._log and not shared:
            self._new_log(log_id)
            shared = None
        self.epochs = online.welcome.epochs
        self.file.follow(log_id, self.epochs, shared, self._log)
        self._log = log_id
        if shared is not None:
            self._done = {each for each in self._done if each[0] <= shared}
            for room, progress in self.progress.items():
                progress.go_back(shared)
                self._kept[room] = min(self._kept[room], shared)

    def _new_log(self, log_id: str) -> None:
        """The broker has another log: what it holds already is not for us to act on, not even if we are killed now.

        So no place in it is written down before something in it was finished. (What was said to us alone in it before
        the client does not bring.)
        """
        log.warning("the broker has another log now: beginning with what comes")
        self._log, self._done = log_id, set()
        for room in self.progress:
            self.progress[room], self._kept[room] = Progress(0), 0
        self._mute = set(self.bot.rooms)

    def _keep_places(self) -> None:
        for room, progress in self.progress.items():
            if progress.place != self._kept[room] and room not in self._mute:
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
        epoch = epoch_of(self.epochs, seq or 0)
        for each in work:
            if self.is_gone(seq, epoch):
                break
            mark = None if seq is None else Mark(self._log, room, seq, each.handler.name)
            if seq is None or (seq, each.handler.name) not in self._done:
                try:
                    also += await self._attempt(each, event, mark)
                except ClosedError:
                    return  # the client is gone, not the event: the next run takes it up
        for finished, place in [(room, None if self.is_gone(seq, epoch) else seq), *also]:
            if place is not None:
                self.progress[finished].finish(place)
        self._keep_places()

    def is_gone(self, seq: int | None, epoch: str) -> bool:
        """Say whether an event is in the log no more: its place is of another epoch now, and may be another event's."""
        return seq is not None and epoch_of(self.epochs, seq) != epoch

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
