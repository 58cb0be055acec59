"""The events that the broker publishes on the PUB socket (direct ones go over the ROUTER socket)."""

from msgspec import Struct

from .base import Record, Ref, Seq


class Event(Record, frozen=True):
    """Something that happened."""


class Message(Event, frozen=True, kw_only=True, tag="message"):
    """Durable: a message in `room`, or a direct message to the nick `to` of the client whose `from` is `with_`."""

    seq: Seq
    prev: Seq
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
    """Durable: the topic of a room was set."""

    seq: Seq
    prev: Seq
    room: str
    time: str
    from_: str
    nick: str
    text: str


class Opaque(Struct, frozen=True, kw_only=True, gc=False):
    """An event or reply of a type that this version does not know. If it has a `seq`, it still moves a cursor."""

    type: str = ""
    seq: Seq | None = None
    prev: Seq = 0
    room: str | None = None
    to: str | None = None


class MemberJoined(Event, frozen=True, kw_only=True, tag="joined"):
    """Somebody entered a room."""

    room: str
    rev: int
    nick: str
    from_: str
    bot: bool


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


class Echo(Event, frozen=True, kw_only=True, tag="echo"):
    """The reply to `ping` with `feed`, sent on the feed: it proves that the feed reaches the client."""

    ref: Ref | None = None


class BrokerBye(Event, frozen=True, kw_only=True, tag="bye"):
    """The broker is shutting down as planned. It may be back after `retry_after` seconds."""

    reason: str
    retry_after: float


Durable = Message | Topic
AnyEvent = Message | Topic | MemberJoined | MemberLeft | MemberRenamed | MemberAway | MemberTyping | Echo | BrokerBye
