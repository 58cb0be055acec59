"""`chat.administration` and `chat.access` of a SyncClient: each call waits until it is done.

The methods do what those of the same name do in `administration.py`, with the same parameters and errors.
"""

from collections.abc import Coroutine, Iterable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from zchat.protocol import messages as m

from .administration import Administration, Invitation, RoomAccess
from .core.pages import AuditPage

T = TypeVar("T")


class Wait(Protocol):
    """Runs something in the client's loop, and returns what it returns."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


class SyncAdministration:
    """Members, and whoever is to be one. See `Administration`."""

    def __init__(self, administration: Administration, wait: Wait) -> None:
        self._administration, self._wait = administration, wait

    def do(self, command: m.NumberedCommand) -> m.Ack:
        """Send any numbered command, whatever its `n`; return its ack once it is on the broker's disk."""
        return self._wait(self._administration.do(command))

    def identify(self, who: str) -> str:
        """Return the `from_` of the one whom a nick names; a `from_` stands for itself."""
        return self._wait(self._administration.identify(who))

    def invite(
        self,
        *,
        role: m.Role = "member",
        uses: int = 1,
        expires: datetime | None = None,
        rooms: Iterable[str] = (),
        self_: bool = False,
    ) -> Invitation:
        """Make an invitation, and return its code once the broker knows of it."""
        return self._wait(self._administration.invite(role=role, uses=uses, expires=expires, rooms=rooms, self_=self_))

    def revoke(self, invitation: str) -> m.Ack:
        """Take an invitation back, or a link for a device, given its code, a link with the code, or its hash."""
        return self._wait(self._administration.revoke(invitation))

    def members(self) -> list[m.MemberInfo]:
        """Return all members, in order of `from_`."""
        return self._wait(self._administration.members())

    def set_role(self, who: str, role: m.Role) -> m.Ack:
        """Make a member an `owner`, a `moderator` or a `member`."""
        return self._wait(self._administration.set_role(who, role))

    def remove_credential(self, who: str, credential: str) -> m.Ack:
        """Let a device's key, or a user of the broker's machine, be the member's no more."""
        return self._wait(self._administration.remove_credential(who, credential))

    def ban(
        self,
        who: str | None = None,
        *,
        credential: str | None = None,
        until: datetime | None = None,
        reason: str | None = None,
    ) -> m.Ack:
        """Keep a member out, or whoever has a `credential`; for ever, or until a time."""
        return self._wait(self._administration.ban(who, credential=credential, until=until, reason=reason))

    def unban(self, who: str | None = None, *, credential: str | None = None, reason: str | None = None) -> m.Ack:
        """Let somebody in again."""
        return self._wait(self._administration.unban(who, credential=credential, reason=reason))

    def mute(
        self, who: str, *, room: str | None = None, until: datetime | None = None, reason: str | None = None
    ) -> m.Ack:
        """Have what somebody says refused, in one room or everywhere; for ever, or until a time."""
        return self._wait(self._administration.mute(who, room=room, until=until, reason=reason))

    def unmute(self, who: str, *, room: str | None = None, reason: str | None = None) -> m.Ack:
        """Let somebody speak again, in one room or everywhere."""
        return self._wait(self._administration.unmute(who, room=room, reason=reason))

    def kick(self, who: str, *, room: str | None = None, reason: str | None = None) -> m.Ok:
        """End somebody's sessions, on all devices; with `room`, only their stay in it."""
        return self._wait(self._administration.kick(who, room=room, reason=reason))

    def audit(self, *, before: int | None = None, after: int | None = None, limit: int = 100) -> AuditPage:
        """Return a page of what was done about members and rooms, oldest first: the newest, unless told where to look.

        `before` or `after` is a `seq`, `limit` is 1 to 1,000.
        """
        return self._wait(self._administration.audit(before=before, after=after, limit=limit))


class SyncRoomAccess:
    """Who is let into a room, and who speaks there. See `RoomAccess`."""

    def __init__(self, access: RoomAccess, wait: Wait) -> None:
        self._access, self._wait = access, wait

    def make_private(self, room: str) -> m.Ack:
        """Make a private room, which one operates. Its name begins with a `+`, as no other room's does."""
        return self._wait(self._access.make_private(room))

    def set_mode(self, room: str, mode: m.Mode) -> m.Ack:
        """Make a public room one in which only its operators and moderators speak (`announce`), or `public` again."""
        return self._wait(self._access.set_mode(room, mode))

    def admit(self, room: str, who: str) -> m.Ack:
        """Let a member into a private room."""
        return self._wait(self._access.admit(room, who))

    def expel(self, room: str, who: str) -> m.Ack:
        """Let a member into a private room no more."""
        return self._wait(self._access.expel(room, who))

    def make_operator(self, room: str, who: str) -> m.Ack:
        """Have a member operate a room, too."""
        return self._wait(self._access.make_operator(room, who))

    def keep(self, room: str, days: int | None) -> m.Ack:
        """Keep what is said in a room for so many days; 0: for ever; None: as the broker says."""
        return self._wait(self._access.keep(room, days))
