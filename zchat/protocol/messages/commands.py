"""The commands that a client sends to the broker over its DEALER socket."""

from typing import Annotated

from msgspec import Meta

from .base import EPOCHS_MAX, LIMIT_MAX, Count, Epoch, Hex16, Hex32, Kind, Positive, Record, Ref, Remark, Seq, When


class Command(Record, frozen=True, kw_only=True):
    """A command; its `ref`, if given, is returned in every reply to it."""

    ref: Ref | None = None


class Hello(Command, frozen=True, kw_only=True, tag="hello"):
    """Begin a session, or take one over (`resume`, its token). `client` is a secret: who has it is the same person."""

    protocol: int
    nick: str | None = None
    client: Hex32 | None = None
    resume: Annotated[str, Meta(max_length=128)] | None = None
    bot: bool = False
    software: Annotated[str, Meta(max_length=256)] | None = None
    epochs: Annotated[tuple[Epoch, ...], Meta(min_length=1, max_length=EPOCHS_MAX)] | None = None


class Ping(Command, frozen=True, kw_only=True, tag="ping"):
    """Give a sign of life, and ask where every room stands; with `feed`, ask for an Echo on the feed, too."""

    feed: bool = False


class Join(Command, frozen=True, kw_only=True, tag="join"):
    """Enter a room; with `after` or `backlog`, its history follows. With `quiet` nobody is told."""

    room: str
    after: Seq | None = None
    backlog: Annotated[int, Meta(ge=0, le=LIMIT_MAX)] | None = None
    quiet: bool = False


class Part(Command, frozen=True, kw_only=True, tag="part"):
    """Leave a room."""

    room: str
    reason: Remark | None = None


class Say(Command, frozen=True, kw_only=True, tag="say"):
    """Number `n`: say something in `room`, or to the nick `to` (of the one whose `from` is `with_`)."""

    n: Positive
    text: str
    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None
    kind: Kind = "message"
    reply_to: Positive | None = None
    once: Annotated[str, Meta(min_length=1)] | None = None


class SetTopic(Command, frozen=True, kw_only=True, tag="topic"):
    """Number `n`: set a room's topic; an empty text removes it."""

    n: Positive
    room: str
    text: str


class SetNick(Command, frozen=True, kw_only=True, tag="nick"):
    """Take another nick."""

    nick: str


class Away(Command, frozen=True, kw_only=True, tag="away"):
    """Tell the rooms that one is away, and why; without a text, that one is back."""

    text: Remark | None = None


class Typing(Command, frozen=True, kw_only=True, tag="typing"):
    """Tell a room or a nick that one is typing; nobody answers."""

    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None


class Who(Command, frozen=True, kw_only=True, tag="who"):
    """Ask who is here: in a room, under a nick, or everybody."""

    room: str | None = None
    nick: str | None = None


class ListRooms(Command, frozen=True, kw_only=True, tag="rooms"):
    """Ask which rooms there are."""


class AskHistory(Command, frozen=True, kw_only=True, tag="history"):
    """Ask for what was said in a room, or with a nick: the newest, unless told where to look."""

    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None
    after: Seq | None = None
    before: Seq | None = None
    since: When | None = None
    limit: Count = LIMIT_MAX


class Search(Command, frozen=True, kw_only=True, tag="search"):
    """Ask for what was said in public and holds all words of `text`, the newest of it."""

    text: Annotated[str, Meta(max_length=1024)]
    room: str | None = None
    nick: str | None = None
    before: Seq | None = None
    limit: Count = 100


class AskStatus(Command, frozen=True, kw_only=True, tag="status"):
    """Ask how the broker is; it needs no session."""


class SayBye(Command, frozen=True, kw_only=True, tag="bye"):
    """End the session."""

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
