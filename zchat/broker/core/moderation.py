"""The handlers of what is about members and about access to rooms; and what follows once the log has taken a change.

A numbered command becomes a `Change`, which the log decides (`administration.py`). When its event is in the log, the
state changes, and so does who is here: whoever is banned is sent away, whoever is expelled leaves the room. Those whom
it concerns are sent the event.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Raw, structs

from zchat.protocol import messages as m
from zchat.protocol import names, wire
from zchat.protocol.policy import MODERATOR, RANKS, may

from . import announcing, bus, ledger, presence
from .answers import charge, refuse
from .effects import Cut, DeferredReply, Effect, Query, Reply, Send
from .entrance import Entrance
from .entries import Change
from .members import Member
from .queries import ask
from .rights import Refused, check_fields, need, room_name
from .roster import Roster
from .sessions import Author, Session
from .speech import take_refused

LISTED_MEMBER = 512  # bytes at most that a member takes in a reply, without its devices
ANNOUNCING = {"invited", "revoked"}  # changes of which only the author is told: moderators have the audit
OF_A_ROOM = {"mode", "keep", "operator"}  # of these all who are in the room are told: they change what one may do there


def administer(roster: Roster, session: Session, command: Any, now: float) -> list[Effect]:
    """Hand a numbered command to the log."""
    if wrong := _incomplete(command):
        return refuse(session, command, "bad_command", wrong)
    producer = session.producer
    if command.n != producer.accepted + 1 and (early := ledger.check(producer, session.peer.id, command)):
        return [early]
    try:
        check_fields(command)
    except Refused as refused:
        return take_refused(session, command, (refused.code, refused.message, refused.limit))
    producer.accepted = command.n
    target = roster.find(getattr(command, "from_", None) or "")
    author, peer = session.author, session.peer
    return [
        Change(
            author.from_,
            author.nick or "",
            [command],
            peer.id,
            producer=producer.id,
            credential=peer.credential,
            target_nick="" if target is None else target.nick or "",
            target_credential="" if target is None else target.credential,
        )
    ]


def _incomplete(command: m.NumberedCommand) -> str:
    """Return what is missing in a command, or too much, so that it does not take its number; "" if nothing is."""
    match command:
        case m.Ban() | m.Unban() if (command.from_ is None) == (command.credential is None):
            return "it wants either a `from` or a `credential`"
        case m.SetAccess():
            given = (command.mode, command.admit, command.expel, command.operator, command.keep)
            if sum(each is not None for each in given) != 1:
                return "access wants one of `mode`, `admit`, `expel`, `operator` and `keep`"
    return ""


def nick(roster: Roster, session: Session, command: m.SetNick, now: float) -> list[Effect]:
    """Change a nick: a guest's at once, a member's once it is in the log."""
    author, peer = session.author, session.peer
    if not author.is_member or session.nick is None:
        return presence.nick(roster, session, command, now)
    refusal = presence.refuse_nick(roster, command.nick, author, command)
    if refusal is not None:
        return [Reply(peer.id, refusal)]

    roster.nicks.claimed[command.nick] = None

    def done(event: m.Administrative) -> list[Effect]:
        roster.nicks.claimed.pop(command.nick, None)
        return [Reply(peer.id, m.Renamed(nick=event.nick or "", ref=command.ref))]

    def refused(answer: m.Error) -> list[Effect]:
        roster.nicks.claimed.pop(command.nick, None)
        return [Reply(peer.id, m.Error(code=answer.code, message=answer.message, ref=command.ref))]

    then = roster.continue_with(done, refused)
    nick = author.nick or ""
    return [Change(author.from_, nick, [command], peer.id, credential=peer.credential, continuation=then)]


# -- questions


def members(roster: Roster, session: Session, command: m.AskMembers, now: float) -> list[Effect]:
    author = session.author
    if not may(author.role, "members"):
        return refuse(session, command, "forbidden", "only members may see who the members are")
    after = command.after or ""
    limit = min(command.limit, wire.ANSWER_MAX // LISTED_MEMBER)
    charge(session, limit, limit * LISTED_MEMBER)

    def answer() -> m.Members:
        all_ = sorted(from_ for from_ in roster.members.members if from_ > after)
        found: list[m.MemberInfo] = []
        size = 0
        for from_ in all_[:limit]:
            one = _described(roster, author, roster.members.members[from_])
            size += len(wire.encode(one))
            if found and size > wire.ANSWER_MAX - 8 * 1024:
                break
            found.append(one)
        return m.Members(members=tuple(found), more=len(found) < len(all_), ref=command.ref)

    return [DeferredReply(session.peer.id, answer)]


def _described(roster: Roster, asker: Author, member: Member) -> m.MemberInfo:
    """Return what one member is told of another; of devices, only if they are its own or it may take them away."""
    devices = None
    if member.from_ == asker.from_ or may(asker.role, "revoke_keys", member.role):
        devices = tuple(m.DeviceInfo(credential=key, name=name) for key, name in member.credentials.items())
    here = roster.find(member.from_)
    present = here is not None and here.is_present
    seen = roster.seen.get(member.from_)
    return m.MemberInfo(
        from_=member.from_,
        nick=member.nick,
        role=member.role,
        since=member.since,
        seen=None if seen is None else wire.timestamp(seen),
        present=present,
        banned=roster.members.ban("", roster.wall, member.from_) is not None,
        muted=roster.members.mute(member.from_, None, roster.wall) is not None,
        devices=devices,
    )


def audit(roster: Roster, session: Session, command: m.AskAudit, now: float) -> list[Effect]:
    if not may(session.author.role, "audit"):
        return refuse(session, command, "forbidden", "only moderators and owners may see this")
    if command.after is not None and command.before is not None:
        return refuse(session, command, "bad_command", "audit wants `after` or `before`, not both")
    query = Query(
        peer=session.peer.id,
        ref=command.ref,
        asked=now,
        audit=True,
        asker=session.author.from_,
        visible=frozenset(roster.members.private_rooms(session.author.from_)),
        after=command.after,
        before=command.before,
        limit=command.limit,
    )
    return ask(session, command, query)


def kick(entrance: Entrance, roster: Roster, session: Session, command: m.Kick, now: float) -> list[Effect]:
    """End somebody's sessions; with a room, only their stay there."""
    target = roster.nicks.named(command.nick) if command.nick is not None else roster.find(command.from_ or "")
    try:
        room = None if command.room is None else room_name(command.room)
        if target is None or (command.nick is None) == (command.from_ is None):
            need("kick", session.author.role)
            return refuse(session, command, "unknown_nick", "nobody here is meant by this: say one nick, or one `from`")
        if room is None or not roster.members.operates(session.author.from_, room):
            need("kick", session.author.role, target.role)
    except Refused as refused:
        return refuse(session, command, refused.code, refused.message)
    if room is not None and not roster.members.sees(session.author.from_, room):
        return refuse(session, command, "unknown_room", f"there is no room {room} that you were let into")
    told = bus.Kicked("", target.from_, session.author.nick, room, command.reason)
    if target.far is not None and roster.marks is not None:
        roster.marks.told.append(structs.replace(told, broker=roster.marks.name))
    return [*kicked(entrance, target, told), Reply(session.peer.id, m.Ok(ref=command.ref))]


