"""What a handler is given: what happened, and the ways to answer.

Everything that a handler says about a message carries a `once` key. It is made of the epoch and the seq of that
message, the handler's name and a count. So a handler that runs again, because the bot was killed, says nothing twice:
the broker knows the key. What it does to messages needs none: a reaction that is there, a text that a message has, and
a message that is deleted stay so when it is done again.
"""

import asyncio
import os
import secrets
import zlib
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import msgspec

from zchat.client.consumer import Consumer
from zchat.client.files import Files, apart
from zchat.client.messages import written
from zchat.client.patterns import Match
from zchat.errors import TimedOutError
from zchat.protocol import messages as m
from zchat.protocol import wire

from .attachments import AttachedFile, upload
from .definition import Definition
from .dialogs import Answer, Dialog
from .progress import Progress
from .store import PendingMend, PendingMessage, Store, Transaction, current

ASK = 60.0  # seconds for an answer, unless told otherwise


class NoAnswerError(TimedOutError):
    """Nobody answered a question of `ctx.ask` in time."""


class Asked(NamedTuple):
    """A question and its answer; None if nobody answered."""

    question: str
    answer: Answer | None


class Host(Protocol):
    """The run of a bot, as far as a context needs it."""

    definition: Definition
    consumer: Consumer

    @property
    def store(self) -> Store: ...

    @property
    def files(self) -> Files: ...

    async def say(self, message: PendingMessage) -> m.Ack:
        """Send a message; return once it is on the broker's disk."""

    async def mend(self, command: m.NumberedCommand) -> m.Ack:
        """Do something to a message; return once it is on the broker's disk."""

    def check(self, message: PendingMessage | PendingMend) -> None:
        """Refuse what could not be sent. Raises RefusedError."""

    def asking(self, dialog: Dialog) -> AbstractContextManager["asyncio.Future[Answer]"]:
        """Take what this person says next as an answer, instead of handling it."""

    def is_gone(self, seq: int | None, epoch: str) -> bool:
        """Say whether an event is in the log no more."""


