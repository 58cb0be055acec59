"""A durable consumer: it follows rooms from cursors that outlive the process, and acts on each event at least once.

    consumer = Consumer(store, acts=True)
    client = ChatClient(…, epochs=consumer.kept.epochs, through=consumer.kept.through)
    …
    consumer.begin_log(log, client.epochs, client.shared)  # notices another log, or one that went back
    for room in rooms:
        joined = await client.join(room, after=consumer.cursor(room))
        if consumer.cursor(room) is None:           # the first run: begin with what comes
            consumer.begin(room, joined.head)
    async for batch in client.batches():
        for event in batch.events:
            consumer.notice(event)                  # connected again, perhaps to another log; caught up
            consumer.reach(room, seq, client.joined_at(room))
            if consumer.take(room, seq):            # False for one that was taken before
                …                                   # act on it, unless consumer.is_skipped(room)
                consumer.finish(room, seq)
        consumer.save()

The hard part is another log. What a program has never seen in it is old all the same: a bot must not answer yesterday's
commands because somebody restored a backup. So a consumer that acts skips what the new log holds already when a room is
joined; what is said since then may come with the same history, and is acted on. The cursor of such a room is saved only
when all that is old has come, so a program that is killed meanwhile begins as on its first run.

Here are the decisions; a `Store` does what touches the disk.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any, Protocol

from zchat.protocol import messages as m

from .core.cursors import DIRECT, Cursors, Progress, continues
from .core.history import epoch_of
from .core.notices import CaughtUp, Online

__all__ = ["CHAINED", "DIRECT", "Change", "Consumer", "Cursors", "Store"]

CHAINED = (m.MemberChanged, m.AccessChanged)  # what was done about members and rooms: of no stream


class Store(Protocol):
    """Where cursors outlive the process. Each method raises StorageError if the disk fails."""

    def load(self, log: str = "") -> Cursors:
        """Return the cursors of this log; without a name, of the log that was followed last."""

    def follow(self, log: str, epochs: m.Epochs, shared: int | None, known_as: str) -> None:
        """The log known as `known_as` is now this one, and ours through `shared`: cut the cursors above."""

    def move(self, log: str, cursors: Mapping[str, int]) -> None:
        """Set these cursors, and write down what is not written yet."""


class Change(Enum):
    """What became of the log while the connection was lost."""

    WENT_BACK = auto()
    OTHER_LOG = auto()


class Consumer:
    """The cursors of one program, by stream. Without a store it keeps nothing.

    `acts` says what becomes of another log that turns up: whoever acts skips what it holds already, whoever only shows
    takes all of it.
    """

    def __init__(self, store: Store | None = None, *, acts: bool) -> None:
        self.kept = Cursors() if store is None else store.load()  # what is on disk when the client connects
        self.log, self.epochs = "", m.Epochs()
        self._store, self._acts = store, acts
        self._streams: dict[str, Progress] = {}
        self._saved: dict[str, int] = {}
        self._skipped: set[str] = set()  # rooms that have not caught up with another log

    # -- the first connection

    def remembers(self, log: str, shared: int | None) -> bool:
        """Say whether this is another log, in which we were before; then connect again, with what is `kept` of it."""
        if self._store is None or log in ("", self.kept.log) or shared:
            return False
        other = self._store.load(log)
        if not other.epochs:
            return False
        self.kept = other
        return True

    def begin_log(self, log: str, epochs: m.Epochs, shared: int | None) -> bool:
        """Begin with the log that the broker has; return False if it is another one than that of the last run."""
        same = continues(self.kept.log, log, shared)
        known_as, shared = (self.kept.log, shared) if same else (log, None)
        self.log, self.epochs = log, epochs
        if self._store is not None:
            self._store.follow(log, epochs, shared, known_as)
            self.kept = self._store.load(log)
        return same

    def begin(self, stream: str, cursor: int) -> None:
        """Begin a stream: everything through `cursor` is finished."""
        self._streams[stream] = Progress(cursor)
        self._saved.pop(stream, None)
        self.save()

    # -- what is known

    @property
    def is_durable(self) -> bool:
        """Whether the cursors outlive the process."""
        return self._store is not None

    def cursor(self, stream: str) -> int | None:
        """Return the seq through which everything is finished, None for a stream that is new."""
        progress = self._streams.get(stream)
        return self.kept.cursors.get(stream) if progress is None else progress.cursor

    def is_skipped(self, stream: str) -> bool:
        """Say whether it is too late to act on what comes: another log holds it already."""
        return stream in self._skipped

    def is_finished(self, stream: str, seq: int) -> bool:
        """Say whether everything through `seq` is finished."""
        return self._streams[stream].cursor >= seq

    def epoch(self, seq: int) -> str:
        """Return the epoch of the event with this seq, "" if no epoch is known."""
        return epoch_of(self.epochs, seq)

    # -- events

    def reach(self, room: str, seq: int, joined_at: int) -> None:
        """Come to an event; nothing is skipped above `joined_at`, the last one of its room when that was joined."""
        if room in self._skipped and seq > joined_at:
            self._streams[room].advance(joined_at)
            self._end_skipping(room)

    def take(self, stream: str, seq: int) -> bool:
        """Note that an event begins; return False if it was taken before, or is of no stream that was begun."""
        progress = self._streams.get(stream)
        return progress is not None and progress.begin(seq)

    def finish(self, stream: str, seq: int) -> None:
        """Note that an event is finished; events may finish in any order."""
        self._streams[stream].finish(seq)

    def finish_all(self, events: Iterable[Any]) -> None:
        """Note that these events of rooms are finished, and save that; for programs that take one after the other."""
        if self._store is None:
            return
        streams = self._streams
        for event in events:
            if isinstance(event, CHAINED):
                continue  # its `seq` is of another chain, though it may be about a room
            progress = streams.get(getattr(event, "room", None) or "")
            if progress is not None and (seq := getattr(event, "seq", None)) is not None:
                progress.advance(seq)
        self.save()

    def notice(self, event: Any) -> Change | None:
        """Take what the client tells about the connection; return what became of the log."""
        if isinstance(event, CaughtUp) and event.room in self._skipped:
            self._end_skipping(event.room)
        if isinstance(event, Online) and event.again:
            return self._connected(event.welcome.log, event.welcome.epochs, event.shared)
        return None

    def save(self) -> None:
        """Write down the cursors that have moved, but not those of rooms that are skipped."""
        moved = {
            stream: progress.cursor
            for stream, progress in self._streams.items()
            if progress.cursor != self._saved.get(stream) and stream not in self._skipped
        }
        if self._store is not None and (moved or not self._skipped):
            self._store.move(self.log, moved)
            self._saved |= moved

    def _connected(self, log: str, epochs: m.Epochs, shared: int | None) -> Change | None:
        """Connected again: cut the cursors, or begin with another log."""
        known_as, other = self.log, not continues(self.log, log, shared)
        if other:
            known_as, shared = log, None
            self._begin_other_log()
        self.log, self.epochs = log, epochs
        if self._store is not None:
            self._store.follow(log, epochs, shared, known_as)
        if shared is not None:
            for stream, progress in self._streams.items():
                progress.go_back(shared)
                if stream in self._saved:
                    self._saved[stream] = min(self._saved[stream], shared)
        self.save()
        return Change.OTHER_LOG if other else None if shared is None else Change.WENT_BACK

    def _end_skipping(self, room: str) -> None:
        self._skipped.remove(room)
        self._saved.pop(room, None)
        self.save()

    def _begin_other_log(self) -> None:
        """All of it is new to us. Whoever acts saves no cursor before something behind it was finished."""
        self._streams = {stream: Progress(0) for stream in self._streams}
        self._saved = dict.fromkeys(self._streams, 0) if self._acts else {}
        self._skipped = self._streams.keys() - {DIRECT} if self._acts else set()
