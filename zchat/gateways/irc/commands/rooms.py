"""Rooms: to join and part, topics, who is there, lists, and who is let in or sent out. Their modes: `modes.py`."""

import asyncio
import fnmatch
import re
from collections.abc import Sequence
from typing import cast

from zchat.errors import RefusedError
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line
from zchat.gateways.irc.core.names import folded
from zchat.gateways.irc.core.numerics import reply, told
from zchat.gateways.irc.core.refusals import refused
from zchat.gateways.irc.core.saying import invitation
from zchat.protocol import messages as m

AT_ONCE = 50  # rooms in one JOIN or PART


async def join(client: Client, got: Line, answer: Answer) -> None:
    """JOIN."""
    if got.params[0] == "0":
        for room in tuple(client.presence.rooms):
            await _part(client, room, client.scene.channel(room), "", answer)
        return
    for channel in got.params[0].split(",")[:AT_ONCE]:
        wanted = client.room_of(channel)
        if wanted is None:
            answer.send(reply("403", client.me, channel or "*"))
        elif wanted not in client.presence.rooms:
            await _join(client, wanted, channel, answer)


async def _join(client: Client, room: str, channel: str, answer: Answer) -> None:
    try:
        joined = await client.carried.person.join("#" + room)
    except RefusedError as error:
        if error.code == "forbidden":
            answer.send(told("405", client.me, channel, error.message))
        else:
            answer.send(refused(error, "JOIN", client.me, channel))
        return
    for each in tuple(client.carried.clients):
        if room not in each.through and room not in each.known:
            each.reach({room: joined.head})
        await each.show(room, answer if each is client else None)


async def part(client: Client, got: Line, answer: Answer) -> None:
    """PART."""
    reason = got.params[1] if len(got.params) > 1 else ""
    for channel in got.params[0].split(",")[:AT_ONCE]:
        room = client.room_of(channel)
        if room is None:
            answer.send(reply("403", client.me, channel or "*"))
        elif room not in client.presence.rooms:
            answer.send(await outside(client, room, channel))
        else:
            await _part(client, room, channel, reason, answer)


async def _part(client: Client, room: str, channel: str, reason: str, answer: Answer) -> None:
    try:
        await client.carried.person.part("#" + room, reason or None)
    except RefusedError as error:
        if error.code != "not_in_room":
            answer.send(refused(error, "PART", client.me, channel))
            return
    client.carried.forget(room)
    for each in tuple(client.carried.clients):
        lines = each.presence.leave(room, reason)
        if each is client:
            answer.send(*lines)
        else:
            each.send(lines)
        each.through.pop(room, None)


async def topic(client: Client, got: Line, answer: Answer) -> None:
    """TOPIC: to see it, or to set it."""
    channel, room = got.params[0], client.room_of(got.params[0])
    if room is None:
        answer.send(reply("403", client.me, channel))
    elif len(got.params) > 1:
        if room not in client.presence.rooms:
            answer.send(await outside(client, room, channel))
            return
        try:
            await client.carried.person.client.set_topic("#" + room, got.params[1])
        except RefusedError as error:
            answer.send(refused(error, "TOPIC", client.me, channel))
    else:
        shown = client.scene.channel(room)
        try:
            lines = client.topic_lines(shown, await client.carried.topic_of(room))
        except RefusedError as error:
            answer.send(refused(error, "TOPIC", client.me, channel))
            return
        if not lines and room not in client.presence.rooms and await listed(client, room) is None:
            lines = [reply("403", client.me, channel)]
        answer.send(*(lines or [reply("331", client.me, shown)]))


async def names(client: Client, got: Line, answer: Answer) -> None:
    """NAMES."""
    channels = got.params[0].split(",") if got.params else []
    if not channels:
        for shown in tuple(client.presence.rooms):
            await answer.deliver(client.names(shown)[:-1])
            await asyncio.sleep(0)  # others are served in between
        answer.send(reply("366", client.me, "*"))
    for channel in channels[:1]:
        room = client.room_of(channel)
        if room is None:
            answer.send(reply("366", client.me, channel or "*"))
        elif room in client.presence.rooms:
            await answer.deliver(client.names(room))
        else:
            await answer.deliver(client.names(room, await roster(client, room)))


