"""The posts of one broker: what it has to add to the stream, and what of it has not come back.

A few posts are on their way at a time, and what comes meanwhile goes together with the next one: so posts grow by
themselves while the stream is slow, as batches do. They come back in the order of their numbers, or not at all.
"""

from collections import deque
from collections.abc import Callable

from msgspec import Raw, Struct, msgpack

from zchat.broker.core.cluster import encode
from zchat.broker.core.effects import Entry, Failed, Outcome

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
    """An encoded draft, and whom to tell its outcome."""

    encoded: bytes
    settled: Settled


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
        self._size = 0  # bytes of all that has not come back
        self._sent: dict[int, Sent] = {}  # by k
        self._waiting: deque[Draft] = deque()
        self._filled = 0  # the k from which it was published again, since one after it came too early

    def begin(self, epoch: int) -> None:
        self.epoch, self._k, self._filled = epoch, 0, 0

    @property
    def oldest(self) -> int | None:
        """The number of the first post that has not come back."""
        return next(iter(self._sent), None)

    def add(self, drafts: list[Entry], wall: float, settled: Settled) -> bool:
        """Publish drafts, now or with a later post. Return whether there was room for them."""
        encoded = [_encode(draft) for draft in drafts]
        size = sum(map(len, encoded))
        if self._size + size > WAITING_MAX:
            return False
        self._size += size
        self._wall = wall
        self._waiting += [Draft(each, settled) for each in encoded]
        self._publish_next()
        return True

    def _publish_next(self) -> None:
        while self._waiting and len(self._sent) < SENT_MAX:
            drafts = [self._waiting.popleft()]
            size = len(drafts[0].encoded)
            while self._waiting and (size := size + len(self._waiting[0].encoded)) <= POST_MAX:
                drafts.append(self._waiting.popleft())
            self._k += 1
            raw = [Raw(draft.encoded) for draft in drafts]
            payload = encode(Written(self._name, self.epoch, self._k, self._wall, raw, self._seen()))
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
        self._size -= sum(len(draft.encoded) for draft in drafts)
        self._publish_next()
        tell(drafts, outcomes)

    def end(self) -> None:
        """End the epoch: all that has not come back fails."""
        failed = [draft for sent in self._sent.values() for draft in sent.drafts] + list(self._waiting)
        self._sent.clear()
        self._waiting.clear()
        self.epoch = self._size = 0
        tell(failed, [Failed()] * len(failed))


def tell(drafts: list[Draft], outcomes: list[Outcome]) -> None:
    """Tell outcomes in their order, those of one `append` together."""
    first = 0
    for at, draft in enumerate(drafts, 1):
        if at == len(drafts) or drafts[at].settled is not draft.settled:
            draft.settled(outcomes[first:at])
            first = at
