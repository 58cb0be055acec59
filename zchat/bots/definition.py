"""The definition of a bot: its name, its rooms, and which function answers to what. Nothing runs here.

The decorators collect handlers. `invocations` then says which of them an event asks for.
"""

import inspect
import itertools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, overload

from zchat.client.patterns import BadPatternError, Pattern
from zchat.errors import UsageError
from zchat.protocol import messages as m

from .commands import Command, normal
from .handlers import Handler, Invocation

F = TypeVar("F", bound=Callable[..., Any])


class Definition:
    """What a bot called `name` does in `rooms`; `prefix` begins a command."""

    def __init__(self, name: str, rooms: tuple[str, ...], prefix: str) -> None:
        self.name, self.rooms, self.prefix = name, rooms, prefix
        self.handlers: list[Handler] = []
        self.scheduled: list[Handler] = []
        self.clock: Callable[[], float] = time.time  # seconds since 1970, for the schedules
        self._commands: dict[str, Handler] = {}
        self._add_command(self._help, "help")

    # -- the decorators

    @overload
    def command(self, name: F) -> F: ...
    @overload
    def command(self, name: str | None = None, *, edited: bool = False) -> Callable[[F], F]: ...
    def command(self, name: Any = None, *, edited: bool = False) -> Any:
        """Answer to `!name`, by default the function's own name. Raises UsageError for what cannot be a command.

            @bot.command()
            async def roll(ctx, sides: int = 6, *, times: int = 1):
                "Roll a die."
                return " ".join(str(random.randint(1, sides)) for _ in range(times))

        The function's annotations say which arguments the command takes (behind the `*`: which options); its docstring
        is the help text. What it returns is sent as a reply. With `edited`, it also answers to the new text of a
        message that is edited; else it does not.
        """

        def add(function: F) -> F:
            self._add_command(function, name if isinstance(name, str) else None, edited)
            return function

        return add(name) if callable(name) else add

    @overload
    def on_message(self, pattern: F) -> F: ...
    @overload
    def on_message(self, pattern: "str | re.Pattern[str]" = "") -> Callable[[F], F]: ...
    def on_message(self, pattern: Any = "") -> Any:
        """Answer to messages in which the regular expression `pattern` is found; its groups are arguments.

            @bot.on_message(r"deploy (\\w+)")
            async def deploy(ctx, service):
                await ctx.say(f"deploying {service}")

        Without a pattern it answers to every message that is no command. A message that keeps the expression busy for
        more than a tenth of a second does not match. Raises UsageError for what is no regular expression.
        """
        text = "" if callable(pattern) else pattern
        try:
            compiled = Pattern(text)
        except BadPatternError as error:
            raise UsageError(f"{text!r} is no regular expression: {error}.") from None
        return self._adding(pattern, lambda name, function: Handler(name, function, pattern=compiled))

    @overload
    def on_join(self, function: F) -> F: ...
    @overload
    def on_join(self, function: None = None) -> Callable[[F], F]: ...
    def on_join(self, function: Any = None) -> Any:
        """Answer to somebody who enters one of the rooms: `ctx.nick` enters `ctx.room`."""
        return self._adding(function, lambda name, function: Handler(name, function, event=m.MemberJoined))

    @overload
    def on_leave(self, function: F) -> F: ...
    @overload
    def on_leave(self, function: None = None) -> Callable[[F], F]: ...
    def on_leave(self, function: Any = None) -> Any:
        """Answer to somebody who leaves one of the rooms: `ctx.nick` leaves `ctx.room`."""
        return self._adding(function, lambda name, function: Handler(name, function, event=m.MemberLeft))

    @overload
    def on_topic(self, function: F) -> F: ...
    @overload
    def on_topic(self, function: None = None) -> Callable[[F], F]: ...
    def on_topic(self, function: Any = None) -> Any:
        """Answer to a new topic; `ctx.text` is the topic."""
        return self._adding(function, lambda name, function: Handler(name, function, event=m.Topic))

    @overload
    def on_edit(self, function: F) -> F: ...
    @overload
    def on_edit(self, function: None = None) -> Callable[[F], F]: ...
    def on_edit(self, function: Any = None) -> Any:
        """Answer to an edit: `ctx.text` is the new text of the message `ctx.target`."""
        return self._adding(function, lambda name, function: Handler(name, function, event=m.Edited))

    @overload
    def on_delete(self, function: F) -> F: ...
    @overload
    def on_delete(self, function: None = None) -> Callable[[F], F]: ...
    def on_delete(self, function: Any = None) -> Any:
        """Answer to a deletion: `ctx.target` is the message that is gone, `ctx.event.reason` why, if that was said."""
        return self._adding(function, lambda name, function: Handler(name, function, event=m.Deleted))

    @overload
    def on_reaction(self, function: F) -> F: ...
    @overload
    def on_reaction(self, function: None = None) -> Callable[[F], F]: ...
    def on_reaction(self, function: Any = None) -> Any:
        """Answer to a reaction, `ctx.event.emoji`, to the message `ctx.target`; `ctx.event.off`: it is taken off."""
        return self._adding(function, lambda name, function: Handler(name, function, event=m.Reacted))

    def every(
        self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> Callable[[F], F]:  # fmt: skip
        """Invoke the function on a schedule, for the first time after one interval, the sum of what is given.

            @bot.every(minutes=30)
            async def remind(ctx):
                await ctx.say("Stretch your legs.")  # in all rooms of the bot

        The time of the last invocation is kept on disk, so a restart does not begin the interval anew. If several were
        due while the bot was away, the function is invoked once when the bot is back. Raises UsageError for an interval
        that is not above zero.
        """
        interval = seconds + 60 * minutes + 3600 * hours + 86_400 * days
        if interval <= 0:
            raise UsageError("every(…) wants an interval above zero, as every(minutes=30).")

        def add(function: F) -> F:
            _check(function)
            self.scheduled.append(Handler(_unique_name(function, self.scheduled), function, seconds=interval))
            return function

        return add

    # -- what was defined

    def all_handlers(self) -> list[Handler]:
        """Return every handler."""
        return [*self._commands.values(), *self.handlers, *self.scheduled]

    def invocations(self, event: Any) -> list[Invocation]:
        """Return which handlers an event asks for: a command, or else all whose pattern is found. Notices ask for none.

        A message to the bot alone may leave the prefix away.
        """
        if not isinstance(event, m.Message):
            command = self._command(event) if isinstance(event, m.Edited) else None
            again = [command] if command is not None and command.handler.edited else []
            return [*again, *(Invocation(each) for each in self.handlers if each.event is type(event))]
        if event.kind == "notice":
            return []
        if (command := self._command(event)) is not None:
            return [command]
        found = ((each, each.pattern.search(event.text)) for each in self.handlers if each.pattern)
        return [Invocation(each, match) for each, match in found if match]

    # -- inside

    def _command(self, event: m.Message | m.Edited) -> Invocation | None:
        """Return the command that a text is, None if it is none."""
        if event.text.startswith(self.prefix) or event.room is None:
            name, *rest = re.split(r"\s", event.text.removeprefix(self.prefix), maxsplit=1)
            if handler := self._commands.get(normal(name)):
                return Invocation(handler, text="".join(rest))
        return None

    async def _help(self, ctx: Any, command: str = "") -> str:
        """Show the commands, or how to use one."""
        if not command:
            return "\n".join(each.command.summary(self.prefix) for each in self._commands.values() if each.command)
        found = self._commands.get(normal(command.removeprefix(self.prefix)))
        if found is None or found.command is None:
            return f"There is no command {command}: {self.prefix}help lists those there are."
        return found.command.help(self.prefix)

    def _add_command(self, function: Callable[..., Any], name: str | None, edited: bool = False) -> None:
        _check(function)
        command = Command(function, name)
        self._commands.pop(command.name, None)
        help_ = self._commands.pop("help", None)
        self._commands[command.name] = Handler(command.name, function, command=command, edited=edited)
        if help_ is not None:
            self._commands["help"] = help_  # last in its own list

    def _adding(self, function: Any, make: Callable[[str, Any], Handler]) -> Any:
        def add(function: F) -> F:
            _check(function)
            self.handlers.append(make(_unique_name(function, self.handlers), function))
            return function

        return add(function) if callable(function) else add


def _unique_name(function: Callable[..., Any], others: list[Handler]) -> str:
    """Return a function's name, with a number if another has it: the store knows a handler by its name."""
    taken = {each.name for each in others}
    return next(name for name in _numbered(function.__name__) if name not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def _check(function: Callable[..., Any]) -> None:
    """Refuse a function that would do nothing when it is invoked."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(f"{function.__name__} yields: a handler answers by what it returns, or by `await ctx.say(…)`.")
