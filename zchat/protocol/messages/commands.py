"""The commands that a client sends to the broker over its DEALER socket."""

from typing import Annotated

from msgspec import Meta

from .base import (
    EPOCHS_MAX,
    INVITED_ROOMS_MAX,
    LIMIT_MAX,
    PART_MAX,
    SEQ_MAX,
    USES_MAX,
    Code,
    Command,
    Count,
    Credential,
    Days,
    Default,
    Device,
    Epoch,
    Features,
    FileId,
    Hex16,
    Hex32,
    Hex64,
    Mode,
    Positive,
    Remark,
    Role,
    Seq,
    When,
)
from .kinds import Spoken


class Hello(Command, frozen=True, kw_only=True, tag="hello"):
    """Begin a session, or take one over (`resume`, its token). `client` is a secret: who has it is the same program.

    With `device` one comes in as the member that the connection proves: as one more device of it, of that name.
    """

    protocol: int
    nick: str | None = None
    client: Hex32 | None = None
    resume: Annotated[str, Meta(max_length=128)] | None = None
    bot: bool = False
    software: Annotated[str, Meta(max_length=256)] | None = None
    epochs: Annotated[tuple[Epoch, ...], Meta(min_length=1, max_length=EPOCHS_MAX)] | None = None
    invite: Code | None = None
    device: Device | None = None
    features: Features | None = None


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


class MarkRead(Command, frozen=True, kw_only=True, tag="read"):
    """Number `n`: one has read a room, or the conversation with a nick, through `seq`."""

    n: Positive
    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None
    seq: Seq


class AskScheduled(Command, frozen=True, kw_only=True, tag="scheduled"):
    """Ask for what one has said for later, and is still to be told."""


class Unschedule(Command, frozen=True, kw_only=True, tag="unschedule"):
    """Number `n`: take back what one has said for later, by its `id`."""

    n: Positive
    id: Positive


class Put(Command, frozen=True, kw_only=True, tag="put"):
    """Upload a part of a file of `size` bytes; without `data`, ask how much of it is there."""

    file: FileId
    size: Annotated[int, Meta(ge=0, le=SEQ_MAX)]
    offset: Seq = 0
    data: bytes = b""


class Get(Command, frozen=True, kw_only=True, tag="get"):
    """Download a part of a file."""

    file: FileId
    offset: Seq = 0
    limit: Annotated[int, Meta(ge=1, le=PART_MAX)] = PART_MAX


class AskHistory(Command, frozen=True, kw_only=True, tag="history"):
    """Ask for what was said in a room, or with a nick: the newest, unless told where to look.

    Only of the thread with the root `thread`, or of some `kinds` (types of events), if told so. With `current` the
    answer has no events but the messages as they are now.
    """

    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None
    after: Seq | None = None
    before: Seq | None = None
    since: When | None = None
    limit: Count = LIMIT_MAX
    thread: Positive | None = None
    kinds: Annotated[tuple[Annotated[str, Meta(max_length=32)], ...], Meta(max_length=16)] | None = None
    current: bool = False


class AskMentions(Command, frozen=True, kw_only=True, tag="mentions"):
    """Ask for what called one by one's nick, the newest of it."""

    before: Seq | None = None
    limit: Count = 100


class Search(Command, frozen=True, kw_only=True, tag="search"):
    """Ask for what was said in public and holds all words of `text`, the newest of it."""

    text: Annotated[str, Meta(max_length=1024)]
    room: str | None = None
    nick: str | None = None
    before: Seq | None = None
    limit: Count = 100


class AskStatus(Command, frozen=True, kw_only=True, tag="status"):
    """Ask how the broker is; it needs no session. `numbers`: with what it has counted, for those who may know."""

    numbers: bool = False


class SayBye(Command, frozen=True, kw_only=True, tag="bye"):
    """End the session."""

    reason: Remark | None = None


