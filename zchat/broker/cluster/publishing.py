"""Publishing until it comes back.

Nothing but its coming back tells that something was stored, so what does not come back is published again after a
second. If nobody leads the stream, that is told at once: then a single message is tried every 50 ms, as long as it is
refused. When anything at all comes through the stream, all that waits is published again. So an election costs little,
and not a moment more than it takes.
"""

import time

from zchat.broker.log import StreamLog

from .interface import Engine
from .pace import Pace


class Publishing:
    """The way of messages from the log to the engine. `publish` is what the log is given."""

    def __init__(self, engine: Engine, pace: Pace) -> None:
        self._engine, self._pace = engine, pace
        self.log: StreamLog | None = None
        self.halted = False  # the stream may be another one than it was: nothing is published
        self.waits_since: float | None = None  # since when the same message has been waited for
        self._awaited: tuple[int, int] | None = None
        self._tried = 0.0  # when something was published again last
        self._refused = False
        self._retry_at: float | None = None  # when a single message is tried
        self._budget = 0  # messages that may be published although the last one was refused

    def publish(self, payload: bytes) -> None:
        if self.halted:
            return
        if self._refused:
            if not self._budget:
                return
            self._budget -= 1
        self._engine.publish(payload)

    def refuse(self) -> None:
        """Note that nobody leads the stream."""
        self._refused = True
        self._retry_at = time.monotonic() + self._pace.retry

    def came(self) -> None:
        """Note that something came through the stream."""
        if self._refused:
            self.again()

    def again(self) -> None:
        """Publish all that waits, now."""
        self._refused = False
        self._tried = time.monotonic()
        if self.log is not None:
            self.log.publish_again()

    def halt(self, halted: bool) -> None:
        """Publish nothing, until the stream is looked at again; or go on."""
        if self.halted and not halted:
            self.halted = False
            self.again()
        self.halted = halted

    def tick(self, now: float) -> None:
        """Publish again what has waited for too long."""
        if self.log is None:
            return
        if (awaited := self.log.awaited) != self._awaited:
            self._awaited, self.waits_since = awaited, None if awaited is None else now
            self._tried = now
        if awaited is None:
            if self._retry_at is not None and now >= self._retry_at:
                self._refused, self._retry_at = False, None  # nothing of ours waits, so whatever comes next is tried
            return
        if now - self._tried >= self._pace.again:
            self.again()
        elif self._retry_at is not None and now >= self._retry_at:
            self._retry_at, self._budget, self._tried = None, 1, now
            self.log.publish_again()
            self._budget = 0
