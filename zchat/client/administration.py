"""What a client may ask for beyond talking: who is a member, who may come in, who is let into a room.

    invitation = await chat.administration.invite(uses=5, rooms=["ops"])
    await chat.administration.ban("mallory", reason="spam")
    await chat.access.make_private("+ops")
    await chat.access.admit("+ops", "bob")

Whom a call is about is told by a nick or by a `from_`. The protocol has the `from_` only, for nicks change hands. So
a nick is looked up first: among those who are here, which is one short question, and then among all members.

All of it but `kick` is numbered, as what one says is: it is sent again until the broker has answered, however long that
is away, and never done twice.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import cast

from msgspec import Struct

from zchat.errors import RefusedError
from zchat.protocol import links, names
from zchat.protocol import messages as m

from .arguments import FROM, checked_nick, checked_time, room_name, rooms_of, text_of
from .core.pages import AuditPage, audit_page_of

Post = Callable[[m.NumberedCommand], Awaitable["asyncio.Future[m.Ack]"]]
Ask = Callable[[m.Command], Awaitable[m.Reply]]

HASH = 64  # hex digits


class Invitation(Struct, frozen=True):
    """An invitation that was just made: the `code`, which stands at the end of a link, and the broker's name for it.

    Nobody else knows the code: who loses it revokes the `hash`, and makes another.
    """

    code: str
    hash: str


class Administration:
    """Members, and whoever is to be one. What one may ask for depends on one's role: else it raises RefusedError.

    All calls raise RefusedError (`forbidden`, `unknown_member` …), TimedOutError, ClosedError.
    """

    def __init__(self, post: Post, ask: Ask) -> None:
        self._post, self._ask = post, ask

    async def do(self, command: m.NumberedCommand) -> m.Ack:
        """Send any numbered command, whatever its `n`; return its ack once it is on the broker's disk."""
        return await (await self._post(command))

    async def identify(self, who: str) -> str:
        """Return the `from_` of the one whom a nick names; a `from_` stands for itself.

        Raises RefusedError (`unknown_member`) where neither anybody here nor a member is called so.
        """
        if FROM.fullmatch(text_of(who, "who")):
            return who
        nick = checked_nick(who.removeprefix("@"))
        try:
            here = cast(m.Roster, await self._ask(m.Who(nick=nick)))
            if here.members:
                return here.members[0].from_
        except RefusedError as error:
            if error.code != "unknown_nick":
                raise
        wanted = names.nick_key(nick)
        for member in await self.members():
            if names.nick_key(member.nick) == wanted:
                return member.from_
        raise RefusedError("unknown_member", f"nobody is called {nick}: neither anybody here nor a member")

    # -- who comes in

    async def invite(
        self,
        *,
        role: m.Role = "member",
        uses: int = 1,
        expires: datetime | None = None,
        rooms: Iterable[str] = (),
        self_: bool = False,
    ) -> Invitation:
        """Make an invitation, and return its code once the broker knows of it.

        - `role`: what those who come with it are, at most what one is oneself.
        - `uses`: how many may come with it (1 to 10,000).
        - `expires`: until when, a time with its zone; by default it is the broker that says.
        - `rooms`: private rooms that they are let into.
        - `self_`: whoever comes with it is another device of one's own.
        """
        code = links.encode_code(secrets.token_bytes(links.CODE_BYTES))
        command = m.Invite(
            n=1, hash=links.invitation_hash(code), role=role, uses=uses, expires=checked_time(expires, "expires"),
            rooms=rooms_of(rooms), self_=self_,
        )  # fmt: skip
        await self.do(command)
        return Invitation(code, command.hash)

    async def revoke(self, invitation: str) -> m.Ack:
        """Take an invitation back, or a link for a device, given its code, a link with the code, or its hash."""
        text = links.code_in(text_of(invitation, "invitation"))
        known = len(text) == HASH and not text.strip("0123456789abcdef")
        return await self.do(m.Revoke(n=1, hash=text if known else links.invitation_hash(text)))

    # -- members

    async def members(self) -> list[m.MemberInfo]:
        """Return all members, in order of `from_`."""
        found: list[m.MemberInfo] = []
        more, after = True, None
        while more:
            page = cast(m.Members, await self._ask(m.AskMembers(after=after)))
            found += page.members
            last = page.members[-1].from_ if page.members else ""
            more, after = page.more and last > (after or ""), last
        return found

    async def set_role(self, who: str, role: m.Role) -> m.Ack:
        """Make a member an `owner`, a `moderator` or a `member`."""
        return await self.do(m.SetRole(n=1, from_=await self.identify(who), role=role))

    async def remove_credential(self, who: str, credential: str) -> m.Ack:
        """Let a device's key (`key:…`), or a user of the broker's machine (`uid:…`), be the member's no more."""
        return await self.do(m.RemoveCredential(n=1, from_=await self.identify(who), remove=credential))

    # -- moderation

    async def ban(
        self,
        who: str | None = None,
        *,
        credential: str | None = None,
        until: datetime | None = None,
        reason: str | None = None,
    ) -> m.Ack:
        """Keep a member out, or whoever has a `credential` (`key:…`, `uid:…`); for ever, or until a time."""
        from_ = await self._one(who, credential)
        return await self.do(
            m.Ban(n=1, from_=from_, credential=credential, until=checked_time(until, "until"), reason=reason)
        )

    async def unban(
        self, who: str | None = None, *, credential: str | None = None, reason: str | None = None
    ) -> m.Ack:  # fmt: skip
        """Let somebody in again."""
        from_ = await self._one(who, credential)
        return await self.do(m.Unban(n=1, from_=from_, credential=credential, reason=reason))

    async def mute(
        self, who: str, *, room: str | None = None, until: datetime | None = None, reason: str | None = None
    ) -> m.Ack:
        """Have what somebody says refused, in one room or everywhere; for ever, or until a time."""
        room, until = _maybe_room(room), checked_time(until, "until")
        return await self.do(m.Mute(n=1, from_=await self.identify(who), room=room, until=until, reason=reason))

    async def unmute(self, who: str, *, room: str | None = None, reason: str | None = None) -> m.Ack:
        """Let somebody speak again, in one room or everywhere."""
        room = _maybe_room(room)
        return await self.do(m.Unmute(n=1, from_=await self.identify(who), room=room, reason=reason))

    async def kick(self, who: str, *, room: str | None = None, reason: str | None = None) -> m.Ok:
        """End somebody's sessions, on all devices; with `room`, only their stay in it."""
        room, from_ = _maybe_room(room), await self.identify(who)
        return cast(m.Ok, await self._ask(m.Kick(from_=from_, room=room, reason=reason)))

    async def audit(self, *, before: int | None = None, after: int | None = None, limit: int = 100) -> AuditPage:
        """Return a page of what was done about members and rooms, oldest first: the newest, unless told where to look.

        - `before`: a `seq`, for the last events before it. Or `after`: a `seq`, for the first ones behind it.
        - `limit`: how many events at most (1 to 1,000).
        """
        if before is not None and after is not None:
            raise ValueError("before and after exclude each other")
        return audit_page_of(cast(m.Audit, await self._ask(m.AskAudit(before=before, after=after, limit=limit))))

    async def _one(self, who: str | None, credential: str | None) -> str | None:
        if (who is None) == (credential is None):
            raise ValueError("say whom: either a nick or from_, or credential=…")
        return None if who is None else await self.identify(who)


