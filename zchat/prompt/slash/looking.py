"""Slash commands to see who is here, which rooms there are, and what was said before."""

from datetime import datetime

import click

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .. import arguments, lookup, render, tables
from ..chat import Chat
from ..dispatch import REST, group
from .answers import explained, show


@group.command()
@click.argument("room", callback=arguments.check_room, required=False)
@click.pass_obj
async def who(chat: Chat, room: str | None) -> None:
    """Show who is in a room, by default yours."""
    where = room or chat.room
    answer = await chat.ask(m.Who(room=where), m.Roster)
    show(chat, tables.members(answer.members, chat.style), "Nobody is there.")


@group.command()
@click.pass_obj
async def rooms(chat: Chat) -> None:
    """Show the rooms there are."""
    answer = await chat.ask(m.ListRooms(), m.Rooms)
    show(chat, tables.rooms(answer.rooms, chat.style), "There is no room yet.")


@group.command()
@click.pass_obj
async def status(chat: Chat) -> None:
    """Show how the broker is."""
    if chat.client.stalled:  # the answer would wait behind what one has said
        why, waiting = escape_controls(chat.client.stalled, " "), chat.client.unanswered
        waits = f" {render.counted(waiting, 'message')} of yours wait{'s' if waiting == 1 else ''}." if waiting else ""
        chat.show(chat.style.strong(f"The brokers cannot store anything now: {why}.{waits}"))
        return
    answer = await chat.ask(m.AskStatus(), m.Status)
    show(chat, tables.status(answer, chat.style), "")


@group.command()
@click.argument("count", metavar="[COUNT|TIME]", default="50")
@click.pass_obj
async def history(chat: Chat, count: str) -> None:
    """Show the last COUNT messages (50), or all since 10m, 2h, 1d ago."""
    if not lookup.nowhere(chat):
        with explained():
            await lookup.history(chat, count)


@group.command(hidden=True)
@click.pass_obj
async def older(chat: Chat) -> None:
    """Show the page before the oldest message shown; so does PgUp."""
    if not lookup.nowhere(chat):
        await lookup.older(chat)


@group.command()
@click.argument("text", type=REST)
@click.pass_obj
async def search(chat: Chat, text: str) -> None:
    """Find messages, in any room, that hold all words of TEXT ("a phrase", begin*)."""
    await lookup.search(chat, text)


@group.command()
@click.argument("number", type=arguments.Whole(1, m.SEQ_MAX))
@click.pass_obj
async def jump(chat: Chat, number: int) -> None:
    """Show what was said around a message that /search found."""
    await lookup.jump(chat, number)


@group.command()
@click.argument("file", type=REST, required=False)
@click.pass_obj
async def export(chat: Chat, file: str | None) -> None:
    """Write all that was said here to a new FILE (.json: as the broker's lines)."""
    if lookup.nowhere(chat):
        return
    where = (chat.room or chat.partner or "").replace("/", "-")
    path = lookup.file(file or f"{where}-{datetime.now().astimezone():%Y-%m-%d-%H%M%S}.txt")
    try:
        count = await lookup.export(chat, path)
    except FileExistsError:
        chat.tell(f"{escape_controls(str(path))} is there already: choose another name.")
    else:
        chat.tell(f"Wrote {render.counted(count, 'message')} to {escape_controls(str(path))}.")
