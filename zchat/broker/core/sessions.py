"""Who is here, as records: peers, authors, sessions and rooms.

Four terms are easily confused. A *peer* is a connection, identified by its ZeroMQ routing id. A *session* is a client
that is present: it has rooms, and moves to another peer when its client reconnects. An *author* is whom others see: a
guest, who has one session, or a member, who may have several at the same time, one for each device. A *producer* is a
client's numbering, which outlives its sessions; it belongs to the `Ledger`.
"""

import math
from dataclasses import dataclass, field

from msgspec import UNSET, Struct

from zchat.protocol import messages as m

from .budget import Bucket, Source
from .effects import CONVERSATIONS_KEPT, Conversation
from .ledger import Producer

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


@dataclass(slots=True, eq=False)
class Author:
    """Whom others see: a member with its devices, or a guest. `nick` is None for a guest that only observes."""

    from_: str
    nick: str | None = None
    role: str = GUEST
    away: str | None = None
    conversations: dict[str, Conversation] = field(default_factory=dict)  # by the other's `from`; latest last
    sessions: "dict[Session, None]" = field(default_factory=dict)

    @property
    def is_member(self) -> bool:
        return self.role != GUEST

    def converse(self, other: str, nick: str, seq: int) -> None:
        """Note the new head of a conversation. Only the latest conversations are kept."""
        self.conversations.pop(other, None)
        self.conversations[other] = Conversation(nick, seq)
        if len(self.conversations) > CONVERSATIONS_KEPT:
            del self.conversations[next(iter(self.conversations))]

    def is_in(self, room: str) -> bool:
        """Return whether a session of this author is in the roster of a room."""
        return any(session.rooms.get(room) is False for session in self.sessions)

    def described(self, now: float) -> m.Member:
        """Return the author as a roster lists it."""
        here = [session for session in self.sessions if session.nick is not None]
        idle = max(0, int(now - max((session.active for session in here), default=now)))
        bot = bool(here) and all(session.bot for session in here)
        role = self.role if self.is_member else UNSET
        return m.Member(nick=self.nick or "", from_=self.from_, bot=bot, away=self.away, idle=idle, role=role)


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
    sessions: dict[Session, None] | None = None  # of a private room: where its events go
    listing: Listing | None = None  # the last one made, to be reused

    @property
    def in_use(self) -> bool:
        return bool(self.members or self.followers or self.head)
