"""How click runs a slash command inside a running program.

Click parses, checks and explains as on the command line, but it never exits and never prints: what is wrong with a
line is raised as a UsageError. A line is split at white space and not by the rules of a shell, because people write
apostrophes. An argument of the type REST takes the rest of the line as it is. Most commands have no options, so their
texts may begin with a dash. The name of a command may have two words, `/device add`.
"""

import difflib
from collections.abc import Coroutine
from typing import Any

import click

from zchat.protocol import policy

SIMILAR = 0.65  # how much of a name has to agree with a command's for a hint: /mgs is /msg, but /nope is no /ignore
REST = click.UNPROCESSED


class SlashCommand(click.Command):
    """A command without --help: that is /help COMMAND. `action` is what it is in the table of who may do what."""

    def __init__(self, *args: Any, action: str = "read", **settings: Any) -> None:
        super().__init__(*args, **settings | {"add_help_option": False, "options_metavar": ""})
        self.action = action
        self.options = [param for param in self.params if isinstance(param, click.Option)]
        self.options_metavar = " ".join(f"[{_usage(option)}]" for option in self.options)

    @property
    def arguments(self) -> list[click.Argument]:
        return [param for param in self.params if isinstance(param, click.Argument)]

    def words(self, line: str) -> list[str]:
        """Split what follows the name of the command into its arguments."""
        if self.options:
            return line.split()
        if self.arguments and self.arguments[-1].type is REST:
            return ["--", *(line.split(None, len(self.arguments) - 1) if line.strip() else [])]
        return ["--", *line.split()]

    def is_for(self, role: str) -> bool:
        """Say whether somebody of this role may do this; one that we do not know may do what everybody may."""
        return policy.may(role if role in policy.RANKS else policy.GUEST, self.action)


def _usage(option: click.Option) -> str:
    """Return how an option is typed: a flag is its name alone."""
    return option.opts[-1] if option.is_flag else f"{option.opts[-1]} {option.metavar}"


@click.group(add_help_option=False)
def group() -> None:
    """The commands of the prompt."""


group.command_class = SlashCommand


def parse(line: str, target: object) -> Coroutine[Any, Any, None]:
    """Return the coroutine that runs a line on `target`, the first argument of each command. Raises UsageError."""
    name, rest = split(line)
    command = find(name)
    context = command.make_context(f"/{name}", command.words(rest), obj=target)
    with context:
        todo: Coroutine[Any, Any, None] = command.invoke(context)
    return todo


def split(line: str) -> tuple[str, str]:
    """Part a line after its slash into the name of a command, which may have two words, and the rest."""
    name, _, rest = line[1:].partition(" ")
    word = rest.split(None, 1)[:1]
    if word and f"{name} {word[0]}" in group.commands:
        return f"{name} {word[0]}", rest.split(None, 1)[1] if len(rest.split(None, 1)) > 1 else ""
    return name, rest


def find(name: str) -> SlashCommand:
    """Return the command of this name. Raises UsageError, with a similar name if there is one."""
    command = group.commands.get(name)
    if isinstance(command, SlashCommand):
        return command
    if longer := [f"/{each}" for each in sorted(group.commands) if each.startswith(f"{name} ")]:
        raise click.UsageError(f"Say what to do: {', '.join(longer[:-1])} or {longer[-1]}.")
    near = difflib.get_close_matches(name, group.commands, 1, SIMILAR)
    hint = f" Did you mean /{near[0]}?" if near else ""
    raise click.UsageError(f"There is no command /{name}.{hint} See /help; to say it, write //{name}.")
