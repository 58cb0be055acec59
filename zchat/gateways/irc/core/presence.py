"""Who is shown in which room to one client, and the lines that tell of changes.

zchat tells of each room by itself: who goes offline leaves every room, and who takes another nick does so in each. IRC
has one line for all: QUIT, NICK, AWAY. So what a client was shown is kept here, and an event that tells it nothing new
makes no line. The same holds for the roster as a whole (`settle`): after the connection to the broker was lost, a
client is told what is different.
"""

from collections.abc import Iterable, Mapping

from zchat.protocol import messages as m

from .lines import Line, line
from .names import folded
from .numerics import SERVER
from .scene import Face, Scene, modes_of

SENT_AWAY = "sent away by a moderator"  # who was kicked or banned without a reason
Rosters = Mapping[str, Mapping[str, m.Member]]  # who is in which room now, as the session knows it


def face_of(member: m.Member) -> Face:
    """Return somebody of a roster as a face."""
    return Face(member.from_, member.role if isinstance(member.role, str) else "guest", member.bot)


class Presence:
    """The rooms of one client, with the nicks in them as zchat has them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.rooms: dict[str, set[str]] = {}
        self._away: dict[str, str | None] = {}
        self._roles: dict[str, str] = {}
        self._operators: dict[str, set[str]] = {}  # by room, the nicks of those who operate it

    def shows(self, nick: str) -> list[str]:
        """Return the rooms in which somebody is shown."""
        return [room for room, nicks in self.rooms.items() if nick in nicks]

    def found(self, room: str, name: str) -> str | None:
        """Return the nick in a room that is meant by a name, however it is written; None if it is not there."""
        wanted = folded(name)
        return next((nick for nick in self.rooms.get(room, ()) if folded(nick) == wanted), None)

    def modes(self, room: str, nick: str) -> str | None:
        """Return the modes with which somebody is shown in a room; None of somebody who is not."""
        return self._modes(room, nick) if nick in self.rooms.get(room, ()) else None

    def role_of(self, nick: str) -> str | None:
        """Return the role that was shown; None of somebody who was not."""
        return self._roles.get(nick) if self.shows(nick) else None

    # -- oneself

    def enter(self, room: str, members: Mapping[str, m.Member]) -> list[Line]:
        """Show a room to the client: its own JOIN. What follows (topic, names) is not here."""
        if room in self.rooms:
            return []
        for member in members.values():
            face = face_of(member)
            self._scene.world.faces.note(member.nick, face)
            if not self.shows(member.nick):
                self._away[member.nick], self._roles[member.nick] = member.away, face.role
        self.rooms[room] = set(members)
        self._operators[room] = {member.nick for member in members.values() if member.operator is True}
        return [self._join(room, self._scene.nick)]

    def leave(self, room: str, reason: str | None = None) -> list[Line]:
        """Show a room no more."""
        if self.rooms.pop(room, None) is None:
            return []
        del self._operators[room]
        words = (reason,) if reason else ()
        return [line(self._mask(self._scene.nick), "PART", self._scene.channel(room), *words)]

    def removed(self, room: str, why: str) -> list[Line]:
        """Show a room no more, since one was made to leave."""
        if self.rooms.pop(room, None) is None:
            return []
        del self._operators[room]
        scene = self._scene
        return [line(SERVER, "KICK", scene.channel(room), scene.me, why)]

    # -- others

    def joined(self, event: m.MemberJoined) -> list[Line]:
        """Somebody came into a room."""
        self._scene.world.faces.note(event.nick, Face(event.from_, event.role or "guest", event.bot))
        return self._come(event.room, event.nick, event.operator)

    def left(self, event: m.MemberLeft, now: Rosters) -> list[Line]:
        """Somebody left a room; `now` tells whether they are still in others."""
        if event.nick not in self.rooms.get(event.room, ()) or event.nick == self._scene.nick:
            return []
        text = event.text or ""
        if event.reason in ("bye", "timeout"):
            others = [room for room in self.shows(event.nick) if room != event.room]
            if not any(event.nick in now.get(room, ()) for room in others):
                return self._quit(event.nick, text or ("timeout" if event.reason == "timeout" else "gone"))
        self._discard(event.room, event.nick)
        channel, words = self._scene.channel(event.room), (text,) if text else ()
        if event.reason == "kick":  # by whom is not told, nor whether they may come back
            return [line(SERVER, "KICK", channel, self._scene.called(event.nick), *(words or (SENT_AWAY,)))]
        return [line(self._mask(event.nick), "PART", channel, *words)]

    def renamed(self, nick: str, new: str) -> list[Line]:
        """Somebody has another nick, oneself perhaps."""
        rooms = self.shows(nick)
        mine = nick == self._scene.nick
        if nick == new or not (rooms or mine):
            return []
        mask = self._mask(nick)
        for room in rooms:
            self.rooms[room].discard(nick)
            self.rooms[room].add(new)
            if nick in self._operators[room]:
                self._operators[room] ^= {nick, new}
        self._away[new] = self._away.pop(nick, None)
        self._roles[new] = self._roles.pop(nick, "")
        self._scene.world.was(nick)
        self._scene.world.faces.rename(nick, new)
        if mine:
            self._scene.nick = new
        return [line(mask, "NICK", self._scene.called(new))]

    def away(self, nick: str, text: str | None) -> list[Line]:
        """Somebody is away, or back."""
        if not self.shows(nick) or self._away.get(nick) == text or nick == self._scene.nick:
            return []
        self._away[nick] = text
        return [line(self._mask(nick), "AWAY", *((text,) if text is not None else ()))]

    def role(self, nick: str, role: str, source: str = SERVER) -> list[Line]:
        """Somebody, oneself perhaps, has this role now: each room where they are shown gets their prefix."""
        if not (rooms := self.shows(nick)):
            return []
        before = [(room, self._modes(room, nick)) for room in rooms]
        self._roles[nick] = role
        return [each for room, modes in before for each in self._changed(room, nick, modes, source)]

    def operates(self, room: str, nick: str, on: bool, source: str = SERVER) -> list[Line]:
        """Somebody operates a room now, or does not any more."""
        if nick not in self.rooms.get(room, ()):
            return []
        before = self._modes(room, nick)
        (self._operators[room].add if on else self._operators[room].discard)(nick)
        return self._changed(room, nick, before, source)

    def simply_public(self, room: str, source: str) -> list[Line]:
        """A room is public without more: nobody operates it."""
        nicks = sorted(self._operators.get(room, ()))
        return [each for nick in nicks for each in self.operates(room, nick, False, source)]

    def _modes(self, room: str, nick: str) -> str:
        return modes_of(self._roles.get(nick, ""), nick in self._operators[room])

    def _changed(self, room: str, nick: str, before: str, source: str = SERVER) -> list[Line]:
        """Tell with which other modes somebody is shown in a room than `before`."""
        now = self._modes(room, nick)
        gone, new = [each for each in before if each not in now], [each for each in now if each not in before]
        letters = "".join(sign + "".join(those) for sign, those in (("-", gone), ("+", new)) if those)
        whom = [self._scene.called(nick)] * len(gone + new)
        return [line(source, "MODE", self._scene.channel(room), letters, *whom)] if letters else []

    # -- the roster as a whole

    def refresh(self, room: str, members: Iterable[m.Member]) -> list[Line]:
        """Tell which roles, and who is away, are otherwise than was shown: of neither is all told as it happens."""
        lines: list[Line] = []
        nicks = self.rooms.get(room, ())
        for member in members:
            if member.nick in nicks:
                lines += self.role(member.nick, face_of(member).role)
                lines += self.operates(room, member.nick, member.operator is True)
                lines += self.away(member.nick, member.away)
        return lines

    def settle(self, now: Rosters, *, gone: bool = True) -> list[Line]:
        """Tell what is different in the rooms that are shown; without `gone` only who has come, not who has left."""
        lines: list[Line] = []
        for room in [room for room in self.rooms if room in now]:
            members = now[room]
            absent = self.rooms[room] - set(members) - {self._scene.nick}
            for nick in sorted(absent) if gone else ():
                elsewhere = any(nick in now.get(each, ()) for each in self.rooms if each != room)
                lines += self._part(room, nick) if elsewhere else self._quit(nick, "gone")
            for nick in sorted(set(members) - self.rooms[room]):
                self._scene.world.faces.note(nick, face_of(members[nick]))
                lines += self._come(room, nick, members[nick].operator is True)
                lines += self.away(nick, members[nick].away)
        return lines

    def _come(self, room: str, nick: str, operates: bool) -> list[Line]:
        if room not in self.rooms or nick in self.rooms[room] or nick == self._scene.nick:
            return []
        role = self._scene.world.faces.of(nick).role
        lines = self.role(nick, role)
        self.rooms[room].add(nick)
        self._roles[nick] = role
        if operates:
            self._operators[room].add(nick)
        lines += [self._join(room, nick), *self._changed(room, nick, "")]
        if (text := self._away.setdefault(nick, None)) is not None:
            lines.append(line(self._mask(nick), "AWAY", text))
        return lines

    def _part(self, room: str, nick: str) -> list[Line]:
        self._discard(room, nick)
        return [line(self._mask(nick), "PART", self._scene.channel(room))]

    def _discard(self, room: str, nick: str) -> None:
        self.rooms[room].discard(nick)
        self._operators[room].discard(nick)
        if not self.shows(nick):
            self._away.pop(nick, None)
            self._roles.pop(nick, None)

    def _quit(self, nick: str, text: str) -> list[Line]:
        self._scene.world.was(nick)
        for room in self.rooms:
            self._discard(room, nick)
        return [line(self._mask(nick), "QUIT", text)]

    def _join(self, room: str, nick: str) -> Line:
        scene = self._scene
        tags = {"account": account} if (account := scene.account(nick)) else None
        if not scene.caps.has("extended-join"):
            return line(self._mask(nick), "JOIN", scene.channel(room), tags=tags)
        realname = scene.world.realname(nick, scene.world.faces.of(nick).from_)
        return line(self._mask(nick), "JOIN", scene.channel(room), account or "*", realname, tags=tags)

    def _mask(self, nick: str) -> str:
        return self._scene.mask(nick)
