"""What a broker needs of its log, whoever orders it: append drafts, hear what became of each, and what it holds."""

from collections.abc import Callable, Sequence
from typing import Protocol

from zchat.broker.core.effects import ClientRecord, Draft, Outcome, Refusal
from zchat.errors import StorageError
from zchat.protocol import messages as m

Settled = Callable[[list[Outcome]], None]


class Log(Protocol):
    """Where durable events are ordered and kept."""

    id: str
    head: int  # the last `seq` that was given
    epochs: Sequence[m.Epoch]  # of its history, the last of them begun by this start
    began_with: Sequence[tuple[str, str, int]]  # (name, topic, head) of each room at the start
    trouble: StorageError | None  # why the last batch could not be written

    def append(self, drafts: list[Draft | Refusal], wall: float, settled: Settled) -> None:
        """Store the drafts, in order, all or none, on disk; then call `settled` with what became of each.

        That may be at once or later, but once for each call, and in the order of the calls. `wall` is the drafts' time,
        in seconds since 1970. When the log cannot be written every outcome is `Failed`, and `trouble` says why.
        """

    def past(self, from_: str) -> ClientRecord:
        """Return what is remembered of a client."""

    def answer(self, from_: str, n: int) -> m.Error | m.Ack:
        """Return what was answered to a client's number, which was taken."""
