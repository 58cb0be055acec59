"""Tests of bots: a real broker in memory, and people who talk.

    async def test_it_rolls(chat):
        bot = await chat.bot(dicebot.bot)
        alice = await chat.person("alice")
        await alice.says("!roll 20")
        await bot.replied(r"^\\d+$")

Installing zchat is all it takes: pytest finds this file as a plugin, `chat` is its fixture, and a test that takes it
may be `async` without any other plugin. Nothing is mocked: broker and clients are those that people use, and the bot's
store is SQLite; but the sockets are `inproc`, and the folder is in memory where the system has one (`/dev/shm`).
Nothing sleeps either: what is waited for is told by an event, and `stayed_silent` asks the broker's log once the bot
has finished all that was said. So a test with a bot, a person and an answer takes 8 ms, and has a chat of its own.
"""

import asyncio
import inspect
import os
import re
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest

from zchat.errors import AddressInUseError
from zchat.protocol import messages as m

if TYPE_CHECKING:
    from zchat.bots.bot import Bot
    from zchat.broker.server import ChatServer
    from zchat.client.client import ChatClient

PATIENCE = 5.0  # seconds to wait for what should come at once; a conftest.py may set more for a machine that is busy
E = TypeVar("E", m.Edited, m.Deleted, m.Reacted)  # what is done to a message
SETTINGS = ("broker", "feed", "data", "clock")  # of a bot: set for a test, and put back

__all__ = ["BotUnderTest", "Chat", "Person", "chat"]


