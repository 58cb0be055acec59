"""How somebody comes in, and goes: `hello` begins a session or takes one over, and `end` ends it.

Who somebody is was proved before, by the connection: its credential is a device's key, a user of the broker's machine,
or nothing. A hello can only choose among what that allows.

| credential | the hello | who it is |
|---|---|---|
| of a member | over the network; or with `device`, the member's nick or no nick | the member |
| of a user of this machine | with another nick than the member's | a guest of that nick |
| of a user who is no member | with `device` or `invite` | a new member |
| a key that is no member's | with `invite` | a new member, or one more device of the inviter |
| | else | refused, and cut; a guest, if the broker is open |
| nothing | any | a guest |

A new member is there once its event is in the log. Its welcome follows then.
"""

from collections.abc import Callable

from msgspec import Struct, structs

from zchat.protocol import VERSION, links, names
from zchat.protocol import messages as m
from zchat.protocol.policy import MEMBER, OWNER

from . import afar, announcing, presence, reading
from .answers import error
from .budget import NEW_FOR
from .effects import ClientRecord, Cut, DeferredReply, Effect, Reply, SessionEnded
from .entries import Change, Claim
from .ids import public_id
from .ledger import Ledger, Producer
from .members import Invitation, Member, Members
from .rights import Refused, usable_invitation
from .roster import Roster
from .sessions import GUEST, NICK, Author, Peer, Session

SESSIONS_EACH = 64  # of one member at the same time, at this broker: devices, and programs on them
CUT = frozenset(("banned", "bad_invite", "not_member"))  # refusals after which a key's connection is ended


class Terms(Struct, frozen=True):
    """Who may come in, as the broker was started.

    `open`: every key, as a guest. `guests`: whoever proves nothing. `owners`: the credentials of whoever runs the
    broker. `login` returns the login name of a user of this machine, by the credential.
    """

    open: bool = False
    guests: bool = True
    owners: frozenset[str] = frozenset()
    login: Callable[[str], str] = lambda _: ""


class Visit(Struct, frozen=True):
    """A hello and all that is known when it comes. `rooms` are those of the invitation that was used just now."""

    peer: Peer
    hello: m.Hello
    now: float
    wall: float
    past: ClientRecord | None
    rooms: tuple[str, ...] = ()

    @property
    def has_key(self) -> bool:
        """Whether it came over the network."""
        return links.is_key(self.peer.credential)

    @property
    def id(self) -> str | None:
        """The id of the client, if it says which it is."""
        return None if self.hello.client is None else public_id(self.hello.client)


