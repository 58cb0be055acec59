"""Numbered commands: what was accepted of each producer, and what it is answered.

A client numbers its durable commands 1, 2, 3 … and the broker takes each number exactly once, in order, with an event
or with a refusal: the client is a *producer* here. `accepted` runs ahead of `committed` while a batch is on its way to
the disk, and only `committed` is ever told. When the commit succeeds `committed` follows, when it fails `accepted`
falls back, and the client sends the same lines again. A number that was taken before is answered from memory, as it
was answered the first time.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from .effects import (
    CONVERSATIONS_KEPT,
    ClientRecord,
    Conversation,
    Declined,
    DeferredReply,
    Draft,
    Duplicate,
    Effect,
    Failed,
    Numbered,
    Outcome,
    Refusal,
    RepeatAnswer,
    Reply,
)

PLACES_KEPT = 2_000  # events of one client whose places are remembered: more than it sends again after a cut
ANSWERS_KEPT = 1_000  # refusals and duplicates of one client, likewise
DEPARTED_KEPT = 1_000  # clients that are remembered after they left
RETRY_UNAVAILABLE = 1.0  # s


@dataclass(slots=True, eq=False)
class Producer:
    """One client's numbering, and the conversations of its `from`.

    `places` holds the `seq`s of the numbers from `first` on, 0 for one that was taken otherwise: then `answers` has
    what was said instead. (Eight bytes a number, for a broker has thousands of clients.)
    """

    secret: str
    from_: str
    committed: int = 0
    accepted: int = 0
    places: "array[int]" = field(default_factory=lambda: array("q"))
    answers: dict[int, m.Error | m.Ack] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)  # by the other's `from`, the latest last

    @classmethod
    def remembered(cls, secret: str, from_: str, past: ClientRecord) -> "Producer":
        first = max(min(past.places, default=past.n + 1), past.n + 1 - PLACES_KEPT)
        places = array("q", (past.places.get(n, 0) for n in range(first, past.n + 1)))
        return cls(secret, from_, past.n, past.n, places, dict(past.answers), dict(past.conversations))

    @property
    def first(self) -> int:
        return self.committed + 1 - len(self.places)

    def keep(self, n: int, seqs: Sequence[int], answer: m.Error | m.Ack | None = None) -> None:
        """Note that the numbers up to `n` are committed: with events at `seqs`, or (one, 0) with another answer."""
        self.committed = n
        self.places.extend(seqs)
        if len(self.places) > PLACES_KEPT:
            del self.places[: len(self.places) - PLACES_KEPT // 2]
        if answer is not None:
            self.answers[n] = answer
            if len(self.answers) > ANSWERS_KEPT:
                del self.answers[next(iter(self.answers))]

    def answer(self, n: int, ref: int | str | None) -> m.Reply | None:
        """Answer a number that was seen before as it was answered then; None if that is forgotten here."""
        if n > self.committed:  # it was in a batch that failed
            return unavailable(n, ref)
        known = self.answers.get(n)
        if known is not None:
            return structs.replace(known, ref=ref)
        seq = self.places[n - self.first] if n >= self.first else 0
        return m.Ack(n=n, seq=seq, ref=ref) if seq else None

    def converse(self, other: str, nick: str, seq: int) -> None:
        """Note where a conversation stands; the latest are kept."""
        self.conversations.pop(other, None)
        self.conversations[other] = Conversation(nick, seq)
        if len(self.conversations) > CONVERSATIONS_KEPT:
            del self.conversations[next(iter(self.conversations))]


def unavailable(n: int, ref: int | str | None) -> m.Error:
    text = "the broker cannot write its log now (is its disk full?)"
    return m.Error(code="unavailable", message=text, n=n, ref=ref, retry_after=RETRY_UNAVAILABLE)


def check(producer: Producer, peer: bytes, command: Numbered) -> Effect | None:
    """Return the answer to a number that is not the next one; None if it is."""
    n, ref, expected = command.n, command.ref, producer.accepted + 1
    if n == expected:
        return None
    if n < expected:
        return RepeatAnswer(peer, producer.from_, n, ref)
    return DeferredReply(peer, lambda: _too_early(producer, n, expected, ref))


def _too_early(producer: Producer, n: int, expected: int, ref: int | str | None) -> m.Error:
    expected = min(expected, producer.accepted + 1)  # less than it seemed, if the batch failed
    text = f"{n} came before {expected}: send again from {expected}"
    return m.Error(code="out_of_order", message=text, n=n, expected=expected, ref=ref)


class Ledger:
    """The clients in memory: those of the sessions, and those that left lately."""

    def __init__(self) -> None:
        self._producers: dict[str, Producer] = {}  # by `from`
        self._departed: dict[str, None] = {}

    def get(self, from_: str) -> Producer | None:
        return self._producers.get(from_)

    def foreign(self, secret: str, from_: str) -> bool:
        """Tell whether this `from`, a hash of 64 bits, is that of another client who is here or left lately."""
        known = self._producers.get(from_)
        return known is not None and known.secret != secret

    def open(self, secret: str, from_: str, past: Callable[[], ClientRecord]) -> Producer:
        """Return the client, as it is remembered here or else by the log."""
        self._departed.pop(from_, None)
        producer = self._producers.get(from_)
        if producer is None:
            producer = self._producers[from_] = Producer.remembered(secret, from_, past())
        return producer

    def depart(self, producer: Producer) -> None:
        """Note that a client has left: `sweep` may forget it."""
        self._departed[producer.from_] = None

    def sweep(self) -> None:
        """Forget those who left first; between batches, for within one a decision may rest on what is known here."""
        while len(self._departed) > DEPARTED_KEPT:
            oldest = self._producers[next(iter(self._departed))]
            if oldest.accepted != oldest.committed:  # it has numbers on their way to the disk
                break
            del self._departed[oldest.from_], self._producers[oldest.from_]

    def answer(self, from_: str, n: int, ref: int | str | None) -> m.Reply | None:
        """Answer a number that this client used before, if what was answered is remembered here."""
        producer = self._producers.get(from_)
        return None if producer is None else producer.answer(n, ref)

    def acknowledge(self, draft: Draft, seq: int) -> list[bytes]:
        """Note that a draft is committed as the events from `seq` on; return the lines of their acks."""
        producer = self._producers.get(draft.from_)
        if producer is None:
            return []  # another broker's, or one that has been forgotten: nobody here waits for an answer
        producer.keep(draft.commands[-1].n, range(seq, seq + len(draft.commands)))
        encode, ack = wire.encode, m.Ack
        return [encode(ack(n=command.n, seq=at, ref=command.ref)) for at, command in enumerate(draft.commands, seq)]

    def settle(self, draft: Draft | Refusal, outcome: Outcome) -> list[Effect]:
        """Return what numbers are answered that were not taken by events, now that the log has spoken."""
        producer, peer = self._producers.get(draft.from_), draft.peer
        if producer is None:
            return []
        if isinstance(outcome, Failed):
            producer.accepted = producer.committed
            return [Reply(peer, unavailable(command.n, command.ref)) for command in draft.commands]
        n, ref = draft.commands[0].n, draft.commands[0].ref
        answer: m.Error | m.Ack
        if isinstance(draft, Refusal):
            answer = draft.answer
        elif isinstance(outcome, Declined):
            answer = outcome.answer
        else:
            answer = m.Ack(n=n, seq=outcome.seq if isinstance(outcome, Duplicate) else None, duplicate=True)
        producer.keep(n, [0], answer)
        return [Reply(peer, structs.replace(answer, ref=ref))]
