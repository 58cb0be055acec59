"""All decisions of the broker, and none of their execution.

`receive` takes one command of one peer and returns effects. `settle` takes the log's outcome for a draft and returns
more effects (`settling.py`). `tick` finds silent peers. Presence (sessions, nicks, rooms) changes while commands are
received, in line order. State that depends on the log changes only in `settle`, after the commit. A reply that tells
such state is a `DeferredReply`: it is decided when its turn comes among the outcomes. So a whole batch can be received
and written in one transaction, and each reply still shows exactly the effects of the lines before it.

No socket, file or clock is used here. The time (`now`, seconds of the monotonic clock) and randomness (`fresh`) are
arguments.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol, cast

from zchat.protocol import links as links_
from zchat.protocol import messages as m

from . import files, later, moderation, presence, queries, reading, speech
from .answers import ANSWER_UNIT, error
from .claiming import Claiming
from .effects import ClientRecord, Cut, DeferredReply, Effect, Query, Reply, Transfer, in_turn
from .elsewhere import Elsewheres
from .entrance import Entrance, Terms, Visit
from .entries import Change, Draft, Due, Numbered, Place, Postponed
from .greeting import Greeting
from .ledger import Ledger
from .members import DAY, Members
from .roster import Roster, new_room
from .sessions import Peer, Session
from .settling import Settling

HANDLERS: dict[type, Callable[..., list[Effect]]] = {
    m.Ping: queries.ping,
    m.AskHistory: queries.history,
    m.Search: queries.search,
    m.AskMentions: queries.mentions,
    **dict.fromkeys(m.BY_COMMAND, speech.speak),
    m.Put: files.put,
    m.Get: files.get,
    m.MarkRead: reading.mark,
    m.AskScheduled: later.scheduled,
    m.Unschedule: later.unschedule,
    m.Join: presence.join,
    m.Part: presence.part,
    m.SetNick: moderation.nick,
    m.Away: presence.away,
    m.Typing: presence.typing,
    m.Who: presence.who,
    m.ListRooms: presence.rooms,
    m.AskMembers: moderation.members,
    m.AskAudit: moderation.audit,
    **dict.fromkeys(
        set(m.NumberedCommand.__args__) - set(m.BY_COMMAND) - {m.MarkRead, m.Unschedule}, moderation.administer
    ),
}


class LogState(Protocol):
    """What a log holds when a hub begins: all that the hub knows of durable things is made of it, and asked of it."""

    id: str
    head: int  # the last `seq` given
    epochs: Sequence[m.Epoch]
    members: Members  # the state of its chain of members; the log goes on with it, and the hub has a copy

    @property
    def began_with(self) -> Sequence[tuple[str, str, int]]:
        """(name, topic, head) of each room."""

    def where(self, seq: int) -> Place | None:
        """Return where an event was said; None if it was in neither room nor conversation."""

    def scheduled(self, from_: str) -> Sequence[Postponed]:
        """Return what somebody has said for later, the soonest first."""


class Hub:
    """The broker's state and decisions: it takes commands and outcomes, and returns effects to be carried out."""

    def __init__(
        self,
        *,
        server: str,
        log: LogState,
        feed: Callable[[str], str],
        heartbeat: float,
        grace: float,
        rate: float,
        capacity: int,
        fresh: Callable[[], str],
        now: float = 0.0,
        source: Callable[[bytes], str] = lambda _: "",
        credential: Callable[[bytes], str] = lambda _: "",
        terms: Terms | None = None,
        links: tuple[str, ...] = (),
        name: str = "",
        keep: float = 0.0,
    ) -> None:
        """Start from the state of the log.

        `fresh` returns 32 new random hexadecimal digits. `capacity` is the greatest number of peers. `heartbeat` and
        `grace` are in seconds. `rate` is in lines per second (0: no limit). `source` returns the source of a peer,
        `credential` what its connection proves ("": nothing), and `feed` the endpoint of the feed for a credential.
        `terms` says who may come in, and `links` are where this broker can be reached over the network. `name` is that
        of this broker among those that share its log; empty: it is alone. `keep` is for how many seconds what is said
        is kept, 0 for ever, where a room does not say.
        """
        self.grace, self.limits = grace, m.Limits(rate=rate, file=m.FILE_MAX, keep=keep / DAY)
        self.members = log.members.copy()
        self.roster = Roster(capacity, rate, self.members)
        self.roster.where, self.roster.scheduled = log.where, log.scheduled
        self.roster.rooms = {room: new_room(room, topic, head) for room, topic, head in log.began_with}
        for room in self.members.rooms:
            self.roster.room(room)
        self.ledger = Ledger()
        self.greeting = Greeting(
            server=server,
            log=log.id,
            feed=feed,
            heartbeat=heartbeat,
            grace=grace,
            limits=self.limits,
            epochs=log.epochs,
            links=links,
            roster=self.roster,
            members=self.members,
            now=now,
        )
        self.entrance = Entrance(self.roster, self.ledger, self.members, terms or Terms(), fresh, self.greeting.welcome)
        self._handlers = HANDLERS | {m.Kick: partial(moderation.kick, self.entrance)}
        self.claiming = Claiming(self.entrance, presence.nick) if name else None
        self.elsewhere = Elsewheres(name, self.entrance, grace, now) if name else None
        self._settling = Settling(self.entrance, self.greeting, self.claiming, log.head)
        self.settle, self.observe = self._settling.settle, self._settling.observe  # here: a call less for each draft
        self.log_bytes = 0
        self._source, self._credential = source, credential
        self._ticked = self._pardon = now

    @property
    def head(self) -> int:
        """The `seq` of the last event of the log, as far as it was settled."""
        return self._settling.head

    def needs_past(self, peer_id: bytes, command: m.AnyCommand | m.Error) -> tuple[str, str] | None:
        """Return the ids of the client and the author whose `ClientRecord` `receive` needs; None if it needs none."""
        if not isinstance(command, m.Hello):
            return None
        return self.entrance.needs_past(self._credential(peer_id), command)

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
        if wait := self._delay(peer, command, now):
            return self._too_much(peer, command, wait)
        if self.claiming is not None and (claim := self.claiming.claim(peer, command, now, wall)):
            return [claim]
        session, handler = peer.session, self._handlers.get(type(command))
        if handler is None or session is None:
            return self._without_session(peer, command, now, wall, past)
        if type(command) is not m.Ping:
            session.active = now
        return handler(self.roster, session, command, now)

    def _delay(self, peer: Peer, command: m.AnyCommand | m.Error, now: float) -> float:
        """Return the seconds for which the rates have a peer wait with a command; 0 if it need not."""
        if peer.session is not None and isinstance(command, m.Put | m.Get):
            return files.delay(peer.session, command, now)
        if not peer.bucket.take(1, now) and type(command) is not m.SayBye:  # a bye is always accepted
            return peer.bucket.wait
        session = peer.session
        if session is not None and isinstance(command, Numbered):
            return 0.0 if self._may_say(session, [command], now) else peer.source.wait
        return 0.0

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
        return speech.draft(self.roster, peer.session, says, cast("m.Say", says[0]).room)

    def _is_stranger(self, peer: Peer) -> bool:
        """Return whether a peer may say nothing but hello: its key is no member's."""
        return (
            links_.is_key(peer.credential)
            and not self.entrance.terms.open
            and self.members.having(peer.credential) is None
        )

    def _may_say(self, session: Session, says: Sequence[Numbered], now: float) -> int:
        """Return how many of these messages the limits of the session's source allow."""
        if not self.limits.rate or not says:
            return len(says)
        size = sum(len(getattr(say, "text", "")) for say in says)
        allowed = session.peer.source.speak(len(says), size, now, session.new_until, session.spoke)
        if allowed:
            session.spoke = now
        return allowed

    def _too_much(self, peer: Peer, command: m.AnyCommand | m.Error, wait: float) -> list[Effect]:
        text = f"more than {self.limits.rate:g} lines a second: send it again later"
        return [Reply(peer.id, error("rate_limited", text, command, retry_after=max(0.001, round(wait, 3))))]

    def due(self, rows: Sequence[Postponed]) -> list[Due]:
        """Draft what was said for later and is to be said now."""
        return later.due(self.roster, rows)

    def may_read(self, query: Query) -> bool:
        """Return whether the answer to a query may still be given: much may have changed for who asked meanwhile."""
        return queries.still_may(self.roster, query, self._credential(query.peer))

    def transferred(self, transfer: Transfer) -> bool | None:
        """Note that a part of a file was stored or read. Return whether that may be told still; None: to nobody."""
        session = files.done(self.roster, transfer)
        return None if session is None else files.still_may(self.roster, session, transfer)

    def invite_owner(self, hash_: str, expires: datetime) -> Change:
        """Return the broker's own invitation for its owner."""
        return Change("", "", [m.Invite(n=1, hash=hash_, role="owner", expires=expires)])

    def status(self, command: m.AskStatus, credential: str, now: float, *, numbers: bool) -> m.Status:
        """Return how the broker is, as it is told to whoever proves this; `numbers`: with what it has counted."""
        return self.greeting.status(command, credential, self.head, self.log_bytes, now, numbers=numbers)

    def begin(self, wall: float = 0.0) -> None:
        """Begin another batch; `wall` is its time in seconds since 1970."""
        self.roster.announced = 0
        self.roster.wall = wall

    def present(self) -> list[bytes]:
        """Return the peers that have a session."""
        return [session.peer.id for session in self.roster.all()]

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
        self.greeting.second(now)

    def remove(self, peer_id: bytes, reason: str) -> list[Effect]:
        """Forget a peer and end its session: free the nick, tell the rooms, tell the peer."""
        peer = self.roster.dismiss(peer_id)
        if peer is None or peer.session is None:
            return []
        told = "timeout" if reason == "slow" else reason  # its rooms are not told the difference
        return [*self.entrance.end(peer.session, told), Reply(peer_id, m.Bye(reason=reason))]

    def forget(self, cut: Cut) -> list[Effect]:
        """Forget the peers whose connections end, with their sessions, if they still have any."""
        effects: list[Effect] = []
        for peer in [self.roster.peers.get(cut.peer)] if cut.peer else list(self.roster.peers.values()):
            if peer is not None and (cut.peer or peer.credential == cut.credential):
                if peer.session is not None:
                    effects += self.entrance.end(peer.session, "kick")
                self.roster.dismiss(peer.id)
        return in_turn(effects)

    def _without_session(
        self, peer: Peer, command: m.AnyCommand | m.Error, now: float, wall: float, past: ClientRecord | None
    ) -> list[Effect]:
        """Process what needs no session (an error, `hello`, `status`, `bye`), comes without one, or has no handler."""
        match command:
            case m.Hello():
                return self.entrance.hello(Visit(peer, command, now, wall, past))
            case _ if peer.session is None and self._is_stranger(peer):
                return [Reply(peer.id, error("not_member", "this key is no member's", command)), Cut(peer.id)]
            case m.Error():
                return [Reply(peer.id, command)]
            case m.AskStatus():
                knows = command.numbers and self.greeting.may_count(peer.credential)
                return [DeferredReply(peer.id, lambda: self.status(command, peer.credential, now, numbers=knows))]
            case m.SayBye():
                return [] if peer.session is None else self.entrance.end(peer.session, "bye", command.reason)
            case _ if peer.session is None:
                refused = error("no_session", "say hello first", command)
            case _:
                refused = error("bad_command", "this broker does not know what to do with it", command)
        return [Reply(peer.id, refused)]
