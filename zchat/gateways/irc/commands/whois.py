"""WHOIS and WHOWAS: who is here, who is a member and is not, and who was."""

from collections.abc import Iterable
from datetime import datetime

from zchat.errors import ZchatError
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line
from zchat.gateways.irc.core.names import folded
from zchat.gateways.irc.core.numerics import SERVER, reply, told
from zchat.gateways.irc.core.presence import face_of
from zchat.gateways.irc.core.scene import modes_of
from zchat.protocol import messages as m

from .persons import find
from .service import SERVICE

IDLE = 60  # seconds
NOT_HERE = "not here now; what you write is kept, and read when they are back"


async def whois(client: Client, got: Line, answer: Answer) -> None:
    """WHOIS. The first of two parameters is a server, of which there is one."""
    name = got.params[1] if len(got.params) > 1 else got.params[0] if got.params else ""
    if not name:
        answer.send(reply("431", client.me))
        return
    member = await find(client, name)
    if member is not None:
        lines, called = _about(client, member), client.scene.called(member.nick)
    elif folded(name) == SERVICE:
        lines, called = [told("311", client.me, SERVICE, "zchat", SERVER, "*", f"/msg {SERVICE} help")], SERVICE
    elif (absent := await _absent(client, name)) is not None:
        lines, called = _about_absent(client, absent), client.scene.called(absent.nick)
    else:
        lines, called = [reply("401", client.me, name)], name
    answer.send(*lines, reply("318", client.me, called))


def _about(client: Client, member: m.Member) -> Iterable[Line]:
    me, scene, role = client.me, client.scene, face_of(member).role
    called = scene.called(member.nick)
    user, realname = scene.world.user(member.from_, role), scene.world.realname(member.nick, member.from_)
    yield told("311", me, called, user, member.from_, "*", realname)
    rooms = member.rooms if isinstance(member.rooms, tuple) else tuple(client.presence.shows(member.nick))
    if rooms:
        modes = ((room, client.presence.modes(room, member.nick) or modes_of(role)) for room in rooms)
        yield told("319", me, called, " ".join(scene.prefix(each) + scene.channel(room) for room, each in modes))
    yield told("312", me, called, SERVER, "zchat")
    if member.away is not None:
        yield told("301", me, called, member.away)
    yield from _role(client, called, role)
    if member.bot:
        yield reply("335", me, called)
    since = client.gateway.since(member.from_)
    if since is not None:
        yield told("317", me, called, str(member.idle), str(int(since.timestamp())), "seconds idle, signon time")
    elif member.idle >= IDLE:  # since when somebody is here is not told of those elsewhere, and 317 needs it
        yield told("320", me, called, f"has been idle for {member.idle // 60} min")


def _role(client: Client, called: str, role: str) -> Iterable[Line]:
    if role != "guest":
        yield told("330", client.me, called, called, "is logged in as")
        yield told("320", client.me, called, f"is {'an' if role == 'owner' else 'a'} {role}")


# -- those who are not here


async def _absent(client: Client, name: str) -> m.MemberInfo | None:
    """Return a member who is not here; None for nobody, and for guests, who may not see who the members are."""
    try:
        members = await client.gateway.members(client)
    except ZchatError:
        return None
    wanted = folded(name)
    return next((each for each in members if folded(client.scene.called(each.nick)) == wanted), None)


def _about_absent(client: Client, member: m.MemberInfo) -> Iterable[Line]:
    me, called = client.me, client.scene.called(member.nick)
    yield told("311", me, called, member.role, member.from_, "*", member.nick)
    yield told("312", me, called, SERVER, f"zchat, last here {_day(member.seen)}" if member.seen else "zchat")
    yield told("301", me, called, NOT_HERE)
    yield from _role(client, called, member.role)


def _day(time: str) -> str:
    return datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M UTC")


async def whowas(client: Client, got: Line, answer: Answer) -> None:
    """WHOWAS: those who were seen from here since the gateway has started and have gone, the last first."""
    name = got.params[0] if got.params else ""
    if not name:
        answer.send(reply("431", client.me))
        return
    found = client.scene.world.gone.matching(name, _count(got.params[1:]))
    for was in found:
        answer.send(told("314", client.me, was.nick, was.user, was.host, "*", was.realname))
        answer.send(told("312", client.me, was.nick, SERVER, "zchat"))
    if not found:
        answer.send(reply("406", client.me, name))
    answer.send(reply("369", client.me, name))


def _count(params: list[str]) -> int:
    return int(params[0]) if params and params[0].isdecimal() and len(params[0]) < 6 else 0
