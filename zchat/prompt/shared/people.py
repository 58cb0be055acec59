"""Commands about people: `members`, `whois`, `role`, `device list`, `device remove`."""

from typing import TYPE_CHECKING, cast

import click

from zchat.errors import RefusedError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import names, policy, wire

from .. import arguments, changes, render, tables
from .command import Command, Result, Scene, argument, done, option
from .invitations import ROLES

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

DATE = "%Y-%m-%d %H:%M"


async def members(scene: Scene) -> Result:
    """Show all members, by nick."""
    found = sorted(await scene.client.administration.members(), key=lambda one: one.nick.casefold())
    rows = [(escape_controls(one.nick, " "), _role(one), _seen(one, scene.style)) for one in found]
    return Result((), tuple(tables.table(rows, scene.style)), (wire.encode(m.Members(members=tuple(found))),))


async def whois(scene: Scene, *, nick: str) -> Result:
    """Show what is known of somebody, who may be here or not."""
    here = await _here(scene.client, nick)
    known = await _member(scene.client, nick, here)
    lines = [wire.encode(m.Roster(members=(here,)))] if here else []
    lines += [wire.encode(m.Members(members=(known,)))] if known else []
    one = known or here
    if one is None:
        raise RefusedError("unknown_member", f"nobody is called {nick}: neither anybody here nor a member")
    nick, id_ = escape_controls(one.nick, " "), escape_controls(one.from_)
    facts = [("nick", nick), *_facts(here, known, scene.style), ("id", id_)]
    return Result((), tuple(tables.table([fact for fact in facts if fact[1]], scene.style)), tuple(lines))


def _facts(here: m.Member | None, known: m.MemberInfo | None, style: render.Style) -> list[tuple[str, str]]:
    """Return what is known of somebody who is here, of a member, or of one who is both."""
    role = here.role if here and here.role else "guest" * style.roles
    found = [("role", _role(known) if known else escape_controls(role, " "))]
    if here is not None:
        rooms = here.rooms if isinstance(here.rooms, tuple) else ()
        found += [("rooms", " ".join(map(style.room, rooms))), ("idle", tables.duration(here.idle))]
        found += [("away", escape_controls(here.away or "", " ")), ("bot", "yes" * here.bot)]
    if known is not None:
        found += [("since", _date(known.since, style)), ("seen", _seen(known, style))]
        found += [("device", _device(each, style)) for each in known.devices or ()]
    return found


def _role(one: m.MemberInfo) -> str:
    """Return a member's role, and what keeps them out or silent."""
    return escape_controls(one.role, " ") + " (banned)" * one.banned + " (muted)" * one.muted


async def _here(client: "ChatClient", nick: str) -> m.Member | None:
    """Return who is here under a nick, None if nobody is."""
    try:
        found = cast(m.Roster, await client.ask(m.Who(nick=nick)))
    except RefusedError as error:
        if error.code != "unknown_nick":
            raise
        return None
    return found.members[0] if found.members else None


async def _member(client: "ChatClient", nick: str, here: m.Member | None) -> m.MemberInfo | None:
    """Return what the broker tells of a member, None for a guest or if it tells nothing."""
    if "members" not in (client.welcome.features if client.welcome else ()):
        return None
    try:
        if here is not None:
            return await _numbered(client, here.from_)
        wanted = names.nick_key(nick)
        found = await client.administration.members()
    except RefusedError as error:
        if error.code in ("forbidden", "not_member"):
            return None
        raise
    return next((one for one in found if names.nick_key(one.nick) == wanted), None)


async def _numbered(client: "ChatClient", from_: str) -> m.MemberInfo | None:
    """Return the member with this `from`: the first one behind the number before it."""
    before = f"{int(from_, 16) - 1:016x}" if int(from_, 16) else None
    page = cast(m.Members, await client.ask(m.AskMembers(after=before, limit=1)))
    return next((one for one in page.members if one.from_ == from_), None)


async def set_role(scene: Scene, *, nick: str, role: m.Role) -> Result:
    ack = await scene.client.administration.set_role(nick, role)
    return done(f"{escape_controls(nick)} is {policy.one(role)} now.", ack)


