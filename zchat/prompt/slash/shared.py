"""The commands that the prompt shares with the shell, as slash commands."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click

from zchat.errors import TimedOutError

from .. import shared
from ..chat import Chat
from ..dispatch import SlashCommand, group
from ..render import Style

WAITING = {"edit", "delete", "react", "pin"}  # they wait for the broker as what one says does: see messages.py
PATIENCE = 10.0  # seconds for an answer: somebody sits and waits


class Here:
    """Where one is at the prompt."""

    def __init__(self, chat: Chat) -> None:
        self.client, self._chat = chat.client, chat

    @property
    def style(self) -> Style:
        return self._chat.style

    @property
    def columns(self) -> int:
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0

    def typed(self, command: str, room: str | None = None) -> str:
        return f"/{command}"

    async def enter(self, room: str) -> None:
        await self._chat.enter(room)


def slash_command(command: shared.Command, do: Callable[..., Awaitable[None]] | None = None) -> SlashCommand:
    """Return the slash command of a description; `do` is what it does, if it does not ask and wait."""

    @click.pass_obj
    async def run(chat: Chat, /, **given: Any) -> None:
        await (_run(command, chat, given) if do is None else do(chat, **given))

    return SlashCommand(
        command.name,
        action=command.action,
        help=command.help,
        callback=run,
        params=[param(False) for param in command.params],
        context_settings={"ignore_unknown_options": command.texts},
    )


async def _run(command: shared.Command, chat: Chat, given: dict[str, Any]) -> None:
    """Ask, at once or not at all: a command about others is not to be done some time later, by surprise."""
    if not chat.client.online:
        raise TimedOutError(f"no answer to /{command.name}", 0)
    try:
        async with asyncio.timeout(PATIENCE):
            result = await shared.perform(command, Here(chat), given)
    except TimeoutError:
        raise TimedOutError(f"no answer to /{command.name}", PATIENCE, chat.client.stalled) from None
    if result.shown:
        chat.show("\n".join(result.shown))
    for told in result.told or (() if result.shown else ("There is nothing.",)):
        chat.tell(chat.style.dim(told))


for _command in shared.TABLE.values():
    if _command.name not in WAITING:
        group.add_command(slash_command(_command))
