"""Numbered commands: which numbers of each client are taken, and how each was answered.

A client numbers its durable commands 1, 2, 3 … The broker takes each number exactly once, in order, with an event or
with a refusal. Here a client with its numbering is called a *producer*; its id is a hash of its secret. Who speaks, the
*author*, is another matter: each device of a member is a producer of its own.

While a batch is being written, `accepted` is ahead of `committed`. Clients are told `committed` only. If the commit
succeeds, `committed` catches up. If it fails, `accepted` goes back, and the client sends the same lines again. A number
that was taken before is answered from memory, with the same answer as the first time.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from .effects import ClientRecord, DeferredReply, Effect, RepeatAnswer, Reply
from .entries import Change, Declined, Draft, Duplicate, Entry, Failed, Noted, Outcome, Refusal, Taken

SEQS_KEPT = 2_000  # events of one client whose `seq`s are remembered: more than it sends again after a cut
ANSWERS_KEPT = 1_000  # refusals and duplicates of one client that are remembered
DEPARTED_KEPT = 1_000  # clients that are remembered after they have left
RETRY_UNAVAILABLE = 1.0  # s: the `retry_after` of `unavailable`


@dataclass(slots=True, eq=False)
class Producer:
    """One client's numbering. `author` is the `from` of the member that it belongs to; "": that of a guest.

    `seqs` has the `seq`s of the numbers from `first` on. A 0 means that the number was taken without an event: then
    `answers` has its answer. (An array takes eight bytes per number; a broker has thousands of clients.)
    """

    secret: str
    id: str
    author: str = ""
    committed: int = 0
    accepted: int = 0
    seqs: "array[int]" = field(default_factory=lambda: array("q"))
    answers: dict[int, m.Error | m.Ack] = field(default_factory=dict)

    @classmethod
    def remembered(cls, secret: str, id_: str, past: ClientRecord) -> "Producer":
        first = max(min(past.seqs, default=past.n + 1), past.n + 1 - SEQS_KEPT)
        seqs = array("q", (past.seqs.get(n, 0) for n in range(first, past.n + 1)))
        return cls(secret, id_, past.author, past.n, past.n, seqs, dict(past.answers))

    @property
    def of_member(self) -> str:
        """The id, where the client belongs to a member; "" for a guest, whose `from` it is."""
        return self.id if self.author else ""

    @property
    def first(self) -> int:
        return self.committed + 1 - len(self.seqs)

    def keep(self, n: int, seqs: Sequence[int], answer: m.Error | m.Ack | None = None) -> None:
        """Note that the numbers up to `n` are committed: with events at `seqs`; or one number (`[0]`) with `answer`."""
        if n <= self.committed:
            return  # it was told before, by a log that was ahead of what the hub had heard
        self.committed = n
        self.seqs.extend(seqs)
        if len(self.seqs) > SEQS_KEPT:
            del self.seqs[: len(self.seqs) - SEQS_KEPT // 2]
        if answer is not None:
            self.answers[n] = answer
            if len(self.answers) > ANSWERS_KEPT:
                del self.answers[next(iter(self.answers))]

    def answer(self, n: int, ref: int | str | None) -> m.Reply | None:
        """Return the answer to a number that was seen before; None if it is forgotten here."""
        if n > self.committed:  # its batch failed
            return unavailable(n, ref)
        known = self.answers.get(n)
        if known is not None:
            return structs.replace(known, ref=ref)
        seq = self.seqs[n - self.first] if n >= self.first else 0
        return m.Ack(n=n, seq=seq, ref=ref) if seq else None


def unavailable(n: int | None, ref: int | str | None = None, why: str = "") -> m.Error:
    text = why or "the broker cannot store anything just now"
    return m.Error(code="unavailable", message=text, n=n, ref=ref, retry_after=RETRY_UNAVAILABLE)


def check(producer: Producer, peer: bytes, command: m.NumberedCommand) -> Effect | None:
    """Return the effect that answers a number which is not the next one; None if it is the next one."""
    n, ref, expected = command.n, command.ref, producer.accepted + 1
    if n == expected:
        return None
    if n < expected:
        return RepeatAnswer(peer, producer.id, n, ref)
    return DeferredReply(peer, lambda: _too_early(producer, n, expected, ref))


def _too_early(producer: Producer, n: int, expected: int, ref: int | str | None) -> m.Error:
    expected = min(expected, producer.accepted + 1)  # it has gone back if the batch failed
    text = f"{n} came before {expected}: send again from {expected}"
    return m.Error(code="out_of_order", message=text, n=n, expected=expected, ref=ref)


def _declined(producer: Producer, peer: bytes, command: m.NumberedCommand, answer: m.Error) -> Effect:
    """Note that the log has refused a command, and return the reply."""
    answer = structs.replace(answer, n=command.n, ref=None)
    producer.keep(command.n, [0], answer)
    return Reply(peer, structs.replace(answer, ref=command.ref))


class Ledger:
    """The clients in memory: those with a session, and those that left recently."""

    def __init__(self) -> None:
        self._producers: dict[str, Producer] = {}  # by id
        self._departed: dict[str, None] = {}

    def get(self, id_: str) -> Producer | None:
        return self._producers.get(id_)

    def foreign(self, secret: str, id_: str) -> bool:
        """Return whether another client in memory has this id: it is a hash of 64 bits only."""
        known = self._producers.get(id_)
        return known is not None and known.secret != secret

    def open(self, secret: str, id_: str, past: Callable[[], ClientRecord]) -> Producer:
        """Return the client, as it is remembered here, or else as the log remembers it."""
        self._departed.pop(id_, None)
        producer = self._producers.get(id_)
        if producer is None:
            producer = self._producers[id_] = Producer.remembered(secret, id_, past())
        return producer

    def depart(self, producer: Producer) -> None:
        """Note that a client has left: `sweep` may forget it."""
        self._departed[producer.id] = None

    def sweep(self) -> None:
        """Forget the clients that left first. Only between batches: within one, decisions may depend on them."""
        while len(self._departed) > DEPARTED_KEPT:
            oldest = self._producers[next(iter(self._departed))]
            if oldest.accepted != oldest.committed:  # some of its numbers are being written
                break
            del self._departed[oldest.id], self._producers[oldest.id]

    def answer(self, id_: str, n: int, ref: int | str | None) -> m.Reply | None:
        """Return the answer to a number that this client used before, if it is remembered here."""
        producer = self._producers.get(id_)
        return None if producer is None else producer.answer(n, ref)

    def acknowledge(self, draft: Draft | Change, seq: int) -> list[bytes]:
        """Note that a draft is committed as the events from `seq` on. Return the encoded acks."""
        producer = self._producers.get(draft.client)
        if producer is None:
            return []  # a client of another broker, or a forgotten one: nobody here waits for an answer
        encode, ack, commands = wire.encode, m.Ack, cast("list[m.NumberedCommand]", draft.commands)
        producer.keep(commands[-1].n, range(seq, seq + len(commands)))
        return [encode(ack(n=command.n, seq=at, ref=command.ref)) for at, command in enumerate(commands, seq)]

    def settle(self, draft: Entry, outcome: Outcome) -> list[Effect]:
        """Return the replies to numbers that the log's outcome did not turn into events."""
        producer, peer, commands = (
            self._producers.get(draft.client),
            draft.peer,
            cast("list[m.NumberedCommand]", draft.commands),
        )
        if producer is None:
            return []
        if isinstance(outcome, Failed):
            producer.accepted = producer.committed
            return [Reply(peer, unavailable(command.n, command.ref, outcome.why)) for command in commands]
        if isinstance(outcome, Taken):
            return [RepeatAnswer(peer, producer.id, command.n, command.ref) for command in commands]
        if isinstance(outcome, Declined):
            return [_declined(producer, peer, command, outcome.answer) for command in commands]
        n, ref = commands[0].n, commands[0].ref
        answer: m.Error | m.Ack
        if isinstance(outcome, Noted):
            answer = m.Ack(n=n, scheduled=outcome.later or None)
        elif isinstance(draft, Refusal):
            answer = draft.answer
        else:
            answer = m.Ack(n=n, seq=(outcome.seq or None) if isinstance(outcome, Duplicate) else None, duplicate=True)
        producer.keep(n, [0], answer)
        return [Reply(peer, structs.replace(answer, ref=ref))]
