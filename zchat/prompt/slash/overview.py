"""/help: the commands that one may use, and how to use each."""

import shutil

import click

from zchat.protocol import policy

from .. import render, tables
from ..chat import Chat
from ..dispatch import REST, SlashCommand, find, group

NARROW = " " * 8  # before what a command does, where it stands below the command


@group.command(name="help")
@click.argument("command", type=REST, required=False)
@click.pass_obj
async def help_(chat: Chat, command: str | None) -> None:
    """Show the commands, or how to use one."""
    columns = shutil.get_terminal_size().columns
    if command is None:
        chat.show("\n".join(overview(columns, chat.client.role)))
        return
    found = find(" ".join(command.split()).removeprefix("/"))
    context = click.Context(found, info_name=f"/{found.name}", terminal_width=columns)
    rule = policy.TABLE[found.action]
    who = "" if found.is_for(chat.client.role) else f"\n\nOne has to be {policy.one(rule.role)} to {rule.text}."
    chat.show(found.get_help(context) + who)


def overview(columns: int = 80, role: str = policy.OWNER) -> list[str]:
    """Return a line for each command that somebody of this role may use, for a terminal of this width."""
    rows = []
    for name, command in sorted(group.commands.items()):
        if isinstance(command, SlashCommand) and name == command.name and not command.hidden and command.is_for(role):
            context = click.Context(command, info_name=f"/{name}")
            usage = " ".join(
                [f"/{name}", *(piece for each in command.arguments for piece in each.get_usage_pieces(context))]
            )
            rows.append((usage, command.get_short_help_str(200)))
    typed = [("exit", "Leave."), ("//text", "Say /text.")]
    return _described([*rows, *typed], columns)


def _described(rows: list[tuple[str, str]], columns: int) -> list[str]:
    """Return what is typed beside what it does; where that is too narrow, above it."""
    indent = tables.indent_of_last_column(rows, columns)
    if columns > 2 * len(indent) and len(indent) > len(NARROW):
        return [render.wrap(line, columns, indent) for line in tables.table(rows, render.Style())]
    return [line for usage, what in rows for line in (usage, render.wrap(NARROW + what, columns, NARROW))]
