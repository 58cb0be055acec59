"""The posts of one broker: what it has to add to the stream, and what of it has not come back.

A few posts are on their way at a time, and what comes meanwhile goes together with the next one: so posts grow by
themselves while the stream is slow, as batches do. They come back in the order of their numbers, or not at all.

All that has not come back is bounded, and while the stream stands still one source could fill that bound alone. So a
source may have as much on its way as is still free: one that floods gets half of the bound, several get equal shares of
most of it, and whoever has said little always finds room.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence

from msgspec import Raw, Struct, msgpack

from zchat.broker.core.cluster import encode, needed
from zchat.broker.core.entries import Entry, Failed, Outcome

from .interface import Settled

POST_MAX = 512 * 1024  # bytes of a post: greater ones make the stream no faster
SENT_MAX = 16  # posts on their way: more make it no faster, either
WAITING_MAX = 8 * 1024 * 1024  # bytes of all that has not come back: some seconds of a flood

_encode = msgpack.Encoder().encode


class Written(Struct, frozen=True, tag="Post"):
    """A post whose drafts are encoded already: `cluster.Post` is what is read."""

    broker: str
    epoch: int
    k: int
    wall: float
    drafts: list[Raw]
    seen: tuple[int, bytes]


class Draft(Struct, frozen=True, gc=False):
    """An encoded draft, the version that it needs, and whom to tell its outcome."""

    encoded: bytes
    version: int
    settled: Settled
    source: str


class Sent(Struct, frozen=True):
    """A post on its way."""

    payload: bytes
    drafts: list[Draft]


class Posting:
    """What a broker has to add to the stream in an epoch. `seen` returns how far it has applied the stream."""

    def __init__(
        self, name: str, publish: Callable[[bytes], None], seen: Callable[[], tuple[int, bytes]]
    ) -> None:  # fmt: skip
        self._name, self._publish, self._seen = name, publish, seen
        self.epoch = 0  # 0: none
        self._k = 0
        self._wall = 0.0
        self._size = 0  # bytes of all that has not come back …
        self._sizes = Counter[str]()  # … by source
        self._sent: dict[int, Sent] = {}  # by k
        self._waiting: deque[Draft] = deque()
        self._filled = 0  # the k from which it was published again, since one after it came too early

    def begin(self, epoch: int) -> None:
        self.epoch, self._k, self._filled = epoch, 0, 0

    @property
    def oldest(self) -> int | None:
        """The number of the first post that has not come back."""
        return next(iter(self._sent), None)

    def add(self, drafts: list[Entry], sources: Sequence[str], wall: float, settled: Settled) -> list[int]:
        """Publish drafts, now or with a later post. Return at which places are those for which there is no room."""
        refused: list[int] = []
        full: set[str] = set()  # what comes behind a draft that is refused would come too early
        self._wall = wall
        for at, (draft, source) in enumerate(zip(drafts, sources, strict=True)):
            encoded = _encode(draft)
            if source in full or self._sizes[source] + len(encoded) > WAITING_MAX - self._size - len(encoded):
                full.add(source)
                refused.append(at)
            else:
                self._count(source, len(encoded))
                self._waiting.append(Draft(encoded, needed(draft), settled, source))
        self._publish_next()
        return refused

    def _count(self, source: str, size: int) -> None:
        self._size += size
        self._sizes[source] += size
        if not self._sizes[source]:
            del self._sizes[source]

    def _publish_next(self) -> None:
        while self._waiting and len(self._sent) < SENT_MAX:
            drafts = [self._waiting.popleft()]
            size = len(drafts[0].encoded)
            while self._waiting and (size := size + len(self._waiting[0].encoded)) <= POST_MAX:
                drafts.append(self._waiting.popleft())
            self._k += 1
            raw = [Raw(draft.encoded) for draft in drafts]
            written = Written(self._name, self.epoch, self._k, self._wall, raw, self._seen())
            payload = encode(written, max(draft.version for draft in drafts))
            self._sent[self._k] = Sent(payload, drafts)
            self._publish(payload)

    def publish_again(self) -> None:
        """Publish again what has not come back, in its order."""
        for sent in self._sent.values():
            self._publish(sent.payload)

    def fill(self) -> None:
        """Publish again from the first one that is missing on, since one after it came back: once for each."""
        if self.oldest is not None and self.oldest != self._filled:
            self._filled = self.oldest
            self.publish_again()

    def settle(self, k: int, outcomes: list[Outcome]) -> None:
        """Tell the outcomes of a post that came back, and publish what has waited for that."""
        drafts = self._sent.pop(k).drafts
        for draft in drafts:
            self._count(draft.source, -len(draft.encoded))
        self._publish_next()
        tell(drafts, outcomes)

    def end(self) -> None:
        """End the epoch: all that has not come back fails."""
        failed = [draft for sent in self._sent.values() for draft in sent.drafts] + list(self._waiting)
        self._sent.clear()
        self._waiting.clear()
        self._sizes.clear()
        self.epoch = self._size = 0
        tell(failed, [Failed("the other brokers have given this one up: it begins anew")] * len(failed))


def tell(drafts: list[Draft], outcomes: list[Outcome]) -> None:
    """Tell outcomes in their order, those of one `append` together."""
    first = 0
    for at, draft in enumerate(drafts, 1):
        if at == len(drafts) or drafts[at].settled is not draft.settled:
            draft.settled(outcomes[first:at])
            first = at
