"""All decisions of the broker, and none of their execution.

`receive` takes one command of one peer and returns effects. `settle` takes the log's outcome for a draft and returns
more effects. `tick` finds silent peers. Presence (sessions, nicks, rooms) changes while commands are received, in line
order. State that depends on the log changes only in `settle`, after the commit. A reply that tells such state is a
`DeferredReply`: it is decided when its turn comes among the outcomes. So a whole batch can be received and written in
one transaction, and each reply still shows exactly the effects of the lines before it.

No socket, file or clock is used here. The time (`now`, seconds of the monotonic clock) and randomness (`fresh`) are
arguments.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import structs

from zchat.protocol import VERSION, names, wire
from zchat.protocol import messages as m

from . import presence, queries, speech
from .answers import ANSWER_UNIT, error
from .budget import NEW_FOR
from .effects import (
    ClientRecord,
    DeferredReply,
    Deliver,
    Draft,
    Effect,
    Outcome,
    Publish,
    Refusal,
    Reply,
    SessionEnded,
    Stored,
)
from .epochs import Epochs
from .ledger import Ledger
from .roster import Roster
from .sessions import Author, Peer, Room, Session

HANDLERS: dict[type, Callable[..., list[Effect]]] = {
    m.Ping: queries.ping,
    m.AskHistory: queries.history,
    m.Search: queries.search,
    m.Say: speech.say,
    m.SetTopic: speech.topic,
    m.Join: presence.join,
    m.Part: presence.part,
    m.SetNick: presence.nick,
    m.Away: presence.away,
    m.Typing: presence.typing,
    m.Who: presence.who,
    m.ListRooms: presence.rooms,
}


def public_id(client: str) -> str:
    """Return the id of a client, a guest's `from`. It is a hash, so that the public id does not reveal the secret."""
    return hashlib.sha256(client.encode()).hexdigest()[:16]


