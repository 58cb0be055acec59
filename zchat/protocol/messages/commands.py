"""The commands that a client sends to the broker over its DEALER socket."""

from typing import Annotated

from msgspec import Meta

from .base import EPOCHS_MAX, LIMIT_MAX, Count, Epoch, Hex16, Hex32, Kind, Place, Record, Ref, Remark, Seq, When


class Command(Record, frozen=True, kw_only=True):
    """A command; its `ref`, if given, is returned in every reply to it."""

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
