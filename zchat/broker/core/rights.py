"""What somebody may do: the questions that are asked before a command is taken, and again in the order of the log.

Nothing is looked at but the state of the chain of members (`members.py`) and the table of roles
(`zchat/protocol/policy.py`). A "no" is `Refused`.
"""

from datetime import UTC, datetime

from zchat.protocol import messages as m
from zchat.protocol import names, wire
from zchat.protocol.policy import MEMBER, RANKS, lowest, may, one

from .entries import Draft, Place
from .members import Invitation, Member, Members


class Refused(Exception):  # noqa: N818 — an answer, not a fault
    """The command is refused: a code for programs, a sentence for people, and perhaps the limit that was reached."""

    def __init__(self, code: str, message: str, limit: int | None = None) -> None:
        self.code, self.message, self.limit = code, message, limit
        super().__init__(code, message)


def need(action: str, role: str, target: str = "guest") -> None:
    """Raise Refused unless somebody of this role may do this, to somebody of the role `target`."""
    if may(role, action, target):
        return
    if may(role, action):
        what = "invite" if action == "invite" else "do this to"
        raise Refused("forbidden", f"{one(role)} cannot {what} {one(target)}")
    raise Refused("forbidden", f"only {_those(lowest(action))} may do this, and you are {one(role)}")


def _those(lowest: str) -> str:
    """Return who is of this role or a higher one."""
    return " and ".join(f"{role}s" for role, rank in RANKS.items() if rank >= RANKS[lowest])


def check_speech(members: Members, from_: str, room: str | None, wall: float, credential: str = "") -> None:
    """Raise Refused if somebody may not speak in a room; in a conversation, if `room` is None."""
    check_reading(members, from_, room, wall, credential)
    own = members.having(credential)  # a user of the broker's machine may be here as a guest, too
    for each in (from_,) if own is None or own.from_ == from_ else (from_, own.from_):
        mute = members.mute(each, room, wall)
        if mute is not None:
            where = "" if mute is members.mute(each, None, wall) else _in(room)
            raise Refused("muted", f"you are muted{where}{told_until(mute.until)}{_because(mute.reason)}")
    access = members.rooms.get(room or "")
    reader = access is not None and access.mode == "announce" and not members.operates(from_, room or "")
    if reader and not may(members.role(from_), "speak_in_announce"):
        raise Refused("forbidden", f"#{room} is read-only: its operators and moderators speak there")


def check_reading(members: Members, from_: str, room: str | None, wall: float, credential: str = "") -> None:
    """Raise Refused if somebody may not read a room; or nothing at all."""
    if members.bans and (members.ban("", wall, from_) or members.is_banned(credential, wall)):
        raise Refused("banned", "you are banned from this broker")
    if room is not None and not members.sees(from_, room):
        raise no_such_room(room)


def refuse_draft(members: Members, draft: Draft, wall: float) -> m.Error | None:
    """Return the error that keeps an author from what was drafted under an older state of the members."""
    speaks = type(draft.commands[0]) in m.BY_COMMAND
    try:
        check_proof(members, draft.from_, draft.credential)
        check = check_speech if speaks else check_reading
        check(members, draft.from_, draft.room, wall, draft.credential)
    except Refused as refused:
        return m.Error(code=refused.code, message=refused.message)
    return None


def check_mending(members: Members, draft: Draft, kind: m.DurableKind, author: str) -> None:
    """Raise Refused if somebody may not do something to a message that `author` (a `from`) has said."""
    if kind.who == "speaker" or author == draft.from_:
        return
    room = draft.room
    if kind.who == "author":
        raise Refused("forbidden", "only who said it may edit it")
    if room is None:
        raise Refused("forbidden", "what is said to one person, only who said it may delete")
    if not members.operates(draft.from_, room):
        need("delete", members.role(draft.from_))


def no_target(seq: int) -> tuple[str, str, int | None]:
    """Return what is said of a message to which nothing can be done, whatever the reason."""
    return "bad_target", f"there is no message {seq} that you can read, or it was deleted", None


def check_proof(members: Members, from_: str, credential: str) -> None:
    """Raise Refused if a credential does not prove any more that somebody is the member `from_`."""
    if credential and members.get(from_) is not None and members.having(credential) is not members.get(from_):
        raise Refused("not_member", "this device was removed from its member")


def reads(members: Members, from_: str, place: Place) -> bool:
    """Return whether somebody may read what was said in a place."""
    if place.pair is not None:
        return from_ in place.pair
    return members.sees(from_, place.room or "")


def no_such_room(room: str) -> Refused:
    """Return what is said of a private room: the same whether it is there or not."""
    return Refused("unknown_room", f"there is no room {room[:64]} that you were let into")


def room_name(room: str) -> str:
    try:
        return names.room(room)
    except names.BadNameError as why:
        raise Refused("bad_room", str(why)) from None


def free_nick(members: Members, nick: str, from_: str | None, wall: float) -> str:
    """Return the prepared form of a nick that the member `from_` (None: a new one, or a guest) may take."""
    try:
        shown = names.nick(nick)
    except names.BadNameError as why:
        raise Refused("bad_nick", str(why)) from None
    if members.named(shown, wall) not in (None, from_):
        raise Refused("nick_taken", f"the nick {shown} is a member's")
    other = members.resembling(shown, from_)
    if other is not None:
        raise Refused("nick_taken", f"the nick {shown} looks like {other.nick}, who is a member")
    return shown


def usable_invitation(members: Members, hash_: str, wall: float) -> Invitation:
    """Return the invitation whose code has this hash, if it counts. Raises Refused."""
    invitation = members.usable(hash_, wall)
    inviter = None if invitation is None else members.get(invitation.by)
    if invitation is None or not _stands_by(members, invitation, inviter, wall):
        raise Refused(
            "bad_invite", "this invitation is used up, expired, revoked or of another broker: ask for a new link"
        )
    return invitation


def _stands_by(members: Members, invitation: Invitation, inviter: Member | None, wall: float) -> bool:
    """Return whether an invitation counts still: its maker is not banned, and might make it today."""
    if inviter is None:
        return not invitation.by  # the broker's own
    role = MEMBER if invitation.device else invitation.role
    return members.ban("", wall, inviter.from_) is None and may(inviter.role, "invite", role)


def check_fields(command: m.NumberedCommand) -> None:
    """Raise Refused for a room or a time that is none: it may be too large for a stream, or not to be encoded."""
    for room in (getattr(command, "room", None), *getattr(command, "rooms", ())):
        if room is not None:
            room_name(room)
    for time in (getattr(command, "until", None), getattr(command, "expires", None)):
        if time is not None:
            told_time(time.timestamp())


def told_time(when: float) -> str:
    """Return a time as events have it. Raises Refused for one that is in no calendar: an offset may lead out of it."""
    try:
        return wire.timestamp(when)
    except (ValueError, OverflowError):
        raise Refused("forbidden", "there is no such time: it is before the year 1, or after 9999") from None


def told_until(until: float) -> str:
    """Return until when something holds, as part of a sentence; "" for ever."""
    if until == float("inf"):
        return ""
    return f" until {datetime.fromtimestamp(until, UTC).isoformat(timespec='seconds')}"


def _in(room: str | None) -> str:
    return "" if room is None else f" in {room if names.is_private(room) else f'#{room}'}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
