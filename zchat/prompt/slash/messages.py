"""Slash commands about messages, by their numbers, which Tab shows with their first words.

`/delete`, `/react` and `/pin` are described in `prompt/shared`, for the shell has them, too. What is done to messages
waits for the broker here, as what one says does; so it does not run as the other shared commands do.
"""

import asyncio
from datetime import datetime
from typing import Literal

import click

from zchat.client.files import apart
from zchat.errors import TimedOutError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .. import arguments, doing, lookup, render, shared, threads, transfers
from ..about import about
from ..chat import Chat
from ..dispatch import REST, group
from ..target import nick_of
from .shared import PATIENCE, slash_command

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
    if how == "reply":
        threads.require_here(chat, number)
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


@group.command()
@click.argument("path", type=REST, metavar="PATH [TEXT]")
@click.pass_obj
async def send(chat: Chat, path: str) -> None:
    """Send a file to where you are, perhaps with a TEXT; you can go on typing meanwhile."""
    transfers.send(chat, *lookup.file_and_text(path))


@group.command()
@_number
@click.argument("path", nargs=-1, metavar="[PATH]")
@click.option("--overwrite", is_flag=True, help="Put it in the place of a file that is there.")
@click.pass_obj
async def save(chat: Chat, number: int, path: tuple[str, ...], overwrite: bool) -> None:
    """Save the files of a message, here or to PATH; nothing is overwritten."""
    found = await threads.find(chat, number)
    if not found.files:
        raise click.UsageError(f"{number} carries no file.")
    name = lookup.unquoted(" ".join(path)) or "."
    target = lookup.file(name)
    if name.endswith("/") and not target.exists():
        lookup.make(target)
    if len(found.files) > 1 and not target.is_dir():
        raise click.UsageError(f"{number} carries {len(found.files)} files: PATH has to be a folder.")
    for one in apart(found.files):
        place = target / one.name if target.is_dir() else target
        if place.exists() and not overwrite:
            raise click.UsageError(f"{place} is there already: name another PATH, or say --overwrite.")
    transfers.save(chat, found, target, overwrite=overwrite)


@group.command()
@click.argument("said", type=REST, metavar="WHEN TEXT", callback=arguments.check_at_and_text)
@click.pass_obj
async def later(chat: Chat, said: tuple[datetime, str]) -> None:
    """Have the broker say it later: WHEN is 10m, 2h, 14:05, tomorrow 9:00 or 2026-12-24 18:00."""
    if lookup.nowhere(chat) or chat.here is None or chat.has_nothing_to_answer(chat.here):
        return
    if not chat.client.online:  # it might come back after that moment
        raise TimedOutError("no answer to /later", 0)
    to = None if chat.partner is None else nick_of(chat.partner)
    when, text = said
    answer = await chat.client.post(
        text, room=None if to else chat.room, to=to, with_=chat.with_, reply_to=chat.here.answered, at=when
    )
    try:
        async with asyncio.timeout(PATIENCE):
            ack = await asyncio.shield(answer)
    except TimeoutError:
        raise TimedOutError("no answer to /later", PATIENCE) from None
    moment = render.when(when.isoformat(), datetime.now().astimezone().isoformat(), chat.style)
    taken = f"; /scheduled --remove {ack.scheduled} takes it back" if ack.scheduled else ""
    chat.output.tell_aside(f"To be said at {moment} in {chat.style.place(chat.here.name)}{taken}.")


for _name, _do in (("delete", doing.delete), ("react", doing.react), ("pin", doing.pin)):
    group.add_command(slash_command(shared.TABLE[_name], _do))
group.add_command(slash_command(shared.TABLE["scheduled"]))
