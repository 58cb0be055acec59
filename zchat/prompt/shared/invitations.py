"""Commands to bring others in: `invite`, `revoke`, `device add`.

What is handed on is a link. Its code is made here and known nowhere else; where the broker is and which key it has is
known from the link that one came with oneself, or else told by the broker (`welcome.brokers`).
"""

import io
from datetime import datetime
from typing import TYPE_CHECKING

import click
import msgspec

from zchat.errors import ZchatError
from zchat.protocol import links
from zchat.protocol import messages as m
from zchat.protocol.policy import one

from .. import arguments, render
from .command import Command, Param, Result, Scene, argument, done, option
from .pages import link_of, told_page

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

IN_A_WEEK = "7d"
REVOKED = "Nobody comes in with this link any more."
ROLES = ("member", "moderator", "owner")
QUIET_ZONE = 2  # modules around a QR code: what phones want at least


class NoLinkError(ZchatError):
    """The broker can be reached from its own machine only, so a link would lead nowhere."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody else could follow a link: this broker is reached from its own machine only. Whoever runs it can "
            "change that: zchat broker --listen 'tcp://*:5555' --advertise HOST."
        )


def link_to(client: "ChatClient") -> links.BrokerLink:
    """Return the link to the broker that a client is at, without a code. Raises NoLinkError."""
    if client.link is None:
        raise NoLinkError
    return links.parse(client.link)


async def invite(
    scene: Scene, *, uses: int, expires: datetime, role: m.Role, rooms: tuple[str, ...], self_: bool = False
) -> Result:
    """Make an invitation, once it is known that somebody could follow it."""
    broker = link_to(scene.client)
    made = await scene.client.administration.invite(role=role, uses=uses, expires=expires, rooms=rooms, self_=self_)
    link = links.BrokerLink(broker.hosts, broker.key, made.code).text
    now = datetime.now().astimezone()
    until = render.when(expires.isoformat(), now.isoformat(), scene.style)
    whom = "another device of yours" if self_ else _whom(uses, role, rooms, scene.style)
    page = told_page(scene.client)
    in_browser = None if page is None else link_of(page, made.code)
    told = [f"For {whom}, until {until}: zchat join LINK"]
    told.append(f"In a browser: {in_browser}" if in_browser else "In a browser: paste it at the page (zchat web).")
    if broker.is_local:
        told.append("The link is for this machine: whoever runs the broker names it for others with --advertise HOST.")
    fields = {"link": link, "hash": made.hash, "role": role, "uses": uses, "expires": expires, "rooms": rooms}
    shown = (link, *_qr(in_browser or link, scene.columns, scene.style))  # who has a phone has a browser
    return Result(tuple(told), shown, (msgspec.json.encode(fields),))


def _whom(uses: int, role: str, rooms: tuple[str, ...], style: render.Style) -> str:
    into = f", and into {', '.join(map(style.room, rooms))}" if rooms else ""
    return (f"one to come in as {one(role)}" if uses == 1 else f"up to {uses:,} to come in as {role}s") + into


async def add_device(scene: Scene, *, expires: datetime) -> Result:
    """Make an invitation for another device of one's own."""
    return await invite(scene, uses=1, expires=expires, role="member", rooms=(), self_=True)


async def revoke(scene: Scene, *, invitation: str) -> Result:
    """Take an invitation back, or a link for a device or a browser."""
    ack = await scene.client.administration.revoke(invitation)
    return done(REVOKED, ack)


def _qr(link: str, columns: int, style: render.Style) -> tuple[str, ...]:
    """Return a QR code as lines; none where the terminal is too narrow, or the library is not there."""
    try:
        import segno  # noqa: PLC0415 — an extra
    except ImportError:
        return ()
    code = segno.make_qr(link, error="l")
    if code.symbol_size(border=QUIET_ZONE)[0] > columns:
        return ()
    drawn = io.StringIO()
    code.terminal(drawn, border=QUIET_ZONE, compact=True)
    lines = drawn.getvalue().rstrip("\n").split("\n")
    return tuple(click.style(line, fg=(255, 255, 255), bg=(0, 0, 0)) if style.colour else line for line in lines)


def expires(lasts: str) -> Param:
    """Return the option --expires; a link `lasts` so long unless something else is wanted."""
    return option(
        "--expires", callback=arguments.check_until, default=lasts, show_default=True, metavar="WHEN",
        help="Until when it holds: 2h, 7d, or a date.",
    )  # fmt: skip


def _rooms(shell: bool) -> click.Parameter:
    """Return into which rooms they are let: arguments at the prompt, options in a shell."""
    if shell:
        text = "Let them into this room; repeat it for several."
        return click.Option(
            ["-r", "--room", "rooms"], callback=arguments.check_room, multiple=True, metavar="ROOM", help=text
        )
    return click.Argument(["rooms"], callback=arguments.check_room, nargs=-1, metavar="[ROOM]...")


COMMANDS = (
    Command(
        "invite",
        "invite",
        "Make a link that brings others in.",
        invite,
        (
            _rooms,
            option(
                "--uses", type=arguments.Whole(1, m.USES_MAX), default=1, show_default=True, metavar="N",
                help="How many may come in with it.",
            ),
            expires(IN_A_WEEK),
            option(
                "--role", type=click.Choice(ROLES), default="member", show_default=True, metavar="ROLE",
                help="What they will be: member, moderator or owner.",
            ),
        ),
        ("zchat invite", "zchat invite --uses 5 --expires 7d --room +ops"),
    ),
    Command(
        "revoke",
        "invite",
        "Take a link back: of an invitation, a device, a browser. Its code or hash will do.",
        revoke,
        (argument("invitation", metavar="LINK"),),
        ("zchat revoke zchat://chat.example.org/KEY/CODE",),
    ),
    Command(
        "device add",
        "keep_nick",
        "Make a link that brings your other device in.",
        add_device,
        (expires(IN_A_WEEK),),
        ("zchat device add",),
    ),
)  # fmt: skip
