"""The command `web`: a link by which a browser comes in as oneself.

Its code is one for another device of one's own, which the page's server redeems.
"""

from datetime import datetime

import msgspec

from zchat.errors import ZchatError

from .. import render
from .command import Command, Result, Scene, option
from .invitations import expires as expires_in
from .pages import link_of, page_of, told_page

IN_A_DAY = "1d"  # it is opened at once, and whoever has it comes in as oneself


class NoCodeError(ZchatError):
    """The broker takes no keys, so no code could make one of a browser's."""

    def __init__(self) -> None:
        super().__init__(
            "A link for a browser needs a broker that takes keys, and this one is reached from its own machine only. "
            "`zchat web` on this machine prints a link for whoever runs it, and says how others come in."
        )


async def web(scene: Scene, *, url: str | None, expires: datetime) -> Result:
    """Make a link for a browser, once it is known where the page is."""
    if scene.client.link is None:
        raise NoCodeError
    where = page_of(scene.client, url)
    made = await scene.client.administration.invite(self_=True, expires=expires)
    now = datetime.now().astimezone()
    until = render.when(expires.isoformat(), now.isoformat(), scene.style)
    link = link_of(where, made.code)
    told = [f"For a browser of yours, once, until {until}."]
    if told_page(scene.client) is None:
        told.append(f"Nobody has said where the page is, so it is taken to be {where} (if it is elsewhere: --url).")
    return Result(tuple(told), (link,), (msgspec.json.encode({"url": link, "hash": made.hash, "expires": expires}),))


COMMANDS = (
    Command(
        "web",
        "keep_nick",
        "Make a link that brings a browser of yours in.",
        web,
        (
            option(
                "--url", metavar="URL",
                help="Where the page is; it is remembered. [default: ZCHAT_WEB, or what was given before]",
            ),
            expires_in(IN_A_DAY),
        ),
        ("zchat web link", "zchat web link --url https://chat.example.org"),
    ),
)  # fmt: skip
