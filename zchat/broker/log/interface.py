"""The interface between a broker and its log: append drafts, get their outcomes, and read the log's state."""

from collections.abc import Callable, Sequence
from typing import Protocol

from zchat.broker.core.effects import ClientRecord
from zchat.broker.core.entries import Entry, Outcome, Place, Postponed
from zchat.broker.core.members import Members
from zchat.errors import StorageError
from zchat.protocol import messages as m

Settled = Callable[[list[Outcome]], None]


class Log(Protocol):
    """Orders and stores durable events."""

    id: str
    head: int  # the last `seq` given
    epochs: Sequence[m.Epoch]  # of its history; the last one was begun by this start
    members: Members  # the state of its chain of members
    trouble: StorageError | None  # why the last batch could not be written

    @property
    def began_with(self) -> Sequence[tuple[str, str, int]]:
        """(name, topic, head) of each room, as it is now: what a hub begins with."""

    def where(self, seq: int) -> Place | None:
        """Return where an event was said; None if it was in neither room nor conversation."""

    def due(self, wall: float) -> list[Postponed]:
        """Return what was said for later and is to be said at a time, the first of it."""

    def scheduled(self, from_: str) -> list[Postponed]:
        """Return what somebody has said for later, the soonest first."""

    def append(self, drafts: list[Entry], wall: float, settled: Settled) -> Sequence[int]:
        """Store all drafts on disk, in order, or none of them; then call `settled` with the outcome of each.

        `settled` may be called at once or later, in the order of the calls of `append`. `wall` is the drafts' time in
        seconds since 1970. If the log cannot be written, every outcome is `Failed`, and `trouble` says why.

        A log that several brokers share may store the drafts in parts: then `settled` is called later, with the
        outcomes of each. It may have no room for some drafts. These have failed; returned are their indices, and
        `settled` hears only of the others.
        """

    def past(self, producer: str, author: str) -> ClientRecord:
        """Return what is remembered of a client, and of its author (a `from`)."""

    def answer(self, producer: str, n: int) -> m.Error | m.Ack:
        """Return the answer that a client got for a number that was taken."""


class SharedLog(Log, Protocol):
    """A log that several brokers share."""

    @property
    def epoch(self) -> int:
        """The epoch in which this broker writes; 0: it cannot."""

    @property
    def time(self) -> float:
        """The log's clock, in seconds since 1970: no broker may decide as of before."""

    @property
    def why(self) -> str:
        """Why drafts have failed that were not taken, as it is told to everybody."""