class Context:
    """One event as one handler sees it: `room`, `nick`, `from_`, `text` and `match` are what is known of it.

    `target` is the `seq` of the message that the event is about: of itself, of what was edited, of what was reacted to.
    """

    def __init__(
        self,
        host: Host,
        handler: str,
        event: Any,
        match: Match | None = None,
        asked: list[Asked] | None = None,
    ) -> None:
        self._host, self._handler = host, handler
        self.event, self.match = event, match
        self.room: str | None = getattr(event, "room", None)
        self.nick: str = getattr(event, "nick", "")
        self.from_: str = getattr(event, "from_", "")
        self.text: str = getattr(event, "text", None) or ""
        self.seq: int | None = getattr(event, "seq", None)
        self.target: int | None = getattr(event, "target", self.seq)
        self.epoch = host.consumer.epoch(self.seq or 0)
        self._asked: list[Asked] = [] if asked is None else asked  # in this attempt and those before it
        self._again = list(self._asked)  # what an attempt before this one asked, and this one has not yet
        self._said = 0
        self._last: int | None = None  # the `seq` of what it said last
        self._progress = Progress(self._edit)
        self.transaction: Transaction | None = None

    @property
    def bot(self) -> Definition:
        return self._host.definition

    @property
    def store(self) -> Store:
        """The bot's mapping that outlives the process."""
        return self._host.store

    @property
    def files(self) -> list[AttachedFile]:
        """The files that the message carries: `await ctx.files[0].download("inbox/")`."""
        return [AttachedFile(one, self._host.files) for one in apart(getattr(self.event, "files", ()))]

    @property
    def private(self) -> bool:
        """Whether this is a direct message to the bot."""
        return self.room is None and isinstance(self.event, m.Durable)

    def once(self) -> None:
        """From here on, let this handler take effect exactly once, even if the bot is killed at any instant.

        What it says and stores is held back until it returns, and is then done as a whole. Until then it may be run
        again. So what it does elsewhere (a request, a file) may be done twice.
        """
        if self.transaction is None:
            self.transaction = Transaction()
            current.set(self.transaction)

    async def say(
        self,
        text: str,
        *,
        room: str | None = None,
        to: str | None = None,
        kind: m.Kind = "message",
        reply_to: int | None = None,
        files: Iterable[str | os.PathLike[str] | m.Attachment] = (),
    ) -> m.Ack | None:
        """Say something where this event came from; for a schedule, in all of the bot's rooms.

        `files` are paths: they are uploaded first, whatever comes of the handler then.

        Waits until it is on the broker's disk, and returns its ack. Under `once()` it is held back, and this returns
        None. Raises RefusedError.
        """
        return await self._say(text, room, to, kind, reply_to, files=await upload(self._host.files, files))

    async def _say(
        self,
        text: str,
        room: str | None,
        to: str | None,
        kind: m.Kind,
        reply_to: int | None,
        salt: str = "",
        files: tuple[m.Attachment, ...] = (),
    ) -> m.Ack | None:
        if room is None and to is None:
            if self.private:
                to = self.nick
            elif self.room is None:
                acks = [await self.say(text, room=each, kind=kind, files=files) for each in self.bot.rooms]
                return acks[-1] if acks else None
        with_ = self.from_ if to is not None and to == self.nick else None  # whoever has the nick by then
        where = room or (None if to else self.room)
        message = PendingMessage(text, where, to, with_ or None, kind, reply_to, self._key(salt), files)
        if self.transaction is not None:  # it is written down, and may be sent again by the next run: it needs a key
            message = msgspec.structs.replace(message, once=message.once or secrets.token_hex(16))
            self._host.check(message)  # now: once it is written down nobody could be told
            self.transaction.messages.append(message)
            return None
        ack = await self._host.say(message)
        self._last = ack.seq
        return ack

    async def edit(self, text: str, answer: m.Ack | int | None = None) -> None:
        """Give what this handler said last another text, or what had this `answer` (an ack, or a seq).

            working = await ctx.reply("working …")
            for done in work():
                await ctx.edit(f"{done} %", working)

        Call it as often as there is news: at most one edit a second is sent, in long work fewer, and the last text
        counts. The handler is finished when that is on the broker's disk. Under `once()` what is held back gets the
        text. Raises RefusedError.
        """
        if self.transaction is not None and answer is None and self._rewrite_held(text):
            return
        seq = self._seq_of(answer)
        if self.transaction is not None:
            self._hold(m.Edit(n=1, seq=seq, text=written(text)))
        else:
            self._progress.set(seq, written(text))

    async def delete(self, answer: m.Ack | int | None = None, reason: str | None = None) -> m.Ack | None:
        """Take back what this handler said last, or what had this `answer` (an ack, or a seq).

        A bot that is a moderator may delete what others said: `await ctx.delete(ctx.target, "advertising")`. Returns
        as `say`. Raises RefusedError.
        """
        return await self._mend(m.Delete(n=1, seq=self._seq_of(answer), reason=reason))

    async def react(self, emoji: str, *, off: bool = False) -> m.Ack | None:
        """React to the message that this is about; or take that back (`off`). Returns as `say`. Raises RefusedError."""
        if self.target is None:
            raise RuntimeError("there is no message to react to: this handler does not answer one")
        if self._host.is_gone(self.seq, self.epoch):
            return None
        return await self._mend(m.React(n=1, seq=self.target, emoji=emoji, off=off))

    async def finish(self) -> None:
        """Wait until what was edited has its last text."""
        await self._progress.finish()

    async def stop(self) -> None:
        """Edit nothing any more."""
        await self._progress.stop()

    async def _mend(self, command: m.NumberedCommand) -> m.Ack | None:
        if self.transaction is not None:
            self._hold(command)
            return None
        return await self._host.mend(command)

    async def _edit(self, seq: int, text: str) -> None:
        await self._host.mend(m.Edit(n=1, seq=seq, text=text))

    def _hold(self, command: m.NumberedCommand) -> None:
        """Write down what is to be done to a message at the end."""
        mend = PendingMend(wire.encode(command).decode())
        self._host.check(mend)
        if self.transaction is not None:
            self.transaction.messages.append(mend)

    def _rewrite_held(self, text: str) -> bool:
        """Give the last message that is held back another text; False if there is none."""
        held = self.transaction.messages if self.transaction is not None else []
        for index, message in reversed(list(enumerate(held))):
            if isinstance(message, PendingMessage):
                changed = msgspec.structs.replace(message, text=written(text))
                self._host.check(changed)
                held[index] = changed
                return True
        return False

    def _seq_of(self, answer: m.Ack | int | None) -> int:
        seq = answer.seq if isinstance(answer, m.Ack) else self._last if answer is None else answer
        if seq is None:
            raise RuntimeError("this handler has said nothing that could be changed")
        return seq

    async def reply(
        self, text: str = "", *, files: Iterable[str | os.PathLike[str] | m.Attachment] = ()
    ) -> m.Ack | None:
        """Answer the message: as `say`, but the answer refers to it. `edit` and `delete` take what it returns."""
        return await self.say(text, reply_to=self._answers_to(), files=files)

    async def whisper(self, text: str) -> m.Ack | None:
        """Send a direct message to the sender. Raises RefusedError if they are not here."""
        return await self.say(text, to=self.nick)

    async def ask(self, question: str, timeout: float = ASK) -> str:  # noqa: ASYNC109
        """Ask the sender, and return what they say next in the same room. Raises NoAnswerError."""
        if self.transaction is not None:
            raise RuntimeError("ctx.once() holds back what is said, so nobody would hear the question: ask first")
        if not self.from_:
            raise RuntimeError("nobody is there to be asked: this handler does not answer a message")
        if self._again:
            before = self._again.pop(0)
            if before.question == question:
                self._key()  # it has been said
                return self._answered(before, timeout)
            self._again.clear()  # it asks something else this time, and hears an answer to that
        answered: Answer | None = None
        with self._host.asking((self.room, self.from_)) as answer:
            # What asks something else under the same key would be taken for a repeat, and nobody would see it.
            salt = f"{zlib.crc32(question.encode(errors='replace')):08x}."
            await self._say(question, None, None, "message", self._answers_to(), salt)
            try:
                async with asyncio.timeout(timeout):
                    answered = await answer
            except TimeoutError:
                if answer.done() and not answer.cancelled():  # it came at the very end
                    answered = answer.result()
        self._asked.append(Asked(question, answered))
        return self._answered(self._asked[-1], timeout)

    @staticmethod
    def _answered(asked: Asked, timeout: float) -> str:
        if asked.answer is None:
            raise NoAnswerError("no answer to a question", timeout)
        return asked.answer[0].text

    def _answers_to(self) -> int | None:
        answers = isinstance(self.event, m.Message | m.Edited | m.Reacted)
        return self.target if answers and not self._host.is_gone(self.seq, self.epoch) else None

    def _key(self, salt: str = "") -> str | None:
        if self.seq is None:
            return None
        self._said += 1
        return f"{self.epoch}.{self.seq}.{self._said}.{salt}{self._handler.encode()[:64].decode(errors='ignore')}"


class PlainContext:
    """A context for a plain function, which runs in a thread: the same methods, but nothing has to be awaited."""

    def __init__(self, context: Context, loop: asyncio.AbstractEventLoop) -> None:
        self._context, self._loop = context, loop

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._context, name)
        return self._waiting(value) if asyncio.iscoroutinefunction(value) else value

    def _waiting(self, method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        def call(*args: Any, **settings: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(method(*args, **settings), self._loop).result()

        return call
