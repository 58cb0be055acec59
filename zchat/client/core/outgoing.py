"""Everything on its way to the broker: urgent lines, questions, and numbered commands, in this order.

All three share one rate limit. What was queued since the last `flush` leaves as one batch, after it was written down.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from . import effects as do
from . import notices
from .named import WHY
from .numbered import FINAL, RETRY, Numbered
from .questions import Purpose, Questions
from .token_bucket import TokenBucket

BATCH_MAX = 2_000  # lines sent in one go
SYNC_AGAIN = 0.2  # seconds


class Outgoing:
    """`emit` takes effects."""

    def __init__(
        self,
        client: str,
        n: int,
        unanswered: Iterable[m.NumberedCommand],
        since: int,
        own: Iterable[int],
        emit: Callable[[do.Effect], None],
    ) -> None:
        self.numbered = Numbered(client, n, unanswered, since, own)
        self.keeps_own = bool(self.numbered.own.seqs)  # others may speak under the same `from`
        self.questions = Questions()
        self.bucket = TokenBucket()
        self._urgent: list[bytes] = []
        self._unwritten: list[bytes] = []
        self._settled = n  # as the outbox has it
        self._missing = 0  # numbers used up once, but not in this log: kept while we come back under a fresh id
        self._emit = emit
        self.deferred: str | None = None  # why the broker accepts nothing now

    def post(self, command: m.NumberedCommand, key: Any) -> None:
        self._unwritten.append(self.numbered.add(command, key))

    def send_now(self, command: m.Command) -> None:
        """Send an urgent line: it does not even wait for the rate limit."""
        self._urgent.append(wire.encode(command))

    def drop_urgent(self) -> None:
        """There is no connection for the urgent lines."""
        self._urgent = []

    def flush(self, now: float, limits: m.Limits, *, online: bool) -> None:
        """Emit what there is to keep and to send; offline, only what is urgent."""
        if self._unwritten:
            self._emit(do.Keep(self._unwritten))
            self._unwritten = []
        if self.numbered.settled != self._settled:
            self._settled = self.numbered.settled
            own, self.numbered.own.fresh = self.numbered.own.fresh, []
            self._emit(do.Settle(self._settled, tuple(own) if self.keeps_own else ()))
        lines, self._urgent = self._urgent, []
        if online:
            allowance = self.bucket.allowance(now, BATCH_MAX)
            paced = self.questions.next_lines(allowance, now)
            paced += self.numbered.next_lines(allowance - len(paced), now)
            self.bucket.spend(len(paced) + len(lines))
            lines += paced
        if lines:
            self._emit(do.Send(list(wire.pack(lines, limits.frame, min(limits.lines, m.LINES_MAX)))))

    def wait(self, now: float, *, online: bool) -> float:
        """Return the seconds until there may be something to send or to give up, at most 1."""
        times = [1.0, self.questions.wait(now)]
        if online:
            times.append(self.numbered.wait(now))
        if online and (self.questions or self.numbered.ready(now)):
            times.append(self.bucket.wait())
        return min(time for time in times if time is not None)

    # -- answers to numbered commands

    def acked(self, ack: m.Ack, now: float) -> m.NumberedCommand | None:
        """Take an ack, and return the command that it is for."""
        self.deferred = None
        command = self.numbered.command(ack.n)
        key = self.numbered.settle(ack.n, now, ack.seq, repeated=ack.duplicate)
        if key is not None:
            self._emit(do.Answered(key, ack))
        return command

    def refused(self, error: m.Error, now: float) -> bool:
        """A numbered command was refused; False when the broker wants a number next that we cannot send."""
        if error.code == "unavailable" and self.deferred is None:
            self.deferred = error.message
            self._emit(do.Deliver([notices.Deferred(error.message)], [b""]))
        if error.code in RETRY:
            return self.numbered.defer(error, now)
        self.deferred = None
        n = error.n or 0
        if self.numbered.names_nothing(n):
            error = structs.replace(error, message=WHY)
        if orphan := self.numbered.orphan(n):
            self._emit(do.Deliver([notices.Refused(orphan, error.code, error.message)], [b""]))
        if error.code in FINAL:
            key = self.numbered.settle(n, now)
        else:
            key = self.numbered.doubt(n)
            if self.numbered.blocked:
                self.questions.put(m.Ping(), Purpose.SYNC, now)
        if key is not None:
            self._emit(do.Answered(key, error))
        return True

    def synced(self, accepted: int, now: float) -> None:
        """A pong told the last number that the broker has accepted: if it came early, later ones are on their way."""
        if self.numbered.in_flight:
            self.questions.put(m.Ping(), Purpose.SYNC, now, due=now + SYNC_AGAIN)
        else:
            self.resolve(accepted)

    def resolve(self, accepted: int) -> None:
        """The broker told the last number that it has accepted."""
        self.deferred = None
        if self.numbered.blocked and self.numbered.resolve(accepted):
            self._rewrite()

    def welcomed(self, n: int, shared: int | None, began: int) -> bool:
        """The broker has accepted our numbers through `n`: go on from there; False if that cannot be.

        What we know holds through `shared` (None: all of it), and this run of the broker begins with the seq `began`.
        """
        self.resolve(n)
        self._missing = max(self._missing, self.numbered.settled - n)
        valid = shared is None or shared >= self.numbered.since
        if self.numbered.welcomed(n) and valid:
            return True
        if not shared or (valid and n > self.numbered.settled):
            return False
        self.renumber(self.numbered.client, n, began)
        return True

    def renumber(self, client: str, n: int = 0, since: int = 0) -> None:
        """Number what is unanswered from `n` + 1, under this client id."""
        self.numbered.renumber(client, n, since)
        self._rewrite()

    def restart(self, shared: int | None, *, same_log: bool) -> tuple[tuple[m.NumberedCommand, ...], int]:
        """A session begins, and the log still has what we know through `shared` (None: all of it).

        Let what is on its way ask for nothing, and name nothing, above it: of another log, nothing at all. Return the
        commands that were acknowledged and are gone, as far as they are remembered, and how many more numbers are gone.
        """
        missing, self._missing = self._missing, 0
        if not same_log:
            self._forget_above(0)
            return (), 0
        if shared is None:
            return (), 0
        self.questions.log_went_back(shared)
        self._forget_above(shared)
        lost = self.numbered.forget_above(shared)
        return lost, max(0, missing - len(lost))

    def _forget_above(self, shared: int) -> None:
        """What has a `seq` above `shared` is others' now."""
        others = self.numbered.own.forget_above(shared) and self.keeps_own
        if self.numbered.name_nothing_above(shared) or others:
            self._rewrite()

    def _rewrite(self) -> None:
        self._unwritten = []
        self._settled = self.numbered.settled
        numbered = self.numbered
        own = numbered.own.seqs if self.keeps_own else ()
        numbered.own.fresh = []
        self._emit(do.Rewrite(numbered.client, self._settled, numbered.lines(), numbered.since, own))
