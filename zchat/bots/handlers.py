"""Handlers: which function answers to what, and with which arguments it is invoked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zchat.client.patterns import Match, Pattern

from .commands import Command


@dataclass(frozen=True)
class Handler:
    """A function and what it answers to: one of a command, a pattern, a type of event, or a schedule (in seconds).

    A command may be run again for the text that an `edited` message has now.
    """

    name: str
    function: Callable[..., Any]
    command: Command | None = None
    edited: bool = False
    pattern: Pattern | None = None
    event: type | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Invocation:
    """One handler to be invoked for one event: with the text behind the command, or with what its pattern found."""

    handler: Handler
    match: "Match | None" = None
    text: str = ""

    def arguments(self, prefix: str) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments for the handler, besides the context. Raises WrongCallError."""
        if self.handler.command is not None:
            return self.handler.command.parse(self.text, prefix)
        if self.match is None:
            return [], {}
        named = self.match.groupdict()
        by_name = self.match.re.groupindex.values()
        groups = [text for number, text in enumerate(self.match.groups(), 1) if number not in by_name]
        return groups, named