class RoomAccess:
    """Who is let into a room, and who speaks there. All calls raise as those of `Administration`."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    async def make_private(self, room: str) -> m.Ack:
        """Make a private room, which one operates. Its name begins with a `+`, as no other room's does."""
        room = room_name(room)
        if not names.is_private(room):
            raise RefusedError("bad_room", f"the name of a private room begins with a +, as in +{room}")
        return await self.set_mode(room, "private")

    async def set_mode(self, room: str, mode: m.Mode) -> m.Ack:
        """Make a public room one in which only its operators and moderators speak (`announce`), or `public` again."""
        return await self._administration.do(m.SetAccess(n=1, room=room_name(room), mode=mode))

    async def admit(self, room: str, who: str) -> m.Ack:
        """Let a member into a private room."""
        from_ = await self._administration.identify(who)
        return await self._administration.do(m.SetAccess(n=1, room=room_name(room), admit=from_))

    async def expel(self, room: str, who: str) -> m.Ack:
        """Let a member into a private room no more."""
        from_ = await self._administration.identify(who)
        return await self._administration.do(m.SetAccess(n=1, room=room_name(room), expel=from_))

    async def make_operator(self, room: str, who: str) -> m.Ack:
        """Have a member operate a room, too."""
        from_ = await self._administration.identify(who)
        return await self._administration.do(m.SetAccess(n=1, room=room_name(room), operator=from_))

    async def keep(self, room: str, days: int | None) -> m.Ack:
        """Keep what is said in a room for so many days, whatever the broker does otherwise; 0: for ever.

        What is older is deleted for good, in the background. None: the room has no word of its own any more.
        """
        if days is None:
            return await self._administration.do(m.SetAccess(n=1, room=room_name(room), keep="default"))
        if not 0 <= days <= m.DAYS_MAX:
            raise ValueError(f"days are a number from 0 to {m.DAYS_MAX:,}")
        return await self._administration.do(m.SetAccess(n=1, room=room_name(room), keep=days))


def _maybe_room(room: str | None) -> str | None:
    return None if room is None else room_name(room)
