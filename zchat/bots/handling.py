"""The handlers at work: each event that invokes some is a task, and it is finished when all of them are.

What a handler stores and what it says are one transaction of the bot's file, beside a note that this handler is done
with this event. So it is invoked once for an event, also after a crash; and an attempt that has read what another one
changed meanwhile begins anew.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, suppress
from typing import Any

from zchat.client.client import ChatClient
from zchat.client.consumer import Consumer
from zchat.client.files import Files
from zchat.errors import ClosedError, StorageError
from zchat.protocol import messages as m

from . import pending
from .context import Asked, Context
from .core.schedule import Schedule
from .definition import Definition
from .dialogs import Answer, Dialog, Dialogs
from .handlers import Handler, Invocation
from .invoke import apologise, invoke
from .store import BotFile, Handled, LastDue, PendingMend, PendingMessage, Store, Transaction, current

RUNNING_MAX = 1_000  # events being handled: beyond that the feed waits
STOPPING = 5.0  # seconds for handlers to end before they are cut short
LOOK = 60.0  # seconds between two looks at the clock on the wall, which may be set, or go on while the machine sleeps


class Handling:
    """The handlers of a bot that is connected. It is also the `Host` of their contexts.

    `carried` returns the edits whose text a message has. `save` keeps how far all is finished. `failed` is told that
    the bot's file cannot be written.
    """

    def __init__(
        self,
        definition: Definition,
        file: BotFile,
        consumer: Consumer,
        client: ChatClient,
        dialogs: Dialogs,
        *,
        carried: Callable[[int], Iterable[int]],
        save: Callable[[], None],
        failed: Callable[[StorageError], None],
    ) -> None:
        self.definition, self.file, self.consumer, self.client = definition, file, consumer, client
        self.done: set[tuple[int, str]] = set()  # what an earlier run did beyond the cursors: seq and handler
        self._dialogs, self._carried, self._save, self._failed = dialogs, carried, save, failed
        self._tasks: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()

    def remember(self) -> None:
        """Take up what an earlier run did of this log beyond its cursors."""
        self.done = self.file.handled(self.consumer.log)

    async def begin(self, event: Any, stream: str, invocations: list[Invocation]) -> None:
        """Begin to handle an event, once there is room for it."""
        while len(self._tasks) >= RUNNING_MAX:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = self._task(self._handle(event, stream, invocations))
        self._dialogs.begun((getattr(event, "room", None), getattr(event, "from_", "")), task)

    async def end(self, *, patiently: bool) -> None:
        """Cut short what is at work; `patiently`: after some seconds in which it may finish."""
        try:
            if self._tasks and patiently:
                await asyncio.wait(self._tasks, timeout=STOPPING)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        """Await something. If the store cannot be written, end the bot, before it forgets what it did."""
        try:
            await work
        except ClosedError:
            pass
        except StorageError as error:
            self._failed(error)

    def _task(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[None]":
        """Begin something that may finish before the bot stops."""
        task = asyncio.create_task(self.guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _handle(self, event: Any, stream: str, invocations: list[Invocation]) -> None:
        """Invoke all handlers of one event; then it is finished, whatever came of it."""
        seq: int | None = getattr(event, "seq", None)
        answers: list[tuple[str, int]] = []
        epoch = self.consumer.epoch(seq or 0)
        edits = [Handled(self.consumer.log, stream, edit, "") for edit in self._carried(seq or 0)]
        for each in invocations:
            if self.is_gone(seq, epoch):
                break
            notes = [] if seq is None else [Handled(self.consumer.log, stream, seq, each.handler.name), *edits]
            if seq is None or (seq, each.handler.name) not in self.done:
                try:
                    answers += await self._attempt(each, event, *notes)
                except ClosedError:
                    return  # the client is gone, not the event: the next run takes it up
        if seq is not None and not self.is_gone(seq, epoch):
            self.consumer.finish(stream, seq)
        for answered_in, answer in answers:
            self.consumer.finish(answered_in, answer)
        self._save()

    async def _attempt(
        self, invocation: Invocation, event: Any, *notes: Handled | LastDue
    ) -> list[tuple[str, int]]:  # fmt: skip
        """Invoke one handler, again if what it had read has changed; return the answers that it took: stream and seq.

        People are asked once, however often it is invoked.
        """
        name, asked = invocation.handler.name, list[Asked]()
        while True:
            current.set(None)
            context = Context(self, name, event, invocation.match, asked)
            failed = not await invoke(invocation, context, self.client)
            current.set(None)
            transaction = Transaction() if failed or context.transaction is None else context.transaction
            ids = self.file.commit(transaction, *(() if self.is_gone(context.seq, context.epoch) else notes))
            if ids is None:
                continue
            await pending.send_pending(zip(ids, transaction.messages, strict=True), self.client, self.file)
            if failed:
                await apologise(name, context, self.client)
            return [(each.answer[1], each.answer[0].seq) for each in asked if each.answer is not None]

    # -- by the clock

    async def run_schedule(self, handler: Handler) -> None:
        """Invoke a handler whenever it is due. If the bot is stopped meanwhile, it is let finish like any other."""
        clock = self.definition.clock
        last = self.file.last_due(handler.name)
        schedule = Schedule(handler.seconds, last, clock())
        if last is None:
            self.file.commit(Transaction(), LastDue(handler.name, schedule.last))
        while True:
            while wait := schedule.wait(clock()):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._look.wait(), min(wait, LOOK))
            schedule.invoked(clock())
            note = LastDue(handler.name, schedule.last)
            await asyncio.shield(self._task(self._attempt(Invocation(handler), None, note)))

    def look_at_clock(self) -> None:
        """Let the schedules see what time it is: the bot's clock has jumped."""
        self._look.set()
        self._look = asyncio.Event()

    # -- what a context needs

    @property
    def store(self) -> Store:
        return Store(self.file)

    @property
    def files(self) -> Files:
        return self.client.files

    async def say(self, message: PendingMessage) -> m.Ack:
        """Send a message; return once it is on the broker's disk."""
        return await (await pending.post(message, self.client))

    async def mend(self, command: m.NumberedCommand) -> m.Ack:
        """Do something to a message; return once it is on the broker's disk."""
        return await self.client.messages.do(command)

    def check(self, message: PendingMessage | PendingMend) -> None:
        """Refuse what could not be sent. Raises RefusedError."""
        pending.check(message, self.client)

    def asking(self, dialog: Dialog) -> AbstractContextManager["asyncio.Future[Answer]"]:
        """Take what this person says next as an answer, instead of handling it."""
        return self._dialogs.asking(dialog)

    def is_gone(self, seq: int | None, epoch: str) -> bool:
        """Say whether an event is in the log no more: its seq is of another epoch now, and may be another event's."""
        return seq is not None and self.consumer.epoch(seq) != epoch
