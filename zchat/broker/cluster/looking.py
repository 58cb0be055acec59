"""Looking where the stream stands: at each new connection, while nothing comes, and seldom otherwise.

If it is not the stream that the log was made from, the log believes it no more. While that is not sure, nothing is
published. If there is one that may be believed again, the broker has to start again with it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from zchat.broker.core.bus import Heartbeat
from zchat.broker.log import StreamLog
from zchat.errors import ClusterError, EngineError, LostStreamError, RestartError

from .interface import Engine, Position
from .joining import most
from .pace import Pace
from .publishing import Publishing
from .reading import Reading
from .terms import Doubt, Own, Then, judge

SELDOM = 30.0  # s between two looks while all is well: a node may lag that nobody needs now
LAG = 10_000  # messages by which a node may be behind

log = logging.getLogger(__name__)


class Looking:
    """What a broker sees of the stream.

    `heard` returns the last heartbeats of the brokers that are there; `end` stops this one.
    """

    def __init__(
        self,
        engine: Engine,
        stream_log: StreamLog,
        reading: Reading,
        publishing: Publishing,
        pace: Pace,
        *,
        stream: Position | None,
        heard: Callable[[], Sequence[Heartbeat]],
        end: Callable[[ClusterError], None],
    ) -> None:
        """`stream` is as it was seen at the start."""
        self.stream = stream
        self._engine, self._log, self._reading, self._publishing = engine, stream_log, reading, publishing
        self._pace, self._heard, self._end = pace, heard, end
        self._doubt = Doubt(pace.look, pace.missing)
        self._bad: set[str] = set()  # nodes that are away or behind, as was logged
        self._seen: set[str] = set()  # those that were so at the last look
        self._looked_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def looks(self) -> bool:
        """Whether it is looking just now."""
        return self._task is not None and not self._task.done()

    def tick(self, now: float) -> None:
        """Look, if it is time."""
        doubtful = now - self._reading.heard_at >= self._pace.look or self._publishing.halted or self._seen != self._bad
        if now - self._looked_at >= (self._pace.look if doubtful else SELDOM):
            self.look()

    def look(self) -> None:
        if not self.looks:
            self._looked_at = time.monotonic()
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        heard = self._heard()  # before the stream is asked about: that has to have all of it
        try:
            stream = await self._engine.position()
            self._consider(stream, most(heard, stream))
        except EngineError as error:
            log.debug("%s", error)
        except Exception:
            log.exception("what was seen of the stream could not be understood")
        self._looked_at = time.monotonic()

    def _consider(self, stream: Position | None, others: tuple[str, int]) -> None:
        own = Own(self._log.id, self._log.head, self._log.applied)
        verdict = self._doubt.consider(judge(own, stream, others), stream, self.stream, time.monotonic())
        if self._log.broken is not None:
            self._reconsider(verdict.then, stream)
        elif verdict.then is Then.LOST:
            self._log.fail(LostStreamError(verdict.why))
        elif verdict.then is Then.COPY:
            self._end(RestartError(f"the stream has gone on without it: {verdict.why}"))
        elif verdict.then is Then.GO_ON and stream is not None:
            if self.stream is not None and stream.term != self.stream.term:
                return self._end(RestartError("the cluster has a new stream"))
            self.stream = stream
            self._reading.learn(stream.last)
            self._look_at_nodes(stream)
        return self._publishing.halt(stream is not None and verdict.then is not Then.GO_ON)

    def _reconsider(self, then: Then, stream: Position | None) -> None:
        """If there is a stream that may be believed again, start again with it."""
        known = self.stream
        if stream is None or then not in {Then.GO_ON, Then.COPY}:
            return
        if known is None or self._doubt.lost or (stream.term, stream.created) != (known.term, known.created):
            self._end(RestartError("the cluster has a new stream"))

    def _look_at_nodes(self, stream: Position) -> None:
        """Log which nodes are away or behind, when that changes: the next one that is lost may be one too many.

        Two looks have to agree, since a new leader needs a moment to hear of all. Without a leader nobody knows.
        """
        if not stream.sure:
            return
        bad = {node.name for node in stream.nodes if not node.here or node.lag > LAG}
        self._seen, before = bad, self._seen
        if bad != before:
            return
        for name in sorted(bad - self._bad):
            log.warning("node %s of the cluster is away, or far behind the others", name)
        for name in sorted(self._bad - bad):
            back = any(node.name == name for node in stream.nodes)
            log.warning("node %s of the cluster %s", name, "is back" if back else "keeps the stream no more")
        self._bad = bad
