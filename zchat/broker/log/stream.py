"""A log that several brokers share: each applies the same stream of messages to a store of its own.

To append is to publish a post of drafts. Nothing is known of it until it comes back, in its place in the stream; only
then it is applied, written, and settled. A publication that does not come back is made again, and all after it: posts
have numbers, so what is stored twice or out of order counts once, in order (`core/cluster.py`). There is no other sign
that a publication has succeeded, and none is needed.

Messages are applied as many at once as have come, in one transaction. Posts of other brokers are told to `observe`.
When the others have given this broker up, its epoch is over: what it has on its way fails, `lost` is called, so that
sessions end, and another epoch begins.

Two things may go wrong for good or for now. If the stream cannot be believed, the log is `broken`: nothing is applied
or published any more, so nothing that was acknowledged is lost by it. If the store cannot be written, there is
`trouble`: what was applied in the transaction is forgotten, and comes again.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from msgspec import structs

from zchat.broker.core import cluster
from zchat.broker.core.applying import Applying
from zchat.broker.core.cluster import Begin, Cluster, Epoch, Gone, Message, Post
from zchat.broker.core.entries import Change, Changed, Claim, Entry, Outcome, Stored
from zchat.broker.store import Applied, Replica, Store
from zchat.broker.store.batch import RECENT
from zchat.errors import ClusterError, DivergedError, LostStreamError, NamesakeError, NewerMessageError, StorageError
from zchat.protocol import messages as m

from .hashes import SEEN, Hashes, with_message, with_outcomes
from .interface import Settled
from .posting import Posting
from .stored import StoredLog, why

TAKEN_KEPT = 10_000  # clients whose last numbers are cached
THREADS = 2  # the version of messages that brought them
HOUR = 3_600.0  # s of the log's own time after which what may be forgotten is

log = logging.getLogger(__name__)

Then = Callable[[], None]
Write = Callable[..., None]


def bare(draft: Entry, seen: int) -> Entry:
    """Return a draft without what only the hub that drafted it understands. `seen` is how far it has applied."""
    if type(draft) is Claim:
        return structs.replace(draft, peer=b"", continuation=0, seen=seen)
    if type(draft) is Change:
        return structs.replace(draft, peer=b"", continuation=0)
    return structs.replace(draft, peer=b"")


class StreamLog(StoredLog):
    """A log of the broker `name`, over the stream to which `publish` adds. `term` names the history of the stream.

    The store has to be one that this term may go on with: it is marked as the term's. Raises StorageError.
    """

    def __init__(self, store: Store, name: str, term: str, nonce: str, publish: Callable[[bytes], None]) -> None:
        self.applied, self._hashes = Applied(), Hashes()
        super().__init__(store, term)
        self.name, self._nonce, self._publish = name, nonce, publish
        if self.applied.term != term:
            self.applied = structs.replace(self.applied, term=term)
            with store.writing():
                self._replica.write(self.applied, {}, [])
        self.observe: Callable[[list[Entry], list[Outcome]], None] = lambda drafts, outcomes: None
        self.source: Callable[[bytes], str] = lambda peer: peer.hex()  # of a peer: each has the same room
        self.lost: Then = lambda: None
        self.on_broken: Callable[[ClusterError], None] = lambda error: None
        self.broken: ClusterError | None = None  # why the stream is not believed any more
        self.clock_by = ""  # the broker whose post has moved the log's clock last
        self._posting = Posting(name, publish, lambda: (self.applied.seq, self.applied.hash[:SEEN]))
        self._begin: bytes | None = None  # published, and not come back …
        self._asked = 0  # … and the epoch that it asks for
        self._stopped = False

    def _load(self, epoch: str) -> None:
        super()._load(epoch)
        self._stale = False  # whether memory is ahead of the store
        self._replica = Replica(self.store)
        self.applied = self._replica.applied()
        self.cluster = Cluster()
        self.cluster.restore(self._replica.epochs(), self._replica.claims())
        self._hashes.restart(self.applied.seq, self.applied.hash)
        self._last: dict[str, int] = {}  # last numbers taken, by client
        self._told: deque[tuple[str, int]] = deque()  # (client, n) in `_recent`, the oldest first

    @property
    def epoch(self) -> int:
        """The epoch that this process has begun; 0: none."""
        return self._posting.epoch

    @property
    def time(self) -> float:
        """The log's clock, in seconds since 1970: no broker's hub may be behind it."""
        return self.applied.time

    @property
    def why(self) -> str:
        """Why nothing can be appended, as it is told to everybody."""
        if self.trouble is not None:
            return why(self.trouble)
        if self.broken is not None:
            return "this broker does not believe the stream of its cluster any more: its log file says why"
        if self._stopped:
            return "the broker stops"
        return "too much waits for the other brokers" if self.epoch else "this broker is about to begin in its cluster"

    @property
    def awaited(self) -> tuple[int, int] | None:
        """The (epoch, k) of the first of what was published and has not come back; None: nothing is on its way."""
        if self._begin is not None:
            return 0, 0
        return None if self._posting.oldest is None else (self.epoch, self._posting.oldest)

    @property
    def waits(self) -> bool:
        return self.awaited is not None

    # -- what is published

    def start(self) -> None:
        """Ask for an epoch. To be called when all was applied that the stream had."""
        if self.broken is None and not self._stopped:
            self._asked = self.cluster.epochs.get(self.name, Epoch()).epoch + 1
            self._begin = cluster.encode(Begin(self.name, self._asked, self._nonce))
            self._publish(self._begin)

    def append(self, drafts: list[Entry], wall: float, settled: Settled) -> Sequence[int]:
        """Publish the drafts. `settled` is called with the outcomes of each post in which some of them were."""
        if not self.epoch or self.trouble is not None or self._stopped:
            return range(len(drafts))
        sources = [self.source(draft.peer) for draft in drafts]
        return self._posting.add([bare(draft, self.applied.seq) for draft in drafts], sources, wall, settled)

    def publish_again(self) -> None:
        """Publish again what has not come back, in its order. To be called when that takes too long."""
        if self._begin is not None:
            self._publish(self._begin)
        self._posting.publish_again()

    def declare_gone(self, broker: str) -> None:
        """Tell all that another broker is gone, as far as this one can tell."""
        known = self.cluster.epochs.get(broker, Epoch())
        if known.open and self.broken is None:
            self._publish(cluster.encode(Gone(broker, known.epoch)))

    def stop(self) -> None:
        """Tell all that this broker goes. Nothing is appended any more; `epoch` is 0 when that has come back."""
        if self.epoch and self.broken is None and not self._stopped:
            self._publish(cluster.encode(Gone(self.name, self.epoch)))
        self._stopped, self._begin = True, None

    def fail(self, error: ClusterError) -> None:
        """Believe the stream no more, for good: what is on its way fails, and so does all that comes."""
        if self.broken is None:
            self.broken, self._begin = error, None
            self._posting.end()
            self.on_broken(error)

    # -- what is read

    def agrees(self, broker: str, seq: int, hash_: bytes) -> bool:
        """Return whether another broker that had applied the stream up to a place has read the same.

        If at least half of the brokers have not, it is this one that is wrong: `fail`.
        """
        if (wrong := self._compare(broker, seq, hash_)) is not None:
            self.fail(wrong)
        return self._hashes.agree(seq, hash_)

    def _compare(self, broker: str, seq: int, hash_: bytes) -> DivergedError | None:
        here = {name for name, epoch in self.cluster.epochs.items() if epoch.open} | {self.name}
        return None if self._hashes.compare(broker, seq, hash_, here) else DivergedError(broker, seq)

    def receive(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Apply messages of the stream, given with their places, then settle them. Stops at a place that is missing."""
        if self.broken is not None or all(seq <= self.applied.seq for seq, _ in messages):
            return
        then: list[Then] = []
        try:
            if self._stale:
                self._load(self._epoch[0])
            with self.store.writing() as write:
                wrong = self._apply_all(messages, write, then)
                self._write_position()
        except BaseException as error:
            self._stale = True
            if not isinstance(error, StorageError):
                raise
            self._undo(error)
            return
        self.trouble = None
        for each in then:
            try:
                each()
            except Exception:
                log.exception("what follows from a message could not be done")
        if wrong is not None:
            self.fail(wrong)

    def _undo(self, error: StorageError) -> None:
        """Nothing was written: forget what was applied. The messages come again."""
        self.trouble = error
        try:
            self._load(self._epoch[0])
        except StorageError:
            return  # before the next ones are applied, it is tried again

    def _apply_all(
        self, messages: Sequence[tuple[int, bytes]], write: Write, then: list[Then]
    ) -> ClusterError | None:  # fmt: skip
        """Apply what comes next. Return why the stream cannot be believed from there on, if so."""
        for seq, payload in messages:
            if seq > self.applied.seq + 1:
                break
            if seq <= self.applied.seq:
                continue
            if (version := cluster.version(payload)) > cluster.VERSION:
                return NewerMessageError(version, seq)
            message = cluster.decode(payload)
            if isinstance(message, Post) and (wrong := self._contradicts(message, seq)):
                return wrong
            self._move_on(seq, with_message(self.applied.hash, payload))
            if message is not None:
                then.append(self._apply(message, version, write))
        return None

    def look_back(self, place: int, payload: bytes) -> None:
        """Look at a message at a place that was applied before. Mostly it is the same one once more.

        But where the stream went back, others come to stand there, until it is as long as it was. Their brokers had
        seen more than that, so the stream is not believed any more.
        """
        message = cluster.decode(payload)
        if isinstance(message, Post) and message.seen[0] >= place and self.broken is None:
            self.fail(self._went_back(message, place))

    def _went_back(self, post: Post, place: int) -> LostStreamError:
        why = f"broker {post.broker} had read {post.seen[0]} messages before it wrote message {place}"
        return LostStreamError(why)

    def _contradicts(self, post: Post, place: int) -> ClusterError | None:
        """Return how what its broker had seen contradicts what was read here."""
        seq, hash_ = post.seen
        if seq >= place:
            return self._went_back(post, place)
        return self._compare(post.broker, seq, hash_)

    def _move_on(self, seq: int, hash_: bytes) -> None:
        self.applied = structs.replace(self.applied, seq=seq, hash=hash_)
        self._hashes.note(seq, hash_)

    def _write_position(self) -> None:
        claims, changed = self.cluster.claims, sorted(self.cluster.changed)
        self.cluster.changed.clear()
        self._replica.write(self.applied, self.cluster.epochs, [(each, claims.get(each)) for each in changed])

    def _apply(self, message: Message, version: int, write: Write) -> Then:
        """Apply a message within the transaction. Return what follows after the commit."""
        mine = message.broker == self.name
        match message:
            case Begin():
                counts = self.cluster.begin(message)
                return lambda: self._on_begin(message, counts) if mine else None
            case Gone():
                counts = self.cluster.end(message)
                return lambda: self._lose() if counts and mine and message.epoch == self.epoch else None
        if not self.cluster.admit(message):
            return lambda: self._posting.fill() if mine and message.epoch == self.epoch else None
        outcomes = self._post(message, version, write)
        if not mine or message.epoch != self.epoch:
            return lambda: self.observe(list(message.drafts), outcomes)
        return lambda: self._posting.settle(message.k, outcomes)

    def _post(self, post: Post, version: int, write: Write) -> list[Outcome]:
        """Apply the drafts of a post. The log's clock stands still where a broker's is behind it."""
        wall = max(self.applied.time, post.wall)
        if wall // HOUR > self.applied.time // HOUR:
            self.store.forget_now(int(wall))
            self._last.clear()
        if wall > self.applied.time:
            self.clock_by = post.broker
        self.applied = structs.replace(self.applied, time=wall)
        entry = Applying(self, wall, threads=version >= THREADS)
        outcomes: list[Outcome] = []
        for draft in post.drafts:
            outcome = self.cluster.settle(
                post.broker, draft, self.applied.seq, entry.members, wall, lambda client: self._taken(entry, client)
            )
            outcomes.append(entry.add(draft) if outcome is True else outcome)
        self.finish(entry)
        write(entry.batch)
        self.adopt(entry)
        if len(self._last) > TAKEN_KEPT:
            self._last.clear()
        self._last.update((client, n) for client, (n, _) in entry.batch.clients.items())
        self._remember(post.drafts, outcomes)
        self._move_on(self.applied.seq, with_outcomes(self.applied.hash, outcomes))
        return outcomes

    def _taken(self, entry: Applying, client: str) -> int:
        """Return the last number of a client that was taken, also in the batch that is being applied."""
        if client in entry.batch.clients:
            return entry.batch.clients[client][0]
        if client not in self._last:
            self._last[client] = self.store.taken(client)
        return self._last[client]

    def _remember(self, drafts: Sequence[Entry], outcomes: list[Outcome]) -> None:
        """Remember the places of what was said last: its sender may come here and say it again."""
        for draft, outcome in zip(drafts, outcomes, strict=True):
            if isinstance(outcome, Stored | Changed) and draft.client:
                first = outcome.seq if isinstance(outcome, Stored) else outcome.event.seq
                seqs = self._recent.setdefault(draft.client, {})
                for seq, command in enumerate(cast("list[m.NumberedCommand]", draft.commands), first):
                    seqs[command.n] = seq
                    self._told.append((draft.client, command.n))
        while len(self._told) > RECENT:
            client, n = self._told.popleft()
            seqs = self._recent.get(client, {})
            seqs.pop(n, None)
            if not seqs:
                self._recent.pop(client, None)

    def _on_begin(self, begin: Begin, counts: bool) -> None:
        """This broker began an epoch, or another process of its name did; or what it asked for is another's."""
        if counts and begin.nonce == self._nonce and self._begin is not None:
            self._begin = None
            self._posting.begin(begin.epoch)
        elif counts and self.epoch and begin.nonce == self._nonce:
            self._lose()  # it came late, after another one that was asked for instead
        elif counts and self.epoch:
            self.fail(NamesakeError(self.name))  # it has asked for what comes after this epoch: so it knows of it
        elif self._begin is not None and self._asked <= self.cluster.epochs[self.name].epoch:
            self.start()

    def _lose(self) -> None:
        """This epoch is over: fail what is on its way, and ask for another one."""
        self._posting.end()
        if not self._stopped:
            self.lost()
            self.start()