class Hub:
    """The broker's state and decisions: it takes commands and outcomes, and returns effects to be carried out."""

    def __init__(
        self,
        *,
        server: str,
        log: str,
        feed: Callable[[str], str],
        heartbeat: float,
        grace: float,
        rate: float,
        capacity: int,
        fresh: Callable[[], str],
        rooms: Iterable[tuple[str, str, int]] = (),
        head: int = 0,
        epochs: Sequence[m.Epoch] = (),
        now: float = 0.0,
        source: Callable[[bytes], str] = lambda _: "",
        credential: Callable[[bytes], str] = lambda _: "",
    ) -> None:
        """Start from the state of the log: its id, its `head`, its `epochs`, and (name, topic, head) of each room.

        `fresh` returns 32 new random hexadecimal digits. `capacity` is the greatest number of peers. `heartbeat` and
        `grace` are in seconds. `rate` is in lines per second (0: no limit). `source` returns the source of a peer,
        `credential` what its connection proves ("": nothing), and `feed` the endpoint of the feed for a credential.
        """
        self.server, self.log, self._feed = server, log, feed
        self.heartbeat, self.grace = heartbeat, grace
        self.limits = m.Limits(rate=rate)
        self.roster = Roster(capacity, rate)
        self.roster.rooms = {name: Room(name, topic, room_head) for name, topic, room_head in rooms}
        self.ledger = Ledger()
        self.head = head
        self.epochs = Epochs(epochs)
        self.log_bytes = 0
        self._fresh, self._source, self._credential = fresh, source, credential
        self._began = self._ticked = self._pardon = now
        self._stored = 0
        self._counted = now
        self._seconds: deque[tuple[float, int]] = deque(maxlen=60)  # (duration, events stored) of each second

    def needs_past(self, command: m.AnyCommand | m.Error) -> tuple[str, str] | None:
        """Return the ids of the client and the author whose `ClientRecord` `receive` needs; None if it needs none."""
        if not isinstance(command, m.Hello) or command.client is None:
            return None
        id_ = public_id(command.client)
        return None if self.ledger.get(id_) and self.roster.find(id_) else (id_, id_)

    def bears(self, peer_id: bytes, payloads: Sequence[bytes], now: float) -> bool:
        """Return whether to process a peer's frames. If not, the peer floods and has to be disconnected."""
        if not self.limits.rate:
            return True
        lines = len(payloads) + sum(payload.count(b"\n") for payload in payloads)
        size = sum(map(len, payloads))
        peer = self._admit(peer_id, now)
        if peer is None:
            return self.roster.source(self._source(peer_id), now).bears(lines, size, None, now)
        return peer.source.bears(lines, size, peer.bucket, now)

    def receive(
        self,
        peer_id: bytes,
        command: m.AnyCommand | m.Error,
        now: float,
        wall: float = 0.0,
        past: ClientRecord | None = None,
    ) -> list[Effect]:
        """Process one line of one peer: a command, or the error that answers an invalid line.

        `wall` is the wall clock in seconds since 1970, for `welcome`. `past` comes with a `hello` (see `needs_past`).
        """
        peer = self._admit(peer_id, now)
        if peer is None:
            return [Reply(peer_id, error("server_full", "this broker has too many clients already", command))]
        peer.heard = now
        if not peer.bucket.take(1, now) and type(command) is not m.SayBye:  # a bye is always accepted
            return self._too_much(peer, command, peer.bucket.wait)
        session = peer.session
        handler = HANDLERS.get(type(command))
        if handler is None:
            return self._without_session(peer, command, now, wall, past)
        if session is None:
            return [Reply(peer_id, error("no_session", "say hello first", command))]
        if isinstance(command, m.Say | m.SetTopic) and not self._may_say(session, [command], now):
            return self._too_much(peer, command, peer.source.wait)
        if type(command) is not m.Ping:
            session.active = now
        return handler(self.roster, session, command, now)

    def _admit(self, peer_id: bytes, now: float) -> Peer | None:
        return self.roster.peers.get(peer_id) or self._new_peer(peer_id, now)

    def _new_peer(self, peer_id: bytes, now: float) -> Peer | None:
        return self.roster.admit(peer_id, now, self._source(peer_id), self._credential(peer_id))

    def receive_together(
        self, peer_id: bytes, commands: Sequence[m.AnyCommand | m.Error], start: int, now: float
    ) -> Draft | None:
        """Process several commands at once: from `start` on, as many as are plain messages in the same room.

        They become one draft, because one step per line is the main cost of a flood. None: the command at `start` is
        not such a message, and has to go to `receive`.
        """
        peer = self.roster.peers.get(peer_id)
        if peer is None or peer.session is None:
            return None
        says = speech.plain(self.roster, peer.session, commands, start)
        del says[peer.bucket.take(len(says), now) :]
        allowed = self._may_say(peer.session, says, now)
        peer.bucket.charge(allowed - len(says))  # gives back the tokens of those that come again through `receive`
        del says[allowed:]
        if not says:
            return None
        peer.heard = peer.session.active = now
        return speech.draft(peer.session, says, says[0].room)

    def _may_say(self, session: Session, says: Sequence[m.Say | m.SetTopic], now: float) -> int:
        """Return how many of these messages the limits of the session's source allow."""
        if not self.limits.rate or not says:
            return len(says)
        size = sum(len(say.text) for say in says)
        allowed = session.peer.source.speak(len(says), size, now, session.new_until, session.spoke)
        if allowed:
            session.spoke = now
        return allowed

    def _too_much(self, peer: Peer, command: m.AnyCommand | m.Error, wait: float) -> list[Effect]:
        text = f"more than {self.limits.rate:g} lines a second: send it again later"
        return [Reply(peer.id, error("rate_limited", text, command, retry_after=max(0.001, round(wait, 3))))]

    def settle(self, draft: Draft | Refusal, outcome: Outcome) -> list[Effect]:
        """Process the log's outcome for a draft: acks or errors for the sender, events for the subscribers."""
        if type(draft) is Draft and draft.room is not None:
            self.roster.promised.discard(draft.room)
        if type(outcome) is not Stored or type(draft) is not Draft:
            return self.ledger.settle(draft, outcome)
        lines = outcome.lines
        self.head = last = outcome.seq + len(lines) - 1
        self._stored += len(lines)
        acks = self.ledger.acknowledge(draft, outcome.seq)
        if draft.room is None:
            seen_by = self._converse(draft, last)
            return [*(Deliver(draft.peer, ack) for ack in acks), *(Deliver(peer, lines[0]) for peer in seen_by)]
        room = self.roster.rooms.get(draft.room)
        if room is None:
            room = self.roster.rooms[draft.room] = Room(draft.room)
        room.head = last
        if type(draft.commands[0]) is m.SetTopic:
            room.topic = draft.commands[0].text
        return [Publish(draft.peer, acks, draft.room, lines)]

    def begin(self) -> None:
        """Begin another batch."""
        self.roster.announced = 0

    def answered(self, peer_id: bytes, size: int) -> None:
        """Note that a query of this peer was answered, and charge the peer's rate for the size of the reply."""
        peer = self.roster.peers.get(peer_id)
        if peer is not None:
            peer.queries -= 1
            peer.bucket.charge(size / ANSWER_UNIT)

    def tick(self, now: float, read: float) -> list[bytes]:
        """Return the peers that were silent for `grace` seconds. All that had arrived by `read` has been received.

        After a stall of the broker every peer gets a new grace, because the broker could hear nobody.
        """
        if now - self._ticked > self.grace / 2:
            self._pardon = now
        self._ticked = now
        return self.roster.silent(read - self.grace) if read - self._pardon >= self.grace else []

    def second(self, now: float) -> None:
        """Do each second's work: count the events stored in it; forget unneeded rooms, sources and clients."""
        self.roster.sweep(now)
        self.ledger.sweep()
        self._seconds.append((now - self._counted, self._stored))
        self._counted, self._stored = now, 0

    def remove(self, peer_id: bytes, reason: str) -> list[Effect]:
        """Forget a peer and end its session: free the nick, tell the rooms, tell the peer."""
        peer = self.roster.dismiss(peer_id)
        if peer is None or peer.session is None:
            return []
        told = "timeout" if reason == "slow" else reason  # its rooms are not told the difference
        return [*self._end(peer.session, told), Reply(peer_id, m.Bye(reason=reason))]

    def _without_session(
        self, peer: Peer, command: m.AnyCommand | m.Error, now: float, wall: float, past: ClientRecord | None
    ) -> list[Effect]:
        """Process what needs no session: an error, `hello`, `status`, `bye`."""
        match command:
            case m.Error():
                return [Reply(peer.id, command)]
            case m.Hello():
                return self._hello(peer, command, now, wall, past)
            case m.AskStatus():
                return [DeferredReply(peer.id, lambda: self._status(peer, command, now))]
            case m.SayBye() if peer.session is not None:
                return self._end(peer.session, "bye", command.reason)
        return []

    def _hello(self, peer: Peer, hello: m.Hello, now: float, wall: float, past: ClientRecord | None) -> list[Effect]:
        if hello.protocol != VERSION:
            text = f"this broker speaks protocol {VERSION}, not {hello.protocol}"
            return [Reply(peer.id, error("protocol_version", text, hello))]
        if hello.client is not None and self.ledger.foreign(hello.client, public_id(hello.client)):
            text = "another client has the same public id: say hello with another `client`"
            return [Reply(peer.id, error("forbidden", text, hello))]
        session = self._living(hello)
        nick = hello.nick
        if nick is not None:
            author = None if session is None else session.author
            leaving = None if peer.session is None else peer.session.author
            refusal = presence.refuse_nick(self.roster, nick, author, hello, leaving)
            if refusal is not None:
                return [Reply(peer.id, refusal)]
            nick = names.nick(nick)
        if session is None and self._is_new(hello, past) and not peer.source.sessions.take(1, now):
            text = "too many new clients come from the same address or user"
            return [Reply(peer.id, error("rate_limited", text, hello, retry_after=round(peer.source.sessions.wait, 3)))]
        effects: list[Effect] = []
        if peer.session is not None and peer.session is not session:
            effects += self._end(peer.session, "bye")
        if session is None:
            session = self._begin(peer, hello, nick, now, past)
        else:
            effects += self._take_over(session, peer, hello, nick)
        welcome = self._welcome(session, hello, wall)
        return [*effects, DeferredReply(peer.id, lambda: structs.replace(welcome, n=session.producer.committed))]

    def _living(self, hello: m.Hello) -> Session | None:
        """Return the live session that a hello takes over: found by its `client` or by its token."""
        if hello.client is not None:
            session = self.roster.session(public_id(hello.client))
            return session if session is not None and session.producer.secret == hello.client else None
        return None if hello.resume is None else self.roster.resumed(hello.resume)

    def _begin(self, peer: Peer, hello: m.Hello, nick: str | None, now: float, past: ClientRecord | None) -> Session:
        secret = hello.client or self._fresh()
        id_ = public_id(secret)
        producer = self.ledger.open(secret, id_, lambda: past or ClientRecord())
        author = Author(id_, nick, conversations=dict(past.conversations) if past else {})
        session = Session(self._fresh(), self._fresh(), producer, author, peer, nick is None, hello.bot, active=now)
        session.new_until = 0.0 if producer.committed else now + NEW_FOR
        self.roster.enter(session)
        return session

    def _is_new(self, hello: m.Hello, past: ClientRecord | None) -> bool:
        """Return whether the client of a hello is unknown, both in memory and in the log."""
        known = hello.client is not None and self.ledger.get(public_id(hello.client))
        return not known and (past is None or not past.n)

    def _take_over(self, session: Session, peer: Peer, hello: m.Hello, nick: str | None) -> list[Effect]:
        """Move a session to another connection. Its rooms are not told."""
        effects: list[Effect] = []
        if session.peer is not peer:
            effects.append(Reply(session.peer.id, m.Bye(reason="replaced")))
            self.roster.move(session, peer)
        if session.bot != hello.bot:  # the only field of a member that changes without a new `rev`
            session.bot = hello.bot
            for name in session.rooms:
                self.roster.rooms[name].listing = None
        if nick is None:
            return effects
        session.observer = False
        return effects + presence.rename(self.roster, session.author, nick)

    def _end(self, session: Session, reason: str, text: str | None = None) -> list[Effect]:
        effects: list[Effect] = [SessionEnded(session.nick, session.author.from_, reason)]
        for name in list(session.rooms):
            effects += presence.leave(self.roster, session, name, reason, text)
        session.peer.source.charge(presence.cost(len(effects) - 1, len(text or "")))
        self.roster.leave(session)
        self.ledger.depart(session.producer)
        return effects

    def _converse(self, draft: Draft, seq: int) -> list[bytes]:
        """Note the new head of a conversation for both ends. Return the peers that get its new event."""
        here: list[bytes] = []
        one, two = draft.pair or ("", "")
        for from_, other in {one: two, two: one}.items():
            author = self.roster.find(from_)
            if author is not None:
                nick = draft.nick if other == draft.from_ else draft.to
                author.converse(other, nick or "", seq)
                here += [session.peer.id for session in author.sessions]
        return here

    def _welcome(self, session: Session, hello: m.Hello, wall: float) -> m.Welcome:
        return m.Welcome(
            ref=hello.ref,
            protocol=VERSION,
            server=self.server,
            log=self.log,
            session=session.token,
            id=session.id,
            client=session.producer.secret,
            from_=session.author.from_,
            nick=session.nick,
            feed=self._feed(self._credential(session.peer.id)),
            heartbeat=self.heartbeat,
            grace=self.grace,
            n=session.producer.committed,
            limits=self.limits,
            time=wire.timestamp(wall),
            epochs=self.epochs.latest,
            shared=self.epochs.shared(hello.epochs or ()),
        )

    def _status(self, peer: Peer, command: m.AskStatus, now: float) -> m.Status:
        return m.Status(
            ref=command.ref,
            server=self.server,
            uptime=round(now - self._began, 3),
            sessions=self.roster.sessions,
            rooms=sum(1 for room in self.roster.rooms.values() if room.members or room.head),
            head=self.head,
            rate=self._rate(),
            log_bytes=self.log_bytes,
            feed=self._feed(self._credential(peer.id)),
        )

    def _rate(self) -> float:
        """Return the average number of messages stored per second, over the last minute."""
        passed = sum(seconds for seconds, _ in self._seconds)
        return round(sum(stored for _, stored in self._seconds) / passed, 3) if passed else 0.0
