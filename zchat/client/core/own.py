"""Which events are one's own: those that answered one's own numbers, and no others.

The author does not tell. A member may be here on several devices at once, and what is said on one comes to the others
as a message with the same `from`. So the `seq` of each ack is remembered (with the outbox, also over a restart).

Acks and events come over different sockets. An event whose ack is still to come may be one's own, or not; but numbers
are taken in order, so an ack with a higher `seq` tells that it is not.
"""

from collections.abc import Iterable

KEPT = 500  # acknowledged events that are remembered: more than a bot leaves unfinished when it is killed


class OwnEvents:
    """The `seq` of what was said here last; `fresh` are those that are not written down yet."""

    def __init__(self, seqs: Iterable[int] = ()) -> None:
        self._seqs = dict.fromkeys(seqs)
        self._highest = max(self._seqs, default=0)
        self.fresh: list[int] = []

    def note(self, seq: int) -> None:
        """An ack told this `seq`."""
        self._seqs[seq] = None
        self._highest = max(self._highest, seq)
        self.fresh.append(seq)
        if len(self._seqs) > 2 * KEPT:
            self._seqs = dict.fromkeys(self.seqs)
            self.fresh = self.fresh[-KEPT:]

    @property
    def seqs(self) -> tuple[int, ...]:
        """What is to be written down."""
        return tuple(self._seqs)[-KEPT:]

    def forget_above(self, shared: int) -> bool:
        """The log went back: what comes after `shared` is others' now; say if anything was."""
        kept = {seq: None for seq in self._seqs if seq <= shared}
        changed = len(kept) < len(self._seqs)
        self._seqs, self._highest, self.fresh = kept, min(self._highest, shared), []
        return changed

    def has(self, seq: int, *, unanswered: bool) -> bool | None:
        """Say whether this is one's own; None while an ack may yet tell. What is older than all is taken for it."""
        if seq in self._seqs:
            return True
        if len(self._seqs) >= KEPT and seq < next(iter(self._seqs)):
            return True
        return None if unanswered and self._highest < seq else False
