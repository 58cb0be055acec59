"""The events that the broker publishes on the PUB socket (direct ones go over the ROUTER socket)."""

from msgspec import Struct

from .base import Event, Ref, Seq
from .kinds import Deleted, Edited, Message, Pinned, Reacted, Tombstone, Topic


class MemberChanged(Event, frozen=True, kw_only=True, tag="member"):
    """Durable, in the chain of `member` and `access` events: what `by` (a `from`; "": the broker) did about a member.

    `change` is `joined`, `nick`, `role`, `device` (one more credential), `removed` (one less), `invited`, `revoked`,
    `banned`, `unbanned`, `muted` or `unmuted`. The other fields are those that the change needs.
    """

    seq: Seq
    prev: Seq
    time: str
    change: str
    by: str = ""
    by_nick: str = ""
    from_: str | None = None
    nick: str | None = None
    role: str | None = None
    credential: str | None = None
    device: str | None = None
    hash: str | None = None
    uses: int | None = None
    expires: str | None = None
    rooms: tuple[str, ...] = ()
    room: str | None = None
    until: str | None = None
    reason: str | None = None


class AccessChanged(Event, frozen=True, kw_only=True, tag="access"):
    """Durable, in the chain of `member` and `access` events: what `by` did about who may do what in a room.

    `change` is `mode` (which also makes a private room), `admitted`, `expelled`, `operator` or `keep`
    (for so many days; 0: for ever; none: as the broker says).
    """

    seq: Seq
    prev: Seq
    time: str
    room: str
    change: str
    by: str = ""
    by_nick: str = ""
    mode: str | None = None
    keep: int | None = None
    from_: str | None = None
    nick: str | None = None


class Opaque(Struct, frozen=True, kw_only=True, gc=False):
    """An event or reply of a type that this version does not know. If it has a `seq`, it still moves a cursor."""

    type: str = ""
    seq: Seq | None = None
    prev: Seq = 0
    room: str | None = None
    to: str | None = None


class MemberJoined(Event, frozen=True, kw_only=True, tag="joined"):
    """Somebody entered a room, which they perhaps operate. `role` is absent for a guest."""

    room: str
    rev: int
    nick: str
    from_: str
    bot: bool
    role: str | None = None
    operator: bool = False


class MemberLeft(Event, frozen=True, kw_only=True, tag="left"):
    """Somebody left a room: `reason` is `part`, `bye`, `timeout` or `kick`, `text` what they said of it."""

    room: str
    rev: int
    nick: str
    reason: str
    text: str | None = None


class MemberRenamed(Event, frozen=True, kw_only=True, tag="renamed"):
    """Somebody in a room took another nick, `new`."""

    room: str
    rev: int
    nick: str
    new: str


class MemberAway(Event, frozen=True, kw_only=True, tag="away"):
    """Somebody in a room is away; without a text, they are back."""

    room: str
    rev: int
    nick: str
    text: str | None = None


class MemberTyping(Event, frozen=True, kw_only=True, tag="typing"):
    """Somebody is typing: in `room` (sent on the feed), or a direct message (`to`, sent over the ROUTER socket)."""

    room: str | None = None
    to: str | None = None
    nick: str


class ReadMarked(Event, frozen=True, kw_only=True, tag="read"):
    """One has read a room, or the conversation with `with_` (whose nick is `to`), through `seq`: on another device."""

    room: str | None = None
    to: str | None = None
    with_: str | None = None
    seq: Seq


class Dropped(Event, frozen=True, kw_only=True, tag="dropped"):
    """What one has said for later, with this id, could not be said when it was due: `code` and `message` say why."""

    id: int
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    code: str
    message: str


class Echo(Event, frozen=True, kw_only=True, tag="echo"):
    """The reply to `ping` with `feed`, sent on the feed: it proves that the feed reaches the client."""

    ref: Ref | None = None


class BrokerBye(Event, frozen=True, kw_only=True, tag="bye"):
    """The broker is shutting down as planned. It may be back after `retry_after` seconds."""

    reason: str
    retry_after: float


class BrokerStalled(Event, frozen=True, kw_only=True, tag="stalled"):
    """The broker stores nothing since a time, and `reason` says why; told again each heartbeat while it lasts."""

    since: str
    reason: str


class BrokerFlowing(Event, frozen=True, kw_only=True, tag="flowing"):
    """The broker stores again what it is sent."""


Administrative = MemberChanged | AccessChanged
AnyEvent = (
    Message
    | Topic
    | Edited
    | Deleted
    | Reacted
    | Pinned
    | Tombstone
    | MemberChanged
    | AccessChanged
    | MemberJoined
    | MemberLeft
    | MemberRenamed
    | MemberAway
    | MemberTyping
    | ReadMarked
    | Dropped
    | Echo
    | BrokerBye
    | BrokerStalled
    | BrokerFlowing
)