async def roster(client: Client, room: str) -> tuple[m.Member, ...]:
    """Return who is in a room, joined or not; nobody where one may not look."""
    try:
        found = await client.carried.person.client.ask(m.Who(room=room))
    except RefusedError:
        return ()
    return cast(m.Roster, found).members


async def list_(client: Client, got: Line, answer: Answer) -> None:
    """LIST, with names, masks, and how many are there: `>5`, `<50`."""
    asked = got.params[0].split(",") if got.params and got.params[0] else []
    rooms = await _rooms(client)
    lines = [told("321", client.me, "Channel", "Users  Name")]
    for each in rooms:
        channel = client.scene.channel(each.room)
        if _is_listed(channel, each.members, asked):
            text = " ".join(each.topic.split("\n"))
            lines.append(told("322", client.me, channel, str(each.members), text))
    await answer.deliver([*lines, reply("323", client.me)])


async def _rooms(client: Client) -> Sequence[m.RoomInfo]:
    return cast(m.Rooms, await client.carried.person.client.ask(m.ListRooms())).rooms


async def listed(client: Client, room: str) -> m.RoomInfo | None:
    """Return what all may know of a room; None if it is not there, or not for this client."""
    return next((each for each in await _rooms(client) if each.room == room), None)


async def outside(client: Client, room: str, channel: str) -> Line:
    """Return the answer to who does something in a room without being in it."""
    return reply("403" if await listed(client, room) is None else "442", client.me, channel)


def _is_listed(channel: str, count: int, asked: list[str]) -> bool:
    counts = [word for word in asked if re.fullmatch("[<>][0-9]{1,6}", word)]
    if any(count <= int(word[1:]) if word[0] == ">" else count >= int(word[1:]) for word in counts):
        return False
    masks = [folded(word) for word in asked if word not in counts]
    wanted, unwanted = [word for word in masks if word[:1] != "!"], [word[1:] for word in masks if word[:1] == "!"]
    name = folded(channel)
    if any(fnmatch.fnmatchcase(name, mask) for mask in unwanted):
        return False
    return not wanted or any(fnmatch.fnmatchcase(name, mask) for mask in wanted)


# -- who is let in, and sent out


async def kick(client: Client, got: Line, answer: Answer) -> None:
    """KICK: somebody is made to leave a room."""
    channel, name = got.params[0], got.params[1]
    reason = got.params[2] if len(got.params) > 2 else ""
    room = client.room_of(channel)
    if room is None:
        answer.send(reply("403", client.me, channel))
    elif room not in client.presence.rooms:
        answer.send(await outside(client, room, channel))
    elif (nick := client.presence.found(room, client.nick_of(name))) is None:
        answer.send(reply("441", client.me, name, channel))
    else:
        try:
            await client.carried.person.client.administration.kick(nick, room="#" + room, reason=reason or None)
        except RefusedError as error:
            answer.send(refused(error, "KICK", client.me, channel))


async def invite(client: Client, got: Line, answer: Answer) -> None:
    """INVITE: to let somebody into a private room, or to tell them of a public one."""
    name, channel = got.params[0], got.params[1]
    nick, room = client.nick_of(name), client.room_of(channel)
    if room is None:
        answer.send(reply("403", client.me, channel))
        return
    if room not in client.presence.rooms:
        answer.send(await outside(client, room, channel))
        return
    if client.presence.found(room, nick) is not None:
        answer.send(reply("443", client.me, name, channel))
        return
    session = client.carried.person.client
    try:
        if room.startswith("+"):
            await session.access.admit("#" + room, nick)
        else:
            await session.say(invitation(room), to=nick, kind="notice")
    except RefusedError as error:
        answer.send(refused(error, "INVITE", client.me, name if error.code.startswith("unknown_") else channel))
        return
    answer.send(told("341", client.me, client.scene.called(nick), client.scene.channel(room)))


__all__ = ["invite", "join", "kick", "list_", "names", "part", "roster", "topic"]
