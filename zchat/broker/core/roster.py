"""The tables of peers, sessions and rooms.

Three terms are easily confused. A *peer* is a connection, identified by its ZeroMQ routing id. A *session* is a client
that is present: it has a nick and rooms, and moves to another peer when its client reconnects. A *producer* is a
client's numbering, which outlives both; it belongs to the `Ledger`.

All tables are bounded: peers by the capacity of the process, rooms by `ROOMS_IN_ALL`, the rooms of a session by the
limit of the protocol.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from zchat.protocol import messages as m
from zchat.protocol import names

from .budget import Bucket, Source
from .ledger import Producer
from .looks import looks

SOURCES_KEPT = 1_000  # above that, sources unused for SOURCE_KEPT are forgotten
SOURCE_KEPT = 60.0  # s
ROOMS_IN_ALL = 20_000  # about 10 MiB: every room with an event is kept in memory


@dataclass(slots=True, eq=False)
class Peer:
    """A connection that has sent something."""

    id: bytes
    bucket: Bucket
    source: Source
    heard: float
    session: "Session | None" = None
    queries: int = 0  # not yet answered


class Listing(Struct, frozen=True, gc=False):
    """The first members of a room as `joined` lists them: encoded, separated by commas, as of `rev`."""

    at: float
    rev: int
    people: int  # members of the room
    count: int  # members listed
    text: bytes


@dataclass(slots=True, eq=False)
class Room:
    """A room: its members, topic and head. `rev` counts the changes of its roster."""

    name: str
    topic: str = ""
    head: int = 0
    rev: int = 0
    members: dict[str, "Session"] = field(default_factory=dict)  # by session id
    followers: int = 0  # quiet members
    listing: Listing | None = None  # the last one made, to be reused

    @property
    def in_use(self) -> bool:
        return bool(self.members or self.followers or self.head)


@dataclass(slots=True, eq=False)
class Session:
    """A client that is present. `nick` is None for an observer. `rooms`: by name, whether it is quiet there."""

    id: str
    token: str
    producer: Producer
    peer: Peer
    nick: str | None = None
    bot: bool = False
    away: str | None = None
    active: float = 0.0
    spoke: float = -math.inf  # when it last sent a message
    new_until: float = 0.0  # until then it is a newcomer
    rooms: dict[str, bool] = field(default_factory=dict)

    def member(self, now: float) -> m.Member:
        idle = max(0, int(now - self.active))
        return m.Member(nick=self.nick or "", from_=self.producer.from_, bot=self.bot, away=self.away, idle=idle)


class Roster:
    """The tables of peers, sessions and rooms, kept consistent with each other."""

    def __init__(self, capacity: int, rate: float) -> None:
        self.capacity = capacity
        self.rate = rate
        self.peers: dict[bytes, Peer] = {}
        self.rooms: dict[str, Room] = {}
        self.promised: set[str] = set()  # rooms that an event being written will create
        self.announced = 0  # bytes of `nick` and `away` changes announced in this batch
        self._sources: dict[str, Source] = {}
        self._bare: dict[bytes, None] = {}  # peers without a session, the oldest first
        self._emptied: set[str] = set()
        self._by_from: dict[str, Session] = {}
        self._by_token: dict[str, Session] = {}
        self._by_nick: dict[str, Session] = {}
        self._by_look: dict[str, dict[Session, None]] = {}  # sessions with look-alike nicks, by skeleton

    @property
    def sessions(self) -> int:
        return len(self._by_from)

    def all(self) -> Iterator[Session]:
        return iter(self._by_from.values())

    def admit(self, id_: bytes, now: float, source: str = "") -> Peer | None:
        """Return a new peer; None if the broker is full. Peers without session and queries are evicted first."""
        if len(self.peers) >= self.capacity:
            bare = next((one for one in self._bare if not self.peers[one].queries), None)
            if bare is None:
                return None
            self.dismiss(bare)
        peer = self.peers[id_] = Peer(id_, Bucket.of_session(self.rate, now), self.source(source, now), now)
        self._bare[id_] = None
        return peer

    def source(self, name: str, now: float) -> Source:
        """Return the shared limits of a source, created if it is new."""
        if name not in self._sources:
            self._sources[name] = Source(self.rate, now)
        return self._sources[name]

    def dismiss(self, id_: bytes) -> Peer | None:
        """Forget a peer. Return it if it was known."""
        self._bare.pop(id_, None)
        return self.peers.pop(id_, None)

    def find(self, from_: str) -> Session | None:
        return self._by_from.get(from_)

    def resumed(self, token: str) -> Session | None:
        return self._by_token.get(token)

    def named(self, nick: str) -> Session | None:
        """Return the session with this nick, compared without regard to case and width."""
        try:
            return self._by_nick.get(names.nick_key(nick))
        except names.BadNameError:
            return None

    def resembling(self, nick: str, *besides: Session | None) -> Session | None:
        """Return a session, other than those in `besides`, whose nick looks like this one.

        Two nicks of plain ASCII do not count as alike (`bot1`, `botl`), so several of them may share a skeleton. Any
        other nick has its skeletons alone. So it suffices to compare with one session for each skeleton.
        """
        for look in looks(nick):
            one = next((one for one in self._by_look.get(look, ()) if one not in besides), None)
            if one is not None and not (nick.isascii() and (one.nick or "").isascii()):
                return one
        return None

    def addressed(self, nick: str, with_: str | None) -> Session | None:
        """Return the session with the `from` `with_`, whatever its nick is now; without `with_`, that with the nick."""
        if with_ is None:
            return self.named(nick)
        session = self._by_from.get(with_)
        return None if session is None or session.nick is None else session

    def enter(self, session: Session) -> None:
        self._carry(session, session.peer)
        self._by_from[session.producer.from_] = session
        self._by_token[session.token] = session
        self._name(session, session.nick)

    def move(self, session: Session, peer: Peer) -> None:
        """Move the session to `peer`, which continues the rate limit of the old peer."""
        old, session.peer = session.peer, peer
        if old is not peer:
            self._bare_again(old)
            peer.bucket = old.bucket
        self._carry(session, peer)

    def rename(self, session: Session, nick: str) -> None:
        self._unname(session)
        self._name(session, nick)

    def leave(self, session: Session) -> None:
        """Forget the session. It must have left its rooms before."""
        self._bare_again(session.peer)
        del self._by_from[session.producer.from_]
        del self._by_token[session.token]
        self._unname(session)

    def _name(self, session: Session, nick: str | None) -> None:
        session.nick = nick
        if nick is not None:
            self._by_nick[names.nick_key(nick)] = session
            for look in looks(nick):
                self._by_look.setdefault(look, {})[session] = None

    def _unname(self, session: Session) -> None:
        if session.nick is not None:
            del self._by_nick[names.nick_key(session.nick)]
            for look in looks(session.nick):
                del self._by_look[look][session]
                if not self._by_look[look]:
                    del self._by_look[look]

    def _carry(self, session: Session, peer: Peer) -> None:
        peer.session = session
        self._bare.pop(peer.id, None)

    def _bare_again(self, peer: Peer) -> None:
        peer.session = None
        if peer.id in self.peers:
            self._bare[peer.id] = None

    def allows_room(self, name: str) -> bool:
        """Return whether the room exists or may be created."""
        there = name in self.rooms or name in self.promised
        return there or len(self.rooms) + len(self.promised) < ROOMS_IN_ALL

    def room(self, name: str) -> Room | None:
        """Return the room, created if it is new; None if there are too many rooms."""
        room = self.rooms.get(name)
        if room is None and self.allows_room(name):
            room = self.rooms[name] = Room(name)
        return room

    def join(self, session: Session, room: Room, quiet: bool) -> bool:
        """Add the session to the room. Return whether the roster changed."""
        before = session.rooms.get(room.name)
        if before == quiet:
            return False
        if before is not None:
            self.part(session, room, keep=True)
        session.rooms[room.name] = quiet
        if quiet:
            room.followers += 1
            return before is False
        room.members[session.id] = session
        room.rev += 1
        return True

    def part(self, session: Session, room: Room, keep: bool = False) -> bool:
        """Remove the session from the room. Return whether the roster changed. `sweep` forgets rooms that are empty."""
        quiet = session.rooms.pop(room.name)
        if quiet:
            room.followers -= 1
        else:
            del room.members[session.id]
            room.rev += 1
        if not (keep or room.in_use):
            self._emptied.add(room.name)
        return not quiet

    def sweep(self, now: float) -> None:
        """Forget rooms that are still empty. Only between batches: within one, an event may be on its way to the room.

        Also forget sources unused for long, if there are many: their buckets would be full again by now.
        """
        if len(self._sources) > SOURCES_KEPT:
            self._sources = {name: one for name, one in self._sources.items() if now - one.used < SOURCE_KEPT}
        for name in self._emptied:
            if name in self.rooms and not self.rooms[name].in_use:
                del self.rooms[name]
        self._emptied.clear()

    def silent(self, since: float) -> list[bytes]:
        """Return the peers that were last heard before `since`."""
        return [peer.id for peer in self.peers.values() if peer.heard < since]
