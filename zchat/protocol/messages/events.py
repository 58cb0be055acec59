"""What happened, for all to hear on the PUB socket (direct messages and `typing` to one: on the ROUTER socket)."""

from msgspec import Struct

from .base import Record, Ref


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
AnyEvent = Message | Topic | MemberJoined | MemberLeft | MemberRenamed | MemberAway | MemberTyping | Echo | BrokerBye