class Chat:
    """A broker, the people and the bots around it.

    `heard` is every message that any of them has heard; `events` is that, and all that was done to messages.
    """

    def __init__(self) -> None:
        self.heard: dict[int, m.Message] = {}
        self.events: dict[int, m.Durable] = {}
        self._news = asyncio.Condition()
        self._folder = Path(tempfile.mkdtemp(prefix="zchat-", dir=_memory()))
        self._stack = AsyncExitStack()
        self._taken: dict[int, m.Durable] = {}
        self._told: dict[int, m.Message] = {}  # what people were asked to have heard
        self._bots: set[int] = set()
        self._people: list[ChatClient] = []
        self.server: ChatServer
        self.observer: ChatClient
        self._founder: ChatClient | None = None

    async def __aenter__(self) -> Self:
        from zchat.broker.server import ChatServer  # noqa: PLC0415 — this plugin is loaded wherever zchat is installed

        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        here = f"inproc://{self._folder}/in"
        try:
            self.server = await self._stack.enter_async_context(ChatServer([here, "zchat://127.0.0.1:0"], rate=0.0))
        except AddressInUseError:  # another chat of this process asks libzmq who may come in
            self.server = await self._stack.enter_async_context(ChatServer(here, rate=0.0))
        serving = asyncio.create_task(self.server.receive_connections())
        self._stack.push_async_callback(_ended, serving, self.server.stop)
        self.observer = await self._connect(None, ())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def person(self, nick: str, *rooms: str) -> "Person":
        """Return somebody who is in `rooms` (general), and talks there."""
        return Person(self, await self._connect(nick, rooms or ("general",)))

    async def member(self, nick: str, *rooms: str, role: m.Role = "member") -> "Person":
        """Return a member of this role, who is in `rooms` (general), and talks there.

        Members come in over an encrypted connection, each with a key of its own, by an invitation of the first one, who
        is an owner called `founder` and says nothing.
        """
        if self._founder is None:
            code = (self.server.owner_link or "").rpartition("/")[2]
            self._founder = await self._enter("founder", code, ())
        invitation = await self._founder.administration.invite(role=role)
        return Person(self, await self._enter(nick, invitation.code, rooms or ("general",)))

    async def bot(self, bot: "Bot") -> "BotUnderTest":
        """Start a bot on this broker, with a store of its own; return once it listens. Raises ZchatError."""
        if id(bot) in self._bots:
            pytest.fail(f"{bot.name} is in this chat already: a second one is made by another Bot(…)", pytrace=False)
        self._bots.add(id(bot))
        under_test = BotUnderTest(self, bot, self._folder)
        self._stack.callback(under_test.give_back)
        self._stack.push_async_callback(under_test.stop)
        await under_test.start()
        return under_test

    async def wait_for(self, condition: Any, what: str, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Return what `condition` returns as soon as it is true; it is asked whenever something was heard."""
        timeout = PATIENCE if timeout is None else timeout
        try:
            async with asyncio.timeout(timeout), self._news:
                while not (found := condition()):
                    await self._news.wait()
                return found
        except TimeoutError:
            said = "".join(f"\n  {each.nick}: {each.text}" for _, each in sorted(self.heard.items()))
            pytest.fail(f"waited {timeout:g} s for {what}; what was said:{said or ' nothing'}", pytrace=False)

    async def _connect(self, nick: str | None, rooms: tuple[str, ...]) -> "ChatClient":
        from zchat.client.client import ChatClient  # noqa: PLC0415 — as above

        return await self._take_part(ChatClient(nick, self.server.listen, rooms=rooms))

    async def _enter(self, nick: str, code: str, rooms: tuple[str, ...]) -> "ChatClient":
        """Return a member who came in by an invitation."""
        from zchat.client.addresses import Address  # noqa: PLC0415 — as above
        from zchat.client.client import ChatClient  # noqa: PLC0415 — as above

        link = self.server.link
        if link is None:
            pytest.fail("another chat of this process has members: end it before", pytrace=False)
        address = Address(link.endpoints, "the chat under test", link.key, code)
        identity = self._folder / f"{nick}.key"
        return await self._take_part(ChatClient(nick, address, rooms=rooms, identity=identity))

    async def _take_part(self, client: "ChatClient") -> "ChatClient":
        client = await self._stack.enter_async_context(client)
        self._people.append(client)
        listening = asyncio.create_task(self._listen(client))
        self._stack.push_async_callback(_ended, listening, listening.cancel)
        return client

    async def _listen(self, client: "ChatClient") -> None:
        async for event in client.listen():
            if isinstance(event, m.Durable) and event.seq not in self.events:
                async with self._news:
                    self.events[event.seq] = event
                    if isinstance(event, m.Message):
                        self.heard[event.seq] = event
                    self._news.notify_all()

    def now(self, message: m.Message) -> m.Item:
        """Return a message as it is now, as far as anybody has heard: its text, its reactions, whether it is pinned."""
        picture: m.Picture = {}
        for _, event in sorted(self.events.items()):
            m.fold(picture, event)
        return picture[message.seq]

    def take_mend(self, from_: str, kind: type[E], pattern: str) -> E | None:
        """Return the first of what this person has done to messages that is of a kind and was not taken before.

        `pattern` is found in the new text, or in the emoji.
        """
        for seq, event in sorted(self.events.items()):
            if not isinstance(event, kind) or event.from_ != from_ or seq in self._taken:
                continue
            if re.search(pattern, getattr(event, "text", getattr(event, "emoji", ""))):
                self._taken[seq] = event
                return event
        return None

    def take(self, from_: str, pattern: str, to: str | None = None) -> m.Message | None:
        """Return the first message of this sender that matches and was not taken before."""
        for seq, message in sorted(self.heard.items()):
            if message.from_ != from_ or seq in self._taken or (to is not None and message.to != to):
                continue
            if re.search(pattern, message.text):
                self._taken[seq] = message
                return message
        return None

    def tell(self, nick: str, pattern: str) -> m.Message | None:
        """Return the first message to this person alone that matches and was not told before."""
        for seq, message in sorted(self.heard.items()):
            if message.to == nick and seq not in self._told and re.search(pattern, message.text):
                self._told[seq] = message
                return message
        return None

    def untaken(self, from_: str) -> list[m.Message]:
        """Return what this sender has said, and nobody asked for."""
        asked = self._taken.keys() | self._told.keys()
        return [each for seq, each in sorted(self.heard.items()) if each.from_ == from_ and seq not in asked]

    async def settled(self) -> None:
        """Wait until all have heard what was said to them alone so far: a pong comes after it."""
        for client in self._people:
            if not client.over:
                await client.ask(m.Ping())
        async with self._news:
            pass  # who listens was woken before us


class Person:
    """Somebody at the keyboard."""

    def __init__(self, chat: Chat, client: "ChatClient") -> None:
        self.client = client
        self._chat = chat

    async def says(self, text: str, *, room: str | None = None, to: "str | BotUnderTest | None" = None) -> m.Message:
        """Say something in a room (the first one), or to one person; return it once it is on the broker's disk."""
        nick = to if to is None or isinstance(to, str) else to.bot.name
        where = None if nick else (room or self.client.rooms[0])
        ack = await self.client.say(text, room=where, to=nick)
        message: m.Message = await self._chat.wait_for(
            lambda: self._chat.heard.get(ack.seq or 0), f"{text!r} to be heard"
        )
        return message

    async def heard(self, pattern: str, *, timeout: float | None = None) -> m.Message:  # noqa: ASYNC109
        """Wait for the next message to this person alone in which `pattern` is found."""
        nick = self.client.nick or ""
        what = f"{nick} to hear {pattern!r}"
        message: m.Message = await self._chat.wait_for(lambda: self._chat.tell(nick, pattern), what, timeout)
        return message

    async def edits(self, message: m.Message, text: str) -> m.Edited:
        """Give a message another text; return the edit once it was heard."""
        return await self._done(await self.client.messages.edit(message.seq, text), m.Edited)

    async def deletes(self, message: m.Message, reason: str | None = None) -> m.Deleted:
        """Take a message back; return the deletion once it was heard."""
        return await self._done(await self.client.messages.delete(message.seq, reason), m.Deleted)

    async def reacts(self, message: m.Message, emoji: str, *, off: bool = False) -> m.Reacted:
        """React to a message; return the reaction once it was heard."""
        return await self._done(await self.client.messages.react(message.seq, emoji, off=off), m.Reacted)

    async def _done(self, ack: m.Ack, kind: type[E]) -> E:
        found: E = await self._chat.wait_for(
            lambda: self._chat.events.get(ack.seq or 0), f"{kind.__name__} to be heard"
        )
        return found

    async def leaves(self) -> None:
        await self.client.close()


class BotUnderTest:
    """A bot that runs in the test's own loop; stopped or running, `bot.store` is what it keeps in this chat."""

    def __init__(self, chat: Chat, bot: "Bot", folder: Path) -> None:
        self.bot, self._chat = bot, chat
        self._task: asyncio.Task[None] | None = None
        self._from = ""
        self._before = {name: getattr(bot, name) for name in SETTINGS}
        bot.close()
        bot.broker, bot.feed, bot.data = chat.server.listen, None, folder
        bot.clock = lambda: time.time() + self._ahead
        self._ahead = 0.0  # seconds by which the bot's time is later than ours

    def give_back(self) -> None:
        """Let the bot be what it was before this chat."""
        self.bot.close()
        for name, value in self._before.items():
            setattr(self.bot, name, value)

    async def start(self) -> None:
        """Start it (again), where it left off."""
        for room in self.bot.rooms:
            if room not in self._chat.observer.rooms:
                await self._chat.observer.join(room, quiet=True)
        self._task = task = asyncio.create_task(self.bot.serve())
        await asyncio.sleep(0)  # now it has a runner
        ready = asyncio.create_task(self.bot.runner.ready.wait()) if self.bot.runner else task
        await asyncio.wait((ready, task), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            ready.cancel()
            self._task = None
            await task
        if self.bot.runner is None or not self.bot.runner.ready.is_set():
            pytest.fail(f"{self.bot.name} was not ready after {PATIENCE:g} s", pytrace=False)
        self._from = self.bot.runner.client.from_

    async def stop(self) -> None:
        """End it as SIGTERM would."""
        if self._task is not None:
            self.bot.stop()
            task, self._task = self._task, None
            await task

    async def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def later(self, **passed: float) -> None:
        """Let time pass for what the bot does again and again, `later(minutes=30)`; whether it runs or not."""
        self._ahead += timedelta(**passed).total_seconds()
        if self.bot.runner is not None:
            self.bot.runner.look_at_clock()

    async def replied(self, pattern: str, *, timeout: float | None = None) -> m.Message:  # noqa: ASYNC109
        """Wait for the next message of the bot, in a room or to one person, in which `pattern` is found."""
        what = f"{self.bot.name} to say {pattern!r}"
        message: m.Message = await self._chat.wait_for(lambda: self._chat.take(self._from, pattern), what, timeout)
        return message

    async def edited(self, pattern: str = "", *, timeout: float | None = None) -> m.Edited:  # noqa: ASYNC109
        """Wait for the next edit of the bot to a text in which `pattern` is found."""
        return await self._mended(m.Edited, pattern, f"edit to {pattern!r}", timeout)

    async def reacted(self, emoji: str = "", *, timeout: float | None = None) -> m.Reacted:  # noqa: ASYNC109
        """Wait for the next reaction of the bot, with this emoji."""
        return await self._mended(m.Reacted, re.escape(emoji), f"react {emoji}", timeout)

    async def deleted(self, *, timeout: float | None = None) -> m.Deleted:  # noqa: ASYNC109
        """Wait for the next message that the bot deletes."""
        return await self._mended(m.Deleted, "", "delete something", timeout)

    async def _mended(self, kind: type[E], pattern: str, what: str, patience: float | None) -> E:
        found: E = await self._chat.wait_for(
            lambda: self._chat.take_mend(self._from, kind, pattern), f"{self.bot.name} to {what}", patience
        )
        return found

    async def stayed_silent(self) -> None:
        """Fail if the bot says anything, besides what was asked for, about all that was said so far."""
        await self.finished()
        said = [each.text for each in self._chat.untaken(self._from)]
        if said:
            pytest.fail(f"{self.bot.name} said {said}", pytrace=False)

    async def finished(self) -> None:
        """Wait until the bot has dealt with all that was said in its rooms or to it, and all its answers were heard."""
        from zchat.client.consumer import DIRECT  # noqa: PLC0415 — as above

        runner = self.bot.runner
        if runner is None:
            return
        async with asyncio.timeout(PATIENCE):
            for room in self.bot.rooms:
                if last := await self._last(room):
                    await runner.finished(room, last.seq)
            if private := [
                seq for seq, each in self._chat.events.items() if getattr(each, "to", None) == self.bot.name
            ]:
                await runner.finished(DIRECT, max(private))
            await self._chat.settled()
            for room in self.bot.rooms:
                last = await self._last(room)
                if isinstance(last, m.Durable):
                    await self._chat.wait_for(lambda seq=last.seq: seq in self._chat.events, "the last event")

    async def _last(self, room: str) -> Any:
        """Return the last event of a room, as the broker's log has it."""
        page = await self._chat.observer.history(room=room, limit=1)
        return page.events[-1] if page.events else None


def _memory() -> str | None:
    """Return a folder that is kept in memory, if there is one: what a bot stores need not outlive its test."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 — tempfile makes its own folder there


async def _ended(task: "asyncio.Task[None]", end: Any) -> None:
    end()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def chat() -> Chat:
    """Return a chat of the test's own, open while the test runs (an `async` test)."""
    return Chat.__new__(Chat)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async` test that takes `chat` in a loop of its own, with the chat open around it."""
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    opened = pyfuncitem.funcargs.get("chat")  # the test's own, or that of one of its fixtures
    test = inspect.unwrap(pyfuncitem.obj, stop=inspect.iscoroutinefunction)  # pytest-asyncio wraps what it would run
    if not isinstance(opened, Chat) or not inspect.iscoroutinefunction(test):
        return None

    async def whole() -> None:
        Chat.__init__(opened)
        async with opened:
            await test(**given)

    asyncio.run(whole())
    return True
