"""Members, invitations, bans and private rooms: a state that is made of the log's `member` and `access` events alone.

`apply` takes these events one after the other, in the order of their chain. It decides nothing, so every broker that
has read the same log has the same state. `head` is the `seq` of the last event applied: whoever has decided something
under another `head` has to look again.

All records are immutable. So a copy of the state is cheap, and a batch that cannot be written leaves no trace.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from zchat.protocol import messages as m
from zchat.protocol import names
from zchat.protocol.policy import GUEST, OWNER

from .looks import looks

FORMER_KEPT = 30 * 86_400  # s for which a nick that a member gave up is nobody else's
FOR_EVER = float("inf")
DAY = 86_400


class Member(Struct, frozen=True, gc=False):
    """A member. `credentials` maps each of its credentials to the name of the device. `since` is in RFC 3339."""

    from_: str
    nick: str
    role: str
    since: str
    credentials: dict[str, str] = {}


class Invitation(Struct, frozen=True, gc=False):
    """An invitation: `left` uses until `expires` (seconds since 1970). With `device` its maker lets in a device."""

    by: str
    role: str
    left: int
    expires: float
    rooms: tuple[str, ...] = ()
    device: bool = False


class Access(Struct, frozen=True, gc=False):
    """Who may do what in a room that is not public, or that has operators."""

    mode: str
    admitted: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    keep: int | None = None  # for how many days its events are kept; 0: for ever; None: as the broker keeps them


class Ban(Struct, frozen=True, gc=False):
    """A ban, or a mute: `until` in seconds since 1970, the reason, and whose it is (a `from`)."""

    until: float
    reason: str
    by: str


class Members:
    """The state. Everything is keyed by `from`, credential, hash or room, as its name says."""

    def __init__(self) -> None:
        self.head = 0
        self.members: dict[str, Member] = {}
        self.invitations: dict[str, Invitation] = {}
        self.rooms: dict[str, Access] = {}  # of rooms that are not simply public
        self.bans: dict[str, Ban] = {}  # by `from` or credential
        self.mutes: dict[str, dict[str, Ban]] = {}  # by `from`, then by room; "": everywhere
        self._by_credential: dict[str, str] = {}
        self._by_nick: dict[str, str] = {}
        self._by_look: dict[str, frozenset[str]] = {}
        self._former: dict[str, tuple[str, float]] = {}  # nick keys given up: whose, and until when

    def copy(self) -> Self:
        """Return a state that may be changed without this one."""
        new = type(self)()
        for name, value in vars(self).items():
            setattr(new, name, dict(value) if isinstance(value, dict) else value)
        return new

    # -- what is asked

    def get(self, from_: str) -> Member | None:
        return self.members.get(from_)

    def role(self, from_: str) -> str:
        known = self.members.get(from_)
        return GUEST if known is None else known.role

    def having(self, credential: str) -> Member | None:
        """Return the member that a credential proves."""
        return self.members.get(self._by_credential.get(credential, ""))

    def named(self, nick: str, wall: float) -> str | None:
        """Return the `from` of the member whose nick this is, or was until lately."""
        key = names.nick_key(nick)
        if key in self._by_nick:
            return self._by_nick[key]
        from_, until = self._former.get(key, (None, 0.0))
        return from_ if wall < until else None

    def former(self, from_: str, wall: float) -> int:
        """Return how many nicks are kept for a member that gave them up."""
        return sum(whose == from_ and wall < until for whose, until in self._former.values())

    def resembling(self, nick: str, besides: str | None) -> Member | None:
        """Return a member, other than `besides`, whose nick looks like this one. Two ASCII nicks never do."""
        for look in looks(nick) if self._by_look else ():
            for from_ in self._by_look.get(look, ()):
                one = self.members[from_]
                if from_ != besides and not (nick.isascii() and one.nick.isascii()):
                    return one
        return None

    def is_member(self, credential: str, wall: float) -> bool:
        return credential in self._by_credential and not self.is_banned(credential, wall)

    def is_banned(self, credential: str, wall: float) -> bool:
        return self.ban(credential, wall) is not None

    def ban(self, credential: str, wall: float, from_: str = "") -> Ban | None:
        """Return the ban that keeps a credential, or the member whose it is, out."""
        for key in (credential, from_ or self._by_credential.get(credential, "")):
            ban = self.bans.get(key) if key else None
            if ban is not None and wall < ban.until:
                return ban
        return None

    def may_be_muted(self, from_: str, credential: str) -> bool:
        """Return whether there is a mute of somebody, or of the member that the credential proves."""
        return bool(self.mutes) and (from_ in self.mutes or self._by_credential.get(credential) in self.mutes)

    def mute(self, from_: str, room: str | None, wall: float) -> Ban | None:
        """Return what keeps somebody from speaking in a room; in a conversation, if `room` is None."""
        for where in ("", room):
            found = None if where is None else self.mutes.get(from_, {}).get(where)
            if found is not None and wall < found.until:
                return found
        return None

    def sees(self, from_: str, room: str) -> bool:
        """Return whether a room is there for somebody: a private one only for those who were let in."""
        if not names.is_private(room):
            return True
        access = self.rooms.get(room)
        return access is not None and from_ in access.admitted

    def operates(self, from_: str, room: str) -> bool:
        return from_ in self.operators(room)

    def operators(self, room: str) -> frozenset[str]:
        access = self.rooms.get(room)
        return frozenset() if access is None else access.operators

    def keeps(self, room: str, otherwise: float) -> float:
        """Return for how many seconds a room keeps its events, 0 for ever: `otherwise`, unless it says so itself."""
        access = self.rooms.get(room)
        return otherwise if access is None or access.keep is None else access.keep * DAY

    def private_rooms(self, from_: str) -> Iterator[str]:
        """Return the private rooms that somebody was let into."""
        return (room for room, access in self.rooms.items() if names.is_private(room) and from_ in access.admitted)

    def usable(self, hash_: str, wall: float) -> Invitation | None:
        found = self.invitations.get(hash_)
        return None if found is None or not found.left or wall >= found.expires else found

    def other_owners(self, from_: str, wall: float) -> bool:
        """Return whether another owner than this one can come in."""
        owners = (one for one in self.members.values() if one.role == OWNER and one.from_ != from_)
        return any(not self.is_banned(credential, wall) for one in owners for credential in one.credentials)

    def has_owner_with_key(self) -> bool:
        """Return whether an owner can come in over the network."""
        owners = (one for one in self.members.values() if one.role == OWNER)
        return any(credential.startswith("key:") for one in owners for credential in one.credentials)

    # -- what changes it

    def apply(self, event: m.Administrative) -> None:
        """Change the state as an event of the chain says. Unknown changes, of a later version, change nothing."""
        self.head = event.seq
        if isinstance(event, m.AccessChanged):
            self._access(event)
        else:
            change = _CHANGES.get(event.change)
            if change is not None:
                change(self, event)

    def _joined(self, event: m.MemberChanged) -> None:
        from_, nick = event.from_ or "", event.nick or ""
        self._forget_looks(from_)
        self.members[from_] = Member(from_, nick, event.role or "member", event.time)
        self._name(from_, nick)
        self._add_device(event)
        if (invitation := self._use(event.hash)) is not None:
            for room in invitation.rooms:
                if names.is_private(room) and self.operates(invitation.by, room):
                    self._admit(room, from_)

    def _device(self, event: m.MemberChanged) -> None:
        self._use(event.hash)
        self._add_device(event)

    def _add_device(self, event: m.MemberChanged) -> None:
        known = self.members.get(event.from_ or "")
        if known is None or event.credential is None:
            return
        credentials = known.credentials | {event.credential: event.device or ""}
        self.members[known.from_] = replace(known, credentials=credentials)
        self._by_credential[event.credential] = known.from_

    def _removed(self, event: m.MemberChanged) -> None:
        known = self.members.get(event.from_ or "")
        if known is not None:
            left = {key: name for key, name in known.credentials.items() if key != event.credential}
            self.members[known.from_] = replace(known, credentials=left)
            self._by_credential.pop(event.credential or "", None)

    def _role(self, event: m.MemberChanged) -> None:
        known = self.members.get(event.from_ or "")
        if known is not None and event.role is not None:
            self.members[known.from_] = replace(known, role=event.role)

    def _nick(self, event: m.MemberChanged) -> None:
        known = self.members.get(event.from_ or "")
        if known is None or event.nick is None:
            return
        self._forget_looks(known.from_)
        old = names.nick_key(known.nick)
        del self._by_nick[old]
        now = seconds(event.time)
        self._former = {key: one for key, one in self._former.items() if now < one[1]}
        self._former[old] = known.from_, now + FORMER_KEPT
        self.members[known.from_] = replace(known, nick=event.nick)
        self._name(known.from_, event.nick)

    def _name(self, from_: str, nick: str) -> None:
        key = names.nick_key(nick)
        self._by_nick[key] = from_
        self._former.pop(key, None)
        for look in looks(nick):
            self._by_look[look] = self._by_look.get(look, frozenset()) | {from_}

    def _forget_looks(self, from_: str) -> None:
        known = self.members.get(from_)
        for look in looks(known.nick) if known else ():
            self._by_look[look] = self._by_look[look] - {from_}

    def _invited(self, event: m.MemberChanged) -> None:
        expires = FOR_EVER if event.expires is None else seconds(event.expires)
        device = event.from_ is not None
        now = seconds(event.time)
        self.invitations = {  # what its maker made before and nobody can use any more would pile up
            hash_: one for hash_, one in self.invitations.items() if one.by != event.by or self.usable(hash_, now)
        }
        self.invitations[event.hash or ""] = Invitation(
            event.by, event.role or "member", event.uses or 1, expires, event.rooms, device
        )

    def _use(self, hash_: str | None) -> Invitation | None:
        found = self.invitations.get(hash_ or "")
        if found is not None and hash_ is not None:
            self.invitations[hash_] = replace(found, left=max(0, found.left - 1))
        return found

    def _revoked(self, event: m.MemberChanged) -> None:
        self.invitations.pop(event.hash or "", None)

    def _banned(self, event: m.MemberChanged) -> None:
        until = FOR_EVER if event.until is None else seconds(event.until)
        self.bans[event.from_ or event.credential or ""] = Ban(until, event.reason or "", event.by)

    def _unbanned(self, event: m.MemberChanged) -> None:
        self.bans.pop(event.from_ or event.credential or "", None)

    def _muted(self, event: m.MemberChanged) -> None:
        until = FOR_EVER if event.until is None else seconds(event.until)
        from_ = event.from_ or ""
        self.mutes[from_] = self.mutes.get(from_, {}) | {event.room or "": Ban(until, event.reason or "", event.by)}

    def _unmuted(self, event: m.MemberChanged) -> None:
        from_ = event.from_ or ""
        left = {room: mute for room, mute in self.mutes.get(from_, {}).items() if room != (event.room or "")}
        self.mutes[from_] = left
        if not left:
            del self.mutes[from_]

    def _access(self, event: m.AccessChanged) -> None:
        room, from_ = event.room, event.from_ or ""
        known = self.rooms.get(room)
        if event.change == "mode":
            made = known is None and names.is_private(room)
            first = frozenset({event.by}) if made and event.by else frozenset[str]()
            known = known or Access("", admitted=first, operators=first)
            mode = event.mode or "public"  # who operated a room that is simply public again operates it no more
            operators = frozenset[str]() if mode == "public" else known.operators
            self.rooms[room] = replace(known, mode=mode, operators=operators)
        elif event.change == "admitted":
            self._admit(room, from_)
        elif known is not None and event.change == "expelled":
            self.rooms[room] = replace(known, admitted=known.admitted - {from_}, operators=known.operators - {from_})
        elif event.change == "operator":
            known = known or Access("public")
            self.rooms[room] = replace(known, operators=known.operators | {from_})
        elif event.change == "keep":
            self.rooms[room] = replace(known or Access("public"), keep=event.keep)

    def _admit(self, room: str, from_: str) -> None:
        known = self.rooms.get(room)
        if known is not None:
            self.rooms[room] = replace(known, admitted=known.admitted | {from_})


def seconds(time: str) -> float:
    """Convert RFC 3339 to seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


_CHANGES: dict[str, Callable[[Members, Any], None]] = {
    "joined": Members._joined,
    "nick": Members._nick,
    "role": Members._role,
    "device": Members._device,
    "removed": Members._removed,
    "invited": Members._invited,
    "revoked": Members._revoked,
    "banned": Members._banned,
    "unbanned": Members._unbanned,
    "muted": Members._muted,
    "unmuted": Members._unmuted,
}
