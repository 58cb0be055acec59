"""Bot: functions that answer to a chat.

    bot = Bot("dicebot", rooms=["general"])

    @bot.command()
    async def roll(ctx, sides: int = 6):
        '''Roll a die.'''
        return f"{random.randint(1, sides)}"

    bot.run()

A bot is a list of handlers and a few settings; `run` makes a `Runner` of it, which does the work. So one bot can
be run again and again, as its tests do.
"""

import asyncio
import dataclasses
import hashlib
import inspect
import itertools
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec
from platformdirs import user_data_path

from zchat import logs
from zchat.client.client import ChatClient, rooms_of
from zchat.client.patterns import BadPatternError, Pattern
from zchat.errors import RefusedError, UsageError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import BROKER, names
from zchat.protocol import messages as m

from .commands import Command, normal
from .context import Context
from .handlers import Handler, Work
from .runner import Runner
from .store import BotFile, Store

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Bot:
    """A bot called `name` in `rooms`.

    What is not given comes from ZCHAT_NICK, ZCHAT_ROOM (several with spaces), ZCHAT_BROKER, ZCHAT_FEED, ZCHAT_DATA and
    ZCHAT_TIMEOUT (seconds). `prefix` begins a command; said to the bot alone, a command needs none. Raises UsageError.
    """

    _held = False

    def __init__(
        self,
        name: str | None = None,
        *,
        rooms: Iterable[str] | None = None,
        broker: str | None = None,
        feed: str | None = None,
        prefix: str = "!",
        data: Path | None = None,
        timeout: float | None = None,
    ) -> None:
        env = os.environ
        given = name or env.get("ZCHAT_NICK")
        if not given:
            raise UsageError('A bot needs a name: Bot("herald"), or set ZCHAT_NICK.')
        try:
            self.name = names.nick(given)
            self.rooms = rooms_of(env.get("ZCHAT_ROOM", "general").split() if rooms is None else rooms)
        except names.BadNameError as error:
            raise UsageError(f"This bot cannot be: {error}.") from None
        except RefusedError as error:
            raise UsageError(f"This bot cannot be: {error.message}.") from None
        self.broker = broker or env.get("ZCHAT_BROKER", BROKER)
        self.feed = feed or env.get("ZCHAT_FEED")
        self.prefix = prefix
        self.data = data or Path(env.get("ZCHAT_DATA") or user_data_path("zchat", appauthor=False))
        self.timeout = timeout or _seconds(env.get("ZCHAT_TIMEOUT", "5"))
        self.handlers: list[Handler] = []
        self.repeated: list[Handler] = []
        self.runner: Runner | None = None
        self.clock: Callable[[], float] = time.time  # in seconds since 1970, for what is done again and again
        self._commands: dict[str, Handler] = {}
        self._file: BotFile | None = None
        self._add_command(self._help, "help")

    # -- what it does

    @overload
    def command(self, name: F) -> F: ...
    @overload
    def command(self, name: str | None = None) -> Callable[[F], F]: ...
    def command(self, name: Any = None) -> Any:
        """Answer to `!name` (by default the function's own); its annotations say what it takes, its docstring helps."""

        def add(call: F) -> F:
            self._add_command(call, name if isinstance(name, str) else None)
            return call

        return add(name) if callable(name) else add

    @overload
    def on_message(self, pattern: F) -> F: ...
    @overload
    def on_message(self, pattern: "str | re.Pattern[str]" = "") -> Callable[[F], F]: ...
    def on_message(self, pattern: Any = "") -> Any:
        """Answer to messages in which the regular expression `pattern` is found; its groups are arguments.

        A message that keeps the expression busy for more than a tenth of a second does not match. Raises UsageError.
        """
        text = "" if callable(pattern) else pattern
        try:
            compiled = Pattern(text)
        except BadPatternError as error:
            raise UsageError(f"{text!r} is no regular expression: {error}.") from None
        return self._adding(pattern, lambda name, call: Handler(name, call, pattern=compiled))

    @overload
    def on_join(self, call: F) -> F: ...
    @overload
    def on_join(self, call: None = None) -> Callable[[F], F]: ...
    def on_join(self, call: Any = None) -> Any:
        """Answer to somebody who enters one of the rooms."""
        return self._adding(call, lambda name, call: Handler(name, call, event=m.MemberJoined))

    @overload
    def on_leave(self, call: F) -> F: ...
    @overload
    def on_leave(self, call: None = None) -> Callable[[F], F]: ...
    def on_leave(self, call: Any = None) -> Any:
        """Answer to somebody who leaves one of the rooms."""
        return self._adding(call, lambda name, call: Handler(name, call, event=m.MemberLeft))

    @overload
    def on_topic(self, call: F) -> F: ...
    @overload
    def on_topic(self, call: None = None) -> Callable[[F], F]: ...
    def on_topic(self, call: Any = None) -> Any:
        """Answer to a new topic; `ctx.text` is the topic."""
        return self._adding(call, lambda name, call: Handler(name, call, event=m.Topic))

    def every(
        self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> Callable[[F], F]:  # fmt: skip
        """Call again and again, the first time after one interval.

        The store keeps when that was, so a restart does not begin the interval anew. Whatever was due while the bot
        was away is made up for by one call when it is back.
        """
        interval = seconds + 60 * minutes + 3600 * hours + 86_400 * days
        if interval <= 0:
            raise UsageError("every(…) wants an interval above zero, as every(minutes=30).")

        def add(call: F) -> F:
            _check(call)
            self.repeated.append(Handler(_unlike(call, self.repeated), call, seconds=interval))
            return call

        return add

    def settings(self, kind: type[T], prefix: str | None = None) -> T:
        """Return `kind`, a dataclass or msgspec Struct, filled from the environment: DICEBOT_SIDES for `sides`.

        Raises UsageError for what is missing or of the wrong type.
        """
        start = (re.sub(r"\W", "_", self.name) + "_" if prefix is None else prefix).upper()
        fields = {name: os.environ.get(start + name.upper()) for name in _fields(kind)}
        try:
            return msgspec.convert(
                {name: text for name, text in fields.items() if text is not None}, kind, strict=False
            )
        except msgspec.ValidationError as error:
            raise UsageError(f"A setting is wrong: {error}. They are read from {start}… in the environment.") from None

    # -- what it knows

    @property
    def store(self) -> Store:
        """The mapping that survives: in DATA/bots/NAME.db."""
        return Store(self.file)

    @property
    def file(self) -> BotFile:
        if self._file is None:
            safe = re.sub(r"[^\w.-]", "_", self.name)
            digest = "" if safe == self.name else "-" + hashlib.sha256(self.name.encode()).hexdigest()[:8]
            self._file = BotFile(self.data / "bots" / f"{safe}{digest}.db")
        return self._file

    def close(self) -> None:
        """Close the store; it opens again by itself."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def client(self, outbox: Path, **history: Any) -> ChatClient:
        """Return the client that the bot speaks through, not yet connected."""
        settings: dict[str, Any] = {"feed": self.feed, "bot": True, "outbox": outbox, "timeout": self.timeout}
        return ChatClient(self.name, self.broker, **settings, **history)

    def all_handlers(self) -> list[Handler]:
        """Return every function that it may call."""
        return [*self._commands.values(), *self.handlers, *self.repeated]

    def work(self, event: Any) -> list[Work]:
        """Return what an event asks for: a command, or else all whose pattern is found; notices ask for nothing."""
        if not isinstance(event, m.Message):
            return [Work(each) for each in self.handlers if each.event is type(event)]
        if event.kind == "notice":
            return []
        start = event.text.startswith(self.prefix)
        if start or event.room is None:
            name, *typed = re.split(r"\s", event.text.removeprefix(self.prefix), maxsplit=1)
            if handler := self._commands.get(normal(name)):
                return [Work(handler, typed="".join(typed))]
        found = ((each, each.pattern.search(event.text)) for each in self.handlers if each.pattern)
        return [Work(each, match) for each, match in found if match]

    # -- running

    def run(self) -> None:
        """Run until Ctrl-C or SIGTERM, which lets the handlers at work finish.

        Whatever else ends it is told in a sentence, and the program exits with its code; `serve` raises it instead.
        """
        if Bot._held:
            return
        logs.guard_last_resort()
        try:
            asyncio.run(self._until_signal())
        except ZchatError as error:
            sys.stderr.write(f"zchat: {escape_controls(str(error))}\n")  # parts of it come from a peer
            sys.exit(error.exit_code)

    @staticmethod
    @contextmanager
    def held() -> Iterator[None]:
        """Load a file without running its bot: `run` does nothing meanwhile."""
        Bot._held = True
        try:
            yield
        finally:
            Bot._held = False

    async def serve(self) -> None:
        """Run in a loop that is there already, until `stop()`. Raises ZchatError."""
        self.runner = Runner(self, self.file)
        try:
            await self.runner.run()
        finally:
            self.runner = None
            self.close()

    def stop(self) -> None:
        """End `serve` once the handlers at work are finished."""
        if self.runner is not None:
            self.runner.stop()

    async def _until_signal(self) -> None:
        loop = asyncio.get_running_loop()
        for how in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(how, self.stop)
        await self.serve()

    # -- inside

    async def _help(self, ctx: Context, command: str = "") -> str:
        """Show the commands, or how to use one."""
        if not command:
            return "\n".join(each.command.summary(self.prefix) for each in self._commands.values() if each.command)
        found = self._commands.get(normal(command.removeprefix(self.prefix)))
        if found is None or found.command is None:
            return f"There is no command {command}: {self.prefix}help lists those there are."
        return found.command.help(self.prefix)

    def _add_command(self, call: Callable[..., Any], name: str | None) -> None:
        _check(call)
        command = Command(call, name)
        self._commands.pop(command.name, None)
        help_ = self._commands.pop("help", None)
        self._commands[command.name] = Handler(command.name, call, command=command)
        if help_ is not None:
            self._commands["help"] = help_  # last in its own list

    def _adding(self, call: Any, make: Callable[[str, Any], Handler]) -> Any:
        def add(call: F) -> F:
            _check(call)
            self.handlers.append(make(_unlike(call, self.handlers), call))
            return call

        return add(call) if callable(call) else add


def _seconds(text: str) -> float:
    """Return what ZCHAT_TIMEOUT says. Raises UsageError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"ZCHAT_TIMEOUT is {text!r}: set it to a number of seconds above 0.")
    return seconds


def _unlike(call: Callable[..., Any], others: list[Handler]) -> str:
    """Return the name of a function, numbered if another has it: what a handler has done is remembered by its name."""
    taken = {each.name for each in others}
    return next(name for name in _numbered(call.__name__) if name not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def _fields(kind: type) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [each.name for each in dataclasses.fields(kind)]
    return [each.name for each in msgspec.structs.fields(kind)]


def _check(call: Callable[..., Any]) -> None:
    """Refuse a function whose call would do nothing."""
    if inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call):
        raise UsageError(f"{call.__name__} yields: a handler answers by what it returns, or by `await ctx.say(…)`.")
