"""What goes to the log, and what becomes of it: entries and their outcomes, as data.

An entry can be encoded: where several brokers share a log, it travels in their stream. So it has nothing but plain
values; what a hub means to do afterwards stays with that (`Continuation` in `effects.py`). The rule that makes outcomes
of entries is in `applying.py`.
"""

from typing import ClassVar, final

from msgspec import Struct

from zchat.protocol import messages as m

Pair = tuple[str, str]  # the two `from`s of a conversation, sorted
Numbered = m.Spoken | m.MarkRead | m.Unschedule


def pair_of(one: str, other: str) -> Pair:
    return (one, other) if one <= other else (other, one)


class Place(Struct, frozen=True, gc=False):
    """Where something was said: in a room, or in a conversation of which these are the ends and their last nicks."""

    room: str | None = None
    pair: Pair | None = None
    nicks: tuple[str, str] = ("", "")


def other_end(pair: Pair, one: str) -> str:
    """Return the `from` of the other end; it is `one` itself in a conversation with oneself."""
    return pair[1] if pair[0] == one else pair[0]


@final
class Draft(Struct, frozen=True, gc=False, tag=True):
    """Events to be stored, in `room` or in the conversation `pair`. The log gives each its `seq` and `prev`.

    `from_` and `nick` are those of the author. `producer` is the client that numbers the commands, where the author is
    a member; "": the guest `from_`. `commands` have consecutive numbers. If there are several, all are plain messages:
    of no other kind, without `once`, `reply_to` and `files`. The log's outcome goes to `Hub.settle`. `peer` is the peer
    to be answered; the log does not look at it.

    What makes no event now is drafted like this, too: what is to be said later, and what is `Noted`.
    """

    from_: str
    nick: str
    commands: list[Numbered]
    room: str | None = None
    pair: Pair | None = None
    to: str | None = None
    peer: bytes = b""
    producer: str = ""
    chain: int = 0  # the head of the chain of members under which the draft was decided
    credential: str = ""  # what the author's connection proves; "": nothing, or nobody looks at it
    forget: bool = False  # of an edit: whether the texts before it leave the log

    @property
    def client(self) -> str:
        """The id of the producer."""
        return self.producer or self.from_


class Postponed(Struct, frozen=True, gc=False):
    """What is to be said later, at a time in milliseconds since 1970."""

    id: int
    at: int
    draft: Draft


@final
class Refusal(Struct, frozen=True, gc=False, tag=True):
    """A number that is taken without an event. It is stored, so that a repeated command gets the same answer."""

    from_: str
    commands: list[Numbered]  # exactly one
    answer: m.Error
    peer: bytes = b""
    producer: str = ""

    @property
    def client(self) -> str:
        return self.producer or self.from_


@final
class Change(Struct, frozen=True, tag=True):
    """A command about members, or about access to a room: the log decides it, in its order (`administration.py`).

    `from_` and `nick` are those of the author; of somebody who is to become a member, those that it gets. Both are ""
    for the broker itself. `credential` is what the author's connection proves. `role` is for whom the kernel vouches.
    A command without a number (`hello`, `nick`) has no producer; then a `Continuation` of the hub that drafted it tells
    what follows. A draft can be encoded, so it has but the number of that.
    """

    from_: str
    nick: str
    commands: list[m.NumberedCommand | m.Hello | m.SetNick]  # exactly one
    peer: bytes = b""
    producer: str = ""
    credential: str = ""
    role: str = "member"
    target_nick: str = ""  # of a guest whom it is about
    target_credential: str = ""
    comes: str = ""  # with a `hello`: the id of its client. Its secrets stay with the hub that drafted it
    invitation: str = ""  # with a `hello`: the hash of its code
    continuation: int = 0  # 0: none

    @property
    def client(self) -> str:
        return self.producer