class Entrance:
    """Begins, takes over and ends sessions. `welcome` makes the reply to a hello."""

    def __init__(
        self,
        roster: Roster,
        ledger: Ledger,
        members: Members,
        terms: Terms,
        fresh: Callable[[], str],
        welcome: Callable[[Session, m.Hello, float], m.Welcome],
    ) -> None:
        self.roster, self.ledger, self.members, self.terms = roster, ledger, members, terms
        self._fresh, self._welcome = fresh, welcome
        self.left: list[str] | None = None  # clients whose sessions have ended, for who wants to know

    def claim_of(self, peer: Peer, hello: m.Hello) -> tuple[m.Hello, Claim]:
        """Return what a hello claims, and the hello with the `client` that it is about."""
        if hello.client is None:
            living = None if hello.resume is None else self.roster.resumed(hello.resume)
            hello = structs.replace(hello, client=self._fresh() if living is None else living.producer.secret)
        member = self.members.having(peer.credential)
        guest = member is None or _is_other(member, peer.credential, hello)
        client = public_id(hello.client or "")
        return hello, Claim(client, hello.nick if guest else None, peer.credential, peer.id)

    def is_refused_anyhow(self, peer: Peer, hello: m.Hello, wall: float) -> bool:
        """Return whether a hello is refused whatever other brokers may have written, as far as can be seen here.

        An invitation or a new device that is not known here may be known to the log already, so these are not judged.
        While nothing is written here, this broker may be the one that is behind.
        """
        visit = Visit(peer, hello, 0.0, wall, None)
        if hello.protocol != VERSION:
            return True
        if self.roster.stalled is not None:
            return False
        try:
            if self._is_to_be_member(visit) or self._member(visit) is not None:
                return False
        except Refused as refused:
            return refused.code != "not_member"
        return isinstance(self._nick(visit, None, self._living(visit, None)), m.Error)

    def needs_past(self, credential: str, hello: m.Hello) -> tuple[str, str] | None:
        """Return the ids of the client and the author whose `ClientRecord` this hello needs; None if it needs none."""
        id_ = "" if hello.client is None else public_id(hello.client)
        member = self.members.having(credential)
        if member is None and hello.invite is not None:
            member = self._owner_of_device(hello.invite)
        from_ = id_ if member is None or _is_other(member, credential, hello) else member.from_
        known = (not id_ or self.ledger.get(id_)) and (not from_ or self.roster.here(from_))
        return None if known else (id_, from_)

    def hello(self, visit: Visit) -> list[Effect]:
        """Begin a session, or take one over; or refuse to."""
        hello = visit.hello
        try:
            if self._is_to_be_member(visit):
                return self._become_member(visit)
            return self._enter(visit, self._member(visit))
        except Refused as refused:
            return self._refuse(visit, error(refused.code, refused.message, hello, limit=refused.limit))

    def _refuse(self, visit: Visit, answer: m.Error) -> list[Effect]:
        """Answer that somebody may not come in; who proves nothing else by its key is cut."""
        peer = visit.peer
        reply = Reply(peer.id, structs.replace(answer, ref=visit.hello.ref))
        return [reply, Cut(peer.id)] if visit.has_key and answer.code in CUT else [reply]

    def end(self, session: Session, reason: str, text: str | None = None) -> list[Effect]:
        """End a session, and tell its rooms."""
        effects: list[Effect] = [SessionEnded(session.nick, session.author.from_, reason)]
        if reason == announcing.MOVED:
            afar.linger(self.roster, session)
        for name in list(session.rooms):
            effects += announcing.leave(self.roster, session, name, reason, text)
        session.peer.source.charge(announcing.cost(len(effects) - 1, len(text or "")))
        announcing.note_left(self.roster, session.author, NICK, reason)
        self.roster.leave(session)
        effects += afar.settle(self.roster, session.author)
        effects += announcing.rivals(self.roster, session.nick)
        self.ledger.depart(session.producer)
        if self.left is not None:
            self.left.append(session.producer.id)
        return effects

    # -- who it is

    def _is_to_be_member(self, visit: Visit) -> bool:
        """Return whether somebody who is no member is to become one. Raises Refused if it may not even say hello."""
        peer, hello = visit.peer, visit.hello
        if hello.protocol != VERSION:
            raise Refused("protocol_version", f"this broker speaks protocol {VERSION}, not {hello.protocol}")
        if visit.id is not None and self.ledger.foreign(hello.client or "", visit.id):
            raise Refused("forbidden", "another client has the same public id: say hello with another `client`")
        ban = self.members.ban(peer.credential, visit.wall)
        if ban is not None:
            raise Refused("banned", f"you are banned from this broker{': ' if ban.reason else ''}{ban.reason}")
        if self.members.having(peer.credential) is not None:
            return False
        vouched = bool(peer.credential) and not visit.has_key  # by the kernel
        return hello.invite is not None or (vouched and hello.device is not None)

    def _member(self, visit: Visit) -> Member | None:
        """Return the member that somebody comes as; None for a guest. Raises Refused if there are no guests."""
        credential = visit.peer.credential
        member = self.members.having(credential)
        if member is not None and not _is_other(member, credential, visit.hello):
            return member
        if visit.has_key and not self.terms.open:
            raise Refused("not_member", "this key is no member's")
        if not visit.has_key and not self.terms.guests:
            how = "come in as a member" if member is None else f"come in as {member.nick}, without another nick"
            raise Refused("not_member", f"this broker has no guests: {how}")
        return None

    def _become_member(self, visit: Visit) -> list[Effect]:
        """Have the log make a member of somebody; the hello goes on once it has."""
        peer, hello = visit.peer, visit.hello
        if not peer.credential:
            raise Refused("not_member", "an invitation needs a key, or `ipc`: over this connection you prove nothing")
        nick = hello.nick or ("" if visit.has_key else self.terms.login(peer.credential))
        if hello.invite is not None:
            usable_invitation(self.members, links.invitation_hash(hello.invite), visit.wall)
        if not nick and self._owner_of_device(hello.invite or "") is None:
            raise Refused("bad_nick", "a new member needs a nick: say who you want to be (`--nick`)")
        before = (None if visit.id is None else self.roster.session(visit.id)) or peer.session
        refusal = presence.refuse_nick(self.roster, nick, None, hello, None if before is None else before.author)
        owner = self._owner_of_device(hello.invite or "")
        if refusal is not None and owner is None:
            return [Reply(peer.id, refusal)]
        self._check_client(visit, owner)
        if owner is None:
            self.roster.nicks.claimed[nick] = None

        def done(event: m.Administrative) -> list[Effect]:
            self.roster.nicks.claimed.pop(nick, None)
            member = self.members.having(peer.credential)
            if member is None or self.roster.peers.get(peer.id) is not peer:
                return []
            invitation = self.members.invitations.get(getattr(event, "hash", None) or "")
            return self._come_in(visit, member, invitation, event.change == "joined")

        def refused(answer: m.Error) -> list[Effect]:
            self.roster.nicks.claimed.pop(nick, None)
            return self._refuse(visit, answer)

        role = OWNER if peer.credential in self.terms.owners else MEMBER
        credential, from_ = peer.credential, self._fresh()[-16:]
        then = self.roster.continue_with(done, refused)
        # one more device of a member has its nick, whatever it says
        named = nick if owner is None else ""
        invitation = "" if hello.invite is None else links.invitation_hash(hello.invite)
        said, comes = m.Hello(protocol=hello.protocol, device=hello.device), visit.id or ""
        change = Change(from_, named, [said], peer.id, credential=credential, role=role, continuation=then)
        return [structs.replace(change, comes=comes, invitation=invitation)]

    def _come_in(
        self, visit: Visit, member: Member, invitation: Invitation | None, is_new: bool
    ) -> list[Effect]:  # fmt: skip
        """Let in whom the log has made a member, or a device of one. What it said as a guest was another's."""
        rooms = () if invitation is None else invitation.rooms
        shown = tuple(room for room in rooms if self.members.sees(member.from_, room))
        past = (
            structs.replace(visit.past, conversations={}, read={}) if visit.past is not None and is_new else visit.past
        )
        try:
            return self._enter(structs.replace(visit, rooms=shown, past=past), member)
        except Refused as refused:
            answer = error(refused.code, refused.message, visit.hello, limit=refused.limit)
            return self._refuse(visit, answer)

    def _owner_of_device(self, code: str) -> Member | None:
        """Return the member to whom whoever comes with this invitation is one more device."""
        invitation = self.members.invitations.get(links.invitation_hash(code))
        return None if invitation is None or not invitation.device else self.members.get(invitation.by)

    # -- its session

    def _enter(self, visit: Visit, member: Member | None) -> list[Effect]:
        """Begin a session, or take one over, as a member or as a guest. Raises Refused."""
        peer, hello = visit.peer, visit.hello
        self._check_client(visit, member)
        session = self._living(visit, member)
        nick = self._nick(visit, member, session)
        if isinstance(nick, m.Error):
            return [Reply(peer.id, nick)]
        if session is None and (wait := self._check_room_for(visit, member)):
            text = "too many new clients come from the same address or user"
            return [Reply(peer.id, error("rate_limited", text, hello, retry_after=wait))]
        effects: list[Effect] = []
        usurped = None if visit.id is None else self.roster.session(visit.id)
        for other in dict.fromkeys((peer.session, usurped)):
            if other is not None and other is not session:
                effects += self._replace(other, peer)
        if session is None:
            session, told = self._begin(visit, member, nick)
            effects += told
        else:
            effects += self._take_over(session, peer, hello, nick)
        welcome, producer = (
            structs.replace(self._welcome(session, hello, visit.wall), rooms=visit.rooms),
            session.producer,
        )

        def answer() -> m.Welcome:
            return structs.replace(welcome, n=producer.committed, read=reading.marks(self.roster, session))

        return [*effects, DeferredReply(peer.id, answer)]

    def _check_client(self, visit: Visit, member: Member | None) -> None:
        """Raise Refused if the `client` is that of another member, or if a guest's `from` would be a member's."""
        known = None if visit.id is None else self.ledger.get(visit.id)
        owner = known.author if known is not None else "" if visit.past is None else visit.past.author
        poses = member is None and visit.id is not None and self.members.get(visit.id) is not None
        if poses or owner not in ("", None if member is None else member.from_):
            raise Refused("forbidden", "this `client` is a member's: say hello with another one")

    def _living(self, visit: Visit, member: Member | None) -> Session | None:
        """Return the session that a hello takes over: the author's, found by its `client` or by its token."""
        hello = visit.hello
        if visit.id is not None:
            session = self.roster.session(visit.id)
        else:
            session = None if hello.resume is None else self.roster.resumed(hello.resume)
        if session is None or (hello.client is not None and session.producer.secret != hello.client):
            return None
        same = not session.author.is_member if member is None else session.author.from_ == member.from_
        return session if same else None

    def _replace(self, session: Session, peer: Peer) -> list[Effect]:
        """End a session in whose place another one begins."""
        told: list[Effect] = [] if session.peer is peer else [Reply(session.peer.id, m.Bye(reason="replaced"))]
        return [*self.end(session, "bye"), *told]

    def _nick(self, visit: Visit, member: Member | None, session: Session | None) -> str | m.Error | None:
        """Return the nick of the session, None for an observer; or the error that refuses it."""
        hello, peer = visit.hello, visit.peer
        if member is not None:
            return None if hello.nick is None and hello.device is None else member.nick
        if hello.nick is None:
            return None
        author = None if session is None else session.author
        leaving = None if peer.session is None else peer.session.author
        refusal = presence.refuse_nick(self.roster, hello.nick, author, hello, leaving)
        return names.nick(hello.nick) if refusal is None else refusal

    def _check_room_for(self, visit: Visit, member: Member | None) -> float:
        """Return the seconds that a new guest has to wait. Raises Refused if a member is here too often."""
        if member is not None:
            author = self.roster.find(member.from_)
            if author is not None and len(author.sessions) >= SESSIONS_EACH:
                raise Refused("forbidden", "you are here too often already", SESSIONS_EACH)
            return 0.0
        sessions = visit.peer.source.sessions
        known = visit.id is not None and self.ledger.get(visit.id)
        is_new = not known and (visit.past is None or not visit.past.n)
        return round(sessions.wait, 3) if is_new and not sessions.take(1, visit.now) else 0.0

    def _begin(self, visit: Visit, member: Member | None, nick: str | None) -> tuple[Session, list[Effect]]:
        """Begin a session. Return also what rooms are told, if its author is in them at another broker."""
        hello, past = visit.hello, visit.past
        secret = hello.client or self._fresh()
        producer = self.ledger.open(secret, public_id(secret), lambda: past or ClientRecord())
        author = self._author(producer, member, nick, past)
        session = Session(self._fresh(), self._fresh(), producer, author, visit.peer, nick is None, hello.bot)
        session.active = visit.now
        session.new_until = 0.0 if producer.committed or member is not None else visit.now + NEW_FOR
        told = [] if nick is None else announcing.rename(self.roster, author, nick)
        self.roster.enter(session)
        return session, told + announcing.rivals(self.roster, session.nick)

    def _author(
        self, producer: Producer, member: Member | None, nick: str | None, past: ClientRecord | None
    ) -> Author:  # fmt: skip
        """Return whom others see: the member, who may be here already, or a guest."""
        if member is not None:
            producer.author, nick = member.from_, member.nick
        from_, role = (producer.id, GUEST) if member is None else (member.from_, member.role)
        author = self.roster.find(from_) or Author(from_, nick, role)
        if not author.sessions:
            author.conversations = {} if past is None else dict(past.conversations)
            author.read = {} if past is None else dict(past.read)
        return author

    def _take_over(self, session: Session, peer: Peer, hello: m.Hello, nick: str | None) -> list[Effect]:
        """Move a session to another connection. Its rooms are not told."""
        effects: list[Effect] = []
        if session.peer is not peer:
            effects.append(Reply(session.peer.id, m.Bye(reason="replaced")))
            self.roster.move(session, peer)
        if session.bot != hello.bot:  # the only field in a roster that changes without a new `rev`
            session.bot = hello.bot
            self.roster.mark(session.author)
            for name in session.rooms:
                self.roster.rooms[name].listing = None
        if nick is None:
            return effects
        self.roster.appear(session)
        effects += announcing.rivals(self.roster, session.nick)
        return effects + announcing.rename(self.roster, session.author, nick)


def _is_other(member: Member, credential: str, hello: m.Hello) -> bool:
    """Return whether a user of this machine wants to be somebody else than the member that it is."""
    if links.is_key(credential) or hello.nick is None:
        return False
    try:
        return names.nick_key(hello.nick) != names.nick_key(member.nick)
    except names.BadNameError:
        return True
