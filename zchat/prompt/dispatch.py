"""How click runs a slash command inside a running program.

Click parses, checks and explains as on the command line, but it never exits and never prints: what is wrong with a
line is raised as a UsageError. A line is split at white space and not by the rules of a shell, because people write
apostrophes. An argument of the type REST takes the rest of the line as it is. There are no options, so a text may begin
with a dash.
"""

import difflib
from collections.abc import Coroutine
from typing import Any

import click

SIMILAR = 0.65  # how much of a name has to agree with a command's for a hint: /mgs is /msg, but /nope is no /ignore
REST = click.UNPROCESSED


class SlashCommand(click.Command):
    """A command without options, not even --help: that is /help COMMAND."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings | {"add_help_option": False, "options_metavar": ""})

    def words(self, line: str) -> list[str]:
        """Split what follows the name of the command into its arguments."""
        arguments = [param for param in self.params if isinstance(param, click.Argument)]
        if arguments and arguments[-1].type is REST:
            return line.split(None, len(arguments) - 1) if line.strip() else []
        return line.split()


@click.group(add_help_option=False)
def group() -> None:
    """The commands of the prompt."""


group.command_class = SlashCommand


def parse(line: str, target: object) -> Coroutine[Any, Any, None]:
    """Return the coroutine that runs a line on `target`, the first argument of each command. Raises UsageError."""
    name, _, rest = line[1:].partition(" ")
    command = find(name)
    context = command.make_context(f"/{name}", ["--", *command.words(rest)], obj=target)
    with context:
        todo: Coroutine[Any, Any, None] = command.invoke(context)
    return todo


def find(name: str) -> SlashCommand:
    """Return the command of this name. Raises UsageError, with a similar name if there is one."""
    command = group.commands.get(name)
    if isinstance(command, SlashCommand):
        return command
    near = difflib.get_close_matches(name, group.commands, 1, SIMILAR)
    hint = f" Did you mean /{near[0]}?" if near else ""
    raise click.UsageError(f"There is no command /{name}.{hint} See /help; to say it, write //{name}.")
