"""A log that a single broker orders, over one store. It answers at once.

It applies the drafts of a batch (`core/applying.py`) and writes them in one transaction. The state in memory changes
only after the transaction has succeeded, so a failed batch leaves no trace.
"""

import secrets
from collections.abc import Sequence

from zchat.broker.core.applying import Applying
from zchat.broker.core.effects import ClientRecord, Entry, Failed, Outcome, Pair
from zchat.broker.core.members import Members
from zchat.broker.store import Store
from zchat.errors import StorageError
from zchat.protocol import messages as m

from .interface import Settled

TALKS_KEPT = 10_000  # conversations whose ids and heads are cached


class LocalLog:
    """A log that a single broker orders."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.id = store.id
        self.head = store.head()
        self.members = Members()
        for event in store.chain():
            self.members.apply(event)
        self._epoch: m.Epoch = (secrets.token_hex(8), self.head + 1)  # begun by this start
        self.epochs: Sequence[m.Epoch] = [*store.epochs(), self._epoch]
        # Whether the epoch is stored. That is done with its first event: no epoch is empty, and a start writes nothing.
        self._begun = False
        self.trouble: StorageError | None = None
        self.rooms: dict[str, tuple[int, int]] = {}  # name: (id, head)
        found = list(store.rooms())
        self.rooms.update((name, (id_, head)) for id_, name, _, head in found)
        self.began_with: Sequence[tuple[str, str, int]] = [(name, topic, head) for _, name, topic, head in found]
        self._recent = store.recent()
        self.next_room = max((id_ for id_, _ in self.rooms.values()), default=0) + 1
        self.holds, self.once = store.holds, store.once
        self._talks: dict[Pair, tuple[int, int]] = {}  # (id, head)
        self.next_talk = store.next_conversation()

    def past(self, producer: str, author: str) -> ClientRecord:
        past = self.store.past(producer, author)
        past.seqs = self._recent.get(producer, {})
        return past

    def answer(self, producer: str, n: int) -> m.Error | m.Ack:
        return self.store.answer(producer, n) or m.Ack(n=n)

    def append(self, drafts: list[Entry], wall: float, settled: Settled) -> None:
        settled(self.write(drafts, wall))

    def write(self, drafts: list[Entry], wall: float) -> list[Outcome]:
        """Store the drafts and return their outcomes. Blocks until they are on disk."""
        try:
            entry = Applying(self, wall)
            outcomes = [entry.add(draft) for draft in drafts]
            entry.batch.room_heads = dict(entry.rooms.values())
            if not self._begun and entry.batch.head > self.head:
                entry.batch.epoch = self._epoch
            self.store.write(entry.batch)
        except StorageError as error:
            self.trouble = error
            return [Failed()] * len(drafts)
        self.trouble = None
        self._begun = self._begun or entry.batch.epoch is not None
        self.head = entry.batch.head
        self.members = entry.members
        self.rooms.update(entry.rooms)
        self.next_room, self.next_talk = entry.next_room, entry.next_talk
        if len(self._talks) > TALKS_KEPT:
            self._talks.clear()
        self._talks.update(entry.talks)
        return outcomes

    def talk(self, pair: Pair) -> tuple[int, int] | None:
        """Return (id, head) of a conversation; None if there is none yet."""
        return self._talks.get(pair) or self.store.conversation(pair)
