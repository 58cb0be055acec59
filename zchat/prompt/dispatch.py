"""How a line that begins with a slash is obeyed: by click, inside a running program.

Click parses, checks and explains as it does on the command line, but never exits and never prints by itself: `run`
makes the context, catches what click has to say and shows it in the chat. A line is split at white space and not by
a shell's rules, because people write apostrophes; an argument of the type UNPROCESSED takes the rest of the line as
it stands. There are no options, so a text may begin with a dash.
"""

import difflib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import click

from zchat.escapes import escape_controls

if TYPE_CHECKING:
    from .chat import Chat

REST = click.UNPROCESSED


class SlashCommand(click.Command):
    """A command without options, not even --help: that is /help COMMAND."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings | {"add_help_option": False, "options_metavar": ""})

    def words(self, line: str) -> list[str]:
        """Split the rest of a line into as many arguments as there are."""
        arguments = [param for param in self.params if isinstance(param, click.Argument)]
        if arguments and arguments[-1].type is REST:
            return line.split(None, len(arguments) - 1) if line.strip() else []
        return line.split()


@click.group(add_help_option=False)
def slash() -> None:
    """The commands of the prompt."""


slash.command_class = SlashCommand


async def run(line: str, chat: "Chat") -> None:
    """Obey a line that begins with a slash; what is wrong with it is told to the one who typed it."""
    try:
        await parse(line, chat)
    except click.UsageError as error:
        chat.refused += 1  # a pipe ends with 1, as after a message that is refused
        usage = f"{error.ctx.get_usage()}\n" if error.ctx else ""
        chat.tell(escape_controls(usage + error.format_message(), "\n"))


def parse(line: str, chat: "Chat") -> Coroutine[Any, Any, None]:
    """Return what a line that begins with a slash asks for, ready to be awaited; raise click's UsageError."""
    name, _, rest = line[1:].partition(" ")
    command = find(name)
    context = command.make_context(f"/{name}", ["--", *command.words(rest)], obj=chat)
    with context:
        todo: Coroutine[Any, Any, None] = command.invoke(context)
    return todo


def find(name: str) -> SlashCommand:
    """Return the command of this name, or raise what else it could have been."""
    command = slash.commands.get(name)
    if isinstance(command, SlashCommand):
        return command
    near = difflib.get_close_matches(name, slash.commands, 1)
    hint = f" Did you mean /{near[0]}?" if near else ""
    raise click.UsageError(f"There is no command /{name}.{hint} See /help; to say it, write //{name}.")
