"""Reading the log outside the event loop: queries with a deadline, and filling the search index.

There are two readers for history and one for search. Each query runs in a thread. A reader that exceeds the deadline is
interrupted. A log in memory has a single connection, so there queries run in the event loop.

When a broker is back after a restart, all members of a room ask for the same page at once. If a query is equal to one
that still waits for a reader, both share one reading: it begins after both were asked, so it is valid for both.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from zchat.errors import StorageError
from zchat.protocol import messages as m
from zchat.protocol import wire

from .core.effects import Query
from .core.entries import Pair
from .core.moderation import redacted
from .notes import Notes
from .store import Answer, BadSearchError, InterruptedReadError, Reader, SearchIndex, Store

DEADLINE = 1.0  # s for a query, from when it was asked; time in which the loop is busy does not count
BUSY_KEPT = 256  # busy periods remembered: enough for more than the deadline …
BUSY_APART = 0.005  # … because periods with less than so many seconds between them are merged
RETRY = 2.0  # s: the `retry_after` of a query that took too long
READERS = 2
PAUSE = 4.0  # times as long as forgetting took, nothing more is forgotten

log = logging.getLogger(__name__)
T = TypeVar("T")
Part = tuple[int | None, tuple[str, ...] | None, bool]
Page = tuple[bool, str | None, Pair | None, int | None, int | None, datetime | None, int, Part]


class BehindError(Exception):
    """The search index is behind the log, by so many batches."""


class QueryService:
    """Answers queries over a store."""

    def __init__(self, store: Store, notes: Notes | None = None) -> None:
        self._store = store
        self._notes = notes or Notes(log)
        shared = store.connection if store.folder is None else None
        self._threads = ThreadPoolExecutor(READERS + 1, "reader") if store.folder else None
        self._readers: asyncio.Queue[Reader] = asyncio.Queue()
        for _ in range(READERS if store.folder else 1):
            self._readers.put_nowait(Reader(store.path, shared))
        self._wanted: dict[Page, asyncio.Future[Answer]] = {}  # pages that wait for a reader
        self._index: SearchIndex | None = None
        with contextlib.suppress(StorageError):  # the first search tries again
            self._open_index()
        self._searching = asyncio.Lock()
        self._writing_back = asyncio.Lock()
        self._scrubbing = False
        self._truncating = store.uncut  # whether the journal may have what was deleted
        self._troubles: dict[str, str] = {}
        self._busy: deque[tuple[float, float]] = deque(maxlen=BUSY_KEPT)  # when the loop was busy: (from, to)

    def busy(self, since: float, until: float) -> None:
        """Note a period in which the event loop was busy."""
        if self._busy and since - self._busy[-1][1] <= BUSY_APART:
            since = self._busy.pop()[0]
        self._busy.append((since, until))

    def left(self, query: Query) -> float:
        """Return the seconds until a query's deadline. Time in which the loop was busy does not count."""
        busy = 0.0
        for since, until in reversed(self._busy):
            if until <= query.asked:
                break
            busy += until - max(since, query.asked)
        return query.asked + DEADLINE + busy - asyncio.get_running_loop().time()

    async def answer(self, query: Query) -> bytes:
        """Return the line that answers a query: `history`, `found` or `error`."""
        try:
            if self.left(query) <= 0:
                raise TimeoutError  # it waited behind other queries of its session
            work = self._audit if query.audit else self._history if query.text is None else self._search
            record = await work(query)
        except BadSearchError as error:
            record = m.Error(ref=query.ref, code="bad_text", message=str(error))
        except (StorageError, TimeoutError) as error:
            self._notes.write(logging.WARNING, "a query could not be answered: %s", str(error) or "no time was left")
            late = isinstance(error, TimeoutError | InterruptedReadError)
            text = "reading the log took too long: ask for less, or again later" if late else str(error)
            record = m.Error(ref=query.ref, code="unavailable", message=text, retry_after=RETRY)
        except BehindError as error:
            text = f"the search index is {error} batches of messages behind the log: search again in a moment"
            record = m.Error(ref=query.ref, code="unavailable", message=text, retry_after=RETRY)
        return wire.encode(record)

    async def index(self, go_on: Callable[[], bool]) -> None:
        """Fill the search index, as long as there is something to index and `go_on()` is true."""
        if self._searching.locked():
            return  # a search, or another call, is using the index
        async with self._searching:
            left = 1
            while left and go_on():
                try:
                    left = await self._run(self._fill)
                except StorageError as error:
                    self._warn("the search index cannot be filled: %s", error)
                    return
                await asyncio.sleep(0)

    async def checkpoint(self) -> None:
        """Copy the journal into the database: most of it in a thread, and what came meanwhile in the event loop.

        Only when nothing is left does SQLite restart the journal from its beginning. A commit that overwrites pages of
        the journal takes half as long as one that extends it.
        """
        if self._threads is None or self._readers.empty() or self._writing_back.locked():
            return  # the last one is not finished, on a slow disk; or the readers are needed for queries
        async with self._writing_back:
            reader = self._readers.get_nowait()
            try:
                with self._store.writing_back():
                    await self._run(reader.checkpoint)
                    await self._run(reader.checkpoint)  # the first one took a while, in which more was written
                    await self._finish_checkpoint()
            except StorageError as error:
                self._warn("the journal cannot be written back: %s", error)
            finally:
                self._readers.put_nowait(reader)

    async def _finish_checkpoint(self) -> None:
        """Copy what is left; empty the journal, if it may have what was deleted: once nobody reads."""
        if not self._truncating:
            self._store.checkpoint()
            return
        others: list[Reader] = []
        async with self._searching:
            try:
                while len(others) < READERS - 1:
                    others.append(await self._readers.get())
                self._truncating = not self._store.truncate()
            finally:
                for reader in others:
                    self._readers.put_nowait(reader)

    async def scrub(self) -> None:
        """Have the search index forget what was deleted or edited, then the log: from then on no file has it."""
        if self._scrubbing:
            return
        if not self._store.scrubs:
            if self._truncating:
                await self.checkpoint()
            return
        self._scrubbing = True
        try:
            more, began = True, asyncio.get_running_loop().time()
            while more:
                async with self._searching:  # searches come in between
                    more = await self._run(self._tidy)
                    upto = 0 if more else self._open_index().forgotten()
            self._store.forget_scrubbed(upto)
            self._truncating = self._threads is not None
            await self.checkpoint()
            if (left := PAUSE * (asyncio.get_running_loop().time() - began)) > 1:
                await asyncio.sleep(left)  # a large index: forgetting must not take all of a processor
        except StorageError as error:
            self._warn("what was deleted cannot be forgotten: %s", error)
        finally:
            self._scrubbing = False

    def close(self) -> None:
        for reading in self._wanted.values():
            reading.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._readers.empty():
            self._readers.get_nowait().close()
        if self._index is not None:
            self._index.close()

    async def _history(self, query: Query) -> m.Reply:
        answer = await self._page(query)
        return m.History(
            ref=query.ref,
            room=query.room,
            to=query.to,
            events=_events(answer),
            upto=answer.upto,
            more=answer.more,
        )

    async def _audit(self, query: Query) -> m.Reply:
        """Return events of the chain of members, with the names of the rooms that the asker does not see left out."""
        answer = await self._page(query)
        lines = [redacted(line, query.visible) for line in _lines(answer)]
        return m.Audit(ref=query.ref, events=tuple(lines), upto=answer.upto, more=answer.more)

    async def _page(self, query: Query) -> Answer:
        part = query.thread, query.kinds, query.current
        page: Page = (query.audit, query.room, query.pair, query.after, query.before, query.since, query.limit, part)
        reading = self._wanted.get(page)
        if reading is None:
            reading = self._wanted[page] = asyncio.ensure_future(self._read(page, query))
            reading.add_done_callback(_heard)
        return await asyncio.shield(reading)

    async def _read(self, page: Page, query: Query) -> Answer:
        """Read a page for all queries that wait for it. Once the reading begins, new queries need another one."""
        try:
            reader = await self._wait(query, self._readers.get())
        finally:
            del self._wanted[page]
        try:
            return await self._in_time(query, lambda: reader.history(query), reader.connection.interrupt)
        finally:
            self._readers.put_nowait(reader)

    async def _search(self, query: Query) -> m.Reply:
        await self._wait(query, self._searching.acquire())
        try:
            left = await self._run(self._fill)
            while left and self.left(query) > 0:
                left = await self._run(self._fill)
            if left or self._index is None:
                raise BehindError(left)
            index = self._index
            answer = await self._in_time(query, lambda: index.search(query), index.connection.interrupt)
        finally:
            self._searching.release()
        return m.Found(ref=query.ref, events=_events(answer), more=answer.more)

    def _tidy(self) -> bool:
        return self._open_index().tidy()

    def _fill(self) -> int:
        return self._open_index().fill()

    def _open_index(self) -> SearchIndex:
        if self._index is None:
            store = self._store
            shared = store.connection if store.folder is None else None
            self._index = SearchIndex(store.folder, store.path, shared)
        return self._index

    async def _in_time(self, query: Query, work: Callable[[], T], interrupt: Callable[[], None]) -> T:
        """Run `work` in a thread. Interrupt it at the deadline, and wait until it has stopped."""
        if self._threads is None:
            return work()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads, work)
        try:
            ended: set[asyncio.Future[T]] = set()
            wait = max(0.05, self.left(query))
            while wait > 0 and not ended:
                ended, _ = await asyncio.wait([running], timeout=wait)
                wait = self.left(query)
        finally:
            if not running.done():
                interrupt()
        return await running

    async def _wait(self, query: Query, thing: Coroutine[Any, Any, T]) -> T:
        """Wait for `thing`, at most until the deadline of the query. Raises TimeoutError."""
        waiting = asyncio.ensure_future(thing)
        try:
            while not waiting.done() and (left := self.left(query)) > 0:
                await asyncio.wait([waiting], timeout=left)
        finally:
            if not waiting.done():
                waiting.cancel()
        if not waiting.done():
            raise TimeoutError
        return await waiting

    def _warn(self, text: str, error: StorageError) -> None:
        """Log a failure once, not every second."""
        if self._troubles.get(text) != str(error):
            log.warning(text, error)
        self._troubles[text] = str(error)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._threads is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _heard(reading: asyncio.Future[Answer]) -> None:
    """Retrieve the exception of a reading: if nobody waits for it any more, asyncio would log an error otherwise."""
    if not reading.cancelled():
        reading.exception()


def _events(answer: Answer) -> tuple[Raw, ...]:
    """Return the events as a field of a record: the joined lines pass through the encoder unchanged."""
    return (Raw(answer.events),) if answer.count else ()


def _lines(answer: Answer) -> list[Raw]:
    return msgspec.json.decode(b"[" + answer.events + b"]", type=list[Raw]) if answer.count else []
