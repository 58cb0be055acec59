"""What a broker does from time to time: it drops the silent, looks after the log and the memory, and counts.

What fails is logged, and tried again the next time.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from zchat.errors import LostLogError

from .connections import Connections
from .core.hub import Hub
from .endless import EndlessWatch
from .files import FileService
from .gate import Gate
from .gathering import HELD_MAX
from .inlet import Inlet
from .kernel import give_back
from .pipeline import Pipeline
from .reads import QueryService
from .store import Store

UNREAD_MAX = 256 * 1024 * 1024  # bytes that all peers together may leave unread
CALM = 1_000  # messages per second; above that, indexing for search is postponed
DISK_LOW = 256 * 1024 * 1024  # free bytes below which a warning is logged

log = logging.getLogger(__name__)


@dataclass
class Clock:
    """The periodic work. What it needs of the server comes as functions."""

    step: float  # s between two looks at who is silent
    data: Path | None
    hub: Hub
    pipeline: Pipeline
    store: Store
    reads: QueryService
    files: FileService
    inlet: Inlet
    connections: Connections
    gate: Gate
    endless: EndlessWatch
    remove_client: Callable[[bytes, str], None]
    stop_for: Callable[[LostLogError], None]
    start: Callable[..., None]  # a task: (work, *arguments)
    flush: Callable[[], None]
    look_again: Callable[[], None]  # whether more has arrived
    _done: dict[Callable[[], None], float] = field(default_factory=dict)  # periodic work, and when it was last done
    _disk_low: bool = False

    async def keep_time(self) -> None:
        """Drop silent clients and do the periodic work."""
        while True:
            await asyncio.sleep(self.step)
            try:
                self._drop_the_silent()
                self.do_chores()
            except Exception:
                log.exception("the clock's work failed")

    async def watch_memory(self) -> None:
        """Note who reads the feed, and end connections that send messages without an end."""
        while True:
            await asyncio.sleep(self.endless.pause)
            self.note_if_read()
            self.gate.note_subscriptions()  # the feed's signals would mostly tell that something was sent
            self.endless.check(self.inlet.read_by)
            self.connections.rest()

    def note_if_read(self) -> None:
        """If nothing is left to be read, note that all that has arrived by now was received."""
        if not self.inlet.is_empty():
            self.look_again()  # having asked, nothing else will tell of what waits

    def do_chores(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for chore, seconds in ((self._every_second, 1.0), (self._every_minute, 60.0), (self._every_hour, 3_600.0)):
            if now - self._done.setdefault(chore, now) >= seconds:
                self._done[chore] = now
                chore()

    def _drop_the_silent(self) -> None:
        self.note_if_read()
        for peer in self.hub.tick(time.monotonic(), self.inlet.read_by):
            self.remove_client(peer, "timeout")
        self.flush()
        self.look_again()

    def _every_second(self) -> None:
        now = time.monotonic()
        self.hub.second(now)
        self.pipeline.tell_due(time.time())
        self.flush()
        self.inlet.forget(now)
        self.connections.keep(self.hub.roster.peers)
        for peer in self.connections.beyond(UNREAD_MAX, HELD_MAX):
            self.remove_client(peer, "slow")
        if self.connections.freed:
            self.connections.freed = False
            self._give_back()
        self._look_after_the_log()
        self.files.tick(now)

    def _give_back(self) -> None:
        self.start(asyncio.to_thread, give_back)

    def _look_after_the_log(self) -> None:
        self.hub.log_bytes = self.store.size()
        try:
            self.store.check()
        except LostLogError as lost:
            self.stop_for(lost)
        if self.pipeline.stored:
            self.start(self.reads.checkpoint)
        self.start(self.reads.scrub)
        calm, self.pipeline.stored = self.pipeline.stored < CALM, 0
        if calm:
            self.start(self.reads.index, lambda: self.pipeline.stored < CALM)

    def _every_minute(self) -> None:
        self._give_back()
        self.pipeline.report()
        self.warn_of_low_disk()
        self.gate.subscribers.keep_alive()

    def _every_hour(self) -> None:
        self.store.forget(int(time.time()))

    def warn_of_low_disk(self) -> None:
        """Log a warning when free disk space falls below the limit: once, until there is enough space again."""
        if self.data is None:
            return
        free = shutil.disk_usage(self.data).free
        low = free < DISK_LOW
        if low and not self._disk_low:
            log.warning("the disk that holds %s runs low: %d MiB are free", self.data, free // 2**20)
        self._disk_low = low