def kicked(entrance: Entrance, target: Author, told: bus.Kicked) -> list[Effect]:
    """Do to the sessions here what a moderator told to do."""
    if told.room is None:
        return send_away(entrance, target.sessions, "kick", told.text, told.by)
    return _leave(entrance.roster, target, told.room, told.by, told.text)


def _leave(roster: Roster, author: Author, room: str, by: str | None, text: str | None = None) -> list[Effect]:
    """Make all sessions of an author leave a room."""
    effects: list[Effect] = []
    for session in author.sessions:
        if room in session.rooms:
            effects += announcing.leave(roster, session, room, "kick", text)
            effects.append(Reply(session.peer.id, m.Parted(room=room, by=by, text=text)))
    return effects


def send_away(
    entrance: Entrance, sessions: Iterable[Session], reason: str, text: str | None, by: str | None = None
) -> list[Effect]:  # fmt: skip
    """End sessions and their connections, and tell them why."""
    effects: list[Effect] = []
    for session in list(sessions):
        effects += entrance.end(session, "kick", text)
        effects += [Reply(session.peer.id, m.Bye(reason=reason, by=by, text=text)), Cut(session.peer.id)]
    return effects


# -- the audit


def redacted(line: Raw, visible: frozenset[str]) -> Raw:
    """Return a line of the chain as somebody may see it: a private room that is not there for them is called +."""
    event = wire.event(line)
    if not isinstance(event, m.Administrative):
        return line
    hidden = [name for name in (event.room or "", *getattr(event, "rooms", ())) if names.is_private(name)]
    if visible.issuperset(hidden):
        return line
    changes: dict[str, Any] = {"room": _masked(event.room, visible)} if event.room is not None else {}
    if isinstance(event, m.MemberChanged):
        changes["rooms"] = tuple(_masked(name, visible) for name in event.rooms)
    return Raw(wire.encode(structs.replace(event, **changes)))


