"""`/msg *zchat …`: to edit, delete, pin, react, mute and ban, also from a client that has no command for it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from zchat.errors import RefusedError, ZchatError
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line, line
from zchat.gateways.irc.core.numerics import SERVER
from zchat.gateways.irc.core.saying import spread
from zchat.gateways.irc.core.scene import beginning
from zchat.gateways.irc.core.service import HELP, SERVICE, Sentence, Wish, sentence, understood
from zchat.gateways.irc.history import place_of
from zchat.moments import in_utc
from zchat.protocol import messages as m

LOOKED_AT = 100  # messages, for the last of one's own
LISTED, LISTED_MAX = 5, 20


async def asked(client: Client, text: str, answer: Answer) -> None:
    """Do what was said to the service, and tell what came of it."""
    if client.scene.caps.has("echo-message"):
        answer.send(line(client.scene.mask(client.scene.nick), "PRIVMSG", SERVICE, text))
    wish = understood(text)
    if wish is None:
        answer.send(*_words(client, *HELP))
        return
    try:
        told = await _VERBS[wish.verb](client, wish)
    except RefusedError as error:
        told = [f"That was refused: {error.message}."]
    except ZchatError as error:
        told = [f"It is not known whether that was done: {error}"]
    await answer.deliver(_words(client, *told))


def _words(client: Client, *texts: str) -> list[Line]:
    source = f"{SERVICE}!zchat@{SERVER}"
    return [each for text in texts for each in spread(client.scene, {}, source, "PRIVMSG", client.me, text)]


# -- which message


async def _last(client: Client, target: str, count: int = LOOKED_AT) -> list[m.Item]:
    """Return the last messages of a place as they are now. Raises RefusedError."""
    place = place_of(client, target)
    if place is None:
        raise RefusedError("bad_room", f"{target} is no room")
    page = await client.carried.person.client.history(**place, limit=count, kinds=["message"], current=True)
    return [item for item in page.current if isinstance(item.event, m.Message)]


async def _meant(client: Client, wish: Wish, *, mine: bool | None) -> tuple[int, str]:
    """Return the number of the message that is meant, and how it begins. `mine`: one's own, or of others; None: any."""
    if wish.seq is not None:
        return wish.seq, f"message {wish.seq}"
    for item in reversed(await _last(client, wish.target)):
        event = cast(m.Message, item.event)
        if mine is None or mine == (event.from_ == client.scene.from_):
            return event.seq, f"“{beginning(item.text)}” (message {event.seq})"
    whose = {True: " of yours", False: " of others", None: ""}[mine]
    raise RefusedError("bad_target", f"there is no message{whose} in {wish.target} among the last {LOOKED_AT}")


# -- what is done with it


async def _edit(client: Client, wish: Wish) -> list[str]:
    seq, what = await _meant(client, wish, mine=True)
    await client.carried.person.client.messages.edit(seq, wish.rest)
    return [f"Edited {what}."]


async def _delete(client: Client, wish: Wish) -> list[str]:
    seq, what = await _meant(client, wish, mine=True)
    await client.carried.person.client.messages.delete(seq, wish.rest or None)
    return [f"Deleted {what}."]


async def _react(client: Client, wish: Wish) -> list[str]:
    seq, what = await _meant(client, wish, mine=False)
    messages = client.carried.person.client.messages
    if (await messages.react(seq, wish.rest)).duplicate:
        await messages.react(seq, wish.rest, off=True)
        return [f"Took {wish.rest} off {what}."]
    return [f"Reacted with {wish.rest} to {what}."]


async def _pin(client: Client, wish: Wish) -> list[str]:
    seq, what = await _meant(client, wish, mine=None)
    off = wish.verb == "unpin"
    await client.carried.person.client.messages.pin(seq, off=off)
    return [f"{'Unpinned' if off else 'Pinned'} {what}."]


async def _list(client: Client, wish: Wish) -> list[str]:
    if wish.seq is not None:
        raise RefusedError("bad_room", "name a room or a nick")
    count = int(wish.rest) if wish.rest.isdecimal() and len(wish.rest) < 4 else LISTED
    items = (await _last(client, wish.target))[-min(max(count, 1), LISTED_MAX) :]
    told = [_shown(client, item) for item in items]
    return told or [f"Nothing was said in {wish.target}."]


# -- moderation


async def _mute(client: Client, wish: Wish) -> list[str]:
    said = sentence(wish.rest)
    room, until = _room(client, said.room), _until(said)
    administration, nick = client.carried.person.client.administration, client.nick_of(wish.target)
    await administration.mute(nick, room=room, until=until, reason=said.reason or None)
    return [f"Muted {wish.target}{_where(said)}{_shown_until(until)}."]


async def _unmute(client: Client, wish: Wish) -> list[str]:
    said = sentence(wish.rest)
    administration, nick = client.carried.person.client.administration, client.nick_of(wish.target)
    await administration.unmute(nick, room=_room(client, said.room), reason=said.reason or None)
    return [f"Unmuted {wish.target}{_where(said)}."]


async def _ban(client: Client, wish: Wish) -> list[str]:
    said = sentence(wish.rest)
    if said.room:
        raise RefusedError("bad_room", "nobody is banned from one room: say mute")
    until = _until(said)
    administration, nick = client.carried.person.client.administration, client.nick_of(wish.target)
    await administration.ban(nick, until=until, reason=said.reason or None)
    return [f"Banned {wish.target}{_shown_until(until)}."]


async def _unban(client: Client, wish: Wish) -> list[str]:
    administration, nick = client.carried.person.client.administration, client.nick_of(wish.target)
    await administration.unban(nick, reason=wish.rest or None)
    return [f"Unbanned {wish.target}."]


def _room(client: Client, channel: str) -> str | None:
    room = client.room_of(channel) if channel else None
    if channel and room is None:
        raise RefusedError("bad_room", f"{channel} is no room")
    return room if room is None else "#" + room


def _where(said: Sentence) -> str:
    return f" in {said.room}" if said.room else ""


def _until(said: Sentence) -> datetime | None:
    return None if said.seconds is None else datetime.now(UTC) + timedelta(seconds=said.seconds)


def _shown_until(until: datetime | None) -> str:
    return f" until {in_utc(until)}" if until is not None else ""


async def _password(client: Client, _wish: Wish) -> list[str]:
    person = client.carried.person
    if person.kind == "guest":
        raise RefusedError("not_member", "guests come in by a nick alone, and have no password")
    made = client.gateway.people.logins.add(person.id, "password", name="IRC")
    return [f"Another client of yours comes in by this password: {made}"]


def new_password(password: str) -> tuple[str, ...]:
    """Return what a new member is told: they came in by an invitation, which is no password."""
    return (
        f"Your password from now on is {password}",
        "Put it into your client in place of the invitation's code: nobody comes in as you by that one.",
    )


def _shown(client: Client, item: m.Item) -> str:
    event: Any = item.event
    marks = " [pinned]" if item.pinned else ""
    return f"{event.seq}  {client.scene.called(event.nick)}: {beginning(item.text)}{marks}"


_VERBS: dict[str, Callable[[Client, Wish], Awaitable[list[str]]]] = {
    "edit": _edit,
    "delete": _delete,
    "react": _react,
    "pin": _pin,
    "unpin": _pin,
    "last": _list,
    "mute": _mute,
    "unmute": _unmute,
    "ban": _ban,
    "unban": _unban,
    "password": _password,
}

__all__ = ["SERVICE", "asked", "new_password"]
