"""Retention: what has been kept for long enough leaves the log, in the background.

Beside the loop, it is looked for where something is due. Then step after step is handed to the log as an entry, a few
milliseconds of work each, with a pause between them in which clients are served: so none of them notices. In a cluster
every broker that was told to looks for it, and the first entry counts.

A clock that is years ahead would have all of it go. So while this one is doubted (`core/clocks.py`), nothing does.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from zchat.errors import StorageError

from .core.clocks import Steadiness, doubted, settling
from .core.entries import Retire
from .core.members import DAY, Members
from .store import Reader, Store, due, last_before, newest, next_step
from .store.reader import readable
from .store.retiring import Due

LOOK = 60.0  # s between two looks for what is due
PAUSE = 0.05  # s between two steps …
PATIENCE = 5.0  # … and until one is tried again that was not taken

DOUBT = (
    "nothing that is old is deleted for some days, since nobody has said anything for long, or the clock of this"
    " machine is far ahead: is its date right? If not, set it, and start the broker again"
)
LEAP = (
    "the clock of this machine has leapt ahead, or it has slept: until it was steady for some days, what is old is"
    " deleted %.1f hours later. Is its date right?"
)

log = logging.getLogger(__name__)

T = TypeVar("T")


class Retiring:
    """Hands to the log what has been kept for long enough.

    `keep` is for how many seconds events are kept, 0: for ever. Rooms may say otherwise, in `members`. `wall` and `now`
    are the clocks.
    """

    def __init__(
        self,
        store: Store,
        keep: float,
        members: Callable[[], Members],
        hand_in: Callable[[Retire], None],
        wall: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep, self._members, self._hand_in = keep, members, hand_in
        self._reader = Reader(store.path, store.connection if store.folder is None else None)
        self._beside = store.folder is not None  # a log in memory has one connection, which is the loop's
        self._pause = min(LOOK, keep / 2 or LOOK)
        self._wall, self._now = wall, now
        last = newest(self._reader.connection)
        self._steadiness = Steadiness(wall(), now(), wall() if last is None else last / 1_000)
        self._doubts, self._told = False, 0  # whether the log has said so; of how many leaps it has

    async def run(self) -> None:
        """Look for what is due, again and again."""
        while True:
            await self.look()
            await asyncio.sleep(self._pause)

    async def look(self) -> None:
        """Look for what is due, and retire it."""
        try:
            for one in await self._ask(self._due):
                await self._retire(one)
        except StorageError as error:
            log.warning("what is to be kept no longer cannot be found: %s", error)
        except Exception:
            log.exception("what is to be kept no longer could not be retired")

    def close(self) -> None:
        self._reader.close()

    def _due(self) -> list[Due]:
        own = {name: float(one.keep * DAY) for name, one in self._members().rooms.items() if one.keep is not None}
        wall, now = self._wall(), self._now()
        found = due(self._reader.connection, int(wall * 1_000), self._keep, own)
        steady = self._steadiness.lasts(wall, now)
        sure = [one for one in found if not self._is_doubted(wall, wall - one.before / 1_000, steady)]
        if len(sure) < len(found) and not self._doubts:
            log.warning(DOUBT)
        self._doubts = len(sure) < len(found)
        return [self._by_the_slower_clock(one, wall, now) for one in sure]

    def _by_the_slower_clock(self, one: Due, wall: float, now: float) -> Due:
        """Return what is due also where the wall clock is ahead, and has not gone on like that for long enough."""
        ahead = self._steadiness.ahead(wall, now, wall - one.before / 1_000)
        if ahead and self._steadiness.leaps > self._told:
            self._told = self._steadiness.leaps
            log.warning(LEAP, ahead / 3_600)
        return one._replace(before=one.before - int(ahead * 1_000))

    def _is_doubted(self, wall: float, keep: float, steady: float) -> bool:
        before = last_before(self._reader.connection, int((wall - settling(keep)) * 1_000))
        return doubted(wall, None if before is None else before / 1_000, keep, steady)

    async def _retire(self, one: Due) -> None:
        """Retire what is due in one room or conversation. Each step is waited for, as it takes in a cluster."""
        told, ends = 0, 0.0
        while (upto := await self._ask(lambda: next_step(self._reader.connection, one))) is not None:
            now = self._now()
            if upto == told and now > ends:
                return  # it is not taken, now: a later look will see
            if upto != told:
                told, ends = upto, now + PATIENCE
                self._hand_in(Retire(one.place, upto, self._keep, one.room, one.before))
            await asyncio.sleep(PAUSE)

    async def _ask(self, work: Callable[[], T]) -> T:
        with readable():
            return await asyncio.to_thread(work) if self._beside else work()
