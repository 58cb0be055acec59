"""Beginning what is done beside the loop, and sending what comes of it: questions to the log, and parts of files.

An answer may be large. So it waits until its peer has read most of what was sent before. In a cluster, whoever has seen
something at another broker and asks this one waits until it is here, too.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from .connections import Connections
from .core.effects import Query, Transfer
from .counting import Spread
from .files import FileService
from .notes import Notes
from .pipeline import Pipeline
from .reads import QueryService

WINDOW = 1024 * 1024  # bytes that a peer may leave unread before its next query has to wait
LOOK_AGAIN = 0.05  # s between checks while it waits
BEHIND = 5.0  # s for which a question waits for what other brokers have shown already


class Answering:
    """Begins what the pipeline was asked for. `start` begins a task, `send` sends what the pipeline has gathered."""

    def __init__(
        self,
        pipeline: Pipeline,
        reads: QueryService,
        files: FileService,
        connections: Connections,
        notes: Notes,
        *,
        start: Callable[..., None],
        send: Callable[[], None],
    ) -> None:
        self._pipeline, self._log, self._hub = pipeline, pipeline.log, pipeline.hub
        self._reads, self._files, self._connections, self._notes = reads, files, connections, notes
        self._start, self._send = start, send
        self.took = Spread()  # seconds from a question to its answer
        files.answered, files.ready = self._transferred, self._until_few

    def begin(self) -> None:
        """Begin what has been asked for since the last call."""
        transfers, self._pipeline.transfers = self._pipeline.transfers, []
        queries, self._pipeline.queries = self._pipeline.queries, []
        for transfer in transfers:
            self._files.take(transfer)
        for query in queries:
            self._start(self._answer, query)

    async def _answer(self, query: Query) -> None:
        asked = query.asked
        try:
            await self._until_read(query)
            line = await self._reads.answer(await self._until_there(query))
        except Exception:  # noqa: BLE001 — it is logged
            self._notes.write(logging.ERROR, "a query could not be answered", trace=True)
            text = "the broker made a mistake, which is in its log"
            line = wire.encode(m.Error(code="internal", message=text, ref=query.ref))
        began = time.monotonic()
        self._pipeline.answered(query, line)
        self._send()
        self.took.add(began - asked)
        self._reads.busy(began, time.monotonic())

    def _transferred(self, transfer: Transfer, line: bytes) -> None:
        self._pipeline.transferred(transfer, line)
        self._send()

    async def _until_read(self, query: Query) -> None:
        """Wait until a peer has read most of its replies, at most until the deadline of its query."""
        while self._reads.left(query) > 0 and self._connections.unread(query.peer) > WINDOW:  # noqa: ASYNC110 — polls
            await asyncio.sleep(LOOK_AGAIN)

    async def _until_few(self, peer: bytes) -> None:
        """Wait until a peer has read most of its replies, as long as it is here."""
        while self._connections.unread(peer) > WINDOW and peer in self._hub.roster.peers:  # noqa: ASYNC110 — polls
            await asyncio.sleep(LOOK_AGAIN)

    async def _until_there(self, query: Query) -> Query:
        """Wait until this broker has what others have shown already. Return the query, whose time begins then."""
        if self._hub.elsewhere is None or query.after is None or query.after <= self._log.head:
            return query
        ends = query.asked + BEHIND
        while query.after > self._log.head and time.monotonic() < ends:  # noqa: ASYNC110 — polls
            await asyncio.sleep(LOOK_AGAIN)
        there = query.after <= self._log.head
        return structs.replace(query, asked=time.monotonic() if there else float("-inf"))
