"""A log that several brokers share: each applies the same stream of messages to a store of its own.

To append is to publish a post of drafts. Nothing is known of it until it comes back, in its place in the stream; only
then it is applied, written, and settled. A publication that does not come back is made again, and all after it: posts
have numbers, so what is stored twice or out of order counts once, in order (`core/cluster.py`). There is no other sign
that a publication has succeeded, and none is needed.

Messages are applied as many at once as have come, in one transaction. Posts of other brokers are told to `observe`.
When the others have given this broker up, its epoch is over: what it has on its way fails, `lost` is called, so that
sessions end, and another epoch begins.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

import msgspec
from msgspec import Struct, structs

from zchat.broker.core.applying import Applying
from zchat.broker.core.cluster import Begin, Cluster, Epoch, Gone, Message, Post
from zchat.broker.core.effects import Change, Changed, Claim, Entry, Failed, Outcome, Stored
from zchat.broker.store import Store
from zchat.broker.store.batch import RECENT
from zchat.broker.store.replica import Applied, Replica
from zchat.protocol import messages as m

from .interface import Settled
from .stored import StoredLog

TAKEN_KEPT = 10_000  # clients whose last numbers are cached
HOUR = 3_600.0  # s of the log's own time after which what may be forgotten is

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode
Then = Callable[[], None]


class Sent(Struct):
    """A post of this epoch that has not come back."""

    payload: bytes
    drafts: list[Entry]
    settled: Settled


def bare(draft: Entry) -> Entry:
    """Return a draft without what only the hub that drafted it understands."""
    if type(draft) is Change or type(draft) is Claim:
        return structs.replace(draft, peer=b"", continuation=0)
    return structs.replace(draft, peer=b"")


class StreamLog(StoredLog):
    """A log of the broker `name`, over the stream to which `publish` adds. `term` names the history of the stream."""

    def __init__(self, store: Store, name: str, term: str, nonce: str, publish: Callable[[bytes], None]) -> None:
        super().__init__(store, term)
        self.name, self._nonce, self._publish = name, nonce, publish
        self._replica = Replica(store)
        self.applied = self._replica.applied()
        self.cluster = Cluster()
        self.cluster.restore(self._replica.epochs(), self._replica.claims())
        self.observe: Callable[[list[Entry], list[Outcome]], None] = lambda drafts, outcomes: None
        self.lost: Then = lambda: None
        self.epoch = 0  # that this process has begun; 0: none
        self._k = 0
        self._begin: bytes | None = None  # published, and not come back
        self._sent: dict[int, Sent] = {}  # by k
        self._last: dict[str, int] = {}  # last numbers taken, by client
        self._told: deque[tuple[str, int]] = deque()  # (client, n) in `_recent`, the oldest first

    def start(self) -> None:
        """Ask for an epoch. To be called when all was applied that the stream had."""
        known = self.cluster.epochs.get(self.name, Epoch())
        self._begin = _encode(Begin(self.name, known.epoch + 1, self._nonce))
        self._publish(self._begin)

    def append(self, drafts: list[Entry], wall: float, settled: Settled) -> None:
        if not self.epoch:
            settled([Failed()] * len(drafts))
            return
        self._k += 1
        post = Post(self.name, self.epoch, self._k, wall, [bare(draft) for draft in drafts])
        sent = self._sent[self._k] = Sent(_encode(post), drafts, settled)
        self._publish(sent.payload)

    @property
    def waits(self) -> bool:
        """Whether something that was published has not come back."""
        return self._begin is not None or bool(self._sent)

    def publish_again(self) -> None:
        """Publish again what has not come back, in its order."""
        if self._begin is not None:
            self._publish(self._begin)
        for sent in self._sent.values():
            self._publish(sent.payload)

    def receive(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Apply messages of the stream, given with their places, then settle them. Stops at a place that is missing."""
        then: list[Then] = []
        with self.store.writing() as write:
            for seq, payload in messages:
                if seq > self.applied.seq + 1:
                    break
                if seq == self.applied.seq + 1:
                    hash_ = hashlib.sha256(self.applied.hash + payload).digest()
                    self.applied = Applied(seq, hash_, self.applied.time)
                    then.append(self._apply(_decode(payload), write))
            claims, changed = self.cluster.claims, sorted(self.cluster.changed)
            self.cluster.changed.clear()
            self._replica.write(self.applied, self.cluster.epochs, [(each, claims.get(each)) for each in changed])
        for each in then:
            each()

    def _apply(self, message: Message, write: Callable[..., None]) -> Then:
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
            return lambda: self._fill(message) if mine else None
        outcomes = self._post(message, write)
        if not mine or message.epoch != self.epoch:
            return lambda: self.observe(list(message.drafts), outcomes)
        return lambda: self._sent.pop(message.k).settled(outcomes)

    def _post(self, post: Post, write: Callable[..., None]) -> list[Outcome]:
        """Apply the drafts of a post. The log's clock stands still where a broker's is behind it."""
        wall = max(self.applied.time, post.wall)
        if wall // HOUR > self.applied.time // HOUR:
            self.store.forget_now(int(wall))
            self._last.clear()
        self.applied = structs.replace(self.applied, time=wall)
        entry = Applying(self, wall)
        outcomes: list[Outcome] = []
        for draft in post.drafts:
            outcome = self.cluster.settle(
                post.broker, draft, entry.members, wall, lambda client: self._taken(entry, client)
            )
            outcomes.append(entry.add(draft) if outcome is True else outcome)  # type: ignore[arg-type]
        self.finish(entry)
        write(entry.batch)
        self.adopt(entry)
        if len(self._last) > TAKEN_KEPT:
            self._last.clear()
        self._last.update((client, n) for client, (n, _) in entry.batch.clients.items())
        self._remember(post.drafts, outcomes)
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
            self._recent.get(client, {}).pop(n, None)

    def _on_begin(self, begin: Begin, counts: bool) -> None:
        """This broker began an epoch, or another process of its name did; or what it asked for is another's."""
        if counts and begin.nonce == self._nonce and self._begin is not None:
            self.epoch, self._k, self._begin = begin.epoch, 0, None
        elif counts and self.epoch:
            self._lose()
        elif self._begin is not None and _decode(self._begin).epoch <= self.cluster.epochs[self.name].epoch:
            self.start()

    def _lose(self) -> None:
        """This epoch is over: fail what is on its way, and ask for another one."""
        self.epoch = 0
        failed, self._sent = list(self._sent.values()), {}
        for sent in failed:
            sent.settled([Failed()] * len(sent.drafts))
        self.lost()
        self.start()

    def _fill(self, post: Post) -> None:
        """A post of this broker did not count. If one before it is missing, publish from there on."""
        if post.epoch == self.epoch and post.k in self._sent:
            self.publish_again()
