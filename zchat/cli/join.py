"""`zchat join`: talk, at a prompt on a terminal, or line by line through a pipe."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click

from zchat import __version__
from zchat.client import outbox
from zchat.client.client import ChatClient
from zchat.errors import InUseError

from . import options, render
from .chat import Chat, converse
from .lines import lines
from .options import Connection, option


@click.command(
    epilog="""
\b
Examples:
  zchat join --nick alice
  zchat join --room general --room dev
  printf 'hello\\n/me waves\\n' | zchat join --nick robot
"""
)
@options.connects(feed=True)
@option("--nick", callback=options.check_nick, metavar="NICK", help="Who you are. [default: the login name]")
@options.room("A room to enter; repeat it for several.", multiple=True)
@options.data
def join(*, connection: Connection, nick: str | None, rooms: tuple[str, ...], data: Path) -> int:
    """Talk: at a prompt, where /help tells the commands and `exit` leaves.

    When standard input or output is not a terminal, each line of input is sent (or obeyed, if it begins with a slash),
    what is said is printed, and the end of input ends it once all is acknowledged. What is not acknowledged when it is
    interrupted is kept and sent by the next join with the same nick.
    """
    return options.run_async(_join(connection, nick or options.login_nick(), rooms, data))


async def _join(connection: Connection, nick: str, rooms: tuple[str, ...], data: Path) -> int:
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    style = render.Style(colour=render.use_colour(sys.stdout.isatty(), os.environ.get("NO_COLOR")))
    client = await _connect(connection, nick, data / "outbox")
    try:
        chat = Chat(client, style, *((_print_wrapped, _print_wrapped) if terminal else (_print, _print_aside)))
        if terminal:
            _greet(chat, connection.broker)
        for room in reversed(rooms):
            await chat.enter(room)
        await (_at_prompt(chat) if terminal else _through_pipe(chat))
    finally:
        await client.close()
    if terminal:
        _take_leave(chat)
    return 1 if chat.refused and not terminal else 0


async def _connect(connection: Connection, nick: str, folder: Path) -> ChatClient:
    """Return a connected client with an outbox that nobody else uses."""
    while True:
        kept = outbox.choose(folder, connection.broker, nick)
        try:
            return await connection.client(nick, outbox=kept).__aenter__()
        except InUseError:  # another join was faster: the next one is ours
            await asyncio.sleep(0)


async def _at_prompt(chat: Chat) -> None:
    from . import prompt  # noqa: PLC0415 — a pipe needs no line editor

    await prompt.talk(chat)


async def _through_pipe(chat: Chat) -> None:
    async def texts() -> AsyncIterator[str]:
        async for line in lines(sys.stdin.fileno()):
            if line.fault:
                chat.refused += 1
                chat.tell(f"zchat: line {line.number}: not sent: {line.fault}")
            else:
                yield line.text

    await converse(chat, texts(), None)


def _greet(chat: Chat, broker: str) -> None:
    nick = render.visible(chat.client.nick or "")
    chat.tell(chat.style.strong(f"zchat {__version__}: you are {nick}, at {broker}."))
    chat.tell("Type to talk; /help shows the commands. exit, /exit or Ctrl-D leaves.")


def _take_leave(chat: Chat) -> None:
    if waiting := chat.client.unanswered:
        chat.tell(
            f"{waiting} of your messages did not reach the broker yet: they are kept, and sent when you join again."
        )
    chat.tell(f"Goodbye, {render.visible(chat.client.nick or '')}.")


def _print_wrapped(text: str) -> None:
    columns = shutil.get_terminal_size().columns
    _print("\n".join(render.wrap(line, columns) for line in text.split("\n")))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _print_aside(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
