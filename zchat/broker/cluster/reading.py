"""Reading the stream: what comes is applied in its order, and what does not come is fetched.

What a node republishes comes at once, and mostly without holes. Where one is, or where nothing comes although something
should, messages are read by direct get from the place where the log stands. While that goes on, what comes is only
noted: it is read in its turn. So there is no heap of messages that wait for an earlier one.

So much is applied in one go as takes the event loop some tens of milliseconds. Then other tasks have their turn.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from zchat.broker.log import StreamLog
from zchat.errors import EngineError

from .interface import Engine

TOGETHER, TOGETHER_BYTES = 1_000, 4 * 1024 * 1024  # messages and bytes that are applied in one transaction
INBOX_MAX = 32 * 1024 * 1024  # bytes that wait to be applied; what comes then is fetched later
RETRY = 0.2  # s after which reading is tried again

log = logging.getLogger(__name__)

Messages = Sequence[tuple[int, bytes]]


class Reading:
    """The way of messages from the engine into the log. `applied` is called after each transaction."""

    def __init__(self, engine: Engine, stream_log: StreamLog, applied: Callable[[], None]) -> None:
        self._engine, self._log, self._applied = engine, stream_log, applied
        self.last = stream_log.applied.seq  # the last place that the stream is known to have
        self.heard_at = time.monotonic()  # when a message came last
        self.applying = False
        self.stuck = 0  # the place before which nothing can be applied, through a fault of ours; 0: all is well
        self._inbox: deque[tuple[int, bytes]] = deque()  # without holes, from the place where the log stands
        self._size = 0  # bytes
        self._due = False
        self._fetching: asyncio.Task[None] | None = None

    def hear(self, messages: Messages) -> None:
        """Take messages as they come, with holes and repeats."""
        self.heard_at = time.monotonic()
        ends = self._inbox[-1][0] if self._inbox else self._log.applied.seq
        for place, payload in messages:
            self.last = max(self.last, place)
            if place == ends + 1 and self._size <= INBOX_MAX:
                self._inbox.append((place, payload))
                self._size += len(payload)
                ends = place
            elif place <= self._log.applied.seq:
                self._log.look_back(place, payload)
        if not self._due:
            self._go_on()

    def learn(self, last: int) -> None:
        """Note how far the stream goes, as somebody says."""
        self.last = max(self.last, last)
        if not self._due:
            self._go_on()

    def fetch(self) -> None:
        """Read what the stream has beyond what was applied, if that is not going on."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())

    async def catch_up(self) -> None:
        """Apply all that the stream is known to have, however long it takes."""
        while self._log.applied.seq < self.last and self._log.broken is None:
            try:
                read = await self._read()
            except EngineError as error:
                log.debug("%s", error)
                read = False
            if not read:
                await asyncio.sleep(RETRY)

    def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()

    def _go_on(self) -> None:
        """Apply what has come, as much as takes a moment. Fetch what is missing."""
        self._due = False
        if self._inbox and not self._apply(self._take()):
            self._inbox.clear()
            self._size = 0
        if self._inbox:
            self._due = True
            asyncio.get_running_loop().call_soon(self._go_on)
        elif self._log.applied.seq < self.last and self._log.trouble is None and not self.stuck:
            self.fetch()

    def _take(self) -> list[tuple[int, bytes]]:
        taken: list[tuple[int, bytes]] = []
        size = 0
        while self._inbox and len(taken) < TOGETHER and size < TOGETHER_BYTES:
            taken.append(self._inbox.popleft())
            size += len(taken[-1][1])
        self._size -= size
        return taken

    def _apply(self, messages: Messages) -> bool:
        """Apply messages that follow each other. Return whether all of them were."""
        before, self.applying = self._log.applied.seq, True
        try:
            self._log.receive(messages)
            self.stuck = 0
        except Exception:  # noqa: BLE001 — it is logged
            self._note_fault(before)
        finally:
            self.applying = False
        if self._log.applied.seq > before:
            self._applied()
        return self._log.applied.seq >= messages[-1][0]

    def _note_fault(self, before: int) -> None:
        """Log a mistake of ours: in applying, or in what follows once it was applied."""
        again = self.stuck == before + 1
        self.stuck = 0 if self._log.applied.seq > before else before + 1
        if not (again and self.stuck):
            log.critical("message %d of the stream, or one behind it, makes trouble", before + 1, exc_info=True)

    async def _fetch(self) -> None:
        try:
            while await self._read() and self._log.applied.seq < self.last:
                pass
        except EngineError as error:
            log.debug("%s", error)
            await asyncio.sleep(RETRY)  # whoever asks next begins another attempt

    async def _read(self) -> bool:
        """Read once, and apply it. Return whether there was something, and it could be applied."""
        found = await self._engine.read(self._log.applied.seq + 1)
        self.last = max(self.last, found[-1][0] if found else 0)
        for some in _portions(found):
            if not self._apply(some):
                return False
            await asyncio.sleep(0)
        return bool(found)


def _portions(messages: Messages) -> Iterator[Messages]:
    """Yield messages in portions of what is applied in one go."""
    first = size = 0
    for at, (_, payload) in enumerate(messages, 1):
        size += len(payload)
        if at == len(messages) or at - first >= TOGETHER or size >= TOGETHER_BYTES:
            yield messages[first:at]
            first, size = at, 0
