"""/help: the commands, and how to use each."""

import shutil

import click

from .. import render, tables
from ..chat import Chat
from ..dispatch import find, group


@group.command(name="help")
@click.argument("command", required=False)
@click.pass_obj
async def help_(chat: Chat, command: str | None) -> None:
    """Show the commands, or how to use one."""
    if command is None:
        chat.show("\n".join(overview(shutil.get_terminal_size().columns)))
        return
    found = find(command.removeprefix("/"))
    columns = shutil.get_terminal_size().columns
    context = click.Context(found, info_name=f"/{found.name}", terminal_width=columns)
    chat.show(found.get_help(context))


def overview(columns: int = 80) -> list[str]:
    """Return a line for each command, for a terminal of this width."""
    rows = []
    for name, command in sorted(group.commands.items()):
        if name == command.name and not command.hidden:
            context = click.Context(command, info_name=f"/{name}")
            usage = " ".join([f"/{name}", *command.collect_usage_pieces(context)])
            rows.append((usage, command.get_short_help_str(200)))
    typed = [("exit", "Leave."), ("//text", "Say /text.")]
    indent = tables.indent_of_last_column(rows, columns)
    return [render.wrap(line, columns, indent) for line in tables.table([*rows, *typed], render.Style())]
