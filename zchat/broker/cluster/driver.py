"""A broker as a part of a cluster: what joins its log, its hub and the engine, and what it does from time to time.

A start goes so. The engine connects. The stream that it has is compared with the log in the folder (`terms.py`); a copy
of another broker's log is taken if that is needed (`copying.py`). The log is opened, and all that the stream has is
applied. Then this broker begins its epoch, and only then do people come in.

From then on everything hangs on messages that come back (`reading.py`, `publishing.py`). Beside it the broker tells
that it is there every second, gives up those whose heartbeats stay away (`core/leases.py`), and looks where the stream
stands whenever nothing comes (`looking.py`). If the stream is not what it was, the broker writes no more
(`StreamLog.fail`), and goes on showing what it has; once a new term is there, it has to start again.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from zchat.broker.core import bus
from zchat.broker.core.clocks import Clocks
from zchat.broker.core.leases import Leases
from zchat.broker.files import FileService
from zchat.broker.log import StreamLog
from zchat.broker.store import Store
from zchat.errors import ClusterError, EngineError, LostStreamError, OtherTablesError, WrongClockError
from zchat.version import __version__

from .answering import Answering
from .interface import Engine, Position
from .joining import Joining
from .looking import Looking
from .pace import Pace
from .publishing import Publishing
from .reading import Reading
from .spreading import Spreading
from .tables import tables

AHEAD = 60.0  # s by which a clock may be ahead before somebody is told
BUSY, CALM = 0.05, 0.2  # s between two ticks, while something is on its way and otherwise

log = logging.getLogger(__name__)


def _nothing(*_: object) -> None:
    pass


class Driver:
    """The part of the broker `name` in a cluster. With `founds` it makes the stream if there has never been one."""

    def __init__(self, engine: Engine, name: str, *, founds: bool = False, pace: Pace | None = None) -> None:
        self.engine, self.name, self.pace = engine, name, pace or Pace()
        self.wall: Callable[[], float] = time.time  # this machine's clock, in seconds since 1970
        self.heard: dict[str, tuple[bus.Heartbeat, float]] = {}  # the last heartbeat of each broker, and when it came
        self.position: Position | None = None  # as it was at the start
        self.trouble: tuple[float, str] | None = None  # since when (wall clock) and why nothing is written
        self.on_trouble: Callable[[float, str], None] = _nothing  # called again with every heartbeat
        self.on_flowing: Callable[[], None] = _nothing
        self.on_end: Callable[[ClusterError], None] | None = None  # this broker has to stop; None: it is still starting
        self.on_told: Callable[[bytes], None] = _nothing
        self.on_applied: Callable[[], None] = _nothing
        self.here: Callable[[], tuple[int, int]] = lambda: (0, 0)  # how many sessions, and the revision of who is here
        self._founds = founds
        self._leases = Leases(name, self.pace.gap, self.pace.lease)
        self._clocks = Clocks(self.pace.lease)
        self._publishing = Publishing(engine, self.pace)
        self._lost: str | None = None  # why the stream was not believed at the start
        self._data: Path | None = None
        self._clock: asyncio.Task[None] | None = None
        self._silent: set[str] = set()  # brokers of which was logged that they are given up
        self._beat_at = self._fetched_at = self._warned_at = float("-inf")
        self._ended = False
        self._tables = tables()
        self._compare: Callable[[bus.Heartbeat], None] = _nothing  # with the log, once there is one
        engine.on_told, engine.on_refused = self._hear, self._publishing.refuse

    # -- the start -------------------------------------------------------------------------------------------

    async def open(self, data: Path | None) -> Store:
        """Connect, and open the log: the own one, or a copy. Raises ClusterError, StorageError."""
        await self.engine.open(self.pace.patience)
        join = Joining(self.engine, self.name, self.pace, data, self._founds, self._present, self.wall)
        store, stream, self._lost = await join.open()
        self.position = stream
        self._data = data
        return store

    def make_log(self, store: Store) -> StreamLog:
        """Return the log over what `open` returned."""
        term = store.term or (self.position.term if self.position is not None else "")
        if self._lost is None and self.position is not None:
            term = self.position.term
        self.log = StreamLog(store, self.name, term, secrets.token_hex(8), self._publishing.publish)
        self._publishing.log, self._compare = self.log, self._compare_with_log
        self._reading = Reading(self.engine, self.log, self._applied)
        self._looking = Looking(
            self.engine,
            self.log,
            self._reading,
            self._publishing,
            self.pace,
            stream=self.position,
            heard=self._present,
            end=self._end,
        )
        self._answering = Answering(self.engine, self.log, self._data)
        self.engine.on_asked = self._answering.answer
        self.log.on_broken = self._broken
        return self.log

    async def begin(self) -> None:
        """Apply all that the stream has, and begin an epoch. Raises EngineError if it does not go on for too long.

        If the stream is not believed, people may come in nevertheless: to read.
        """
        if self._lost is not None:
            self.log.fail(LostStreamError(self._lost))
        self.engine.on_messages = self._hear_stream
        self.engine.on_connected = self._connected
        self._clock = asyncio.get_running_loop().create_task(self._keep_time())
        if self.log.broken is not None:
            return
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(self.pace.patience) as limit:
                self.on_applied = lambda: limit.reschedule(now() + self.pace.patience)
                await self._catch_up()
        except TimeoutError:
            raise EngineError("its nodes", "the stream cannot be read or written") from None
        finally:
            self.on_applied = _nothing
        if self.log.broken is not None and not isinstance(self.log.broken, LostStreamError):
            raise self.log.broken

    async def _catch_up(self) -> None:
        self._reading.learn(0 if self.position is None else self.position.last)
        await self._reading.catch_up()
        self.log.start()
        while not self.log.epoch and self.log.broken is None:  # noqa: ASYNC110 — it comes through the stream
            await asyncio.sleep(BUSY / 10)

    def share(self, files: FileService) -> None:
        """Give the other brokers the files of this one, and get theirs."""

        def others() -> list[str]:
            return [name for name, each in self.log.cluster.epochs.items() if each.open and name != self.name]

        self._answering.files = Spreading(self.engine, self.name, files, others)

    async def share_no_more(self) -> None:
        spreading, self._answering.files = self._answering.files, None
        if spreading is not None:
            await spreading.close()

    def replicas(self) -> dict[str, tuple[bool, int | None]]:
        """Return of each broker whether it is there, and how many messages of the stream it has still to apply.

        Of those that were heard since the start, and those that have not said that they go.
        """
        here = {told.broker for told in self._present()} | {self.name}
        last = max(self._reading.last, self.log.applied.seq)
        at = {name: told.applied for name, (told, _) in self.heard.items()} | {self.name: self.log.applied.seq}
        named = {name for name, each in self.log.cluster.epochs.items() if each.open} | at.keys()
        return {name: (name in here, max(0, last - at[name]) if name in at else None) for name in sorted(named)}

    @property
    def applying(self) -> bool:
        """Whether messages are being applied just now: `on_applied` is called once all of them were."""
        return self._reading.applying

    async def settled(self, within: float) -> None:
        """Wait until all that was published has come back, at most so many seconds."""
        ends = time.monotonic() + within
        while self.log.waits and self.log.broken is None and time.monotonic() < ends:  # noqa: ASYNC110 — as above
            await asyncio.sleep(BUSY / 10)

    async def leave(self, within: float) -> None:
        """Tell all that this broker goes, and wait until that has come back, at most so many seconds."""
        self.log.stop()
        ends = time.monotonic() + within
        while self.log.epoch and self.log.broken is None and time.monotonic() < ends:  # noqa: ASYNC110 — as above
            await asyncio.sleep(BUSY / 10)
        self._reading.close()
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        self.engine.on_messages = self.engine.on_connected = _nothing
        await self._looking.close()
        await self._answering.close()

    async def close(self) -> None:
        """Disconnect."""
        await self.engine.close()

    # -- the stream ------------------------------------------------------------------------------------------

    def _hear_stream(self, messages: Any) -> None:
        self._reading.hear(messages)
        self._publishing.came()

    def _applied(self) -> None:
        self.on_applied()

    def _connected(self) -> None:
        """Whatever was missed or lost while there was no connection is found at once."""
        self._looking.look()
        if not self._publishing.halted:
            self._publishing.again()

    def _broken(self, error: ClusterError) -> None:
        log.critical("%s", error)
        self._state()
        if not isinstance(error, LostStreamError):
            self._end(error)

    def _end(self, error: ClusterError) -> None:
        if self.on_end is not None and not self._ended:
            self._ended = True
            self.on_end(error)

    # -- from time to time -----------------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        while True:
            try:
                self._tick(time.monotonic())
            except Exception:
                log.exception("the cluster's clock failed")
            await asyncio.sleep(min(BUSY if self.log.waits else CALM, self.pace.heartbeat / 2))

    def _tick(self, now: float) -> None:
        pace, silent = self.pace, now - self._reading.heard_at
        self._publishing.tick(now)
        missing = (self.log.waits and silent >= pace.silence) or self.log.trouble is not None or self._reading.stuck
        if missing and now - self._fetched_at >= pace.silence:
            self._fetched_at = now
            self._reading.fetch()
        self._looking.tick(now)
        if now - self._beat_at >= pace.heartbeat:
            self._beat_at = now
            self._beat(now)

    def _beat(self, now: float) -> None:
        self._state()
        applied = self.log.applied
        sessions, revision = self.here()
        self.engine.tell(
            bus.encode(
                bus.Heartbeat(
                    self.name,
                    self.log.epoch,
                    applied.seq,
                    applied.hash,
                    sessions,
                    __version__,
                    revision,
                    term=applied.term,
                    trouble="" if self.trouble is None else self.trouble[1],
                    tables=self._tables,
                    wall=self.wall(),
                )
            )
        )
        others = [name for name, each in self.log.cluster.epochs.items() if each.open and name != self.name]
        for name in self._leases.gone(others, now):
            if name not in self._silent:  # until that is stored, it is so at each heartbeat
                self._silent.add(name)
                log.warning("broker %s is silent: it is given up", name)
            self.log.declare_gone(name)
        self._answering.tick(now)
        self._look_at_clock(now)

    def _look_at_clock(self, now: float) -> None:
        if ahead := self._clocks.wrong(now):
            self._end(WrongClockError(ahead))
        ahead = self.log.time - self.wall()
        if ahead > AHEAD and now - self._warned_at >= AHEAD:
            self._warned_at = now
            log.warning("the clock of broker %s is %d s ahead of this one", self.log.clock_by or "another", ahead)

    def _state(self) -> None:
        """Find out whether something is wrong, and tell."""
        why = self._why()
        if why is not None:
            since = time.time() if self.trouble is None else self.trouble[0]
            if self.trouble is None:
                log.warning("nothing is written: %s", why)
            self.trouble = since, why
            self.on_trouble(since, why)
        elif self.trouble is not None:
            log.warning("the stream flows again, after %.1f s", time.time() - self.trouble[0])
            self.trouble = None
            self.on_flowing()

    def _why(self) -> str | None:
        """Return why nothing is written, if so."""
        if (error := self.log.broken or self.log.trouble) is not None:
            return str(error)
        if self._reading.stuck:
            return f"message {self._reading.stuck} of the cluster's stream cannot be applied: see the broker's log"
        since = self._publishing.waits_since
        if since is None or time.monotonic() - since < self.pace.stalled:
            return None
        if not self.engine.connected:
            return "no node of the cluster answers"
        return (
            "the cluster's stream does not take what is said: too few of its nodes are there, or they choose a leader"
        )

    # -- words -----------------------------------------------------------------------------------------------

    def _hear(self, payload: bytes) -> None:
        try:
            told = bus.decode(payload)
        except msgspec.DecodeError:
            log.debug("words that make no sense, of another version perhaps")
            return
        if isinstance(told, bus.Heartbeat):
            self._hear_heartbeat(told)
        self.on_told(payload)

    def _hear_heartbeat(self, told: bus.Heartbeat) -> None:
        now = time.monotonic()
        self._leases.hear(told.broker, now)
        self._silent.discard(told.broker)
        self.heard[told.broker] = told, now
        if told.broker != self.name:
            if told.wall:
                self._clocks.hear(told.broker, told.wall - self.wall(), now)
            if told.hash:
                self._compare(told)
        if told.tables and told.tables < self._tables:
            self._end(OtherTablesError(told.broker, told.tables, self._tables))  # they have started at the same time

    def _compare_with_log(self, told: bus.Heartbeat) -> None:
        if told.term == self.log.applied.term:
            self.log.agrees(told.broker, told.applied, told.hash)

    def _present(self) -> list[bus.Heartbeat]:
        """Return the last heartbeat of each broker that is there."""
        since = time.monotonic() - self.pace.lease
        return [told for told, at in self.heard.values() if at >= since]
