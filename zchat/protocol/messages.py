"""Every command, reply and event, as a typed, validated, immutable record.

A record is one line of JSON on the wire (`wire` turns one into the other), and its `type` is the tag that picks
the class. Three families: what a client sends (`Command`), what the broker answers on the ROUTER socket (`Reply`),
and what happened, for all to hear on the PUB socket (`Event`). `joined`, `renamed`, `away`, `typing` and `bye` are
names in more than one family, so their events are called `Member…` and `BrokerBye` here.

An optional field that is absent is `None`, and one that holds its default is not sent. Field by field, the
specification is `README.md` beside this file.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

SEQ_MAX = 2**53 - 1  # the largest integer that every JSON parser keeps exactly
TEXT_MAX = 16 * 1024  # bytes of UTF-8 in one message
FRAME_MAX = 1024 * 1024  # bytes in one frame
LINES_MAX = 1_000  # lines in one frame
ROOMS_MAX = 256  # rooms a session may be in: bounds its pong
ONCE_MAX = 128  # bytes in a `once` key
LIMIT_MAX = 1_000  # events in one answer
EPOCHS_MAX = 64  # epochs that a hello or a welcome tells: bounds both

Kind = Literal["message", "action", "notice"]
Seq = Annotated[int, Meta(ge=0, le=SEQ_MAX)]
Place = Annotated[int, Meta(ge=1, le=SEQ_MAX)]
Count = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
Ref = Annotated[int, Meta(ge=-SEQ_MAX, le=SEQ_MAX)] | Annotated[str, Meta(max_length=256)]
When = Annotated[datetime, Meta(tz=True)]
Hex16 = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Hex32 = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Epoch = tuple[Hex16, Place]  # its id, and its first `seq`
Epochs = tuple[tuple[str, int], ...]  # what a history is known by, oldest first
Remark = Annotated[str, Meta(max_length=1024)]  # a reason, an away text: shown on one line


class Record(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    omit_defaults=True,
    tag_field="type",
    rename={"from_": "from", "with_": "with"},
):
    """What all records share; `gc=False` because none can be part of a cycle."""


# -- client to broker ------------------------------------------------------------------------------------------


class Command(Record, frozen=True, kw_only=True):
    """What a client asks for; `ref`, if given, comes back in every reply to it."""

    ref: Ref | None = None


class Hello(Command, frozen=True, kw_only=True, tag="hello"):
    protocol: int
    nick: str | None = None
    client: Hex32 | None = None
    resume: Annotated[str, Meta(max_length=128)] | None = None
    bot: bool = False
    software: Annotated[str, Meta(max_length=256)] | None = None
    epochs: Annotated[tuple[Epoch, ...], Meta(min_length=1, max_length=EPOCHS_MAX)] | None = None


class Ping(Command, frozen=True, kw_only=True, tag="ping"):
    feed: bool = False


class Join(Command, frozen=True, kw_only=True, tag="join"):
    room: str
    after: Seq | None = None
    backlog: Annotated[int, Meta(ge=0, le=LIMIT_MAX)] | None = None
    quiet: bool = False


class Part(Command, frozen=True, kw_only=True, tag="part"):
    room: str
    reason: Remark | None = None


class Say(Command, frozen=True, kw_only=True, tag="say"):
    n: Place
    text: str
    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None
    kind: Kind = "message"
    reply_to: Place | None = None
    once: Annotated[str, Meta(min_length=1)] | None = None


class SetTopic(Command, frozen=True, kw_only=True, tag="topic"):
    n: Place
    room: str
    text: str


class SetNick(Command, frozen=True, kw_only=True, tag="nick"):
    nick: str


class Away(Command, frozen=True, kw_only=True, tag="away"):
    text: Remark | None = None


class Typing(Command, frozen=True, kw_only=True, tag="typing"):
    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None


class Who(Command, frozen=True, kw_only=True, tag="who"):
    room: str | None = None
    nick: str | None = None


class ListRooms(Command, frozen=True, kw_only=True, tag="rooms"):
    pass


class AskHistory(Command, frozen=True, kw_only=True, tag="history"):
    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None
    after: Seq | None = None
    before: Seq | None = None
    since: When | None = None
    limit: Count = LIMIT_MAX


class Search(Command, frozen=True, kw_only=True, tag="search"):
    text: Annotated[str, Meta(max_length=1024)]
    room: str | None = None
    nick: str | None = None
    before: Seq | None = None
    limit: Count = 100


class AskStatus(Command, frozen=True, kw_only=True, tag="status"):
    pass


class SayBye(Command, frozen=True, kw_only=True, tag="bye"):
    reason: Remark | None = None


AnyCommand = (
    Hello
    | Ping
    | Join
    | Part
    | Say
    | SetTopic
    | SetNick
    | Away
    | Typing
    | Who
    | ListRooms
    | AskHistory
    | Search
    | AskStatus
    | SayBye
)


# -- broker to client, ROUTER ----------------------------------------------------------------------------------


class Reply(Record, frozen=True, kw_only=True):
    """What the broker answers to one peer; `ref` is the command's."""

    ref: Ref | None = None


