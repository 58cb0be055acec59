"""Slash commands about messages, by their numbers, which Tab shows with their first words.

`/delete`, `/react` and `/pin` are described in `prompt/shared`, for the shell has them, too. What is done to messages
waits for the broker here, as what one says does; so it does not run as the other shared commands do.
"""

from typing import Literal

import click

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .. import arguments, doing, lookup, shared, threads
from ..about import about
from ..chat import Chat
from ..dispatch import REST, group
from .shared import slash_command

_number = click.argument("number", type=arguments.Whole(1, m.SEQ_MAX))


@group.command()
@_number
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def edit(chat: Chat, number: int, text: str | None) -> None:
    """Give a message of yours another text; without TEXT, edit it in the line."""
    if text:
        await doing.edit(chat, number, text)
    else:
        await _begin(chat, "edit", number)


@group.command()
@_number
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def reply(chat: Chat, number: int, text: str | None) -> None:
    """Answer a message; without TEXT, the next line answers it."""
    if text:
        await chat.say(text, reply_to=number)
    else:
        await _begin(chat, "reply", number)


async def _begin(chat: Chat, how: Literal["edit", "reply"], number: int) -> None:
    """Have the line be about a message."""
    found = await threads.find(chat, number)
    if how == "edit" and found.from_ != chat.client.from_:
        raise click.UsageError(f"{number} is not yours: it was said by {escape_controls(found.nick)}.")
    if not chat.output.begin(about(how, found)):
        raise click.UsageError(f"Say the text, too: /{how} {number} TEXT.")


@group.command()
@_number
@click.pass_obj
async def unpin(chat: Chat, number: int) -> None:
    """Pin a message no more."""
    await doing.pin(chat, number=number, off=True)


@group.command()
@click.pass_obj
async def pins(chat: Chat) -> None:
    """Show what is pinned here."""
    if not lookup.nowhere(chat):
        await lookup.pins(chat)


@group.command()
@_number
@click.pass_obj
async def thread(chat: Chat, number: int) -> None:
    """Turn to a message and its answers; what you say there answers it. /join goes back."""
    await threads.turn_to(chat, number)


@group.command()
@click.pass_obj
async def mentions(chat: Chat) -> None:
    """Show what called you by your nick, in any room."""
    await lookup.mentions(chat)


for _name, _do in (("delete", doing.delete), ("react", doing.react), ("pin", doing.pin)):
    group.add_command(slash_command(shared.TABLE[_name], _do))
group.add_command(slash_command(shared.TABLE["scheduled"]))
