"""What the hub decides, as data: the server carries effects out, the log answers drafts with outcomes.

Each is an immutable record. A batch's effects are kept in line order and carried out only after the batch's drafts
are committed; what depends on the log (an ack, a `pong`, a topic) is therefore decided late, by `Hub.settle` and by a
`DeferredReply`, while those before it have settled and those behind it have not. That one rule gives every peer its
replies in line order, and lets no reply speak of something that is not on disk.
"""

from collections.abc import Callable
from datetime import datetime
from typing import final

from msgspec import Struct

from zchat.protocol import messages as m

CONVERSATIONS_KEPT = 256  # of one client, the latest: bounds its pong
Pair = tuple[str, str]  # the two `from`s of a conversation, in order
Numbered = m.Say | m.SetTopic


def pair_of(one: str, other: str) -> Pair:
    return (one, other) if one <= other else (other, one)


def other_end(pair: Pair, one: str) -> str:
    """Return whom `one` talks with, which may be itself."""
    return pair[1] if pair[0] == one else pair[0]


class Reply(Struct, frozen=True, gc=False):
    """Answer one peer."""

    peer: bytes
    record: m.Reply | m.MemberTyping


class Deliver(Struct, frozen=True, gc=False):
    """Send a line to one peer as it is: a stored direct message, or an ack."""

    peer: bytes
    line: bytes


class Publish(Struct, frozen=True, gc=False):
    """Acknowledge stored events to the peer that sent them, and tell all who listen to their room."""

    peer: bytes
    acks: list[bytes]
    room: str
    lines: list[bytes]


class Announce(Struct, frozen=True):
    """Tell all who listen to a topic something that is not in the log."""

    topic: bytes
    event: m.Event


class SessionEnded(Struct, frozen=True, gc=False):
    """A session ended: for the log file."""

    nick: str | None
    from_: str
    reason: str


class DeferredReply(Struct, frozen=True):
    """Decide a reply when all before it has settled."""

    peer: bytes
    decide: Callable[[], m.Reply]


class RepeatAnswer(Struct, frozen=True, gc=False):
    """Answer a number that was seen before as it was answered then; the log knows what memory has forgotten."""

    peer: bytes
    from_: str
    n: int
    ref: int | str | None


@final
class Draft(Struct, frozen=True, gc=False):
    """Events to be stored, in `room` or in the conversation `pair`; the log gives each its `seq` and `prev`.

    `commands` are one client's, numbered one after the other. Several are always plain: no topic, no `once`, no reply.
    What the log made of them goes to `Hub.settle`; `peer` says who is to be answered, and the log does not look at it.
    """

    from_: str
    nick: str
    commands: list[Numbered]
    room: str | None = None
    pair: Pair | None = None
    to: str | None = None
    peer: bytes = b""


@final
class Refusal(Struct, frozen=True, gc=False):
    """A number that is taken without an event; kept, so that a repeated command gets the same answer."""

    from_: str
    commands: list[Numbered]  # one
    answer: m.Error
    peer: bytes = b""


@final
class Stored(Struct, frozen=True, gc=False):
    """The draft is in the log, as these lines, the first of them at `seq` and each of the others at the next."""

    seq: int
    lines: list[bytes]


class Duplicate(Struct, frozen=True, gc=False):
    """The draft's `once` key was used before, for the event `seq`; its number is taken all the same."""

    seq: int


class Declined(Struct, frozen=True, gc=False):
    """The log has not what the draft speaks of; its number is taken all the same, and answered by this."""

    answer: m.Error


class Failed(Struct, frozen=True, gc=False):
    """Nothing of the batch was written."""


Outcome = Stored | Duplicate | Declined | Failed | None  # None: a refusal was noted


class Query(Struct, frozen=True, kw_only=True):
    """Read from the log, beside the loop: `history` (of a room or of a conversation) or `found`."""

    peer: bytes
    ref: int | str | None
    asked: float = 0.0  # when, by the monotonic clock: its deadline counts from here
    room: str | None = None
    to: str | None = None
    pair: Pair | None = None
    after: int | None = None
    before: int | None = None
    since: datetime | None = None
    text: str | None = None  # set: a search
    nick: str | None = None
    limit: int = m.LIMIT_MAX


Effect = Reply | Deliver | Publish | Announce | SessionEnded | DeferredReply | RepeatAnswer | Draft | Refusal | Query


class Conversation(Struct):
    """A conversation as one end sees it: the other's last known nick, and the place of its last event."""

    nick: str
    head: int


class ClientRecord(Struct):
    """What the log remembers of a client: handed to the hub with the client's `hello`.

    `places` has the `seq`s of the last numbers it took, `answers` what was said to those taken without an event.
    """

    n: int = 0
    places: dict[int, int] = {}
    answers: dict[int, m.Error | m.Ack] = {}
    conversations: dict[str, Conversation] = {}  # by the other's `from`, the latest last
