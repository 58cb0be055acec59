"""What a connection hears: the events of its person, as lines, in order; and what it missed, before that.

A client that asks for history by itself (`draft/chathistory`) is not sent what it missed. All others are, as a bouncer
does it: what was said since this login was last here, with its time, at most so much of each place. How far each client
has come is noted when its lines have left (`kept.py`).
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

from zchat.client.client import ChatClient
from zchat.client.core import notices as n
from zchat.client.core.direct import split_name
from zchat.errors import RefusedError, TimedOutError, UnreachableError, ZchatError
from zchat.gateways.people.feed import Feed
from zchat.protocol import messages as m

from . import marks
from .client import Client, batched, labeled
from .core import telling
from .core.lines import Line
from .core.numerics import SERVER
from .core.saying import place_of

DIRECT = "@"  # all conversations are one stream, as they are to the session
MISSED_MAX = 500  # events of each place that a client is sent of what it missed
RETRY = 1.0  # seconds
COME_BACK = 6.0  # seconds after an outage in which nobody is told as gone: clients try every 1 to 4 s
SAID = ("PRIVMSG", "NOTICE", "BATCH", "REDACT", "INVITE")  # what of the past is told without being asked for
LIVE = (m.Message, m.Reacted)  # what a client without `echo-message` has shown itself


class Listener:
    """One connection and its feed."""

    def __init__(self, client: Client, feed: Feed) -> None:
        self._client, self._feed = client, feed
        self._settling: asyncio.TimerHandle | None = None

    async def run(self) -> str:
        """Tell all that the feed brings, until it ends; return why it did."""
        try:
            while (heard := await self._feed.next()) is not None:
                for event, _ in heard:
                    await self._tell(event)
                await self._leave()
        finally:
            if self._settling is not None:
                self._settling.cancel()
        return self._feed.why or ""

    async def catch_up(self, *, asks_itself: bool) -> None:
        """Show the rooms, and what was missed in them."""
        client, session = self._client, self._client.carried.person.client
        for room in session.rooms:
            await client.show(room)
        heads = await _heads(session)
        if client.places is not None and session.welcome is not None:
            client.follow(session.welcome.log)
        for room in session.rooms:
            await client.show(room)
            after = client.known.get(room)
            if after is None:
                client.begin({room: heads.get(room, 0)})
            elif not asks_itself and heads.get(room, 0) > after:
                client.reach({room: await self._missed(after, heads[room], room=room)})
        await self._catch_up_talks(
            {name: seq for name, seq in heads.items() if name[0] == "@"}, asks_itself=asks_itself
        )
        await self._leave()

    async def _catch_up_talks(self, heads: dict[str, int], *, asks_itself: bool) -> None:
        after = self._client.known.get(DIRECT)
        if after is None:
            self._client.begin({DIRECT: max(heads.values(), default=0)})
            return
        reached = after
        for name, seq in sorted(heads.items(), key=lambda item: item[1]):
            if seq > after and not asks_itself:
                nick, from_ = split_name(name[1:])
                reached = max(reached, await self._missed(after, seq, to=nick, with_=from_))
        if reached > after:
            self._client.reach({DIRECT: reached})

    # -- what was missed

    async def _missed(
        self, after: int, head: int, *, room: str | None = None, to: str | None = None, with_: str | None = None
    ) -> int:
        """Tell what was said in a place behind a seq, the newest of it; return through where the client has it now."""
        place: dict[str, Any] = {"room": "#" + room} if room is not None else {"to": to, "with_": with_}
        try:
            page = await self._client.carried.person.client.history(**place, limit=MISSED_MAX)
        except ZchatError:
            return head
        events = _untouched([event for event in page.events if (event.seq or 0) > after])
        scene = self._client.scene
        lines = [each for event in events for each in telling.tell(event, scene) if each.command in SAID]
        target = scene.channel(room) if room is not None else scene.called(to or "")
        if page.more and (page.events[0].seq or 0) > after:
            lines = [*telling.noted(f"More was said in {target} before this, while you were away.", scene), *lines]
        if lines:
            await self._client.deliver(batched(lines, "chathistory", scene, target))
        return max([head, *(event.seq or 0 for event in page.events)])

    # -- what happens

    async def _tell(self, event: Any) -> None:
        self._client.carried.note(event)
        if isinstance(event, n.Notice):
            await self._tell_notice(event)
            return
        seq, place = getattr(event, "seq", None) or 0, getattr(event, "room", None) or DIRECT
        counted = seq > 0 and not isinstance(event, m.ReadMarked | m.MemberChanged | m.AccessChanged)
        if counted and seq <= self._client.through.get(place, 0):
            return
        room = getattr(event, "room", None)
        if room is not None and room not in self._client.presence.rooms:
            if room in self._client.carried.person.client.rooms:
                await self._client.show(room)
            elif not isinstance(event, m.AccessChanged | m.MemberChanged | m.ReadMarked | m.Dropped):
                return
        await self._client.deliver(await self._lines(event))
        if counted:
            self._client.reach({place: seq})
            if self._client.wire.stream.waiting == 0:
                self._client.note()

    async def _lines(self, event: Any) -> list[Line]:
        if (change := _PRESENCE.get(type(event))) is not None:
            self._client.gateway.heard(self._client, event)
            return change(self._client, event)
        if isinstance(event, m.ReadMarked):
            return await marks.told(self._client.carried.person.client, self._client.scene, event)
        scene = self._client.scene
        if isinstance(event, m.AccessChanged):
            return _access(self._client, event)
        lines = telling.tell(event, scene)
        if isinstance(event, m.MemberChanged):
            return [*lines, *_changed(self._client, event)]
        if getattr(event, "from_", None) != scene.from_ or getattr(event, "seq", None) is None or not lines:
            return lines
        return await self._own(event, lines)

    async def _own(self, event: Any, lines: list[Line]) -> list[Line]:
        """What this person has said or done: here, at another connection, or elsewhere."""
        sent, scene = await self._client.carried.origin(event), self._client.scene
        mine = sent is not None and sent.client is self._client
        to_oneself = mine and place_of(event, scene) == scene.me
        if isinstance(event, LIVE) and mine and not scene.caps.has("echo-message"):
            return lines if to_oneself else []
        if mine and sent is not None and sent.label is not None:
            echo = labeled(lines, sent.label, scene)
            return [*echo, *telling.tell(event, scene)] if to_oneself else echo
        return [*lines, *telling.tell(event, scene)] if to_oneself else lines

    async def _tell_notice(self, notice: n.Notice) -> None:
        client = self._client
        if isinstance(notice, n.Removed):
            client.send(client.presence.removed(notice.room, notice.why))
        elif isinstance(notice, n.CaughtUp):
            await client.show(notice.room)
            client.send(client.presence.settle(client.rosters, gone=False))
            self._settle_soon()
        else:
            client.send(telling.tell(notice, client.scene))
        if isinstance(notice, n.WentBack):
            client.go_back(notice.shared)

    def settle(self) -> None:
        """Tell who has come and gone without a word: a roster is asked for anew after a gap."""
        if self._feed.why is None and self._settling is None:
            self._client.send(self._client.presence.settle(self._client.rosters))
            if self._client.wire.stream.waiting == 0:
                self._client.note()

    def _settle_soon(self) -> None:
        """After an outage all come back one by one: who does so soon has not left, and is not told as coming in."""
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(COME_BACK, self._come_back)

    def _come_back(self) -> None:
        self._settling = None
        self.settle()

    async def _leave(self) -> None:
        """Wait until the lines have left, as far as the client reads; note it then."""
        if await self._client.wire.drain():
            self._client.note()
        await asyncio.sleep(0)


def _untouched(events: list[Any]) -> list[Any]:
    """Leave out what was deleted before the client was told of it, and that it was."""
    gone = {event.seq for event in events if isinstance(event, m.Tombstone)}
    return [event for event in events if getattr(event, "target", None) not in gone]


async def _heads(session: ChatClient) -> dict[str, int]:
    """Return where all rooms and conversations stand, once the broker tells."""
    while True:
        with contextlib.suppress(TimedOutError, RefusedError, UnreachableError):
            return dict(cast(m.Pong, await session.ask(m.Ping())).heads)
        await asyncio.sleep(RETRY)


def _joined(client: Client, event: m.MemberJoined) -> list[Line]:
    return client.presence.joined(event)


def _left(client: Client, event: m.MemberLeft) -> list[Line]:
    return client.presence.left(event, client.rosters)


def _renamed(client: Client, event: m.MemberRenamed) -> list[Line]:
    return client.presence.renamed(event.nick, event.new)


def _away(client: Client, event: m.MemberAway) -> list[Line]:
    return client.presence.away(event.nick, event.text)


def _changed(client: Client, event: m.MemberChanged) -> list[Line]:
    """Oneself has another nick by another device. Another role is told to all who are shown it."""
    client.gateway.heard(client, event)
    if event.change == "nick" and event.from_ == client.scene.from_ and event.nick:
        return client.presence.renamed(client.scene.nick, event.nick)
    return []


def _access(client: Client, event: m.AccessChanged) -> list[Line]:
    """Who operates a room has another prefix there; of somebody who is not shown it is told in words."""
    presence, nick = client.presence, event.nick or ""
    source = client.scene.mask(event.by_nick, event.by) if event.by_nick else SERVER
    if event.change == "operator" and presence.modes(event.room, nick) is not None:
        return presence.operates(event.room, nick, True, source)
    lines = telling.tell(event, client.scene)
    ended = event.change == "mode" and event.mode == "public"
    return [*lines, *presence.simply_public(event.room, source)] if ended else lines


_PRESENCE: dict[type, Callable[[Client, Any], list[Line]]] = {
    m.MemberJoined: _joined,
    m.MemberLeft: _left,
    m.MemberRenamed: _renamed,
    m.MemberAway: _away,
}
