"""Who is here, as records: peers, authors, sessions and rooms.

Four terms are easily confused. A *peer* is a connection, identified by its ZeroMQ routing id. A *session* is a client
that is present: it has rooms, and moves to another peer when its client reconnects. An *author* is whom others see: a
guest, who has one session, or a member, who may have several at the same time, one for each device. A *producer* is a
client's numbering, which outlives its sessions; it belongs to the `Ledger`.

An author's sessions may be at other brokers that share the log. Of these there are no records here, but one for each
broker, of what they come to together (`Far`).
"""

import math
from collections.abc import Set
from dataclasses import dataclass, field

from msgspec import UNSET, Struct

from zchat.protocol import messages as m

from . import bus
from .budget import Bucket, Source
from .effects import CONVERSATIONS_KEPT, Conversation
from .ledger import Producer

NICK = ""  # among rooms that somebody leaves: its nick, which it has in no room
GUEST = "guest"  # the role of whoever is no member


@dataclass(slots=True, eq=False)
class Peer:
    """A connection that has sent something. `credential` is what it proves; "": nothing."""

    id: bytes
    bucket: Bucket
    source: Source
    heard: float
    credential: str = ""
    session: "Session | None" = None
    queries: int = 0  # not yet answered
    files: Bucket = field(default_factory=lambda: Bucket.full(0.0, 0.0, 0.0))  # bytes of files


@dataclass(slots=True, eq=False)
class Far:
    """Where else an author is: as other brokers told it, by broker, the one that told last at the end.

    `lingering` are the rooms in which it is listed until then, although its session there is over: it is on its way to
    another broker. NICK stands among them for its nick, by which it is found. `active` is when it did something
    elsewhere, as far as is known. `nick` is the one by which the roster finds it.
    """

    active: float
    records: dict[str, bus.Elsewhere] = field(default_factory=dict)
    lingering: dict[str, float] = field(default_factory=dict)
    nick: str | None = None

    @property
    def shown(self) -> list[bus.Elsewhere]:
        """The records of where it does not only observe."""
        return [record for record in self.records.values() if record.nick is not None]

    @property
    def rooms(self) -> dict[str, None]:
        names = dict.fromkeys(name for record in self.records.values() for name in record.rooms)
        return names | {name: None for name in self.lingering if name != NICK}

    def is_in(self, room: str) -> bool:
        for record in self.records.values():
            if room in record.rooms:
                return True
        return room in self.lingering


@dataclass(slots=True, eq=False)
class Author:
    """Whom others see: a member with its devices, or a guest. `nick` is None for a guest that only observes.

    `far` is None for an author who is only here. `away_set` counts how often `away` was set, and names the broker where
    it was last, so that all brokers agree.
    """

    from_: str
    nick: str | None = None
    role: str = GUEST
    away: str | None = None
    conversations: dict[str, Conversation] = field(default_factory=dict)  # by the other's `from`; latest last
    read: dict[str, int] = field(default_factory=dict)  # through where, as in `ClientRecord`; latest last
    sessions: "dict[Session, None]" = field(default_factory=dict)
    far: Far | None = None
    away_set: tuple[int, str] = (0, "")

    @property
    def is_member(self) -> bool:
        return self.role != GUEST

    @property
    def is_shown_here(self) -> bool:
        """Whether it has a session here that does not only observe."""
        return not all(session.observer for session in self.sessions)

    @property
    def is_present(self) -> bool:
        """Whether it has a session, here or elsewhere, that does not only observe."""
        return self.is_shown_here or (self.far is not None and bool(self.far.shown))

    @property
    def is_bot(self) -> bool:
        """Whether all of its sessions that do not only observe are bots."""
        bots = [session.bot for session in self.sessions if session.nick is not None]
        if self.far is not None:
            bots += [record.bot for record in self.far.shown]
        return bool(bots) and all(bots)

    @property
    def credential(self) -> str:
        """What its oldest session here proves, or one elsewhere."""
        first = next(iter(self.sessions), None)
        if first is not None:
            return first.peer.credential
        return "" if self.far is None else next((one.credential for one in self.far.records.values()), "")

    @property
    def rooms(self) -> dict[str, None]:
        """The rooms whose rosters it is in."""
        here = dict.fromkeys(name for one in self.sessions for name, quiet in one.rooms.items() if not quiet)
        return here if self.far is None else here | self.far.rooms

    def converse(self, other: str, nick: str, seq: int) -> None:
        """Note the new head of a conversation. Only the latest conversations are kept."""
        self.conversations.pop(other, None)
        self.conversations[other] = Conversation(nick, seq)
        if len(self.conversations) > CONVERSATIONS_KEPT:
            del self.conversations[next(iter(self.conversations))]

    def is_in(self, room: str) -> bool:
        """Return whether a session of this author, here or elsewhere, is in the roster of a room."""
        for session in self.sessions:
            if session.rooms.get(room) is False:
                return True
        return self.far is not None and self.far.is_in(room)

    def described(self, now: float, operators: Set[str] = frozenset()) -> m.Member:
        """Return the author as a roster lists it; `operators` are those of the room."""
        active = [session.active for session in self.sessions if session.nick is not None]
        if self.far is not None:
            active.append(self.far.active)
        idle = max(0, int(now - max(active, default=now)))
        return m.Member(
            nick=self.nick or "",
            from_=self.from_,
            bot=self.is_bot,
            away=self.away,
            idle=idle,
            role=self.role if self.is_member else UNSET,
            operator=self.from_ in operators or UNSET,
        )


@dataclass(slots=True, eq=False)
class Session:
    """A client that is present. `rooms`: by name, whether it is quiet there."""

    id: str
    token: str
    producer: Producer
    author: Author
    peer: Peer
    observer: bool = False  # it came without a nick: it only reads, whoever its author is
    bot: bool = False
    active: float = 0.0
    spoke: float = -math.inf  # when it last sent a message
    new_until: float = 0.0  # until then it is a newcomer
    rooms: dict[str, bool] = field(default_factory=dict)
    transfers: int = 0  # parts of files, not yet answered

    @property
    def nick(self) -> str | None:
        return None if self.observer else self.author.nick


class Listing(Struct, frozen=True, gc=False):
    """The first members of a room as `joined` lists them: encoded, separated by commas, as of `rev`."""

    at: float
    rev: int
    people: int  # in the roster of the room
    count: int  # listed
    text: bytes


@dataclass(slots=True, eq=False)
class Room:
    """A room: its roster, topic and head. `rev` counts the changes of its roster."""

    name: str
    topic: str = ""
    head: int = 0
    rev: int = 0
    members: dict[str, Author] = field(default_factory=dict)  # by `from`: the roster
    followers: int = 0  # quiet sessions
    here: int = 0  # sessions at this broker
    sessions: dict[Session, None] | None = None  # of a private room: where its events go
    listing: Listing | None = None  # the last one made, to be reused

    @property
    def in_use(self) -> bool:
        return bool(self.members or self.followers or self.head)
