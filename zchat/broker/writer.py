"""Batches on their way to the disk, one at a time, and one behind it.

A commit waits for the disk, some tenths of a millisecond in which the interpreter could decide the next batch. So under
load it is waited for in a thread, and the batch behind it is decided meanwhile, but not written: it was decided on top
of the first, and fails with it. At rest, and for a small batch, handing over would cost more than waiting does.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .desk import Desk
from .effects import Effect
from .log import Writing

BESIDE = 500  # numbers in a batch from which on the disk is waited for in the thread: handing over costs 0.1 ms

log = logging.getLogger(__name__)


class Writer:
    """Writes what the desk decided, in order, and has it carried out when it is on disk."""

    def __init__(
        self,
        desk: Desk,
        thread: ThreadPoolExecutor | None,
        more: Callable[[], bool],
        flush: Callable[[], None],
        again: Callable[[], None],
    ) -> None:
        """`more` tells whether there is something else to do; `flush` carries away what a batch brought about, and
        `again` goes on after one that was waited for in the `thread` (None: a log in memory needs none)."""
        self._desk, self._thread = desk, thread
        self._more, self._flush, self._again = more, flush, again
        self._commit: asyncio.Future[None] | None = None
        self._behind: list[Effect] | None = None

    @property
    def full(self) -> bool:
        """Whether a batch waits behind another, so that no third may be decided."""
        return self._behind is not None

    def take(self, effects: list[Effect]) -> None:
        """Write a batch now, or when the one before it is on disk."""
        if self._commit is None:
            self._write(effects)
        else:
            self._behind = effects

    async def finish(self) -> None:
        """Wait until nothing is on its way; from now on nothing is waited for in the thread."""
        self._thread = None
        while self._commit is not None:
            await asyncio.wait([self._commit])

    def _write(self, effects: list[Effect]) -> None:
        writing = self._desk.begin(effects, time.time())
        if writing is not None and self._thread is not None and writing.size >= BESIDE and self._more():
            self._commit = asyncio.get_running_loop().run_in_executor(self._thread, self._desk.commit, writing)
            self._commit.add_done_callback(lambda _: self._written(effects, writing))
            return
        if writing is not None:
            self._desk.commit(writing)
        self._settle(effects, writing)

    def _written(self, effects: list[Effect], writing: Writing) -> None:
        """Carry out a batch that is on disk, and turn to the one behind it."""
        behind, self._commit, self._behind = self._behind, None, None
        try:
            self._settle(effects, writing)
            if behind is not None and writing.committed:
                self._write(behind)
            elif behind is not None:
                self._settle(behind, None)
        except Exception:
            log.exception("a batch failed")
        self._again()

    def _settle(self, effects: list[Effect], writing: Writing | None) -> None:
        self._desk.settle(effects, writing)
        self._flush()
