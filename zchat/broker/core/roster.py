"""The tables of peers, sessions, authors and rooms.

All tables are bounded: peers by the capacity of the process, rooms by `ROOMS_IN_ALL`, the rooms of a session by the
limit of the protocol, the sessions of an author by `DEVICES_MAX`.
"""

from collections.abc import Callable, Iterator, Sequence

from zchat.protocol import messages as m
from zchat.protocol import names

from .budget import FILE_UNIT, Bucket, Source
from .effects import Continuation, Effect
from .entries import Place, Postponed
from .marks import Marks
from .members import Members
from .nicks import Nicks
from .sessions import Author, Peer, Room, Session
from .shelf import NoFiles, Shelf

SOURCES_KEPT = 1_000  # above that, sources unused for SOURCE_KEPT are forgotten
SOURCE_KEPT = 60.0  # s
ROOMS_IN_ALL = 20_000  # about 10 MiB: every room with an event is kept in memory


class Roster:
    """The tables of peers, sessions, authors and rooms, kept consistent with each other."""

    def __init__(self, capacity: int, rate: float, members: Members | None = None) -> None:
        self.members = Members() if members is None else members
        self.wall = 0.0  # the time of the batch, in seconds since 1970
        self.seen: dict[str, float] = {}  # when members that are away were last here, in seconds since 1970
        self.capacity = capacity
        self.rate = rate
        self.peers: dict[bytes, Peer] = {}
        self.rooms: dict[str, Room] = {}
        self.promised: set[str] = set()  # rooms that an event being written will create
        self.nicks = Nicks()
        self.continuations: dict[int, Continuation] = {}  # of changes that are being written
        self._continued = 0
        self.marks: Marks | None = None  # what other brokers are to be told; None if there are none
        self.stalled: str | None = None  # why nothing can be stored now
        self.telling: set[int] = set()  # what was said for later, is due, and is on its way
        self.scheduled: Callable[[str], Sequence[Postponed]] = lambda from_: ()  # what an author has said for later
        self.where: Callable[[int], Place | None] = lambda seq: None  # where an event was said
        self.shelf: Shelf = NoFiles()
        self.forgets_edits = False  # whether the texts before an edit leave the log
        self.transferring = 0  # bytes of files that wait for the disk
        self.announced = 0  # bytes of `nick` and `away` changes announced in this batch
        self._sources: dict[str, Source] = {}
        self._bare: dict[bytes, None] = {}  # peers without a session, the oldest first
        self._emptied: set[str] = set()
        self._by_producer: dict[str, Session] = {}
        self._by_token: dict[str, Session] = {}
        self._by_from: dict[str, Author] = {}

    def continue_with(
        self, done: Callable[[m.Administrative], list[Effect]], refused: Callable[[m.Error], list[Effect]]
    ) -> int:  # fmt: skip
        """Note what follows a change. Return the number by which the change knows it."""
        self._continued += 1
        self.continuations[self._continued] = Continuation(done, refused)
        return self._continued

    @property
    def sessions(self) -> int:
        return len(self._by_producer)

    def all(self) -> Iterator[Session]:
        return iter(self._by_producer.values())

    def present(self) -> Iterator[Author]:
        """Return all authors who are here or elsewhere, also those who only observe."""
        return iter(self._by_from.values())

    def admit(self, id_: bytes, now: float, source: str = "", credential: str = "") -> Peer | None:
        """Return a new peer; None if the broker is full. Peers without session and queries are evicted first."""
        if len(self.peers) >= self.capacity:
            bare = next((one for one in self._bare if not self.peers[one].queries), None)
            if bare is None:
                return None
            self.dismiss(bare)
        peer = self.peers[id_] = Peer(id_, Bucket.of_session(self.rate, now), self.source(source, now), now, credential)
        peer.files = Bucket.of_session(self.rate * FILE_UNIT, now)
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

    def find(self, from_: str) -> Author | None:
        """Return an author who is here or elsewhere."""
        return self._by_from.get(from_)

    def here(self, from_: str) -> Author | None:
        """Return an author who has a session here."""
        author = self._by_from.get(from_)
        return author if author is not None and author.sessions else None

    def session(self, producer: str) -> Session | None:
        return self._by_producer.get(producer)

    def resumed(self, token: str) -> Session | None:
        return self._by_token.get(token)

    def shows(self, session: Session, room: str) -> bool:
        """Return whether a room is there for a session now; a private one only while its connection proves who it is.

        What was decided before is looked at again so: the member may have been expelled, or banned, or its device
        removed, by an event that was stored meanwhile.
        """
        if not names.is_private(room):
            return True
        member = self.members.having(session.peer.credential)
        if member is None or member.from_ != session.author.from_ or not self.members.sees(member.from_, room):
            return False
        return not self.members.is_banned(session.peer.credential, self.wall)

    def addressed(self, nick: str, with_: str | None) -> Author | None:
        """Return who has the `from` `with_`, whatever its nick is now; without `with_`, who has the nick."""
        if with_ is None:
            return self.nicks.named(nick)
        author = self._by_from.get(with_)
        return None if author is None or author.nick is None else author

    def enter(self, session: Session) -> None:
        """Add a session, and its author if it is the first one. An observer does not show its author's nick."""
        author = session.author
        self._carry(session, session.peer)
        self._by_producer[session.producer.id] = session
        self._by_token[session.token] = session
        self._by_from[author.from_] = author
        author.sessions[session] = None
        if session.nick is not None:
            self.nicks.add(author)
        self.mark(author)

    def appear(self, session: Session) -> None:
        """Let a session that only observed be somebody."""
        session.observer = False
        if session.author.nick is not None:
            self.nicks.add(session.author)
        self.mark(session.author)

    def move(self, session: Session, peer: Peer) -> None:
        """Move the session to `peer`, which continues the rate limit of the old peer."""
        old, session.peer = session.peer, peer
        if old is not peer:
            self._bare_again(old)
            peer.bucket, peer.files = old.bucket, old.files
            session.transfers = 0  # what the old peer waited for is answered to nobody
        self._carry(session, peer)
        self.mark(session.author)

    def rename(self, author: Author, nick: str | None) -> None:
        self.nicks.remove(author)
        author.nick = nick
        if author.is_shown_here:
            self.nicks.add(author)
        self.place(author)
        self.mark(author)

    def leave(self, session: Session) -> None:
        """Forget the session, and its author if it was the last one. It must have left its rooms before."""
        author = session.author
        self._bare_again(session.peer)
        del self._by_producer[session.producer.id]
        del self._by_token[session.token]
        del author.sessions[session]
        if not author.is_shown_here:
            self.nicks.remove(author)
            if author.far is None:
                author.away, author.away_set = None, (0, "")
        self.forget(author)
        self.mark(author)

    def mark(self, author: Author) -> None:
        """Note that other brokers are to be told of an author."""
        if self.marks is not None:
            self.marks.authors[author.from_] = None

    def place(self, author: Author) -> None:
        """Note where an author is who was told to be elsewhere, or to be there no more. Others find it by its nick."""
        far = author.far
        if far is None:
            return
        self._by_from[author.from_] = author
        self.nicks.place(author)
        if not far.records and not far.lingering:
            author.far = None
            self.forget(author)

    def forget(self, author: Author) -> None:
        """Forget an author who is nowhere."""
        if not author.sessions and author.far is None:
            del self._by_from[author.from_]
            if author.is_member:
                self.seen[author.from_] = self.wall

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
            room = self.rooms[name] = new_room(name)
        return room

    def join(self, session: Session, room: Room, quiet: bool) -> bool:
        """Add the session to the room. Return whether the roster changed."""
        before = session.rooms.get(room.name)
        if before == quiet:
            return False
        if before is None:
            room.here += 1
        elif before:
            room.followers -= 1
        session.rooms[room.name] = quiet
        if quiet:
            room.followers += 1
        if room.sessions is not None:
            room.sessions[session] = None
        self.mark(session.author)
        return self.list_in(session.author, room)

    def part(self, session: Session, room: Room) -> bool:
        """Remove the session from the room. Return whether the roster changed. `sweep` forgets rooms that are empty."""
        if session.rooms.pop(room.name):
            room.followers -= 1
        room.here -= 1
        if room.sessions is not None:
            room.sessions.pop(session, None)
        self.mark(session.author)
        return self.list_in(session.author, room)

    def list_in(self, author: Author, room: Room) -> bool:
        """List an author in the roster of a room if one of its sessions is in there. Return whether that changed."""
        there = author.is_in(room.name) and not self.nicks.has_lost(author)
        changed = there != (author.from_ in room.members)
        if changed and there:
            room.members[author.from_] = author
        elif changed:
            del room.members[author.from_]
        room.rev += changed
        if not room.in_use:
            self._emptied.add(room.name)
        return changed

    def sweep(self, now: float) -> None:
        """Forget rooms that are still empty. Only between batches: within one, an event may be on its way to the room.

        Also forget sources unused for long, if there are many: their buckets would be full again by now.
        """
        if len(self._sources) > SOURCES_KEPT:
            kept = self._sources.items()
            self._sources = {name: one for name, one in kept if now - one.used < SOURCE_KEPT or not one.rests(now)}
        for name in self._emptied:
            if name in self.rooms and not self.rooms[name].in_use and name not in self.members.rooms:
                del self.rooms[name]
        self._emptied.clear()

    def silent(self, since: float) -> list[bytes]:
        """Return the peers that were last heard before `since`."""
        return [peer.id for peer in self.peers.values() if peer.heard < since]


def new_room(name: str, topic: str = "", head: int = 0) -> Room:
    """Make a room; of a private one the sessions are remembered to which its events go."""
    return Room(name, topic, head, sessions={} if names.is_private(name) else None)
