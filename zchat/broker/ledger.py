"""Numbered commands: what each client has taken, and what it is answered.

A client numbers its durable commands 1, 2, 3 … and the broker takes each number exactly once, in order, with an event
or with a refusal. `taken` runs ahead of `n` while a batch is on its way to the disk: `n` is what is committed, and all
that is ever told. When the commit succeeds `n` follows, when it fails `taken` falls back, and the client sends the
same lines again. A number that was taken before is answered from memory, as it was answered the first time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from zchat.protocol import messages as m

from .effects import Append, Conversation, Duplicate, Effect, Failed, Later, Outcome, Past, Refusal, Reply, Stored

ANSWERS_KEPT = m.LINES_MAX  # a client that was cut off sends again at most what it had in flight
DEPARTED_KEPT = 1_000  # clients that are remembered after they left
RETRY_UNAVAILABLE = 1.0  # s


@dataclass(slots=True, eq=False)
class Client:
    """One client's numbering, and the conversations of its `from`."""

    secret: str
    from_: str
    n: int = 0
    taken: int = 0
    answers: dict[int, int | m.Error | m.Ack] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)  # by the other's `from`

    def keep(self, n: int, answer: int | m.Error | m.Ack) -> None:
        """Note that `n` is committed, and what it was answered."""
        self.n = n
        self.answers[n] = answer
        if len(self.answers) > ANSWERS_KEPT:
            del self.answers[next(iter(self.answers))]

    def answer(self, n: int, ref: int | str | None) -> m.Reply:
        """Answer a number that was seen before as it was answered then."""
        if n > self.n:  # it was in a batch that failed
            return unavailable(n, ref)
        known = self.answers.get(n)
        if isinstance(known, m.Error):
            return m.Error(code=known.code, message=known.message, limit=known.limit, n=n, ref=ref)
        if isinstance(known, m.Ack):
            return m.Ack(n=n, seq=known.seq, duplicate=known.duplicate, ref=ref)
        return m.Ack(n=n, seq=known, ref=ref)


def unavailable(n: int, ref: int | str | None) -> m.Error:
    text = "the broker cannot write its log now (is its disk full?): nothing was stored, send it again"
    return m.Error(code="unavailable", message=text, n=n, ref=ref, retry_after=RETRY_UNAVAILABLE)


def check(client: Client, peer: bytes, n: int, ref: int | str | None) -> Effect | None:
    """Return the answer to a number that is not the next one; None if it is."""
    expected = client.taken + 1
    if n == expected:
        return None
    if n < expected:
        return Later(peer, lambda: client.answer(n, ref))
    text = f"{n} came before {expected}: send again from {expected}"
    return Reply(peer, m.Error(code="out_of_order", message=text, n=n, expected=expected, ref=ref))


class Ledger:
    """The clients in memory: those of the sessions, and those that left lately."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}  # by `from`
        self._departed: dict[str, None] = {}

    def get(self, from_: str) -> Client | None:
        return self._clients.get(from_)

    def open(self, secret: str, from_: str, past: Callable[[], Past]) -> Client:
        """Return the client, as it is remembered here or else by the log."""
        self._departed.pop(from_, None)
        client = self._clients.get(from_)
        if client is None:
            told = past()
            client = Client(secret, from_, told.n, told.n, dict(told.answers), dict(told.conversations))
            self._clients[from_] = client
        return client

    def depart(self, client: Client) -> None:
        """Let a client go, once nothing of it is on its way to the disk and others have left since."""
        self._departed[client.from_] = None
        while len(self._departed) > DEPARTED_KEPT:
            oldest = self._clients[next(iter(self._departed))]
            if oldest.taken != oldest.n:
                break
            del self._departed[oldest.from_], self._clients[oldest.from_]

    def settle(self, append: Append, outcome: Outcome) -> Effect:
        """Return what a numbered command is answered now that the log has spoken."""
        draft, peer, ref = append.draft, append.peer, append.ref
        client, n = self._clients[draft.from_], draft.n
        if type(outcome) is Stored:
            client.keep(n, outcome.seq)
            return Reply(peer, m.Ack(n=n, seq=outcome.seq, ref=ref))
        if isinstance(outcome, Failed):
            client.taken = client.n
            return Reply(peer, unavailable(n, ref))
        if isinstance(outcome, Duplicate):
            client.keep(n, m.Ack(n=n, seq=outcome.seq, duplicate=True))
        elif isinstance(draft, Refusal):
            client.keep(n, draft.answer)
        return Reply(peer, client.answer(n, ref))