class Limits(Struct, frozen=True, kw_only=True, gc=False):
    """What one peer may send: bytes of text, bytes of a frame, lines of a frame, rooms, lines a second (0: any)."""

    text: int = TEXT_MAX
    frame: int = FRAME_MAX
    lines: int = LINES_MAX
    rooms: int = ROOMS_MAX
    rate: float = 100


class Member(Struct, frozen=True, kw_only=True, gc=False, rename={"from_": "from"}):
    """One person or bot in a roster.

    `away` is their text, `null` when here; `idle` counts seconds; `rooms` is told only by a `who` without a room.
    """

    nick: str
    from_: str
    bot: bool = False
    away: str | None = None
    idle: int = 0
    rooms: tuple[str, ...] | UnsetType = UNSET


class RoomInfo(Struct, frozen=True, kw_only=True, gc=False):
    room: str
    topic: str
    members: int
    head: int


class Welcome(Reply, frozen=True, kw_only=True, tag="welcome"):
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
    n: int
    limits: Limits
    time: str
    epochs: Epochs = ()
    shared: int | None = None


class Pong(Reply, frozen=True, kw_only=True, tag="pong"):
    n: int
    heads: dict[str, int]
    revs: dict[str, int]


class Joined(Reply, frozen=True, kw_only=True, tag="joined"):
    room: str
    topic: str
    head: int
    rev: int
    members: tuple[Member, ...]
    more: bool = False


class Parted(Reply, frozen=True, kw_only=True, tag="parted"):
    room: str


class Renamed(Reply, frozen=True, kw_only=True, tag="renamed"):
    nick: str


class Ok(Reply, frozen=True, kw_only=True, tag="ok"):
    pass


class Roster(Reply, frozen=True, kw_only=True, tag="roster"):
    room: str | None = None
    rev: int | None = None
    members: tuple[Member, ...]
    more: bool = False


class Rooms(Reply, frozen=True, kw_only=True, tag="rooms"):
    rooms: tuple[RoomInfo, ...]
    more: bool = False


class History(Reply, frozen=True, kw_only=True, tag="history"):
    """Events in order, complete through `upto`; each is the line as it stands in the log."""

    room: str | None = None
    to: str | None = None
    events: tuple[Raw, ...]
    upto: int
    more: bool


class Found(Reply, frozen=True, kw_only=True, tag="found"):
    events: tuple[Raw, ...]
    more: bool


class Status(Reply, frozen=True, kw_only=True, tag="status"):
    server: str
    uptime: float
    sessions: int
    rooms: int
    head: int
    rate: float
    log_bytes: int
    feed: str


class Ack(Reply, frozen=True, kw_only=True, tag="ack"):
    n: int
    seq: int | None = None
    duplicate: bool = False


class Error(Reply, frozen=True, kw_only=True, tag="error"):
    code: str
    message: str
    n: int | None = None
    expected: int | None = None
    retry_after: float | None = None
    limit: int | None = None


class Bye(Reply, frozen=True, kw_only=True, tag="bye"):
    """The broker has ended this session."""

    reason: str


# -- events ----------------------------------------------------------------------------------------------------


class Event(Record, frozen=True):
    """What happened."""


class Message(Event, frozen=True, kw_only=True, tag="message"):
    """Durable: somebody said something, in `room`, or to the nick `to` of the one whose `from` is `with_`."""

    seq: int
    prev: int
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    time: str
    from_: str
    nick: str
    kind: str
    text: str
    reply_to: int | None = None


class Topic(Event, frozen=True, kw_only=True, tag="topic"):
    """Durable: a room's topic was set."""

    seq: int
    prev: int
    room: str
    time: str
    from_: str
    nick: str
    text: str


class Opaque(Struct, frozen=True, kw_only=True, gc=False):
    """An event or reply of a type unknown to this version: with a `seq` it still moves a cursor."""

    type: str = ""
    seq: int | None = None
    prev: int = 0
    room: str | None = None
    to: str | None = None


class MemberJoined(Event, frozen=True, kw_only=True, tag="joined"):
    room: str
    rev: int
    nick: str
    from_: str
    bot: bool


class MemberLeft(Event, frozen=True, kw_only=True, tag="left"):
    room: str
    rev: int
    nick: str
    reason: str
    text: str | None = None


class MemberRenamed(Event, frozen=True, kw_only=True, tag="renamed"):
    room: str
    rev: int
    nick: str
    new: str


class MemberAway(Event, frozen=True, kw_only=True, tag="away"):
    room: str
    rev: int
    nick: str
    text: str | None = None


class MemberTyping(Event, frozen=True, kw_only=True, tag="typing"):
    """Somebody types, in `room` (on the feed) or to you (`to`, on the ROUTER socket)."""

    room: str | None = None
    to: str | None = None
    nick: str


class Echo(Event, frozen=True, kw_only=True, tag="echo"):
    """The feed reaches you: the answer to `ping` with `feed`."""

    ref: Ref | None = None


class BrokerBye(Event, frozen=True, kw_only=True, tag="bye"):
    """The broker stops, as planned, and may be back after `retry_after` seconds."""

    reason: str
    retry_after: float


Durable = Message | Topic
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
    | Error
    | Bye
    | Message
    | Topic
    | MemberTyping
)
AnyEvent = Message | Topic | MemberJoined | MemberLeft | MemberRenamed | MemberAway | MemberTyping | Echo | BrokerBye
