"""Everything on its way to the broker: lines that cannot wait, questions, and numbered commands, in this order.

All three share one pace. What was queued since the last `flush` leaves as one batch, after it was written down.
"""

from collections.abc import Callable, Iterable
from typing import Any

from zchat.protocol import messages as m
from zchat.protocol import wire

from . import effects as do
from . import notices
from .numbered import FINAL, RETRY, Numbered, NumberedCommand
from .pace import Pace
from .questions import Purpose, Questions

BATCH_MAX = 2_000  # lines sent in one go


class Outgoing:
    """`emit` takes effects."""

    def __init__(
        self, client: str, n: int, unanswered: Iterable[NumberedCommand], since: int, emit: Callable[[do.Effect], None]
    ) -> None:
        self.numbered = Numbered(client, n, unanswered, since)
        self.questions = Questions()
        self.pace = Pace()
        self._urgent: list[bytes] = []
        self._unkept: list[bytes] = []
        self._settled = n
        self._missing = 0  # numbers taken once, and not by this log: known when numbers begin anew under a fresh id
        self._emit = emit
        self.put_off: str | None = None  # why the broker takes nothing now

    def post(self, command: NumberedCommand, key: Any) -> None:
        self._unkept.append(self.numbered.add(command, key))

    def urge(self, command: m.Command) -> None:
        """Send a line that waits for nothing, not even for the pace."""
        self._urgent.append(wire.encode(command))

    def hush(self) -> None:
        """Forget the lines that could not wait."""
        self._urgent = []

    def flush(self, now: float, limits: m.Limits, *, online: bool) -> None:
        """Emit what there is to keep and to send; offline, only what cannot wait."""
        if self._unkept:
            self._emit(do.Keep(self._unkept))
            self._unkept = []
        if self.numbered.answered != self._settled:
            self._settled = self.numbered.answered
            self._emit(do.Settle(self._settled))
        lines, self._urgent = self._urgent, []
        if online:
            allowance = self.pace.allowance(now, BATCH_MAX)
            paced = self.questions.take(allowance, now)
            paced += self.numbered.take(allowance - len(paced), now)
            self.pace.spend(len(paced) + len(lines))
            lines += paced
        if lines:
            self._emit(do.Send(list(wire.pack(lines, limits.frame, min(limits.lines, m.LINES_MAX)))))

    def wait(self, now: float, *, online: bool) -> float:
        """Return the seconds until there may be something to send or to give up, at most 1."""
        times = [1.0, self.questions.wait(now)]
        if online:
            times.append(self.numbered.wait(now))
        if online and (self.questions or self.numbered.ready(now)):
            times.append(self.pace.wait())
        return min(time for time in times if time is not None)

    # -- answers to numbered commands

    def acked(self, ack: m.Ack, now: float) -> None:
        self.put_off = None
        key = self.numbered.settle(ack.n, now, ack.seq)
        if key is not None:
            self._emit(do.Answered(key, ack))

    def refused(self, error: m.Error, now: float) -> bool:
        """Take an error that is about a numbered command; False when the broker has lost its place."""
        if error.code == "unavailable" and self.put_off is None:
            self.put_off = error.message
            self._emit(do.Deliver([notices.PutOff(error.message)], [b""]))
        if error.code in RETRY:
            return self.numbered.put_off(error, now)
        self.put_off = None
        n = error.n or 0
        if orphan := self.numbered.left_behind(n):
            self._emit(do.Deliver([notices.Refused(orphan, error.code, error.message)], [b""]))
        if error.code in FINAL:
            key = self.numbered.settle(n, now)
        else:
            key = self.numbered.kill(n)
            if self.numbered.blocked:
                self.questions.put(m.Ping(), Purpose.SYNC, now)
        if key is not None:
            self._emit(do.Answered(key, error))
        return True

    def resolve(self, taken: int) -> None:
        """The broker told the last number it took."""
        self.put_off = None
        if self.numbered.blocked and self.numbered.resolve(taken):
            self._rewrite()

    def welcomed(self, n: int, shared: int | None, began: int) -> bool:
        """The broker has taken our numbers through `n`: go on from there; False if that cannot be.

        What we know holds through `shared` (None: all of it), and this run of the broker begins with the seq `began`.
        """
        self.resolve(n)
        self._missing = max(self._missing, self.numbered.answered - n)
        valid = shared is None or shared >= self.numbered.since
        if self.numbered.welcomed(n) and valid:
            return True
        if not shared or (valid and n > self.numbered.answered):
            return False
        self.start_over(self.numbered.client, n, began)
        return True

    def start_over(self, client: str, n: int = 0, since: int = 0) -> None:
        """Number what is unanswered from `n` + 1, under this client id."""
        self.numbered.restart(client, n, since)
        self._rewrite()

    def restart(self, shared: int | None) -> tuple[tuple[NumberedCommand, ...], int]:
        """A session begins, and of our log there is what stands through `shared` (None: all of it).

        What is on its way asks for nothing, and replies to nothing, above it. Return what was acknowledged to us and is
        gone, as far as it is remembered, and how many more numbers were taken by what is gone.
        """
        missing, self._missing = self._missing, 0
        if shared is None:
            return (), 0
        self.questions.go_back(shared)
        if self.numbered.unreply(shared):
            self._rewrite()
        lost = self.numbered.lose(shared)
        return lost, max(0, missing - len(lost))

    def _rewrite(self) -> None:
        self._unkept = []
        self._settled = self.numbered.answered
        numbered = self.numbered
        self._emit(do.Rewrite(numbered.client, self._settled, numbered.lines(), numbered.since))
