"""The replies that the broker sends to one client over the ROUTER socket."""

from msgspec import UNSET, Raw, Struct, UnsetType

from .base import FRAME_MAX, LINES_MAX, ROOMS_MAX, TEXT_MAX, Epochs, Features, Record, Ref, Seq
from .events import AccessChanged, Dropped, MemberChanged, MemberTyping, ReadMarked
from .kinds import Durable


class Reply(Record, frozen=True, kw_only=True):
    """A reply to one peer; `ref` is that of the command."""

    ref: Ref | None = None


class Limits(Struct, frozen=True, kw_only=True, gc=False):
    """The limits of one peer: bytes per text, bytes and lines per frame, rooms, lines per second (0: no limit).

    `file` is in bytes; 0: this broker keeps no files. `keep` is for how many days this broker keeps what is said where
    a room does not say, 0 for ever; absent: an older broker does not tell.
    """

    text: int = TEXT_MAX
    frame: int = FRAME_MAX
    lines: int = LINES_MAX
    rooms: int = ROOMS_MAX
    rate: float = 100
    file: int = 0
    keep: float | UnsetType = UNSET


class Member(Struct, frozen=True, kw_only=True, gc=False, rename={"from_": "from"}):
    """One member or guest in a roster, whatever the number of its devices.

    `away` is its away text, `None` if it is not away. `idle` is in seconds. `role` is absent for a guest. `rooms` is
    set only in the reply to a `who` without a room, `operator` only in the roster of a room that it operates.
    """

    nick: str
    from_: str
    bot: bool = False
    away: str | None = None
    idle: int = 0
    role: str | UnsetType = UNSET
    operator: bool | UnsetType = UNSET
    rooms: tuple[str, ...] | UnsetType = UNSET


class RoomInfo(Struct, frozen=True, kw_only=True, gc=False):
    """One room: its topic, how many are in it, and the `seq` of its last event. `mode` is absent for a public one.

    `keep` is for how many days it keeps what is said, 0 for ever; absent: as the broker says.
    """

    room: str
    topic: str
    members: int
    head: int
    mode: str | UnsetType = UNSET
    keep: int | UnsetType = UNSET


class Account(Struct, frozen=True, kw_only=True, gc=False, rename={"from_": "from"}):
    """The member that one is: the same for all of its devices."""

    from_: str
    nick: str
    role: str


