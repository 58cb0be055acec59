"""What every log over a store has in memory: the heads and the members, which are adopted after each commit."""

from collections.abc import Sequence

from zchat.broker.core.applying import Applying
from zchat.broker.core.effects import ClientRecord
from zchat.broker.core.entries import Pair
from zchat.broker.core.members import Members
from zchat.broker.store import Asides, Store
from zchat.errors import DiskFullError, LostLogError, StorageError
from zchat.protocol import messages as m

TALKS_KEPT = 10_000  # conversations whose ids and heads are cached


def why(trouble: StorageError) -> str:
    """Return why nothing can be written, as it is told to everybody: without the path, which is in the log file."""
    match trouble:
        case DiskFullError():
            return "the broker's disk is full: there has to be room on it"
        case LostLogError():
            return "the broker's log was removed or replaced, and the broker stops"
    said = str(trouble.__cause__ or "its log file says why")
    return f"the broker cannot write its log now ({said}{': is its disk full?' if 'I/O' in said else ''})"


class StoredLog:
    """The state of a log (`applying.State`), and what is remembered of clients. `epoch` begins with the next event."""

    def __init__(self, store: Store, epoch: str) -> None:
        self.store = store
        self.id = store.id
        self.trouble: StorageError | None = None
        self.line, self.marked, self.once, self.where = store.line, store.marked, store.once, store.where
        self.count_marks = store.count_marks
        self._asides = Asides(store.connection)
        self.read, self.postponed, self.put_off = self._asides.read, self._asides.postponed, self._asides.put_off
        self.due, self.scheduled = self._asides.due, self._asides.of
        self._load(epoch)
        self._epoch: m.Epoch = (epoch, self.head + 1)
        stored = store.epochs()
        self.epochs: Sequence[m.Epoch] = stored if self._begun else [*stored, self._epoch]

    def _load(self, epoch: str) -> None:
        """Read from the store what is kept in memory."""
        store = self.store
        # Whether the epoch is stored. That is done with its first event: no epoch is empty, and a start writes nothing.
        self._begun = epoch in [id_ for id_, _ in store.epochs()]
        self.head = store.head()
        self.members = Members()
        for event in store.chain():
            self.members.apply(event)
        self.rooms: dict[str, tuple[int, int]] = {name: (id_, head) for id_, name, _, head in store.rooms()}
        self._recent = store.recent()
        self.next_room = max((id_ for id_, _ in self.rooms.values()), default=0) + 1
        self._talks: dict[Pair, tuple[int, int]] = {}  # (id, head)
        self.next_talk = store.next_conversation()
        self.last_later = Asides(store.connection).last_later()

    @property
    def began_with(self) -> list[tuple[str, str, int]]:
        """Return (name, topic, head) of each room, as it is now: a hub is made when all that was missed was applied."""
        return [(name, topic, head) for _, name, topic, head in self.store.rooms()]

    def past(self, producer: str, author: str) -> ClientRecord:
        past = self.store.past(producer, author)
        past.seqs = self._recent.get(producer, {})
        past.read = self._asides.read_by(author)
        return past

    def answer(self, producer: str, n: int) -> m.Error | m.Ack:
        return self.store.answer(producer, n) or m.Ack(n=n)

    def talk(self, pair: Pair) -> tuple[int, int] | None:
        """Return (id, head) of a conversation; None if there is none yet."""
        return self._talks.get(pair) or self.store.conversation(pair)

    def finish(self, entry: Applying) -> None:
        """Complete a batch to which all drafts were added."""
        entry.batch.room_heads = dict(entry.rooms.values())
        if not self._begun and entry.batch.head > self.head:
            entry.batch.epoch = self._epoch

    def adopt(self, entry: Applying) -> None:
        """Take over what a batch has changed, once it is written."""
        self._begun = self._begun or entry.batch.epoch is not None
        self.head = entry.batch.head
        self.members = entry.members
        self.rooms.update(entry.rooms)
        self.next_room, self.next_talk = entry.next_room, entry.next_talk
        self.last_later = entry.batch.last_later or self.last_later
        if len(self._talks) > TALKS_KEPT:
            self._talks.clear()
        self._talks.update(entry.talks)
