"""What a bot does, as data: which function answers to which event, and with what arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zchat.client.patterns import Match, Pattern

from .commands import Command


@dataclass(frozen=True)
class Handler:
    """A function and what it answers to: one of a command, a pattern, an event's type, or a number of seconds."""

    name: str
    call: Callable[..., Any]
    command: Command | None = None
    pattern: Pattern | None = None
    event: type | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Work:
    """One handler to be called for one event: with what was `typed` behind its name, or with what its pattern found."""

    handler: Handler
    match: "Match | None" = None
    typed: str = ""

    def arguments(self, prefix: str) -> tuple[list[Any], dict[str, Any]]:
        """Return what to call the handler with, besides the context. Raises WrongCallError."""
        if self.handler.command is not None:
            return self.handler.command.parse(self.typed, prefix)
        if self.match is None:
            return [], {}
        named = self.match.groupdict()
        by_name = self.match.re.groupindex.values()
        groups = [text for place, text in enumerate(self.match.groups(), 1) if place not in by_name]
        return groups, named