@final
class Claim(Struct, frozen=True, gc=False, tag=True):
    """A client wants to be at the broker that drafts this, with a nick. It makes no event.

    Where several brokers share a log, the first claim of a nick in log order has it, and the last claim of a client has
    its session. `nick` is None for an observer, and for a member, whose nick is nobody else's anyhow. With `moves` the
    client comes to this broker, from wherever it was; without, it only takes another nick where it is. `seen` is how
    far its broker had read the stream: against a claim that it had not seen, it does not count.
    """

    client: str
    nick: str | None = None
    credential: str = ""
    peer: bytes = b""
    moves: bool = True
    continuation: int = 0  # by which the hub that drafted it knows what waits for it
    seen: int = 0  # a place of the stream
    commands: ClassVar[list[Numbered]] = []  # it has none

    @property
    def from_(self) -> str:
        return self.client


@final
class Release(Struct, frozen=True, gc=False, tag=True):
    """A client has left the broker that drafts this: its nick is free."""

    client: str
    peer: bytes = b""
    commands: ClassVar[list[Numbered]] = []  # it has none


@final
class Retire(Struct, frozen=True, gc=False, tag=True):
    """What has been kept for long enough goes: the oldest events of a room, or of a conversation. It makes no event.

    `keep` is for how long the broker that drafts this keeps events, in seconds; 0: for ever. A room may say otherwise,
    and its word counts. What is as old as that when this is applied goes, through the event `upto`. So any broker of a
    cluster may draft it, and if several do, the first one counts: for the others there is nothing left. Nothing younger
    goes than what was due by the clock of the broker that drafts it: another one's may have dragged that of the log.
    """

    place: int  # the id of the room or conversation in the log
    upto: int
    keep: float = 0.0
    room: str | None = None  # its name
    before: int | None = None  # the time before which something was due, in milliseconds since 1970
    peer: bytes = b""
    commands: ClassVar[list[Numbered]] = []  # it has none
    from_: ClassVar[str] = ""
    client: ClassVar[str] = ""


@final
class Due(Struct, frozen=True, gc=False, tag=True):
    """The time has come to say what was said for later, by its `id`: the first one in the order of the log counts.

    `nick` and `to` are the present nicks of the author and of whom it is for, and `refused` is why it cannot be said,
    as far as the broker that drafts this knows better than the log: who is here, and how many rooms there are.
    """

    id: int
    nick: str
    to: str | None = None
    refused: m.Error | None = None
    peer: bytes = b""
    producer: ClassVar[str] = ""
    client: ClassVar[str] = ""
    from_: ClassVar[str] = ""
    commands: ClassVar[list[Numbered]] = []  # it has none


@final
class Changed(Struct, frozen=True, gc=False):
    """The change is in the log as this event and line."""

    event: m.Administrative
    line: bytes


@final
class Stored(Struct, frozen=True, gc=False):
    """The draft is in the log as these lines; their `seq`s are consecutive, and the first has `seq`."""

    seq: int
    lines: list[bytes]


class Duplicate(Struct, frozen=True, gc=False):
    """What the draft wants is there already, by the event `seq` (0: by none). The number is taken nevertheless."""

    seq: int


class Declined(Struct, frozen=True, gc=False):
    """The state of the log rejects the draft. The number is taken, with `answer` as its reply."""

    answer: m.Error


class Claimed(Struct, frozen=True, gc=False):
    """The client is at the broker that claimed it, and nowhere else."""


class Retired(Struct, frozen=True, gc=False):
    """What was to go is gone."""


@final
class Noted(Struct, frozen=True, gc=False):
    """The number is taken, without an event. One has read through `read`; something will be said later, as `later`."""

    read: int = 0
    later: int = 0


@final
class Told(Struct, frozen=True, gc=False):
    """What was said for later was told now, as if this draft had come now; or could not be."""

    id: int
    draft: Draft
    outcome: "Stored | Duplicate | Declined"


class Taken(Struct, frozen=True, gc=False):
    """All numbers of the draft were taken before, by the same commands."""


class Failed(Struct, frozen=True, gc=False):
    """The batch could not be written, not even in part. `why` is for people, also elsewhere: no path is in it."""

    why: str = ""


Entry = Draft | Refusal | Change | Claim | Release | Retire | Due  # what goes to the log


Outcome = (
    Stored | Changed | Duplicate | Declined | Claimed | Retired | Noted | Told | Taken | Failed | None
)  # None: a refusal was stored
