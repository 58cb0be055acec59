"""Commands about rooms: who is let in, who speaks there, and for how long what was said is kept."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import click
from msgspec import UNSET

from zchat.errors import RefusedError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import names, wire

from .. import arguments
from .command import Command, Result, Scene, argument, done, of_room


class UnlistedError(ZchatError):
    """A room that a broker with very many does not list."""

    def __init__(self, room: str) -> None:
        self.room = room
        super().__init__(
            f"The broker has more rooms than it lists, and {room} is not among these: ask where it is run."
        )


async def private(scene: Scene, *, room: str, nicks: tuple[str, ...]) -> Result:
    """Make a private room, let people in, and go there. Nothing is done where one of them is nobody."""
    whom = [(nick, await scene.client.administration.identify(nick)) for nick in nicks]
    acks = [await scene.client.access.make_private(room)]
    acks += [await scene.client.access.admit(room, from_) for _, from_ in whom]
    await scene.enter(room)
    whom_else = f", with {_listed(nicks)}" if nicks else f": {scene.typed('admit NICK', room)} lets others in"
    told = f"{scene.style.room(room)} is private{whom_else}."
    return Result((told,), (), tuple(map(wire.encode, acks)))


async def admit(scene: Scene, *, nicks: tuple[str, ...], room: str) -> Result:
    return await _each(scene, nicks, room, scene.client.access.admit, "{} may come into {}.")


async def expel(scene: Scene, *, nicks: tuple[str, ...], room: str) -> Result:
    return await _each(scene, nicks, room, scene.client.access.expel, "{} may not come into {} any more.")


async def operator(scene: Scene, *, nicks: tuple[str, ...], room: str) -> Result:
    return await _each(scene, nicks, room, scene.client.access.make_operator, "{} may do in {} what its operators may.")


async def _each(
    scene: Scene, nicks: tuple[str, ...], room: str, act: Callable[[str, str], Awaitable[m.Ack]], told: str
) -> Result:
    """Do something about each of several people, once it is known who they are."""
    whom = [await scene.client.administration.identify(nick) for nick in nicks]
    acks = [await act(room, from_) for from_ in whom]
    return Result((told.format(_listed(nicks), scene.style.room(room)),), (), tuple(map(wire.encode, acks)))


async def announce(scene: Scene, *, mode: str, room: str) -> Result:
    ack = await scene.client.access.set_mode(room, "announce" if mode == "on" else "public")
    shown = scene.style.room(room)
    on, off = f"Only moderators and the operators of {shown} speak there.", f"Everybody speaks in {shown}."
    return done(on if mode == "on" else off, ack)


async def keep(scene: Scene, *, days: int | str | None, room: str) -> Result:
    if days is None:
        return await _kept(scene, room)
    kept = None if isinstance(days, str) else days
    ack = await scene.client.access.keep(room, kept)
    shown = scene.style.room(room)
    return done(f"What is said in {shown} is kept {arguments.told_days(kept)}.", ack)


async def _kept(scene: Scene, room: str) -> Result:
    """Tell for how long a room keeps what is said. An empty room without a word of its own is in no list."""
    answer = cast(m.Rooms, await scene.client.ask(m.ListRooms()))
    found = next((one for one in answer.rooms if one.room == room), None)
    if found is None and names.is_private(room):
        raise RefusedError("unknown_room", f"there is no room {room} that you were let into")
    if found is None and answer.more:
        raise UnlistedError(room)
    found = found or m.RoomInfo(room=room, topic="", members=0, head=0)
    by_default = scene.client.welcome.limits.keep if scene.client.welcome else UNSET
    if found.keep is not UNSET:
        told = arguments.told_days(found.keep)
    else:
        told = (
            arguments.told_days(None)
            if by_default is UNSET
            else f"{arguments.told_days(by_default)}, as the broker says"
        )
    return Result((), (f"What is said in {scene.style.room(room)} is kept {told}.",), (wire.encode(found),))


def _listed(nicks: tuple[str, ...]) -> str:
    return ", ".join(map(escape_controls, nicks))


def _private_name(ctx: click.Context, param: click.Parameter, value: str) -> Any:
    """Return the name of a private room (a click callback): `ops` means `+ops`."""
    return arguments.check_room(ctx, param, names.PRIVATE + value.removeprefix("#").removeprefix(names.PRIVATE))


_nicks = argument("nicks", callback=arguments.check_nicks, nargs=-1, required=True, metavar="NICK...")

COMMANDS = (
    Command(
        "private",
        "private",
        "Make a private room, and let people in. Its name begins with +.",
        private,
        (
            argument("room", callback=_private_name, metavar="NAME"),
            argument("nicks", callback=arguments.check_nicks, nargs=-1, metavar="[NICK]..."),
        ),
        ("zchat private +ops bob carol",),
    ),
    Command(
        "admit",
        "private",
        "Let members into a private room.",
        admit,
        (_nicks, of_room("The private room.", needed=True)),
        ("zchat admit dave --room +ops",),
    ),
    Command(
        "expel",
        "private",
        "Let members into a private room no more.",
        expel,
        (_nicks, of_room("The private room.", needed=True)),
        ("zchat expel dave --room +ops",),
    ),
    Command(
        "operator",
        "private",
        "Have members operate a room, too. They let others in, and speak where it is read-only.",
        operator,
        (_nicks, of_room("The room.", needed=True)),
        ("zchat operator bob --room +ops",),
    ),
    Command(
        "announce",
        "announce",
        "Let only moderators speak in a room, or all. Its operators may, too.",
        announce,
        (argument("mode", type=click.Choice(["on", "off"])), of_room("The room.", needed=True)),
        ("zchat announce on --room news",),
    ),
    Command(
        "keep",
        "keep",
        "Say for how long a room keeps what is said, or ask. Older is deleted. By default the broker says.",
        keep,
        (
            argument("days", callback=arguments.check_days, required=False, metavar="[30d|4w|forever|default]"),
            of_room("The room.", needed=True),
        ),
        ("zchat keep 30d --room dev", "zchat keep --room dev"),
    ),
)
