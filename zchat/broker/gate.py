"""Which connections may stay: those to the feed as they subscribe, unknown keys for a while, and nobody who has to go.

Who has to go is cut on both sockets, shortly after what was sent to them: a `bye` says why, and should arrive. From
then on `admission.py` keeps them out.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

import zmq

from .admission import Admission
from .connections import Connection, Connections
from .core.effects import Cut
from .crowd import Places, make_room, spare
from .doors import Door, kind_of
from .notes import Notes
from .strangers import places
from .subscribers import Subscribers

BEFORE_CUT = 0.5  # s in which the last lines to somebody leave, on a busy machine, too
LOOK_AT_STRANGERS = 1.0  # s between two counts …
CROWDED = 0.1  # … and while many are new: as they become members, others may come …
SHARE = 5  # … but a count is followed by a pause so many times as long
CONNECTS = 10_000  # a second, more than can come: what is kept free has to last until the next look
NOBLOCK, EVENTS, READABLE = int(zmq.NOBLOCK), int(zmq.EVENTS), int(zmq.POLLIN)


class Gate:
    """Watches the connections of both sockets, and ends those that may not stay."""

    def __init__(
        self,
        connections: Connections,
        admission: Admission,
        feed: "zmq.Socket[bytes]",
        doors: Sequence[Door],
        notes: Notes,
    ) -> None:
        self._connections, self._admission, self._feed, self._notes = connections, admission, feed, notes
        self._where = places(door.listen for door in doors if door.kind == "key")
        self._all = Places(end for door in doors for end in (door.listen, door.publish))
        self.subscribers = Subscribers(connections.proven, self._may_read)
        self._taking = False

    def take_subscriptions(self) -> None:
        """Take out what was subscribed to: some of it in this turn of the loop, the rest in the next ones."""
        self._taking = False
        if self._feed.closed:
            return
        try:
            more, ended = self.subscribers.take(self._feed, time.monotonic())
        except Exception:  # noqa: BLE001 — it is logged
            self._notes.write(logging.ERROR, "subscriptions could not be taken", trace=True)
            return
        for one in ended:
            self._notes.write(
                logging.WARNING, "cut from the feed: %s of %s", one.credential or "a connection", one.source
            )
            one.shut()
        if more or int(self._feed.get(EVENTS)) & READABLE:
            self.look_again()

    def note_subscriptions(self) -> None:
        """If subscriptions may have come, take them in the next turn of the loop."""
        if int(self._feed.get(EVENTS)) & READABLE:
            self.look_again()

    def look_again(self) -> None:
        """Take subscriptions in the next turn of the loop."""
        if not self._taking:
            self._taking = True
            asyncio.get_running_loop().call_soon(self.take_subscriptions)

    def cut(self, cuts: Iterable[Cut]) -> tuple[list[bytes], list[Connection]]:
        """Return the peers that have to go, by their routing ids, and all connections to be ended."""
        peers: dict[bytes, Connection] = {}
        ended: list[Connection] = []
        for cut in cuts:
            if cut.credential:
                peers |= self._connections.of(cut.credential)
                ended += self.subscribers.of(cut.credential)
            elif (one := self._connections.get(cut.peer)) is not None:
                peers[cut.peer] = one
        return list(peers), [*peers.values(), *ended]

    async def end(self, ended: Iterable[Connection]) -> None:
        """End connections, once what was sent to them has had the time to leave."""
        await asyncio.sleep(BEFORE_CUT)
        for one in ended:
            one.shut()

    async def watch_strangers(self) -> None:
        """Count the connections of unknown keys, and end those that say nothing."""
        counted, took = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(max(CROWDED, SHARE * took) if self._admission.strangers.many else LOOK_AT_STRANGERS)
            now = time.monotonic()
            if now - counted >= LOOK_AT_STRANGERS:
                counted = now
                self.subscribers.second()
            await self._count_strangers(now)
            took = time.monotonic() - now

    async def _count_strangers(self, now: float) -> None:
        strangers = self._admission.strangers
        began, self._connections.began = self._connections.began, []
        for source in began:
            strangers.heard(source)
        if strangers.expected and self._where:
            ended = await strangers.look(self._where, self._connections.credentials(), self._is_member, now)
            if ended:
                self._notes.write(logging.WARNING, "ended for saying nothing: %d connections", ended)

    async def keep_room(self, limit: Callable[[], int], present: Callable[[], Iterable[bytes]]) -> None:
        """Keep some of this process's descriptors free. `limit` returns how many it may have.

        `present` returns the peers that have a session.
        """

        def kept() -> set[bytes]:
            return {one.cookie for peer in present() if (one := self._connections.get(peer)) is not None}

        def readers() -> set[bytes]:
            return {one.cookie for one in self.subscribers.connections}

        while True:
            await asyncio.sleep(spare(limit()) / CONNECTS)
            if ended := await make_room(limit(), self._all, kept, readers):
                self._notes.write(logging.WARNING, "ended, as descriptors run short: %d connections", ended)

    def _is_member(self, credential: str) -> bool:
        return self._admission.members.is_member(credential, time.time())

    def _may_read(self, one: Connection) -> bool:
        return self._admission.may_read(one.credential, kind_of(one.credential))