class Invite(Command, frozen=True, kw_only=True, tag="invite"):
    """Number `n`: let others in. `hash` is the SHA-256 of the code, which the broker never learns before it is used.

    With `self_`, whoever comes with the code is another device of the inviter.
    """

    n: Positive
    hash: Hex64
    role: Role = "member"
    uses: Annotated[int, Meta(ge=1, le=USES_MAX)] = 1
    expires: When | None = None
    rooms: Annotated[tuple[str, ...], Meta(max_length=INVITED_ROOMS_MAX)] = ()
    self_: bool = False


class Revoke(Command, frozen=True, kw_only=True, tag="revoke"):
    """Number `n`: take an invitation back."""

    n: Positive
    hash: Hex64


class SetRole(Command, frozen=True, kw_only=True, tag="role"):
    """Number `n`: give a member another role."""

    n: Positive
    from_: Hex16
    role: Role


class RemoveCredential(Command, frozen=True, kw_only=True, tag="credential"):
    """Number `n`: a device's key, or a user of the broker's machine, is not the member's any more."""

    n: Positive
    from_: Hex16
    remove: Credential


class Ban(Command, frozen=True, kw_only=True, tag="ban"):
    """Number `n`: keep a member out, or whoever has a credential; for ever, or until a time."""

    n: Positive
    from_: Hex16 | None = None
    credential: Credential | None = None
    until: When | None = None
    reason: Remark | None = None


class Unban(Command, frozen=True, kw_only=True, tag="unban"):
    """Number `n`: let somebody in again."""

    n: Positive
    from_: Hex16 | None = None
    credential: Credential | None = None
    reason: Remark | None = None


class Mute(Command, frozen=True, kw_only=True, tag="mute"):
    """Number `n`: refuse what somebody says, in one room or everywhere; for ever, or until a time."""

    n: Positive
    from_: Hex16
    room: str | None = None
    until: When | None = None
    reason: Remark | None = None


class Unmute(Command, frozen=True, kw_only=True, tag="unmute"):
    """Number `n`: let somebody speak again, in one room or everywhere."""

    n: Positive
    from_: Hex16
    room: str | None = None
    reason: Remark | None = None


class Kick(Command, frozen=True, kw_only=True, tag="kick"):
    """End somebody's sessions; with `room`, only their stay in it."""

    from_: Hex16 | None = None
    nick: str | None = None
    room: str | None = None
    reason: Remark | None = None


class SetAccess(Command, frozen=True, kw_only=True, tag="access"):
    """Number `n`: make a private room, change a room's `mode`, or who is let in or operates it (a `from`).

    `keep` is for how many days what was said there is kept; 0: for ever; `default`: as the broker says.
    """

    n: Positive
    room: str
    mode: Mode | None = None
    admit: Hex16 | None = None
    expel: Hex16 | None = None
    operator: Hex16 | None = None
    keep: Days | Default | None = None


class AskMembers(Command, frozen=True, kw_only=True, tag="members"):
    """Ask who the members are, in order of `from`, those after `after`."""

    after: Hex16 | None = None
    limit: Count = LIMIT_MAX


class AskAudit(Command, frozen=True, kw_only=True, tag="audit"):
    """Ask for the events about members and rooms: the newest, unless told where to look."""

    after: Seq | None = None
    before: Seq | None = None
    limit: Count = LIMIT_MAX


NumberedCommand = (
    Spoken
    | MarkRead
    | Unschedule
    | Invite
    | Revoke
    | SetRole
    | RemoveCredential
    | Ban
    | Unban
    | Mute
    | Unmute
    | SetAccess
)

AnyCommand = (
    Hello
    | Ping
    | Join
    | Part
    | Spoken
    | MarkRead
    | AskScheduled
    | Unschedule
    | Put
    | Get
    | SetNick
    | Away
    | Typing
    | Who
    | ListRooms
    | AskHistory
    | AskMentions
    | Search
    | AskStatus
    | SayBye
    | Invite
    | Revoke
    | SetRole
    | RemoveCredential
    | Ban
    | Unban
    | Mute
    | Unmute
    | Kick
    | SetAccess
    | AskMembers
    | AskAudit
)
