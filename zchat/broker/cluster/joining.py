"""How a broker comes to its log at a start: it looks at the stream, makes it if it is the first, or takes a copy."""

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from zchat.broker.core.bus import Heartbeat
from zchat.broker.core.clocks import WRONG, off
from zchat.broker.store import LOG_FILE, Applied, Replica, Store, standing
from zchat.errors import (
    EngineError,
    NamesakeError,
    NoStreamError,
    OtherLogError,
    OtherTablesError,
    UsageError,
    WrongClockError,
)

from . import copying
from .interface import Engine, Position
from .pace import Pace
from .tables import tables
from .terms import NOTHING, Doubt, Own, Then, Verdict, judge, successor

QUIET = 1.5  # s of waiting without a word
AGAIN = 0.2  # s between two looks at the stream
LISTENS = 2.2  # heartbeats for which a start listens: what others say counts, and one may come late

log = logging.getLogger(__name__)


class Joining:
    """A start of the broker `name`. `heard` returns the last heartbeat of each broker that is there."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        pace: Pace,
        data: Path | None,
        founds: bool,
        heard: Callable[[], Sequence[Heartbeat]],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._engine, self._pace, self._data, self._founds, self._heard = engine, pace, data, founds, heard
        self._wall = wall
        self._began = time.monotonic()
        self._told = ""  # the last reason for which it was told that it waits
        self._ends = self._began + pace.patience
        self._why = "start the broker that makes it first"
        self._doubt = Doubt(pace.look, pace.missing)

    async def open(self) -> tuple[Store, Position | None, str | None]:
        """Return the log, the stream, and why that is not to be believed, if so. Raises ClusterError, StorageError."""
        while True:
            own = self._own()
            stream, verdict = await self._look(own)
            match verdict.then:
                case Then.GO_ON if stream is not None:
                    self._engine.follow(stream)
                    return self._store(own, stream.log), stream, None
                case Then.LOST:
                    return self._store(own, own.id), stream, verdict.why
                case Then.REFUSE:
                    raise OtherLogError(self._data or Path(":memory:"), verdict.why)
                case Then.COPY if stream is not None:
                    await self._copy(own, stream, verdict.why)
                case Then.FOUND:
                    await self._found(own)
            if time.monotonic() > self._ends:
                raise NoStreamError(self._why)

    def _own(self) -> Own:
        """Return what the log in the folder is. One in which nothing ever happened is none."""
        found = None if self._data is None else standing(self._data)
        if self._data is None or found is None or not (found.head or found.applied.term):
            return NOTHING
        if found.applied.term:
            return Own(found.id, found.head, found.applied)
        with contextlib.closing(Store(self._data, found.id, int(time.time()))) as store:
            hash_ = hashlib.sha256(store.event(found.head) or b"").digest()
        return Own(found.id, found.head, Applied(seq=1, hash=hash_))

    async def _look(self, own: Own) -> tuple[Position | None, Verdict]:
        """Return the stream, and what follows, once that is sure. Raises EngineError.

        Until every other broker has told how far it is, nothing is.
        """
        await asyncio.sleep(max(0.0, self._began + LISTENS * self._pace.heartbeat - time.monotonic()))
        if any(each.broker == self._name for each in self._heard()):
            raise NamesakeError(self._name)
        for each in self._heard():
            if each.tables not in {"", tables()}:
                raise OtherTablesError(each.broker, each.tables, tables())
        if abs(ahead := off(each.wall - self._wall() for each in self._heard() if each.wall)) > WRONG:
            raise WrongClockError(ahead)
        while True:
            heard = self._heard()
            try:
                stream = await self._engine.position()
            except EngineError as error:
                if time.monotonic() > self._ends:
                    raise
                self._tell_of_waiting(error.why)
                await asyncio.sleep(AGAIN)
                continue
            verdict = self._doubt.consider(judge(own, stream, most(heard, stream)), stream, None, time.monotonic())
            if verdict.then is not Then.WAIT:
                return stream, verdict
            await asyncio.sleep(AGAIN)

    def _tell_of_waiting(self, why: str) -> None:
        """Say once for each reason why nothing happens: somebody may have started this broker first."""
        if why != self._told and time.monotonic() - self._began > QUIET:
            self._told = why
            log.info("waiting until most of the nodes are there (%s)", why)

    def _store(self, own: Own, id_: str) -> Store:
        """Open the log; if it was a broker's alone, note that it counts as one message."""
        if self._data is not None and own is NOTHING:
            for suffix in ("", "-wal", "-shm"):  # one in which nothing ever happened, with an id of its own
                (self._data / (LOG_FILE + suffix)).unlink(missing_ok=True)
        store = Store(self._data, id_, int(time.time()))
        if own.applied.seq and not own.applied.term:
            with store.writing():
                Replica(store).write(own.applied, {}, [])
        return store

    async def _found(self, own: Own) -> None:
        """Make the first stream, if this broker is to do that, and no other has a log of this cluster."""
        await asyncio.sleep(self._pace.heartbeat if self._founds else AGAIN)
        others = [each.broker for each in self._heard() if each.term]
        if others:  # then it was made just now, or is gone
            self._why = f"broker {others[0]} has a log that was made of one. Run `zchat cluster restore`"
        elif self._founds:
            try:
                await self._engine.create(successor(own.id or secrets.token_hex(16), own.applied, secrets.token_hex(8)))
                log.info("the cluster's stream was made")
            except EngineError as error:  # perhaps another broker was faster: that is looked at next
                self._why = f"it cannot be made ({error.why})"
                self._tell_of_waiting(error.why)

    async def _copy(self, own: Own, stream: Position, why: str) -> None:
        """Take a copy from one of the brokers that have all that the stream does not have any more."""
        if self._data is None:
            raise UsageError("A broker of a cluster needs a folder for its log, unless it is there from the beginning.")
        log.info("a copy of another broker's log is needed: %s", why)
        while True:
            await asyncio.sleep(self._pace.heartbeat)
            able = [each for each in self._heard() if each.term == stream.term and each.applied >= stream.first - 1]
            able.sort(key=lambda each: -each.applied)
            try:
                source = await copying.take(self._engine, [each.broker for each in able], self._data, own, stream)
            except copying.CopyError:
                if time.monotonic() > self._ends:
                    raise
            else:
                log.info("the log was copied from broker %s", source)
                return


def most(heard: Iterable[Heartbeat], stream: Position | None) -> tuple[str, int]:
    """Return which broker has applied most of this term of the stream, and how much."""
    applied = [(each.broker, each.applied) for each in heard if stream is not None and each.term == stream.term]
    return max(applied, key=lambda each: each[1], default=("", 0))
