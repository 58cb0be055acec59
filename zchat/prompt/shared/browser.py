"""The command `web`: a link by which a browser comes in as oneself.

It is made of two things. The code is one for another device of one's own, which the page's server redeems. And where
the page is, one has to say once: the broker knows nothing of it. It is remembered beside what is known of the broker.
"""

import os
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from zchat.client.addresses import default_known
from zchat.client.known_brokers import KnownBrokers
from zchat.errors import UsageError
from zchat.protocol import links

from .. import render
from .command import Command, Result, Scene, option
from .invitations import EXPIRES, NoLinkError

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

LOCAL = "http://localhost:8080"  # where `zchat web` listens unless it is told otherwise


class NoPageError(UsageError):
    """Nobody has said where the page of this broker is."""

    def __init__(self) -> None:
        super().__init__(
            "Where is the page? Say it once with --url https://…, or by ZCHAT_WEB. Who runs the broker knows whether "
            "there is one (zchat web)."
        )


async def web(scene: Scene, *, url: str | None, expires: datetime) -> Result:
    """Make a link for a browser, once it is known where the page is."""
    if scene.client.link is None:
        raise NoLinkError
    where = page_of(scene.client, url)
    made = await scene.client.administration.invite(self_=True, expires=expires)
    now = datetime.now().astimezone()
    until = render.when(expires.isoformat(), now.isoformat(), scene.style)
    link = link_of(where, made.code)
    told = f"For a browser of yours, once, until {until}."
    return Result((told,), (link,), (msgspec.json.encode({"url": link, "hash": made.hash, "expires": expires}),))


def link_of(url: str, code: str) -> str:
    """Return the link to a page with a code, which browsers send to nobody there: it is behind the `#`."""
    return f"{url.rstrip('/')}/#in={code}"


def page_of(client: "ChatClient", given: str | None = None) -> str:
    """Return where the page of a broker is: as it is given now, by ZCHAT_WEB, or was given before.

    Raises NoPageError, StorageError.
    """
    key = None if client.link is None else links.key_text(links.parse(client.link).key)
    known = KnownBrokers(default_known())
    found = {name: broker for name, broker in known.load().items() if broker.key == key}
    given = given or os.environ.get("ZCHAT_WEB")
    if given:
        for name, broker in found.items():
            known.remember(name, msgspec.structs.replace(broker, web=given))
        return given
    if (before := next((broker.web for broker in found.values() if broker.web), None)) is not None:
        return before
    if client.link is None or links.parse(client.link).is_local or not found:
        return LOCAL
    raise NoPageError


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
            EXPIRES,
        ),
        ("zchat web link", "zchat web link --url https://chat.example.org"),
    ),
)  # fmt: skip
