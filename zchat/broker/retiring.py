"""Retention: what has been kept for long enough leaves the log, in the background.

Beside the loop, it is looked for where something is due. Then step after step is handed to the log as an entry, a few
milliseconds of work each, with a pause between them in which clients are served: so none of them notices. In a cluster
every broker that was told to looks for it, and the first entry counts.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from zchat.errors import StorageError

from .core.entries import Retire
from .core.members import DAY, Members
from .store import Reader, Store, due, next_step
from .store.reader import readable
from .store.retiring import Due

LOOK = 60.0  # s between two looks for what is due
PAUSE = 0.05  # s between two steps …
PATIENCE = 5.0  # … and until one is tried again that was not taken

log = logging.getLogger(__name__)

T = TypeVar("T")


class Retiring:
    """Hands to the log what has been kept for long enough.

    `keep` is for how many seconds events are kept, 0: for ever. Rooms may say otherwise, in `members`.
    """

    def __init__(
        self, store: Store, keep: float, members: Callable[[], Members], hand_in: Callable[[Retire], None]
    ) -> None:
        self._keep, self._members, self._hand_in = keep, members, hand_in
        self._reader = Reader(store.path, store.connection if store.folder is None else None)
        self._beside = store.folder is not None  # a log in memory has one connection, which is the loop's
        self._look = min(LOOK, keep / 2 or LOOK)

    async def run(self) -> None:
        """Look for what is due, again and again."""
        while True:
            try:
                for one in await self._ask(self._due):
                    await self._retire(one)
            except StorageError as error:
                log.warning("what is to be kept no longer cannot be found: %s", error)
            except Exception:
                log.exception("what is to be kept no longer could not be retired")
            await asyncio.sleep(self._look)

    def close(self) -> None:
        self._reader.close()

    def _due(self) -> list[Due]:
        own = {name: float(one.keep * DAY) for name, one in self._members().rooms.items() if one.keep is not None}
        return due(self._reader.connection, int(time.time() * 1_000), self._keep, own)

    async def _retire(self, one: Due) -> None:
        """Retire what is due in one room or conversation. Each step is waited for, as it takes in a cluster."""
        told, ends = 0, 0.0
        while (upto := await self._ask(lambda: next_step(self._reader.connection, one))) is not None:
            now = time.monotonic()
            if upto == told and now > ends:
                return  # it is not taken, now: a later look will see
            if upto != told:
                told, ends = upto, now + PATIENCE
                self._hand_in(Retire(one.place, upto, self._keep, one.room))
            await asyncio.sleep(PAUSE)

    async def _ask(self, work: Callable[[], T]) -> T:
        with readable():
            return await asyncio.to_thread(work) if self._beside else work()