async def list_devices(scene: Scene, *, nick: str | None) -> Result:
    """Show the devices of a member, one's own by default."""
    found = await _with_devices(scene.client, nick)
    rows = [_columns(each, scene.style) for each in found.devices or ()]
    return Result((), tuple(tables.table(rows, scene.style)), (wire.encode(m.Members(members=(found,))),))


async def remove_device(scene: Scene, *, device: str, of: str | None) -> Result:
    """Have a device be the member's no more; it is named, or told by the beginning of its key."""
    owner = await _with_devices(scene.client, of)
    alike = [each for each in owner.devices or () if device in (each.name, each.credential)]
    alike = alike or [each for each in owner.devices or () if each.credential.startswith((device, f"key:{device}"))]
    if len(alike) != 1:
        which = ", ".join(_named(each) for each in alike or owner.devices or ()) or "none"
        why = "several devices are called so" if alike else "there is no such device"
        raise click.UsageError(f"{why.capitalize()}. Name one by the beginning of its key: {which}.")
    if owner.from_ == scene.client.from_ and len(owner.devices or ()) == 1:
        nick = escape_controls(owner.nick, " ")
        raise click.UsageError(
            f"{_named(alike[0])} is your only device: without it nobody comes in as {nick} any more. Add another one "
            f"first ({scene.typed('device add')}), or have an owner remove this one."
        )
    ack = await scene.client.administration.remove_credential(owner.from_, alike[0].credential)
    return done(f"{_named(alike[0])} comes in as {escape_controls(owner.nick, ' ')} no more.", ack)


async def _with_devices(client: "ChatClient", nick: str | None) -> m.MemberInfo:
    """Return a member, with its devices. Raises RefusedError."""
    from_ = client.from_ if nick is None else await client.administration.identify(nick)
    found = await _numbered(client, from_)
    if found is None:
        raise RefusedError("unknown_member", f"{nick or 'who is a guest'} has no devices here: only members have")
    if found.devices is None:
        raise RefusedError("forbidden", f"only {found.nick} and owners see the devices of {found.nick}")
    return found


def _columns(device: m.DeviceInfo, style: render.Style) -> tuple[str, ...]:
    seen = f"seen {_date(device.seen, style)}" if device.seen else ""
    return escape_controls(device.name, " ") or "-", changes.credential(device.credential), seen


def _device(device: m.DeviceInfo, style: render.Style) -> str:
    return "  ".join(filter(None, _columns(device, style)))


def _named(device: m.DeviceInfo) -> str:
    shown = changes.credential(device.credential)
    return f"{escape_controls(device.name, ' ')} ({shown})" if device.name else shown


def _date(time: str, style: render.Style) -> str:
    return render.stamp(time, render.Style(stamp=DATE, zone=style.zone))


def _seen(one: m.MemberInfo, style: render.Style) -> str:
    """Return when a member was here last."""
    return "here" if one.present else f"last here {_date(one.seen, style)}" if one.seen else ""


_nick = argument("nick", callback=arguments.check_nick)

COMMANDS = (
    Command("members", "members", "Show all members.", members, (), ("zchat members",)),
    Command(
        "whois",
        "read",
        "Show who somebody is: role, rooms, devices.",
        whois,
        (_nick,),
        ("zchat whois bob",),
    ),
    Command(
        "role",
        "role",
        "Make somebody owner, moderator or member.",
        set_role,
        (_nick, argument("role", type=click.Choice(ROLES), metavar="ROLE")),
        ("zchat role bob moderator",),
    ),
    Command(
        "device list",
        "members",
        "Show your devices, or those of NICK.",
        list_devices,
        (argument("nick", callback=arguments.check_nick, required=False),),
        ("zchat device list",),
    ),
    Command(
        "device remove",
        "keep_nick",
        "Let a device come in as you no more. DEVICE is its name, or the beginning of its key.",
        remove_device,
        (
            argument("device"),
            option("--of", callback=arguments.check_nick, metavar="NICK", help="Whose device it is, if not yours."),
        ),
        ("zchat device remove laptop",),
    ),
)
