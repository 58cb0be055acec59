"""ChatServer: what a broker is made of, from its log to its sockets, opened and closed.

`receive_connections` sleeps until the ROUTER socket is readable, then drains it without waiting (`loop.py`). All
messages that have arrived, up to a limit, are one batch for the pipeline (`inlet.py`). The output of the pipeline is
sent at once (`outlet.py`); nothing waits for a timer. What takes longer is done beside the loop (`answering.py`).
"""

import asyncio
import contextlib
import dataclasses
import logging
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import structs

from zchat import ports
from zchat.errors import UsageError
from zchat.protocol import BROKER, links, wire
from zchat.protocol import messages as m
from zchat.version import __version__

from . import doors, keys, sockets, users
from .admission import Admission
from .answering import Answering
from .clock import Clock
from .cluster.driver import Driver
from .cluster.membership import Membership
from .connections import LOOKED_AT, Connections
from .core.entrance import Terms
from .core.hub import Hub
from .core.members import Members
from .endless import EndlessWatch
from .figures import Figures
from .files import FileService
from .gate import Gate
from .inlet import Inlet
from .log import LocalLog, Log
from .loop import Loop
from .notes import Notes
from .outlet import Outlet
from .pipeline import Pipeline
from .reads import QueryService
from .retiring import Retiring
from .sharing import SharedPipeline
from .store import Store
from .tasks import Tasks

LAST_WORDS = 2.0  # s for which a broker of a cluster waits until what it says last has come back
OWNER_INVITED = 86_400.0  # s for which the owner's link of a new broker is good
RETRY_AFTER = 1.0  # s after which clients may reconnect after a planned stop

log = logging.getLogger(__name__)