class DeviceInfo(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One device of a member: its credential, its name, and when it was last here."""

    credential: str
    name: str = ""
    seen: str | None = None


class MemberInfo(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, rename={"from_": "from"}):
    """A member: since when, when it was last here, and whether it is now; `devices` only for whoever may see them."""

    from_: str
    nick: str
    role: str
    since: str
    seen: str | None = None
    present: bool = False
    banned: bool = False
    muted: bool = False  # everywhere; mutes in rooms are not told
    devices: tuple[DeviceInfo, ...] | None = None


class Welcome(Reply, frozen=True, kw_only=True, tag="welcome"):
    """The session has begun: who one is (`from_` for all, `client` a secret), and what the broker allows."""

    protocol: int
    server: str
    log: str
    session: str
    id: str
    client: str
    from_: str
    nick: str | None = None
    feed: str
    heartbeat: float
    grace: float
    n: Seq
    limits: Limits
    time: str
    epochs: Epochs = ()
    shared: Seq | None = None
    member: Account | None = None
    known_as: str | None = None  # of a guest whose connection proves a member: that one's nick
    device: str | None = None
    rooms: tuple[str, ...] = ()  # to which the invitation leads that was used just now
    brokers: tuple[str, ...] = ()  # links or endpoints, all of which lead to this log
    features: Features = ()
    stalled: str | None = None  # why nothing is stored now
    read: dict[str, Seq] | None = None  # through where one has read, by the keys of `pong.heads`


class Pong(Reply, frozen=True, kw_only=True, tag="pong"):
    """Where everything stands: the last number taken, and the last `seq` and roster revision of each room."""

    n: Seq
    heads: dict[str, Seq]
    revs: dict[str, int]
    stalled: str | None = None  # why nothing is stored now


class Joined(Reply, frozen=True, kw_only=True, tag="joined"):
    """One is in a room, with these; `more` tells that there are too many to name."""

    room: str
    topic: str
    head: Seq
    rev: int
    members: tuple[Member, ...]
    more: bool = False
    mode: str | None = None  # absent for a public room


class Parted(Reply, frozen=True, kw_only=True, tag="parted"):
    """One is in a room no more. If it was not asked for: `by` whom one was let out, and what they said of it."""

    room: str
    by: str | None = None
    text: str | None = None


class Renamed(Reply, frozen=True, kw_only=True, tag="renamed"):
    """One has this nick now."""

    nick: str


class Ok(Reply, frozen=True, kw_only=True, tag="ok"):
    """It is done."""


class Roster(Reply, frozen=True, kw_only=True, tag="roster"):
    """Who is here; `more` tells that the list was cut."""

    room: str | None = None
    rev: int | None = None
    members: tuple[Member, ...]
    more: bool = False


class Rooms(Reply, frozen=True, kw_only=True, tag="rooms"):
    """The rooms there are; `more` tells that the list was cut."""

    rooms: tuple[RoomInfo, ...]
    more: bool = False


class History(Reply, frozen=True, kw_only=True, tag="history"):
    """Events in log order, complete through `upto`. Each event is the line stored in the log."""

    room: str | None = None
    to: str | None = None
    events: tuple[Raw, ...]
    upto: Seq
    more: bool


class Found(Reply, frozen=True, kw_only=True, tag="found"):
    """What was found, oldest first, each the line as it stands in the log; `more` tells that there is older."""

    events: tuple[Raw, ...]
    more: bool


class Members(Reply, frozen=True, kw_only=True, tag="members"):
    """The members, in order of `from`; `more` tells that there are others after them."""

    members: tuple[MemberInfo, ...]
    more: bool = False


class Audit(Reply, frozen=True, kw_only=True, tag="audit"):
    """`member` and `access` events in log order, complete through `upto`."""

    events: tuple[Raw, ...]
    upto: Seq
    more: bool


class Told(Reply, frozen=True, kw_only=True, tag="told"):
    """Ephemeral events of a private room, which are not published on the feed."""

    room: str
    events: tuple[Raw, ...]


class Histogram(Struct, frozen=True, array_like=True):
    """How many values were at most each of the `bounds` and above the one before it; the last count is of all above."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


Figure = int | float | dict[str, int | float] | Histogram  # one number, one for each label, or a distribution


class Status(Reply, frozen=True, kw_only=True, tag="status"):
    """How the broker is: `uptime` in seconds, `rate` in messages a second over the last minute, `log_bytes` on disk.

    `stalled` is why nothing is stored now; absent when all is well. `numbers` are what the broker has counted, by their
    names in Prometheus' format.
    """

    server: str
    uptime: float
    sessions: int
    rooms: int
    head: int
    rate: float
    log_bytes: Seq
    feed: str
    stalled: str | None = None
    numbers: dict[str, Figure] | None = None


class Ack(Reply, frozen=True, kw_only=True, tag="ack"):
    """Number `n` is on the broker's disk, as the event `seq`; `duplicate` when it changes nothing.

    So it is if its `once` key, or the same reaction or pin, was there before. `scheduled` is the id of what is to be
    said later.
    """

    n: Seq
    seq: Seq | None = None
    duplicate: bool = False
    scheduled: int | None = None


class Later(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, rename={"with_": "with"}):
    """What one has said for later."""

    id: int
    at: str
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    text: str


class Scheduled(Reply, frozen=True, kw_only=True, tag="scheduled"):
    """What one has said for later, the soonest first."""

    messages: tuple[Later, ...]


class Have(Reply, frozen=True, kw_only=True, tag="have"):
    """The broker has a file through `offset`; all of it, and its hash is right, if that is its size."""

    file: str
    offset: Seq


class FilePart(Reply, frozen=True, kw_only=True, tag="part"):
    """A part of a file of `size` bytes, from `offset` on."""

    file: str
    offset: Seq
    size: Seq
    data: bytes


class Error(Reply, frozen=True, kw_only=True, tag="error"):
    """What was asked is refused: `code` for programs, `message` for people, `retry_after` in seconds."""

    code: str
    message: str
    n: int | None = None
    expected: int | None = None
    retry_after: float | None = None
    limit: int | None = None


class Bye(Reply, frozen=True, kw_only=True, tag="bye"):
    """The broker has ended this session; `by` is the nick of the moderator who did, `text` what they said of it."""

    reason: str
    by: str | None = None
    text: str | None = None


AnyReply = (
    Welcome
    | Pong
    | Joined
    | Parted
    | Renamed
    | Ok
    | Roster
    | Rooms
    | History
    | Found
    | Status
    | Ack
    | Scheduled
    | Have
    | FilePart
    | Error
    | Bye
    | Members
    | Audit
    | Told
    | Durable
    | MemberChanged
    | AccessChanged
    | MemberTyping
    | ReadMarked
    | Dropped
)
