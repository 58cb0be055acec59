"""People: WHO, NICK, AWAY, SETNAME, USERHOST, ISON."""

import asyncio
import fnmatch
import math
from typing import cast

from zchat.errors import RefusedError
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line, line
from zchat.gateways.irc.core.names import folded
from zchat.gateways.irc.core.numerics import SERVER, fail, reply, told
from zchat.gateways.irc.core.presence import face_of
from zchat.gateways.irc.core.refusals import refused
from zchat.gateways.irc.core.scene import Persona, modes_of
from zchat.protocol import messages as m

from .rooms import roster

REALNAME_MAX = 128  # characters
ASKED_MAX = 20  # nicks in one ISON or USERHOST


async def find(client: Client, name: str) -> m.Member | None:
    """Return somebody who is here, None for nobody."""
    nick = client.nick_of(name)
    try:
        found = await client.carried.person.client.ask(m.Who(nick=nick))
    except RefusedError:
        return None
    members = cast(m.Roster, found).members
    for member in members:
        client.scene.world.faces.note(member.nick, face_of(member))
    return members[0] if members else None


async def nick(client: Client, got: Line, answer: Answer) -> None:
    """NICK."""
    if not got.params or not got.params[0]:
        answer.send(reply("431", client.me))
        return
    try:
        wanted = client.scene.world.nick_typed(got.params[0])
    except RefusedError as error:
        answer.send(refused(error, "NICK", client.me, got.params[0]))
        return
    if wanted == client.scene.nick:
        return
    person = client.carried.person
    if wait := client.carried.nicks.take(asyncio.get_running_loop().time()):
        answer.send(told("438", client.me, got.params[0], f"Nick change too fast: wait {math.ceil(wait)} s"))
        return
    try:
        await person.rename(wanted)
    except RefusedError as error:
        answer.send(refused(error, "NICK", client.me, got.params[0]))
        return
    new = person.client.nick or wanted
    client.gateway.heard_of(client.scene.nick, new)
    for each in tuple(client.carried.clients):
        lines = each.presence.renamed(each.scene.nick, new)
        if each is client:
            answer.send(*lines)
        else:
            each.send(lines)


async def away(client: Client, got: Line, answer: Answer) -> None:
    """AWAY, and back."""
    text = got.params[0] if got.params else ""
    try:
        await client.carried.person.client.ask(m.Away(text=text or None))
    except RefusedError as error:
        answer.send(refused(error, "AWAY", client.me, client.me))
        return
    answer.send(reply("306" if text else "305", client.me))


async def setname(client: Client, got: Line, answer: Answer) -> None:
    """SETNAME: what one is called besides the nick, for those who are at this gateway."""
    name = got.params[0] if got.params else ""
    if not name.strip() or len(name) > REALNAME_MAX:
        answer.send(fail("SETNAME", "INVALID_REALNAME", f"A name has 1 to {REALNAME_MAX} characters"))
        return
    scene = client.scene
    before = scene.world.personas.get(scene.from_, Persona())
    scene.world.told(scene.from_, before._replace(realname=name))
    told_ = [line(scene.mask(scene.nick), "SETNAME", name)]
    answer.send(*told_)
    client.gateway.tell_neighbours(client, told_)


# -- WHO


async def who(client: Client, got: Line, answer: Answer) -> None:
    """WHO, also with the fields of WHOX."""
    mask = got.params[0] if got.params else "*"
    fields = got.params[1] if len(got.params) > 1 else ""
    room = client.room_of(mask)
    if room is not None:
        channel = client.scene.channel(room)
        lines = [_row(client, each, channel, fields) for each in await roster(client, room)]
    else:
        found = [] if mask.startswith("#") else await _matching(client, mask)
        lines = [_row(client, each, _shown_room(client, each), fields) for each in found]
    await answer.deliver([*lines, reply("315", client.me, mask)])


async def _matching(client: Client, mask: str) -> list[m.Member]:
    if not set(mask) & set("*?"):
        found = await find(client, mask)
        return [found] if found else []
    wanted = folded(mask)
    everybody = {each.nick: each for members in client.rosters.values() for each in members.values()}
    return [each for name, each in everybody.items() if fnmatch.fnmatchcase(folded(client.scene.called(name)), wanted)]


def _shown_room(client: Client, member: m.Member) -> str:
    rooms = client.presence.shows(member.nick)
    return client.scene.channel(rooms[0]) if rooms else "*"


def _row(client: Client, member: m.Member, room: str, fields: str) -> Line:
    values = _values(client, member, room)
    if not fields.startswith("%"):
        flags = values["f"]
        who_ = (room, values["u"], values["h"], SERVER, values["n"], flags, f"0 {values['r']}")
        return told("352", client.me, *who_)
    wanted, _, token = fields[1:].partition(",")
    values["t"] = token[:3] or "0"
    return told("354", client.me, *(values[field] for field in "tcuihsnfdlaor" if field in wanted))


def _values(client: Client, member: m.Member, room: str) -> dict[str, str]:
    role, scene = face_of(member).role, client.scene
    flags = ("H" if member.away is None else "G") + ("B" if member.bot else "")
    flags += scene.prefix(modes_of(role, member.operator is True)) if room != "*" else ""
    account = scene.called(member.nick) if role != "guest" else "0"
    return {
        "c": room, "u": scene.world.user(member.from_, role), "i": "255.255.255.255", "h": member.from_, "s": SERVER,
        "n": scene.called(member.nick), "f": flags, "d": "0", "l": str(member.idle), "a": account, "o": "n/a",
        "r": scene.world.realname(member.nick, member.from_),
    }  # fmt: skip


# -- shorter questions


async def userhost(client: Client, got: Line, answer: Answer) -> None:
    """USERHOST."""
    found = []
    for name in got.params[:5]:
        if (member := await find(client, name)) is not None:
            sign = "-" if member.away is not None else "+"
            user = client.scene.world.user(member.from_, face_of(member).role)
            found.append(f"{client.scene.called(member.nick)}={sign}{user}@{member.from_}")
    answer.send(told("302", client.me, " ".join(found)))


async def ison(client: Client, got: Line, answer: Answer) -> None:
    """ISON."""
    asked = [name for param in got.params for name in param.split()][:ASKED_MAX]
    found = [client.scene.called(member.nick) for name in asked if (member := await find(client, name)) is not None]
    answer.send(told("303", client.me, " ".join(found)))
