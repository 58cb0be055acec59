"""Making a hook: a bot that may speak in the room, and a token.

Where the broker knows members, the bot becomes one: whoever makes the hook invites it (into the room as well, if that
is private), and it comes in at once with a key pair of its own, which stays in the gateway's folder. So it has its nick
for good, and can be muted or banned like anybody. A bot that has a hook already keeps its key and gets into another
room. On a broker without keys the bot is a guest.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from zchat.client.addresses import Address
from zchat.client.client import ChatClient
from zchat.errors import InUseError, RefusedError, UsageError, ZchatError
from zchat.gateways.stored import digest
from zchat.protocol import BROKER, names

from .book import Book, Hook, new_token
from .speakers import address_of, client_of

EXPIRES = timedelta(minutes=10)  # of an invitation that is used at once


class Made(NamedTuple):
    """A hook, its token, which nobody tells again, and whether only operators and moderators speak in its room."""

    hook: Hook
    token: str
    read_only: bool


class NoDoorError(ZchatError):
    """The broker can be reached over `ipc://` only, where everybody is the user whom the kernel tells."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"A bot cannot come in at {endpoint}: there everybody is a user of this machine, and a bot is none. Name "
            "another door of the same broker, tcp://127.0.0.1:PORT or its link (zchat://…), with --broker."
        )


async def make(
    client: ChatClient, address: Address, folder: Path, *, nick: str, room: str, kind: str, secret: str
) -> Made:
    """Make a hook as who is connected with `client` to `address`.

    Raises NickTakenError, RefusedError, UsageError, NoDoorError, StorageError, UnreachableError …
    """
    read_only = not names.is_private(room) and (await client.join(room, quiet=True)).mode == "announce"
    if client.link is not None and client.member is not None:
        broker = client.link
        nick = await _become_member(client, folder, broker, nick, room)
    else:
        if read_only:
            raise UsageError(f"{room} is read-only, and on this broker a bot is a guest, who never speaks there.")
        broker = address.link or await _loopback(client, address.shown)
        await _try_as_guest(folder, broker, nick, room)
    token = new_token()
    made = datetime.now(UTC).isoformat(timespec="seconds")
    hook = Hook(digest(token), broker, nick, room, made, kind, secret)
    Book(folder).add(hook)
    return Made(hook, token, read_only)


async def _loopback(client: ChatClient, endpoint: str) -> str:
    """Return the door of the same broker by which a guest comes in."""
    if not endpoint.startswith("ipc://"):
        return endpoint
    try:
        async with ChatClient(broker=address_of(BROKER), timeout=2.0) as guest:
            if client.welcome and guest.welcome and guest.welcome.log == client.welcome.log:
                return BROKER
    except ZchatError:
        pass
    raise NoDoorError(endpoint)


async def _become_member(client: ChatClient, folder: Path, broker: str, nick: str, room: str) -> str:
    """Have the bot be a member who is let into the room; return its nick."""
    private = names.is_private(room)
    try:
        async with client_of(folder, broker, nick) as bot:  # it has a hook already, or had one
            if bot.member is not None:
                if private and not await _is_in(bot, room):
                    await client.access.admit(room, bot.from_)
                return bot.nick or nick
    except RefusedError as error:
        if error.code != "not_member":
            raise
    expires = datetime.now(UTC) + EXPIRES
    invitation = await client.administration.invite(expires=expires, rooms=[room] if private else [])
    try:
        async with client_of(folder, broker, nick, invitation.code) as bot:
            return bot.nick or nick
    except BaseException:
        await client.administration.revoke(invitation.hash)
        raise


async def _is_in(bot: ChatClient, room: str) -> bool:
    """Find out whether somebody is let into a private room."""
    try:
        await bot.join(room, quiet=True)
    except RefusedError:
        return False
    return True


async def _try_as_guest(folder: Path, broker: str, nick: str, room: str) -> None:
    """Find out whether a guest can be called so."""
    if names.is_private(room):
        raise UsageError(f"{room} is private, and on this broker a bot is a guest, whom nobody can let in.")
    try:
        async with client_of(folder, broker, nick):
            pass
    except InUseError:  # the gateway speaks as this bot already
        pass
