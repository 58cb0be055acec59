"""What becomes of a command about members or access to rooms: an event, or a refusal.

`decide` is asked by the log, in the order in which it stores. So of two commands that contradict each other the first
one counts, whoever decided them: an invitation with one use lets in one, and of two owners who unmake each other one
remains. Nothing is looked at but the state of the chain and the command. What somebody may do is asked in `rights.py`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from zchat.protocol import links, names
from zchat.protocol import messages as m
from zchat.protocol.policy import MEMBER, OWNER, one

from .entries import Change
from .members import Invitation, Member, Members
from .rights import Refused, check_proof, free_nick, need, no_such_room, room_name, told_time, usable_invitation

INVITATION_LASTS = 7 * 86_400.0  # s, where the inviter does not say
INVITATIONS_EACH = 100  # usable ones that one member may have made
MEMBERS_MAX = 100_000
DEVICES_MAX = 32  # credentials of one member
FORMER_MAX = 10  # nicks that are kept for a member that gave them up
ADMITTED_MAX = 1_000  # members of one private room: each gets every message by itself


def decide(members: Members, change: Change, wall: float) -> m.Administrative | m.Error:
    """Return the event of a change, without `seq`, `prev` and `time`; or the error that refuses it.

    `wall` is the time of the batch, in seconds since 1970.
    """
    command = change.commands[0]
    try:
        _let_in(members, change, wall)
        return _DECISIONS[type(command)](members, change, command, wall)
    except Refused as refused:
        n: int | None = getattr(command, "n", None)
        return m.Error(code=refused.code, message=refused.message, limit=refused.limit, n=n)


def _let_in(members: Members, change: Change, wall: float) -> None:
    """Raise Refused if the author was banned meanwhile, or its device removed."""
    check_proof(members, change.from_, change.credential)
    if members.bans and (members.ban("", wall, change.from_) or members.is_banned(change.credential, wall)):
        raise Refused("banned", "you are banned from this broker")


def _by(members: Members, change: Change) -> dict[str, str]:
    """Return who did it, as the fields of an event. The nick is the present one."""
    known = members.get(change.from_)
    return {"by": change.from_, "by_nick": change.nick if known is None else known.nick}


def _role_of(members: Members, change: Change) -> str:
    return OWNER if not change.from_ else members.role(change.from_)  # "": the broker itself


def _member(members: Members, from_: str | None) -> Member:
    known = members.get(from_ or "")
    if known is None:
        raise Refused("unknown_member", "there is no member with this `from`")
    return known


def _until(until: datetime | None) -> str | None:
    return None if until is None else told_time(until.timestamp())


def _event(change: str, **fields: Any) -> m.MemberChanged:
    return m.MemberChanged(seq=0, prev=0, time="", change=change, **fields)


# -- who comes in


def _invite(members: Members, change: Change, command: m.Invite, wall: float) -> m.MemberChanged:
    role = _role_of(members, change)
    need("invite", role, MEMBER if command.self_ else command.role)
    if command.hash in members.invitations:
        raise Refused("forbidden", "there is an invitation with this hash already")
    own = sum(1 for hash_, one in members.invitations.items() if one.by == change.from_ and members.usable(hash_, wall))
    if own >= INVITATIONS_EACH:
        raise Refused("forbidden", "you have made many invitations that nobody used: revoke some", INVITATIONS_EACH)
    expires = command.expires.timestamp() if command.expires is not None else wall + INVITATION_LASTS
    return _event(
        "invited",
        **_by(members, change),
        from_=change.from_ if command.self_ else None,
        hash=command.hash,
        role=None if command.self_ else command.role,
        uses=command.uses,
        expires=told_time(expires),
        rooms=tuple(_invited_to(members, change, room) for room in command.rooms),
    )


def _invited_to(members: Members, change: Change, room: str) -> str:
    """Return the prepared name of a room to which somebody is invited; a private one only by who operates it."""
    name = room_name(room)
    if names.is_private(name):
        _operated(members, change, name)
    return name


def _revoke(members: Members, change: Change, command: m.Revoke, wall: float) -> m.MemberChanged:
    known = members.invitations.get(command.hash)
    if known is None or not members.usable(command.hash, wall):
        raise Refused("bad_invite", "there is no such invitation, or it is used up or expired")
    if known.by != change.from_:
        need("revoke_keys", _role_of(members, change))
    return _event("revoked", **_by(members, change), hash=command.hash)


def _hello(members: Members, change: Change, command: m.Hello, wall: float) -> m.MemberChanged:
    """Let somebody in who is no member yet: by an invitation, or because the kernel tells who it is."""
    if members.having(change.credential) is not None:
        raise Refused("unavailable", "you came in by another connection meanwhile: say hello again")
    device = command.device or ""
    if not change.invitation:
        fields: dict[str, Any] = {"role": change.role}
    else:
        invitation = usable_invitation(members, change.invitation, wall)
        inviter = members.get(invitation.by)
        fields = {"role": invitation.role, "hash": change.invitation, "by": invitation.by}
        if inviter is not None:
            fields["by_nick"] = inviter.nick
        if invitation.device:
            return _device(members, change, device, fields)
        _check_rooms(members, invitation)
    if len(members.members) >= MEMBERS_MAX:
        raise Refused("forbidden", "this broker has too many members already", MEMBERS_MAX)
    nick = free_nick(members, change.nick, None, wall)
    return _event("joined", **fields, from_=change.from_, nick=nick, credential=change.credential, device=device)


def _check_rooms(members: Members, invitation: Invitation) -> None:
    """Raise Refused if an invitation leads into a private room that is full."""
    for room in invitation.rooms:
        if members.operates(invitation.by, room) and len(members.rooms[room].admitted) >= ADMITTED_MAX:
            text = "too many members are in a room to which this invitation leads: ask for another one"
            raise Refused("forbidden", text, ADMITTED_MAX)


def _device(members: Members, change: Change, device: str, fields: dict[str, Any]) -> m.MemberChanged:
    """Add a device to the member who has made the invitation."""
    owner = _member(members, fields["by"])
    if len(owner.credentials) >= DEVICES_MAX:
        raise Refused("forbidden", "this member has too many devices: remove one first", DEVICES_MAX)
    fields = fields | {"from_": owner.from_, "nick": owner.nick, "role": owner.role}
    return _event("device", **fields, credential=change.credential, device=device)


# -- members


def _nick(members: Members, change: Change, command: m.SetNick, wall: float) -> m.MemberChanged:
    known = _member(members, change.from_)
    nick = free_nick(members, command.nick, known.from_, wall)
    if members.named(nick, wall) is None and members.former(known.from_, wall) >= FORMER_MAX:
        raise Refused("forbidden", "you have had many nicks of late, which are all kept for you", FORMER_MAX)
    return _event("nick", **_by(members, change), from_=known.from_, nick=nick)


def _role(members: Members, change: Change, command: m.SetRole, wall: float) -> m.MemberChanged:
    known = _member(members, command.from_)
    need("role", _role_of(members, change), known.role)
    if known.role == OWNER and command.role != OWNER and not members.other_owners(known.from_, wall):
        raise Refused("forbidden", "this is the last owner: make another one first")
    if known.role == command.role:
        raise Refused("forbidden", f"{known.nick} is {one(known.role)} already")
    return _event("role", **_by(members, change), from_=known.from_, nick=known.nick, role=command.role)


def _credential(members: Members, change: Change, command: m.RemoveCredential, wall: float) -> m.MemberChanged:
    known = _member(members, command.from_)
    if known.from_ != change.from_:
        need("revoke_keys", _role_of(members, change), known.role)
    if command.remove not in known.credentials:
        raise Refused("unknown_member", f"{known.nick} has no such device")
    left = [one for one in known.credentials if one != command.remove and not members.is_banned(one, wall)]
    if known.role == OWNER and not left and not members.other_owners(known.from_, wall):
        raise Refused("forbidden", "this is the last device of the last owner: add another one first")
    device = known.credentials[command.remove]
    return _event(
        "removed", **_by(members, change), from_=known.from_, nick=known.nick, credential=command.remove, device=device
    )


# -- moderation


def _subject(members: Members, change: Change, from_: str | None, credential: str | None) -> dict[str, str | None]:
    """Return whom a ban is about, as the fields of an event."""
    if credential is not None:
        known = members.having(credential)
        return {"credential": credential, "nick": None if known is None else known.nick}
    known = members.get(from_ or "")
    if known is not None:
        return {"from_": known.from_, "nick": known.nick}
    if not links.is_key(change.target_credential):
        text = "no member has this `from`, and a guest of the broker's machine proves nothing: kick or mute it"
        raise Refused("unknown_member", text)
    return {"credential": change.target_credential, "nick": change.target_nick}


def _rank(members: Members, subject: dict[str, str | None]) -> str:
    """Return the role of the subject of a ban."""
    known = members.having(subject.get("credential") or "") or members.get(subject.get("from_") or "")
    return "guest" if known is None else known.role


def _ban(members: Members, change: Change, command: m.Ban, wall: float) -> m.MemberChanged:
    subject = _subject(members, change, command.from_, command.credential)
    need("ban", _role_of(members, change), _rank(members, subject))
    own = members.get(change.from_)
    if own is not None and (command.from_ == own.from_ or subject.get("credential") in own.credentials):
        raise Refused("forbidden", "you cannot ban yourself")
    until, reason = _until(command.until), command.reason
    return _event("banned", **_by(members, change), **subject, until=until, reason=reason)


def _unban(members: Members, change: Change, command: m.Unban, wall: float) -> m.MemberChanged:
    known = members.get(command.from_ or "")
    nick = None if known is None else known.nick
    subject = {"from_": command.from_, "credential": command.credential, "nick": nick}
    need("ban", _role_of(members, change), _rank(members, subject))
    ban = members.bans.get(command.from_ or command.credential or "")
    if ban is None:
        raise Refused("unknown_member", "there is no such ban")
    need("ban", _role_of(members, change), members.role(ban.by))
    return _event("unbanned", **_by(members, change), **subject, reason=command.reason)


def _mute(members: Members, change: Change, command: m.Mute, wall: float) -> m.MemberChanged:
    fields = _silenced(members, change, command.from_, command.room)
    if command.from_ == change.from_:
        raise Refused("forbidden", "you cannot mute yourself")
    return _event("muted", **fields, until=_until(command.until), reason=command.reason)


def _unmute(members: Members, change: Change, command: m.Unmute, wall: float) -> m.MemberChanged:
    fields = _silenced(members, change, command.from_, command.room)
    mute = members.mutes.get(command.from_, {}).get(fields["room"] or "")
    if mute is None:
        raise Refused("unknown_member", "there is no such mute")
    need("mute", _role_of(members, change), members.role(mute.by))
    if command.from_ == change.from_ and _role_of(members, change) != OWNER:
        raise Refused("forbidden", "you cannot unmute yourself: ask another moderator or an owner")
    return _event("unmuted", **fields, reason=command.reason)


def _silenced(members: Members, change: Change, from_: str, room: str | None) -> dict[str, Any]:
    """Return who is muted, where, and by whom, as the fields of an event."""
    known = members.get(from_)
    need("mute", _role_of(members, change), members.role(from_))
    if known is None and not change.target_nick:
        raise Refused("unknown_member", "nobody here, and no member, has this `from`")
    name = None if room is None else room_name(room)
    if name is not None and not members.sees(change.from_, name):
        raise no_such_room(name)
    nick = change.target_nick if known is None else known.nick
    return {**_by(members, change), "from_": from_, "nick": nick, "room": name}


# -- rooms


def _access(members: Members, change: Change, command: m.SetAccess, wall: float) -> m.AccessChanged:
    room = room_name(command.room)
    if names.is_private(room):
        what, from_ = _private(members, change, command, room)
    else:
        what, from_ = _public(members, change, command, room)
    known = None if from_ is None else _member(members, from_)
    return m.AccessChanged(
        seq=0,
        prev=0,
        time="",
        room=room,
        change=what,
        **_by(members, change),
        mode=command.mode,
        keep=None if command.keep == "default" else command.keep,
        from_=from_,
        nick=None if known is None else known.nick,
    )


def _public(members: Members, change: Change, command: m.SetAccess, room: str) -> tuple[str, str | None]:
    if command.mode == "private":
        text = (
            f"a public room stays public, for others have read it: make a private one with a + before its name, +{room}"
        )
        raise Refused("forbidden", text[:512])
    if command.admit is not None or command.expel is not None:
        raise Refused("forbidden", f"#{room} is public: everybody may come in, and a moderator may kick or mute")
    if command.keep is not None:
        if not members.operates(change.from_, room):
            need("keep", _role_of(members, change))
        return "keep", None
    need("announce", _role_of(members, change))
    return ("mode", None) if command.mode is not None else ("operator", command.operator)


def _private(members: Members, change: Change, command: m.SetAccess, room: str) -> tuple[str, str | None]:
    if command.mode is not None:
        _make(members, change, command.mode, room)
        return "mode", None
    if command.expel is not None:
        _expel(members, change, command.expel, room)
        return "expelled", command.expel
    access = _operated(members, change, room)
    if command.keep is not None:
        return "keep", None
    if command.operator is not None:
        if command.operator not in access.admitted:
            raise Refused("unknown_member", f"no member with this `from` is in {room}: admit them first")
        return "operator", command.operator
    if len(access.admitted) >= ADMITTED_MAX:
        raise Refused("forbidden", f"too many members are in {room} already", ADMITTED_MAX)
    if command.admit in access.admitted:
        raise Refused("forbidden", f"they were let into {room} already")
    return "admitted", command.admit


def _make(members: Members, change: Change, mode: str, room: str) -> None:
    """Check that somebody may make a private room of this name."""
    need("private", _role_of(members, change))
    if mode != "private":
        raise Refused("forbidden", "a room whose name begins with a + is private, and stays so")
    if members.sees(change.from_, room):
        raise Refused("forbidden", f"{room} is there already, and you are in it")
    if room in members.rooms:
        raise Refused("forbidden", "this name cannot be used: choose another one")


def _operated(members: Members, change: Change, room: str) -> Any:
    """Return the access of a private room that the author operates."""
    if not members.sees(change.from_, room):
        raise no_such_room(room)
    if not members.operates(change.from_, room):
        raise Refused("forbidden", f"only those who operate {room} may do this")
    return members.rooms[room]


def _expel(members: Members, change: Change, from_: str, room: str) -> None:
    if from_ != change.from_:
        _operated(members, change, room)
    elif not members.sees(from_, room):
        raise no_such_room(room)
    access = members.rooms[room]
    if from_ not in access.admitted:
        raise Refused("unknown_member", f"no member with this `from` is in {room}")
    if access.operators == {from_} and access.admitted != {from_}:
        raise Refused("forbidden", f"somebody has to operate {room}: make another one an operator first")


_DECISIONS: dict[type, Callable[[Members, Change, Any, float], m.Administrative]] = {
    m.Hello: _hello,
    m.SetNick: _nick,
    m.Invite: _invite,
    m.Revoke: _revoke,
    m.SetRole: _role,
    m.RemoveCredential: _credential,
    m.Ban: _ban,
    m.Unban: _unban,
    m.Mute: _mute,
    m.Unmute: _unmute,
    m.SetAccess: _access,
}
