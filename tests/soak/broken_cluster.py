"""Brokers of a cluster that are broken on purpose, as `mutants.py` breaks one that is alone."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

from zchat.broker.core.applying import Applying
from zchat.broker.core.claiming import Claiming
from zchat.broker.core.cluster import Cluster, Epoch, Held, Message, Post
from zchat.broker.core.effects import Reply
from zchat.broker.core.entries import Claim, Draft, Entry, Outcome
from zchat.broker.log.interface import Settled
from zchat.broker.log.posting import Posting
from zchat.broker.log.stream import StreamLog

ONE = "/b"  # how the folder ends of the broker that is broken where only one is


def is_the_one() -> bool:
    return any(each.endswith(ONE) for each in sys.argv)


def any_number(self: Cluster, broker: str, draft: Any, taken: Callable[[str], int]) -> Outcome | Literal[True]:
    return True


def claims_are_forgotten() -> None:
    """Begin without knowing who is where."""
    real = Cluster.restore

    def restore(self: Cluster, epochs: dict[str, Epoch], claims: dict[str, Held]) -> None:
        real(self, epochs, {})

    Cluster.restore = restore  # type: ignore[method-assign]


def posts_are_not_counted() -> None:
    """Take every post of an epoch, and every command of a client, whatever its number: one alone does no harm."""

    def admit(self: Cluster, post: Post) -> bool:
        known = self.epochs.get(post.broker, Epoch())
        if not known.open or known.epoch != post.epoch:
            return False
        self.epochs[post.broker] = Epoch(known.epoch, known.nonce, max(known.k, post.k), open=True)
        return True

    def settle(self: Posting, k: int, outcomes: list[Outcome]) -> None:
        if k in self._sent:
            real(self, k, outcomes)

    real = Posting.settle
    Cluster.admit = admit  # type: ignore[method-assign]
    Cluster._number = any_number  # type: ignore[method-assign]
    Posting.settle = settle  # type: ignore[method-assign]


def places_are_written_late() -> None:
    """Forget at a kill that messages were applied, and take any number of a client then."""
    real, counts = StreamLog._write_position, [0]

    def write(self: StreamLog) -> None:
        counts[0] += 1
        if counts[0] % 20 == 0 or not self.epoch:
            real(self)

    StreamLog._write_position = write  # type: ignore[method-assign]
    Cluster._number = any_number  # type: ignore[method-assign]


def acks_do_not_wait() -> None:
    """Take what was said for stored as soon as it was published."""
    real = StreamLog.append

    def append(self: StreamLog, drafts: list[Entry], wall: float, settled: Settled) -> Sequence[int]:
        if not self.epoch or not all(isinstance(draft, Draft) for draft in drafts):
            return real(self, drafts, wall, settled)
        would_be = Applying(self, max(self.applied.time, wall))
        outcomes = [would_be.add(draft) for draft in drafts]
        real(self, drafts, wall, lambda _: None)
        settled(outcomes)
        return ()

    StreamLog.append = append  # type: ignore[method-assign]


def hellos_do_not_wait() -> None:
    """Welcome with what was known when the hello came, not with what is once its claim has come back."""
    real, real_past = Claiming.claim, StreamLog.past
    known: dict[str, int] = {}
    this: list[StreamLog] = []

    def load(self: StreamLog, epoch: str, then: Any = StreamLog._load) -> None:
        this[:] = [self]
        then(self, epoch)

    def claim(self: Claiming, *args: Any) -> Claim | Reply | None:
        found = real(self, *args)
        if isinstance(found, Claim):
            known[found.client] = this[0].store.taken(found.client)
        return found

    def past(self: StreamLog, producer: str, author: str) -> Any:
        found = real_past(self, producer, author)
        found.n = known.get(producer, found.n)
        return found

    StreamLog._load = load  # type: ignore[method-assign]
    Claiming.claim = claim  # type: ignore[method-assign, assignment]
    StreamLog.past = past  # type: ignore[method-assign, assignment]


def order_is_swapped() -> None:
    """Let one broker apply every tenth post of others behind the message after it."""
    real, count = StreamLog._apply, [0]
    kept: list[Post] = []

    def both(self: StreamLog, message: Message, version: int, write: Any) -> Callable[[], None]:
        then = [real(self, message, version, write), *(real(self, each, version, write) for each in kept)]
        kept.clear()

        def follow() -> None:
            for each in then:
                each()

        return follow

    def sometimes(self: StreamLog, message: Message, version: int, write: Any) -> Callable[[], None]:
        count[0] += 1
        if isinstance(message, Post) and message.broker != self.name and not kept and count[0] % 10 == 0:
            kept.append(message)
            return lambda: None
        return both(self, message, version, write)

    if is_the_one():
        StreamLog._apply = sometimes  # type: ignore[method-assign]
