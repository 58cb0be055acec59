"""Slash commands to be somewhere and to say something there."""

import click

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .. import arguments, lookup
from ..chat import Chat
from ..dispatch import REST, group
from .answers import show


@group.command()
@click.argument("new", callback=arguments.check_nick, metavar="NICK")
@click.pass_obj
async def nick(chat: Chat, new: str) -> None:
    """Change your nick."""
    await chat.client.rename(new)
    chat.restyle()
    if not chat.client.online:
        chat.tell(chat.style.dim(f"You are {escape_controls(new)} as soon as the broker is back."))


def _go_back(chat: Chat) -> None:
    """Turn from a thread to where it is, or from a conversation to the last room."""
    here, rooms = chat.here, chat.client.rooms
    if here is not None and here.thread is not None:
        chat.turn_to(here.base)
    elif rooms and chat.room is None:
        chat.turn_to(f"#{rooms[-1]}")
    else:
        raise click.UsageError("Say which room, as in /join dev.")


def _rooms(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the rooms in `#a,#b` (a click callback)."""
    if value is None:
        return ()
    rooms: tuple[str, ...] = arguments.check_room(ctx, param, tuple(filter(None, value.split(","))))
    if not rooms:
        raise click.BadParameter("say which room.")
    return rooms


@group.command()
@click.argument("rooms", callback=_rooms, required=False)
@click.pass_obj
async def join(chat: Chat, rooms: tuple[str, ...]) -> None:
    """Enter a room, or several (`/join #a,#b`), or turn to one you are in; alone, go back from a thread."""
    if not rooms:
        _go_back(chat)
    for room in reversed(rooms):
        if room in chat.client.rooms:
            chat.turn_to(f"#{room}")
            chat.tell(chat.style.dim(f"You speak in {chat.style.room(room)} now."))
        else:
            await chat.enter(room)


@group.command()
@click.argument("nick", callback=arguments.check_partner)
@click.pass_obj
async def query(chat: Chat, nick: str) -> None:
    """Talk to one person only, until you /join a room again."""
    await chat.talk_to(nick)


@group.command()
@click.argument("room", callback=arguments.check_room, required=False)
@click.pass_obj
async def part(chat: Chat, room: str | None) -> None:
    """Leave a room, by default the one you speak in."""
    where = room or chat.room
    if where is None:
        chat.tell(lookup.no_room(chat))
    else:
        await chat.leave(where)


@group.command()
@click.argument("text", type=REST)
@click.pass_obj
async def me(chat: Chat, text: str) -> None:
    """Say what you do: `/me waves` is `* alice waves`."""
    await chat.say(text, kind="action")


@group.command()
@click.argument("nick", callback=arguments.check_nick)
@click.argument("text", type=REST)
@click.pass_obj
async def msg(chat: Chat, nick: str, text: str) -> None:
    """Say something to one person only."""
    await chat.say(text, to=nick)


@group.command()
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def topic(chat: Chat, text: str | None) -> None:
    """Set the topic of the room, or show it."""
    if chat.room is None:
        chat.tell(lookup.no_room(chat))
    elif text:
        await chat.set_topic(chat.room, text)
    else:
        answer = await chat.ask(m.ListRooms(), m.Rooms)
        found = [
            f"The topic is: {escape_controls(one.topic, ' ')}"
            for one in answer.rooms
            if one.room == chat.room and one.topic
        ]
        show(chat, found, "There is no topic. Set one with /topic TEXT.")


@group.command()
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def away(chat: Chat, text: str | None) -> None:
    """Say that you are away; without TEXT, that you are back."""
    await chat.ask(m.Away(text=text or None), m.Ok)
    chat.is_away = bool(text)
    chat.tell(chat.style.dim("You are marked as away." if text else "You are back."))


@group.command(name="exit")
@click.pass_obj
async def exit_(chat: Chat) -> None:
    """Leave (so do `exit`, /quit and Ctrl-D)."""
    chat.leaving = True


group.add_command(exit_, "quit")
