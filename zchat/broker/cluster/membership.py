"""What joins the hub of a broker to its cluster: who is elsewhere, what others have written, and what people are told.

All of it happens in the event loop, between the batches of this broker. What comes of it is sent at once, by `flush`.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from zchat.broker.core.elsewhere import Elsewheres
from zchat.broker.core.hub import Hub
from zchat.broker.sharing import SharedPipeline
from zchat.errors import ClusterError
from zchat.protocol import messages as m
from zchat.protocol import wire

from .driver import Driver

STEP = 0.2  # s between two looks at what has waited for too long
FLOWING = wire.encode(m.BrokerFlowing())

log = logging.getLogger(__name__)


class Membership:
    """The hub and the pipeline of a broker whose epoch has begun, joined to its driver."""

    def __init__(
        self,
        driver: Driver,
        hub: Hub,
        pipeline: SharedPipeline,
        elsewhere: Elsewheres,
        *,
        heartbeat: float,
        flush: Callable[[], None],
        broadcast: Callable[[bytes, list[bytes]], None],
        end: Callable[[ClusterError], None],
    ) -> None:
        """`heartbeat` is that of clients; `broadcast` publishes lines on a topic; `end` stops the broker."""
        self._driver, self._hub, self._pipeline, self._elsewhere = driver, hub, pipeline, elsewhere
        self._heartbeat, self._flush, self._broadcast = heartbeat, flush, broadcast
        self._stalled_at = float("-inf")  # when people were told last that nothing is written
        driver.log.observe, driver.log.lost = pipeline.observe, self._lose
        driver.on_applied, driver.on_told, driver.on_end = self._applied, self._hear, end
        driver.on_trouble, driver.on_flowing = self._stall, self._flow
        driver.here = lambda: (hub.roster.sessions, elsewhere.revision)
        self._follow()

    def tell(self) -> None:
        """Tell the other brokers what has changed here. To be called after each batch."""
        for payload in self._elsewhere.changes():
            self._driver.engine.tell(payload)

    def part(self) -> None:
        """Send nothing any more: the sockets are about to be closed, while the log goes on for a moment."""
        driver = self._driver
        self._flush = driver.on_applied = driver.log.lost = self._pipeline.on_commit = lambda: None
        driver.on_told = lambda payload: None
        driver.on_trouble, driver.on_flowing = lambda since, why: None, lambda: None
        driver.log.observe = lambda drafts, outcomes: None

    async def keep_time(self) -> None:
        """Answer what has waited for too long, and let those go who have lingered elsewhere."""
        while True:
            await asyncio.sleep(STEP)
            try:
                now = time.monotonic()
                self._pipeline.tick(now, time.time())
                self._pipeline.tell(self._elsewhere.tick(now))
                self._flush()
            except Exception:
                log.exception("what waits for the other brokers could not be looked after")

    def _follow(self) -> None:
        stream_log = self._driver.log
        if stream_log.epoch and self._elsewhere.epoch != stream_log.epoch:
            self._elsewhere.begin(stream_log.epoch)
        self._pipeline.tell(self._elsewhere.follow(stream_log.cluster, time.monotonic()))

    def _applied(self) -> None:
        self._follow()
        self._flush()

    def _hear(self, payload: bytes) -> None:
        self._pipeline.tell(self._elsewhere.hear(payload, time.monotonic()))
        self._flush()

    def _lose(self) -> None:
        """The others have given this broker up: its sessions end. The clients come again, here or elsewhere."""
        log.warning("the other brokers have given this one up: its sessions end")
        self._pipeline.tell(self._elsewhere.end(self._driver.name, self._elsewhere.epoch, time.monotonic()))
        for peer in list(self._hub.roster.peers):
            self._pipeline.remove(peer, "timeout")

    def _stall(self, since: float, why: str) -> None:
        self._hub.roster.stalled = why
        now = time.monotonic()
        if now - self._stalled_at >= self._heartbeat:
            self._stalled_at = now
            stalled = m.BrokerStalled(since=wire.timestamp(since), reason=why)
            self._broadcast(wire.BROKER_TOPIC, [wire.encode(stalled)])

    def _flow(self) -> None:
        self._hub.roster.stalled, self._stalled_at = None, float("-inf")
        self._broadcast(wire.BROKER_TOPIC, [FLOWING])
