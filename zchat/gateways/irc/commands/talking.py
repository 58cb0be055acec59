"""What is said: PRIVMSG, NOTICE, TAGMSG, REDACT, and messages of several lines."""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import Any

from zchat.errors import RefusedError, ZchatError
from zchat.gateways.irc.carried import Sent
from zchat.gateways.irc.client import Answer, Client, label_of, labeled
from zchat.gateways.irc.core.batches import Whole
from zchat.gateways.irc.core.chathistory import seq_of
from zchat.gateways.irc.core.lines import Line
from zchat.gateways.irc.core.names import folded
from zchat.gateways.irc.core.numerics import TARGETS_MAX, fail, reply, told
from zchat.gateways.irc.core.refusals import refused
from zchat.gateways.irc.core.saying import without_formatting
from zchat.protocol import messages as m

from . import service
from .ctcp import ctcp
from .service import SERVICE

TYPING = "+typing"
TYPING_EVERY = 3.0  # seconds; clients send it as often


@dataclass(frozen=True)
class Place:
    """Where something is said, as the client named it and as zchat has it."""

    target: str
    room: str | None = None
    to: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What `say` and others take."""
        return {"room": "#" + self.room} if self.room is not None else {"to": self.to}


async def privmsg(client: Client, got: Line, answer: Answer) -> None:
    """PRIVMSG and NOTICE. A notice is answered by no error, except where a label asks for an answer."""
    answer.silent = got.command == "NOTICE" and answer.label is None
    if len(got.params) < 2 or not got.params[0]:
        answer.send(reply("411" if not got.params or not got.params[0] else "412", client.me))
        return
    if not got.params[1]:
        answer.send(reply("412", client.me))
        return
    await say(client, answer, Whole(got.command, got.params[0], got.tags or {}, got.params[1]))


async def batch(client: Client, got: Line, answer: Answer) -> None:
    """BATCH: the beginning or the end of a message of several lines."""
    if not client.scene.caps.has("batch", "draft/multiline"):
        answer.send(reply("421", client.me, "BATCH"))
        return
    found = client.batches.begin_or_end(got)
    if isinstance(found, Whole):
        label = label_of(found.tags)
        whole = Answer(client, label or answer.label)
        whole.silent = found.command == "NOTICE" and whole.label is None
        await say(client, whole, found)
        await whole.finish()
        answer.later()
    elif found is not None:
        answer.send(found)
    else:
        answer.later()  # it is the end that is answered


async def say(client: Client, answer: Answer, what: Whole) -> None:
    """Say something to one target or several."""
    targets = what.target.split(",")
    if len(targets) > TARGETS_MAX:
        answer.send(told("407", client.me, what.target, f"At most {TARGETS_MAX} recipients"))
        return
    read, label = _read(what), answer.label
    for target in targets:
        answer.label = label if target is targets[-1] else None  # an answer that has it is the only one that does
        if read is None:
            if what.command == "PRIVMSG":
                await ctcp(client, target, what.text, answer)
        elif folded(target) == SERVICE:
            if what.command == "PRIVMSG":
                await service.asked(client, read[1], answer)
        elif (place := _place(client, target, answer)) is not None:
            await _say_one(client, answer, what, place, *read)


def _read(what: Whole) -> tuple[m.Kind, str] | None:
    """Return the kind and the text of a message; None for CTCP, which asks a client of IRC something."""
    text = what.text
    if text.startswith("\x01"):
        name, _, rest = text.strip("\x01").partition(" ")
        return ("action", without_formatting(rest)) if name == "ACTION" and what.command == "PRIVMSG" else None
    return ("notice" if what.command == "NOTICE" else "message"), without_formatting(text)


def _place(client: Client, target: str, answer: Answer) -> Place | None:
    """Return where something goes to; None, after an answer, where it cannot."""
    if not target.startswith("#"):
        return Place(target, to=client.nick_of(target))
    room = client.room_of(target)
    if room is None:
        answer.send(reply("403", client.me, target))
    elif room not in client.presence.rooms:
        answer.send(told("404", client.me, target, "Cannot send to channel: join it first"))
    else:
        return Place(target, room=room)
    return None


def _replied(tags: dict[str, str]) -> int | None:
    return seq_of(tags.get("+draft/reply") or tags.get("+reply") or "")


async def _say_one(client: Client, answer: Answer, what: Whole, place: Place, kind: m.Kind, text: str) -> None:
    posting = client.carried.person.client.post(text, **place.arguments, kind=kind, reply_to=_replied(what.tags))
    await post(client, answer, what.command, place, posting)


async def post(client: Client, answer: Answer, command: str, place: Place, posting: Any) -> None:
    """Send something that is echoed once it is stored; an answer comes when it is, or when it is refused."""
    await client.window.acquire()
    sent = Sent(client, answer.label)
    try:
        await client.carried.post(posting, sent, partial(_answered, client, sent, command, place))
    except RefusedError as error:
        client.window.release()
        answer.send(refused(error, command, client.me, place.target))
        return
    except BaseException:
        client.window.release()
        raise
    answer.later()


def _answered(client: Client, sent: Sent, command: str, place: Place, ack: m.Ack | ZchatError) -> None:
    """The broker has stored it, or refused it."""
    client.window.release()
    if isinstance(ack, m.Ack):
        echoed = client.scene.caps.has("echo-message") and not ack.duplicate
        lines: list[Line] = []
        if command == "PRIVMSG" and place.to is not None:
            client.gateway.spawn(_tell_away(client, place.to))
        if echoed or sent.label is None:
            return
    elif command == "NOTICE" and sent.label is None:
        return
    elif isinstance(ack, RefusedError):
        lines = [refused(ack, command, client.me, place.target)]
    else:
        lines = [fail(command, "NOT_SENT", place.target, f"It is not known whether this was stored: {ack}")]
    client.send(labeled(lines, sent.label, client.scene) if sent.label is not None else lines)


# -- what is done with tags


async def tagmsg(client: Client, got: Line, answer: Answer) -> None:
    """TAGMSG: reactions, and that somebody types. What else it may carry zchat has not, and it goes nowhere."""
    if not client.scene.caps.has("message-tags"):
        answer.send(reply("421", client.me, "TAGMSG"))
        return
    if not got.params or not got.params[0]:
        answer.send(reply("461", client.me, "TAGMSG"))
        return
    tags = got.tags or {}
    for target in got.params[0].split(",")[:TARGETS_MAX]:
        place = _place(client, target, answer)
        if place is not None:
            await _tag(client, answer, place, tags)


async def _tag(client: Client, answer: Answer, place: Place, tags: dict[str, str]) -> None:
    emoji, off = tags.get("+draft/react") or tags.get("+react"), tags.get("+draft/unreact") or tags.get("+unreact")
    if tags.get(TYPING) == "active":
        await _type(client, place)
    if not (emoji or off):
        return
    seq = _replied(tags)
    if seq is None:
        answer.send(fail("TAGMSG", "INVALID_REACTION", place.target, "A reaction names its message by +draft/reply"))
        return
    command = m.React(n=1, seq=seq, emoji=emoji or off or "", off=not emoji)
    await post(client, answer, "TAGMSG", place, _doing(client, command))


async def _doing(client: Client, command: m.NumberedCommand) -> "asyncio.Future[m.Ack]":
    return asyncio.ensure_future(client.carried.person.client.messages.do(command))


async def _type(client: Client, place: Place) -> None:
    """Tell that somebody types, at most every few seconds for each place."""
    now = asyncio.get_running_loop().time()
    if now - client.typed.get(place.target, -TYPING_EVERY) >= TYPING_EVERY:
        client.typed = {target: since for target, since in client.typed.items() if now - since < TYPING_EVERY}
        client.typed[place.target] = now
        with contextlib.suppress(ZchatError):
            await client.carried.person.client.send_typing(**place.arguments)


async def _tell_away(client: Client, nick: str) -> None:
    """Tell that whom somebody has written to is away, or not here at all: once for as long as it is so."""
    try:
        roster = await client.carried.person.client.ask(m.Who(nick=nick))
        members = roster.members if isinstance(roster, m.Roster) else ()
        away = next((member.away for member in members), None)
    except RefusedError:
        away = "not here now; it is kept, and read when they are back"
    except ZchatError:
        return
    if away is not None and client.away_told.get(nick) != away:
        client.send([told("301", client.me, client.scene.called(nick), away)])
    client.away_told = {each: text for each, text in client.away_told.items() if each != nick}
    if away is not None:
        client.away_told[nick] = away


async def redact(client: Client, got: Line, answer: Answer) -> None:
    """REDACT: a message is taken back."""
    target, msgid, reason = [*got.params, ""][:3]
    if target.startswith("#") and client.room_of(target) not in client.presence.rooms:
        answer.send(fail("REDACT", "INVALID_TARGET", target, "You are not in there: join it first"))
        return
    seq, place = seq_of(msgid), _place(client, target, answer)
    if place is None:
        return
    try:
        if seq is None or not await _is_there(client, place, seq):
            raise RefusedError("bad_target", "there is no such message")
        await client.carried.person.client.messages.delete(seq, reason or None)
    except RefusedError as error:
        known = "UNKNOWN_MSGID" if error.code == "bad_target" else "REDACT_FORBIDDEN"
        words = "This message does not exist or is too old" if known == "UNKNOWN_MSGID" else error.message
        answer.send(fail("REDACT", known, target, msgid, words))


async def _is_there(client: Client, place: Place, seq: int) -> bool:
    page = await client.carried.person.client.history(**place.arguments, after=seq - 1, limit=1)
    return any(event.seq == seq for event in page.events)