def _masked(room: str, visible: frozenset[str]) -> str:
    return room if room in visible or not names.is_private(room) else names.PRIVATE


# -- what follows from an event


def consequences(entrance: Entrance, event: m.Administrative, line: bytes) -> list[Effect]:
    """Return what follows from an event that was applied: who is told, and what changes for those who are here."""
    told = [session.peer.id for author in _concerned(entrance, event) for session in author.sessions]
    effects: list[Effect] = [Send(told, [line])] if told else []
    follow = _CONSEQUENCES.get(event.change)
    return effects + follow(entrance, event) if follow is not None else effects


def _concerned(entrance: Entrance, event: m.Administrative) -> Iterable[Author]:
    """Return those here who are sent an event; never somebody for whom its room is not there."""
    roster, members = entrance.roster, entrance.members
    room = event.room or ""
    if names.is_private(room) and isinstance(event, m.AccessChanged):
        access = members.rooms.get(room)
        wanted = {*(access.admitted if access is not None else ()), event.from_ or ""}
        return [author for from_ in wanted if (author := roster.find(from_)) is not None]
    wanted_roles = (
        () if event.change in ANNOUNCING else [one for one, rank in RANKS.items() if rank >= RANKS[MODERATOR]]
    )
    people = [one for one in roster.present() if one.role in wanted_roles]
    if event.change in OF_A_ROOM and room in roster.rooms:
        people += roster.rooms[room].members.values()
    own = [author for from_ in {event.from_ or "", event.by} if (author := roster.find(from_)) is not None]
    return [one for one in dict.fromkeys([*people, *own]) if not room or members.sees(one.from_, room)]


def _banned(entrance: Entrance, event: m.MemberChanged) -> list[Effect]:
    members = entrance.members
    known = members.get(event.from_ or "")  # a ban of one of its credentials is none of the others
    credentials = {event.credential} if known is None else set(known.credentials)
    gone = [one for one in entrance.roster.all() if one.peer.credential and one.peer.credential in credentials]
    if known is not None and (author := entrance.roster.find(known.from_)) is not None:
        gone += [one for one in author.sessions if one not in gone]
    effects = send_away(entrance, gone, "banned", event.reason, event.by_nick or None)
    return [*effects, *(Cut(credential=credential) for credential in sorted(filter(None, credentials)))]


def _removed(entrance: Entrance, event: m.MemberChanged) -> list[Effect]:
    gone = [one for one in entrance.roster.all() if one.peer.credential == event.credential]
    effects = send_away(entrance, gone, "kick", "this device was removed from its member")
    return [*effects, Cut(credential=event.credential or "")]


def _renamed(entrance: Entrance, event: m.MemberChanged) -> list[Effect]:
    author = entrance.roster.find(event.from_ or "")
    return [] if author is None else announcing.rename(entrance.roster, author, event.nick or "")


def _role(entrance: Entrance, event: m.MemberChanged) -> list[Effect]:
    author = entrance.roster.find(event.from_ or "")
    if author is not None:
        author.role = event.role or author.role
        entrance.roster.mark(author)
        for room in entrance.roster.rooms.values():
            if author.from_ in room.members:
                room.listing = None
    return []


def _expelled(entrance: Entrance, event: m.AccessChanged) -> list[Effect]:
    author = entrance.roster.find(event.from_ or "")
    return [] if author is None else _leave(entrance.roster, author, event.room, event.by_nick or None)


def _room_set(entrance: Entrance, event: m.AccessChanged) -> list[Effect]:
    entrance.roster.room(event.room)
    return _operators(entrance, event)


def _operators(entrance: Entrance, event: m.AccessChanged) -> list[Effect]:
    room = entrance.roster.rooms.get(event.room)
    if room is not None:
        room.listing = None  # they change without a `rev`
    return []


_CONSEQUENCES: dict[str, Callable[[Entrance, Any], list[Effect]]] = {
    "banned": _banned,
    "removed": _removed,
    "nick": _renamed,
    "role": _role,
    "expelled": _expelled,
    "mode": _room_set,
    "keep": _room_set,
    "operator": _operators,
}
