"""The hub's decisions as data: effects, which the pipeline carries out. Those that go to the log are in `entries.py`.

Each is an immutable record. The effects of a batch are kept in line order, and are carried out only after the drafts of
the batch are committed. A reply that depends on the log (an ack, a `pong`, a topic) is decided only then: by
`Hub.settle` or by a `DeferredReply`, when all effects before it have been carried out and none after it. This one rule
gives every peer its replies in line order, and no reply tells of something that is not on disk.
"""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from zchat.protocol import messages as m

from .entries import Change, Claim, Draft, Due, Pair, Refusal, Release, Retire

CONVERSATIONS_KEPT = 256  # the latest of one client: bounds the size of its pong
READ_KEPT = CONVERSATIONS_KEPT + m.ROOMS_MAX  # read marks of one author, the latest: bounds the size of its welcome


class Reply(Struct, frozen=True, gc=False):
    """Send a record to one peer."""

    peer: bytes
    record: m.Reply | m.MemberTyping | m.Dropped


class Deliver(Struct, frozen=True, gc=False):
    """Send an encoded line to one peer: a stored direct message, or an ack."""

    peer: bytes
    line: bytes


class Send(Struct, frozen=True, gc=False):
    """Send the same encoded lines to several peers: events of a private room, or about members."""

    peers: list[bytes]
    lines: list[bytes]


class Publish(Struct, frozen=True, gc=False):
    """Acknowledge stored events to the peer that sent them, and publish them to the room."""

    peer: bytes
    acks: list[bytes]
    room: str
    lines: list[bytes]


class Announce(Struct, frozen=True):
    """Publish an ephemeral event, which is not in the log, on a topic."""

    topic: bytes
    event: m.Event


class SessionEnded(Struct, frozen=True, gc=False):
    """A session ended: to be written to the log file."""

    nick: str | None
    from_: str
    reason: str


class Unsaid(Struct, frozen=True, gc=False):
    """What somebody said for later could not be said when it was due: to be written to the log file."""

    from_: str
    id: int
    code: str


class Cut(Struct, frozen=True, gc=False):
    """End a connection, after what was sent to it has left: that of a peer, or all connections with a credential."""

    peer: bytes = b""
    credential: str = ""


class Afterwards(Struct, frozen=True):
    """Carry these out after all that was received until now: each `rev` is told after the one before it."""

    effects: "list[Effect]"


class DeferredReply(Struct, frozen=True):
    """Decide a reply when all effects before it have been carried out."""

    peer: bytes
    decide: Callable[[], m.Reply]


class DeferredSend(Struct, frozen=True):
    """Send a line to several peers; who still gets it is decided when all effects before it have been carried out."""

    peers: Callable[[], list[bytes]]
    line: bytes


class RepeatAnswer(Struct, frozen=True, gc=False):
    """Answer a number that was taken before as it was answered then. What memory has forgotten is in the log."""

    peer: bytes
    producer: str
    n: int
    ref: int | str | None


class Continuation(Struct, frozen=True):
    """What follows when the log has taken or refused a change. It stays with the hub that drafted it."""

    done: "Callable[[m.Administrative], list[Effect]]"
    refused: "Callable[[m.Error], list[Effect]]"


class Query(Struct, frozen=True, kw_only=True):
    """Read from the log, outside the event loop, for a `history` (of a room or a conversation), `found` or `audit`."""

    peer: bytes
    ref: int | str | None
    asked: float = 0.0  # on the monotonic clock; the deadline counts from here
    room: str | None = None
    to: str | None = None
    pair: Pair | None = None
    after: int | None = None
    before: int | None = None
    since: datetime | None = None
    text: str | None = None  # if set, the query is a search
    nick: str | None = None
    others: bool = False  # if set, the search is for what others have said
    limit: int = m.LIMIT_MAX
    thread: int | None = None  # if set, only what is in the thread of this root …
    kinds: tuple[str, ...] | None = None  # … or of these types
    current: bool = False  # if set, messages as they are now
    audit: bool = False  # if set, the query is for the chain of members
    asker: str = ""  # the `from` of who asks …
    visible: frozenset[str] = frozenset()  # … and the private rooms that it was let into


class Transfer(Struct, frozen=True, gc=False):
    """Store or read a part of a file, outside the event loop. `asker` is the `from` of who sent it, in a session.

    `readable` tells whether they may read a message that carries the file.
    """

    peer: bytes
    session: str
    command: m.Put | m.Get
    asker: str
    member: bool
    readable: bool


Effect = (
    Reply
    | Deliver
    | Send
    | Publish
    | Announce
    | SessionEnded
    | Cut
    | Afterwards
    | DeferredReply
    | DeferredSend
    | RepeatAnswer
    | Draft
    | Refusal
    | Change
    | Claim
    | Release
    | Retire
    | Due
    | Query
    | Transfer
    | Unsaid
)


class Conversation(Struct):
    """A conversation as one end sees it: the other end's last known nick, and the `seq` of the last event."""

    nick: str
    head: int


class ClientRecord(Struct):
    """What the log remembers of a client and of its author. The hub gets it with the client's `hello`.

    `author` is the member that the client belongs to; "": a guest. `seqs` maps the client's last numbers to the `seq`s
    of their events. `answers` has the answers to numbers that were taken without an event. `read` tells through where
    the author has read: rooms by their names, conversations by `@` and the `from` of the other end; the latest last.
    """

    n: int = 0
    author: str = ""
    seqs: dict[int, int] = {}
    answers: dict[int, m.Error | m.Ack] = {}
    conversations: dict[str, Conversation] = {}  # by the `from` of the other end; the latest last
    read: dict[str, int] = {}


def in_turn(effects: list[Effect]) -> list[Effect]:
    """Put off what rooms are told of their rosters, where these change while an outcome is settled.

    What was received meanwhile has changed them before, and is not told yet.
    """
    later: list[Effect] = [effect for effect in effects if isinstance(effect, Announce | DeferredSend)]
    now: list[Effect] = [effect for effect in effects if not isinstance(effect, Announce | DeferredSend)]
    return [*now, Afterwards(later)] if later else now
