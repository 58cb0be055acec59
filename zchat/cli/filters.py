"""Which messages are meant: `--match`, `--from` and `--mentions`, all of which have to hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zchat.prompt import arguments
from zchat.protocol import messages as m

from .options import option

if TYPE_CHECKING:
    from zchat.client.patterns import Pattern

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Filter:
    """A pattern that the text holds, the nick of who wrote, and one's own nick that the text holds."""

    match: "Pattern | None" = None
    sender: str | None = None
    mentioned: str | None = None

    def __bool__(self) -> bool:
        return self != Filter()

    def takes(self, event: object) -> bool:
        """Say whether an event is a message that is meant."""
        if not isinstance(event, m.Message):
            return False
        if self.match is not None and not self.match.search(event.text):
            return False
        if self.sender is not None and not _same_nick(self.sender, event.nick):
            return False
        return self.mentioned is None or mentions(event.text, self.mentioned)


def mentions(text: str, nick: str) -> bool:
    """Say whether `text` holds `nick` as a word of its own, in any case."""
    return re.search(rf"(?<!\w){re.escape(nick)}(?![-.]?\w)", text, re.IGNORECASE) is not None


def _same_nick(one: str, other: str) -> bool:
    from zchat.protocol import names  # noqa: PLC0415 — the tables of PRECIS take their time

    return names.nick_key(one) == names.nick_key(other)


def _pattern(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Compile the value of --match (a click callback)."""
    if value is None:
        return None
    from zchat.client.patterns import BadPatternError, Pattern  # noqa: PLC0415 — its tables take their time

    try:
        return Pattern(value)
    except BadPatternError as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}.") from None


def filters(command: F) -> F:
    """Give a command the options of a filter: `match`, `sender` and `mentioned`."""
    for add in (
        option("--mentions", "mentioned", is_flag=True, help="Only messages that name you (--nick)."),
        option("--from", "sender", callback=arguments.check_nick, metavar="NICK", help="Only messages of this person."),
        option("--match", callback=_pattern, metavar="REGEX", help="Only messages in which this is found."),
    ):
        command = add(command)
    return command