class ChatServer:
    """A broker: it receives commands on a ROUTER socket, stores them, and publishes events on a PUB socket.

    Use it as an async context manager around `receive_connections`, which returns after `stop`:

        async with ChatServer(data=Path("chat")) as server:
            await server.receive_connections()
    """

    def __init__(
        self,
        listen: str | Sequence[str] = BROKER,
        publish: str | Sequence[str] | None = None,
        *,
        data: Path | None = None,
        heartbeat: float = 5.0,
        grace: float | None = None,
        rate: float = 100.0,
        advertise: Sequence[str] = (),
        strangers: bool = False,
        guests: bool = True,
        cluster: Driver | None = None,
        keep: float = 0.0,
        forget_edits: bool = False,
    ) -> None:
        """Prepare a broker; `async with` opens it. Raises UsageError.

        - `listen`: where clients send to; one endpoint or several. By `tcp://…` on loopback guests come in, by `ipc://…`
          the users of this machine, and by `tcp://…` beyond loopback or `zchat://HOST:PORT` whoever has a member's key,
          encrypted. A port of 0 picks a free one.
        - `publish`: where events are published, one endpoint for each of `listen`; by default the next port, or the
          path with `-feed` in its name. Once the broker is open, both attributes tell the first, and `doors` all.
        - `data`: the folder of the log. Without one the log is in memory, and gone at the end.
        - `heartbeat`: seconds between two signs of life of an idle client.
        - `grace`: seconds of silence after which a client is dropped; by default three heartbeats.
        - `rate`: lines a second that a session may send (0: no limit).
        - `advertise`: the hosts (HOST or HOST:PORT) under which others reach this broker, for links.
        - `strangers`: let every key in, as a guest.
        - `guests`: let guests in. Without them there is no endpoint for them.
        - `keep`: seconds for which what was said is kept (0: for ever); a room may say otherwise. What is older is
          deleted in the background. In a cluster it is to be the same at all brokers: else the shortest counts.
        - `forget_edits`: have the texts before an edit leave the log, too.
        - `cluster`: this broker's part in a cluster, whose brokers share one log.
        """
        self.doors = doors.plan(listen, publish)
        if not guests and any(door.kind == "guest" for door in self.doors):
            raise UsageError(
                "Only guests come in by TCP on loopback. Write zchat://127.0.0.1:PORT, for keys, or let guests in."
            )
        self.listen, self.publish = self.doors[0].listen, self.doors[0].publish
        self.link: links.BrokerLink | None = None  # by which others reach this broker
        self.owner_link: str | None = None  # by which its owner comes in, once
        self.data = data
        self._rate, self._advertise = rate, tuple(advertise)
        self._terms = Terms(strangers, guests, users.owners(), users.login)
        self._cluster = cluster
        self._keep, self._forget_edits = keep, forget_edits
        self._membership: Membership | None = None
        self._heartbeat = heartbeat
        self._grace = 3 * heartbeat if grace is None else grace
        if not 0 < heartbeat <= self._grace:
            raise UsageError("A heartbeat is a number of seconds above 0, and the grace must be no shorter.")
        if not keep >= 0:
            raise UsageError("What was said is kept for a number of seconds, or for ever: 0.")
        self._tasks = Tasks()
        self._stop = asyncio.Event()
        self._notes = Notes(log)

    async def __aenter__(self) -> Self:
        """Open the log, then the sockets. Raises StorageError (AddressInUseError, InUseError …), UsageError.

        In a cluster people come in once all is applied that the others have written. Raises ClusterError.
        """
        async with contextlib.AsyncExitStack() as stack:
            self._log = await self._open_log(stack)
            self._reads = QueryService(self._store, self._notes)
            stack.callback(self._reads.close)
            self._files = FileService(self._store, self._notes)
            stack.push_async_callback(self._files.close)
            self._connections = Connections()
            self._connections.proves = any(door.kind != "guest" for door in self.doors)
            self.capacity = sockets.max_clients()
            self._open_sockets(stack.enter_context(contextlib.ExitStack()))
            self._open_hub()
            if self._membership is not None:
                stack.callback(self._membership.part)
            if self._cluster is not None:
                self._cluster.share(self._files)
                stack.push_async_callback(self._cluster.share_no_more)
            self._retiring = Retiring(self._store, self._keep, lambda: self._hub.members, self._loop.retire)
            stack.callback(self._retiring.close)
            await self._invite_owner()
            self._closing = stack.pop_all()
        self._start_tasks()
        return self

    def _start_tasks(self) -> None:
        start = self._tasks.start
        start(self._clock.keep_time)
        start(self._clock.watch_memory)
        start(self._gate.watch_strangers)
        start(self._retiring.run)
        start(self._gate.keep_room, ports.open_files, self._hub.present)
        if self._membership is not None:
            start(self._membership.keep_time)

    async def _open_log(self, closing: contextlib.AsyncExitStack) -> Log:
        if self._cluster is None:
            self._store = Store(self.data, secrets.token_hex(16), int(time.time()))
            closing.callback(self._store.close)
            return LocalLog(self._store)
        closing.push_async_callback(self._cluster.close)
        self._store = await self._cluster.open(self.data)
        closing.callback(self._store.close)
        stream_log = self._cluster.make_log(self._store)
        closing.push_async_callback(self._cluster.leave, LAST_WORDS)
        await self._cluster.begin()
        return stream_log

    def _open_hub(self) -> None:
        """Make the hub and the pipeline, of what the log has now."""
        self._hub = Hub(
            server=f"zchat/{__version__}",
            log=self._log,
            feed=lambda credential: doors.feed_for(self.doors, credential),
            heartbeat=self._heartbeat,
            grace=self._grace,
            rate=self._rate,
            capacity=self.capacity,
            fresh=lambda: secrets.token_hex(16),
            now=time.monotonic(),
            source=self._connections.source,
            credential=self._connections.credential,
            terms=self._terms,
            links=() if self.link is None else (self.link.text,),
            name="" if self._cluster is None else self._cluster.name,
            keep=self._keep,
        )
        self._hub.roster.seen.update(self._store.seen())
        self._hub.roster.shelf = self._files.shelf
        self._hub.roster.forgets_edits = self._forget_edits
        self._admission.members = self._hub.members
        self._hub.log_bytes = self._store.size()
        self._pipeline = self._make_pipeline()
        self._join_pipeline()
        self._membership = self._join_cluster()
        self._clock = self._make_clock()

    def _make_pipeline(self) -> Pipeline:
        if self._cluster is None or self._hub.elsewhere is None:
            return Pipeline(self._hub, self._log, self._notes)
        self._cluster.log.source = self._connections.source
        return SharedPipeline(self._hub, self._cluster.log, self._notes)

    def _join_cluster(self) -> Membership | None:
        """Join the hub and the pipeline to the cluster, if there is one."""
        if self._cluster is None or self._hub.elsewhere is None or not isinstance(self._pipeline, SharedPipeline):
            return None
        membership = Membership(
            self._cluster,
            self._hub,
            self._pipeline,
            self._hub.elsewhere,
            heartbeat=self._heartbeat,
            flush=self._loop.send_all,
            broadcast=self.broadcast,
            end=self._loop.stop_for,
        )
        self._loop.afterwards.append(membership.tell)
        return membership

    def _join_pipeline(self) -> None:
        """Join the pipeline to the sockets, and to what is done beside the loop."""
        self._inlet = Inlet(self._router, self._connections, lambda peer: self._pipeline.remove(peer, "timeout"))
        self._outlet = Outlet(
            self._router,
            self._publisher,
            self._pipeline,
            self._connections,
            self._inlet,
            self._gate,
            self._notes,
            self._tasks.start,
        )
        self._loop: Loop = Loop(
            self._router, self._inlet, self._pipeline, self._outlet, self._reads, self._cluster, self._stop
        )
        self._answering = Answering(
            self._pipeline,
            self._reads,
            self._files,
            self._connections,
            self._notes,
            start=self._tasks.start,
            send=self._loop.send_all,
        )
        self._loop.afterwards.append(self._answering.begin)
        self._hub.greeting.numbers = self._make_figures().told

    def _make_figures(self) -> Figures:
        return Figures(
            data=self.data,
            driver=self._cluster,
            hub=self._hub,
            pipeline=self._pipeline,
            store=self._store,
            files=self._files,
            inlet=self._inlet,
            outlet=self._outlet,
            answering=self._answering,
            connections=self._connections,
            gate=self._gate,
            frames=self._loop.frames,
            took=self._loop.took,
        )

    def _make_clock(self) -> Clock:
        return Clock(
            step=min(1.0, self._grace / 6),
            data=self.data,
            hub=self._hub,
            pipeline=self._pipeline,
            store=self._store,
            reads=self._reads,
            files=self._files,
            inlet=self._inlet,
            connections=self._connections,
            gate=self._gate,
            endless=self._endless,
            remove_client=self.remove_client,
            stop_for=self._loop.stop_for,
            start=self._tasks.start,
            flush=self._loop.flush,
            look_again=self._loop.look_again,
        )

    def _open_sockets(self, closing: contextlib.ExitStack) -> None:
        """Open both sockets at all doors, and before them the one that libzmq asks who may come in."""
        pair = None
        if any(door.kind == "key" for door in self.doors):
            pair = keys.fresh() if self.data is None else keys.of_folder(self.data)
        context = sockets.context(self.doors, closing)
        self._admission = Admission(Members(), self._terms, self._notes)
        if self._connections.proves:
            self._admission.open(context)
            closing.callback(self._admission.close)
            closing.callback(self._admission.start(asyncio.get_running_loop()))
        self._router, listening = sockets.router(context, self.doors, pair)
        closing.enter_context(self._router)
        self._publisher, publishing = sockets.publisher(context, self.doors, pair)
        closing.enter_context(self._publisher)
        self.doors = tuple(map(doors.bound, self.doors, listening, publishing))
        self.link = doors.link(self.doors, pair.raw, self._advertise) if pair is not None else None
        self.listen = self.written(self.doors[0])
        self.publish = self.doors[0].publish
        self._gate = Gate(self._connections, self._admission, self._publisher, self.doors, self._notes)
        self._endless = EndlessWatch(self._connections, self._gate.subscribers, self.doors, self._notes)

    async def _invite_owner(self) -> None:
        """Make an invitation for an owner, if none can come in over the network yet. Only `owner_link` has its code."""
        if self.link is None or self._hub.members.has_owner_with_key():
            return
        code, wall = links.encode_code(secrets.token_bytes(links.CODE_BYTES)), time.time()
        hash_ = links.invitation_hash(code)
        expires = datetime.fromtimestamp(wall + OWNER_INVITED, UTC)
        self._pipeline.change(self._hub.invite_owner(hash_, expires), wall)
        if self._cluster is not None:
            await self._cluster.settled(LAST_WORDS)
        if self._hub.members.usable(hash_, wall):
            self.owner_link = dataclasses.replace(self.link, code=code).text

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send `bye` on `broker/` and to every session, and close."""
        try:
            await self._tasks.cancel()
            self._say_bye()
        finally:
            await self._closing.aclose()

    def written(self, door: doors.Door) -> str:
        """Return how clients are told to come in by a door: its endpoint, or the link that also says the key."""
        return doors.written(door, None if self.link is None else self.link.key)

    def stop(self) -> None:
        """Make `receive_connections` return, after it has processed what has arrived."""
        self._stop.set()

    async def receive_connections(self) -> None:
        """Process what clients send until `stop`.

        Raises LostLogError when the log was removed, replaced, or written to by another program, ClusterError when the
        cluster goes on without this broker.
        """
        await self._loop.run()

    def broadcast(self, topic: bytes, lines: list[bytes]) -> None:
        """Publish `lines` of JSON, without newlines, on `topic`, in messages of at most 128 KiB. Never blocks.

        They are not written to the log: whoever does not listen now never hears them.
        """
        self._outlet.publish(topic, lines)

    def remove_client(self, peer: bytes, reason: str) -> None:
        """Drop a client: free its nick, tell its rooms, and send it `bye` with the `reason`.

        `peer` is the routing id of its connection. Reasons are `timeout`, `slow`, `kick` (after which the client stays
        away) and `shutdown`.
        If it does not read, its connection is ended, too, and what is queued for it is dropped.
        """
        self._pipeline.remove(peer, reason)
        self._loop.flush()
        if self._connections.unread(peer) > LOOKED_AT:
            self._connections.cut(peer)

    def status(self) -> m.Status:
        """Return how this broker is, with what it has counted."""
        command = m.AskStatus(numbers=True)
        status = self._hub.status(command, "", time.monotonic(), numbers=True)
        trouble = self._log.trouble
        return status if trouble is None or status.stalled else structs.replace(status, stalled=str(trouble))

    def warn_of_low_disk(self) -> None:
        """Log a warning if the disk that holds the log runs low."""
        self._clock.warn_of_low_disk()

    def _say_bye(self) -> None:
        bye = m.BrokerBye(reason="shutdown", retry_after=RETRY_AFTER)
        self.broadcast(wire.BROKER_TOPIC, [wire.encode(bye)])
        line = wire.encode(m.Bye(reason="shutdown"))
        for session in self._hub.roster.all():
            self._outlet.send(session.peer.id, [line])
