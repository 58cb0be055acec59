"""The slash commands of the prompt: the arguments of each, what it does, and the sentence that /help shows.

They stand in the files of this folder by what they are about, and all are in one table, `COMMANDS`. `dispatch.py` has
click run them. Tab, /help and the usage of a wrong line are made from what is declared there.
"""

import click

from zchat.escapes import escape_controls

from ..chat import Chat
from ..dispatch import group, parse
from . import looking, messages, overview, settings, shared, talking

__all__ = ["COMMANDS", "looking", "messages", "overview", "run", "settings", "shared", "talking"]

COMMANDS = group.commands  # by name; the files imported above have filled it


async def run(line: str, chat: Chat) -> None:
    """Run a line that begins with a slash. What is wrong with it is told to whoever typed it."""
    try:
        await parse(line, chat)
    except click.UsageError as error:
        chat.refused += 1  # a pipe ends with 1, as after a message that is refused
        usage = f"{error.ctx.get_usage()}\n" if error.ctx else ""
        chat.tell(escape_controls(usage + error.format_message(), "\n"))
