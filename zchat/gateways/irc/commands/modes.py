"""MODE: what a room's settings are in IRC, and what of them can be set.

zchat has few modes: a room is public, one in which only its operators and moderators speak and set the topic (`A`,
asked for as `m`, too), or private, which its name tells. Somebody may be made an operator of a room. All else is
answered by why there is no such thing, and what there is instead: worse than no change is one that only looks done.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from zchat.errors import RefusedError
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line, line
from zchat.gateways.irc.core.names import folded
from zchat.gateways.irc.core.numerics import reply, told
from zchat.gateways.irc.core.refusals import refused
from zchat.protocol import messages as m

from .persons import find
from .rooms import listed, outside

ROOMS_KEPT = 10_000  # of which it is known since when they are there
AT_ONCE = 10  # changes in one MODE: a line has not many more
SHOWN = {"announce": "+Ant", "private": "+ins"}  # by the mode of a room; of a public one nobody speaks from outside

ROLES = "Roles hold everywhere in zchat: an owner gives them at a terminal, with zchat role NICK ROLE"
PRIVATE = "A room is private from the beginning, by a name with a +"
WHY_NOT = {  # of modes that zchat has, and that are not changed so
    "b": "Nobody is banned from one room in zchat: a moderator mutes there, with /msg *zchat mute NICK #ROOM",
    "i": PRIVATE,
    "n": "Only who is in a room speaks there, always",
    "o": "Who operates a room does so until it is public again, or they are let in no more",
    "q": ROLES,
    "s": PRIVATE,
    "t": "All set the topic of a room; with the mode A only its operators and moderators do",
    "v": ROLES,
}
INSTEAD = {  # of modes that zchat has not
    "k": "rooms have no passwords; whom /invite lets in may enter a private one, whose name begins with a +",
    "l": "rooms have no limit",
    "p": "a private room has a name that begins with a +",
}


class Change(NamedTuple):
    """One change: `+` or `-`, its letter, and what it is about."""

    sign: str
    letter: str
    param: str = ""


async def mode(client: Client, got: Line, answer: Answer) -> None:
    """MODE, of oneself or of a room."""
    target, changes = got.params[0], got.params[1:]
    if not target.startswith("#"):
        await _own_mode(client, target, changes, answer)
        return
    room = client.room_of(target)
    if room is None:
        answer.send(reply("403", client.me, target))
    elif not changes:
        await _show(client, room, answer)
    elif len(changes) == 1 and changes[0].lstrip("+-") == "b":
        answer.send(reply("368", client.me, target))
    elif room not in client.presence.rooms:
        answer.send(await outside(client, room, target))
    else:
        for change in _read(changes):
            if (refusal := await _change(client, room, target, change)) is not None:
                answer.send(refusal)


def _read(words: Sequence[str]) -> Iterator[Change]:
    sign, params = "+", iter(words[1:])
    for letter in words[0][: 2 * AT_ONCE]:
        if letter in "+-":
            sign = letter
        else:
            yield Change(sign, letter, next(params, "") if letter in "qovbk" else "")


# -- of oneself


async def _own_mode(client: Client, target: str, changes: Sequence[str], answer: Answer) -> None:
    if folded(target) != folded(client.me):
        known = bool(client.presence.shows(client.nick_of(target)))
        answer.send(reply("502", client.me) if known else reply("401", client.me, target))
        return
    if not changes:
        answer.send(told("221", client.me, "+B" if client.carried.is_bot else "+"))
    for change in _read(changes) if changes else ():
        if change.letter == "B":
            await _be_bot(client, change.sign, answer)
        elif change.letter not in "iwx":
            answer.send(reply("501", client.me))


async def _be_bot(client: Client, sign: str, answer: Answer) -> None:
    """Tell all that this is a bot, or none; the broker says whether it is one: that all of its devices are, too."""
    carried = client.carried
    carried.person.client.set_bot(sign == "+")
    member = await find(client, client.me)
    carried.is_bot = member is not None and member.bot
    if carried.is_bot != (sign == "+"):
        answer.send(told("501", client.me, "You are here by another device, too, which is no bot"))
        return
    mode = line(client.scene.mask(client.scene.nick), "MODE", client.me, f"{sign}B")
    answer.send(mode)
    for each in carried.clients:
        if each is not client:
            each.send([mode])


# -- of a room


async def _show(client: Client, room: str, answer: Answer) -> None:
    """Show the modes of a room. They are asked for anew: nobody is told of changes in other rooms."""
    session, channel = client.carried.person.client, client.scene.channel(room)
    if room in client.presence.rooms:
        mode = (await session.join("#" + room)).mode or "public"
    elif (found := await listed(client, room)) is not None:
        mode = found.mode if isinstance(found.mode, str) else "public"
    else:
        answer.send(reply("403", client.me, channel))
        return
    answer.send(told("324", client.me, channel, SHOWN.get(mode, "+n")))
    answer.send(told("329", client.me, channel, str(await _since(client, room))))


async def _since(client: Client, room: str) -> int:
    """Return since when a room is there: the time of the oldest that it has, or else of the first look at it."""
    created = client.scene.world.created
    if room not in created:
        page = await client.carried.person.client.history(room="#" + room, after=0, limit=1)
        first = next((event.time for event in page.events if isinstance(event, m.Event)), None)
        if len(created) >= ROOMS_KEPT:
            created.clear()
        created[room] = int((datetime.fromisoformat(first) if first else datetime.now(UTC)).timestamp())
    return created[room]


async def _change(client: Client, room: str, channel: str, change: Change) -> Line | None:
    """Make a change; return what there is to say about it. That it was made all are told by its event."""
    sign, letter, name = change
    if letter in "Am":
        return await _announce(client, room, channel, "public" if sign == "-" else "announce")
    if (sign, letter) == ("+", "o"):
        return await _operator(client, room, channel, name)
    if letter in WHY_NOT:
        is_so = (letter in "is" and room.startswith("+") == (sign == "+")) or (sign, letter) == ("+", "n")
        return None if is_so else told("482", client.me, channel, WHY_NOT[letter])
    words = f"is unknown mode char to me: {INSTEAD[letter]}" if letter in INSTEAD else "is unknown mode char to me"
    return told("472", client.me, letter, words)


async def _announce(client: Client, room: str, channel: str, mode: m.Mode) -> Line | None:
    try:
        await client.carried.person.client.access.set_mode("#" + room, mode)
    except RefusedError as error:
        return refused(error, "MODE", client.me, channel)
    return None


async def _operator(client: Client, room: str, channel: str, name: str) -> Line | None:
    """Have somebody who is in a room operate it, too."""
    if not name:
        return reply("461", client.me, "MODE")
    nick = client.presence.found(room, client.nick_of(name))
    if nick is None:
        return reply("441", client.me, name, channel)
    try:
        await client.carried.person.client.access.make_operator("#" + room, nick)
    except RefusedError as error:
        return refused(error, "MODE", client.me, channel)
    return None


__all__ = ["mode"]
