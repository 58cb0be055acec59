"""`zchat edit`, `members`, `ban` …: the commands that the shell shares with the prompt (`zchat/prompt/shared`).

Each connects, asks, and prints. What was asked for goes to standard output, and with --json the broker's own lines do;
a sentence about what was done goes to standard error. One asks as the member whom the connection proves. What guests
may do, too, they do under a nick, and as the same guest in every run: one takes back only what is one's own.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zchat import escapes
from zchat.errors import TimedOutError
from zchat.prompt import arguments, render
from zchat.prompt.shared import TABLE, Command, Result, perform

from . import options
from .options import Connection, option

if TYPE_CHECKING:
    from zchat.client.client import ChatClient


class Shell:
    """Where one is in a shell: in no room."""

    def __init__(self, client: "ChatClient") -> None:
        self.client = client
        terminal = sys.stdout.isatty()
        features = client.welcome.features if client.welcome else ()
        colour = render.use_colour(terminal, os.environ.get("NO_COLOR"))
        self.style = render.Style(colour=colour, lock=render.LOCK if terminal else "", roles="members" in features)
        self.columns = shutil.get_terminal_size().columns if terminal else 0

    def typed(self, command: str, room: str | None = None) -> str:
        return f"zchat {command}" + (f" --room {room}" if room else "")

    async def enter(self, room: str) -> None:
        """Stay outside: whoever wants to be in a room joins it."""


def shell_command(command: Command) -> click.Command:
    """Return the shell's command of a description."""
    name, epilog = command.name.split()[-1], _examples(command.examples)
    run = _by_nick(command) if command.speaks else _by_member(command)
    made = click.command(name, help=command.help, epilog=epilog)(run)
    made.params[:0] = [param(True) for param in command.params]
    return made


def _by_member(command: Command) -> Callable[..., None]:
    """Return what runs a command as the member whom the connection proves."""

    @options.connects()
    @options.as_json
    def run(*, connection: Connection, json: bool, **given: Any) -> None:
        print_result(options.run_async(ask(command, connection.member(), connection.timeout, given)), json)

    return run


def _by_nick(command: Command) -> Callable[..., None]:
    """Return what runs a command as a guest, too."""

    @options.connects()
    @option("--nick", "who", callback=arguments.check_nick, metavar="NICK", help="Who you are, if you are no member.")
    @options.data
    @options.as_json
    def run(*, connection: Connection, who: str | None, data: Path, json: bool, **given: Any) -> None:
        print_result(options.run_async(ask(command, _speaker(connection, who, data), connection.timeout, given)), json)

    return run


@asynccontextmanager
async def _speaker(connection: Connection, nick: str | None, data: Path) -> AsyncIterator["ChatClient"]:
    """Connect as the one who says something by `zchat send`."""
    from .speaking import connect, identity  # noqa: PLC0415 — only these commands need it

    client = await connect(connection, nick, identity(data, connection, nick))
    try:
        yield client
    finally:
        await client.close()


def __getattr__(name: str) -> click.Command:
    """Return the command of this name, or the group of those whose names begin with it: `zchat device add`."""
    if name in TABLE:
        return shell_command(TABLE[name])
    below = {each.removeprefix(f"{name} "): command for each, command in TABLE.items() if each.startswith(f"{name} ")}
    if not below:
        raise AttributeError(name)
    epilog = _examples(tuple(command.examples[0] for command in below.values()))
    return click.Group(
        name, {each: shell_command(command) for each, command in below.items()}, help=GROUPS[name], epilog=epilog
    )


def _examples(lines: tuple[str, ...]) -> str:
    return "\n  ".join((f"\b\nExample{'s' if len(lines) > 1 else ''}:", *lines))


GROUPS = {"device": "Add, list and remove your devices. Each has a key of its own, and all of them are you."}


async def ask(
    command: Command, connecting: AbstractAsyncContextManager["ChatClient"], patience: float, given: dict[str, Any]
) -> Result:
    """Connect, and ask."""
    async with connecting as client:
        try:
            async with asyncio.timeout(patience):
                return await perform(command, Shell(client), given)
        except TimeoutError:
            raise TimedOutError(f"no answer to {command.name}", patience) from None


def print_result(result: Result, json: bool) -> None:
    """Print what became of a command: for people, or the lines for programs."""
    if json:
        for raw in result.lines:
            click.echo(escapes.json(raw))
        return
    for line in result.shown:
        click.echo(line)
    for told in result.told or (() if result.shown else ("nothing was found.",)):
        click.echo(f"zchat: {told}", err=True)
