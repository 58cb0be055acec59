"""What is needed to tell something to one client: how everybody is called there, and what was said before."""

import itertools
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from zchat.errors import RefusedError
from zchat.protocol import policy

from .caps import Caps
from .gone import Gone, Was
from .names import NICKS, ROOMS, NameMap

KNOWN = 20_000  # people whom the gateway remembers: for their masks, also of those who have left
RECENT = 5_000  # messages that it remembers, to tell what an answer or a reaction is about
BEGINNING = 40  # characters of what is answered


class Face(NamedTuple):
    """Somebody, as far as is known: `role` is `guest` for a guest, "" where it is not known."""

    from_: str
    role: str = ""
    bot: bool = False


class Faces:
    """People by nick; the oldest are forgotten."""

    def __init__(self) -> None:
        self._faces: OrderedDict[str, Face] = OrderedDict()

    def note(self, nick: str, face: Face) -> None:
        """Know somebody from now on. What is not known of their role stays what it was."""
        before = self._faces.get(nick)
        if before is not None and before.from_ == face.from_ and not face.role:
            face = before
        self._faces[nick] = face
        self._faces.move_to_end(nick)
        if len(self._faces) > KNOWN:
            self._faces.popitem(last=False)

    def rename(self, old: str, new: str) -> None:
        """Know that somebody has another nick; what they said under the old one stays theirs."""
        if face := self._faces.get(old):
            self.note(new, face)

    def of(self, nick: str, from_: str = "") -> Face:
        """Return who has this nick; of somebody else with the same nick nothing is known."""
        face = self._faces.get(nick)
        return face if face is not None and from_ in ("", face.from_) else Face(from_)


class Past(NamedTuple):
    """A message that was told: who said it, when, how it begins and began, and where it was said."""

    nick: str
    time: str
    text: str
    began: str = ""
    place: str = ""


def beginning(text: str) -> str:
    """Return how a text begins."""
    first = text.partition("\n")[0]
    return first if len(first) <= BEGINNING else f"{first[:BEGINNING].rstrip()}…"


class Recent:
    """Messages by their seq; the oldest are forgotten."""

    def __init__(self) -> None:
        self._past: OrderedDict[int, Past] = OrderedDict()
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()  # by nick and place, the last one there

    def note(self, seq: int, nick: str, time: str, text: str, place: str) -> None:
        """Remember a message."""
        self._past[seq] = Past(nick, time, beginning(text), beginning(text), place)
        self._last[nick, place] = max(seq, self._last.pop((nick, place), 0))
        for each in (self._past, self._last):
            if len(each) > RECENT:
                each.popitem(last=False)

    def edit(self, seq: int, text: str) -> tuple[Past | None, bool]:
        """A message has another text; return it, and whether its author has said nothing there since."""
        if (past := self._past.get(seq)) is None:
            return None, False
        self._past[seq] = past._replace(text=beginning(text))
        return past, self._last.get((past.nick, past.place), 0) <= seq

    def forget(self, seq: int) -> Past | None:
        """Forget the text of a message that is gone; return what else is known."""
        if (past := self._past.get(seq)) is not None:
            self._past[seq] = past._replace(text="")
        return self._past.get(seq)

    def of(self, seq: int) -> Past | None:
        """Return a message, None if it is not remembered."""
        return self._past.get(seq)

    def clear(self) -> None:
        """Forget all: the log went back, and each seq will be used again."""
        self._past.clear()
        self._last.clear()


class Persona(NamedTuple):
    """What a client of IRC has told of whoever uses it, by USER and SETNAME. Nobody else in zchat hears of it."""

    user: str = ""
    realname: str = ""


@dataclass
class World:
    """What all clients of a gateway share."""

    nicks: NameMap = field(default_factory=lambda: NameMap(NICKS))
    rooms: NameMap = field(default_factory=lambda: NameMap(ROOMS))
    faces: Faces = field(default_factory=Faces)
    recent: Recent = field(default_factory=Recent)
    device: str = ""  # what the gateway is called among the devices of its people
    passing: set[str] = field(default_factory=set)  # keys of that device
    personas: OrderedDict[str, Persona] = field(default_factory=OrderedDict)  # by `from_`, also of who has gone
    gone: Gone = field(default_factory=Gone)
    created: dict[str, int] = field(default_factory=dict)  # rooms, and since when (seconds) each was there

    def nick_typed(self, text: str) -> str:
        """Return the nick that somebody at a client of IRC means to take. Raises RefusedError for one that IRC has not.

        There it would be shown as another one than was typed, and in zchat nobody has to write such a nick.
        """
        nick = self.nicks.from_irc(text)
        if nick == text and not self.nicks.carries(nick):
            raise RefusedError("bad_nick", f"{text} has characters that IRC or zchat has in no nick, or is too long")
        return nick

    def told(self, from_: str, persona: Persona) -> None:
        """Know what somebody's client has told; who told it longest ago is forgotten."""
        self.personas[from_] = persona
        self.personas.move_to_end(from_)
        if len(self.personas) > KNOWN:
            self.personas.popitem(last=False)

    def user(self, from_: str, role: str) -> str:
        """Return what stands for the user in a mask: the role; with a ~, where nothing proves who it is."""
        if role and role != policy.GUEST:
            return role
        persona = self.personas.get(from_)
        return "~" + (persona.user if persona and persona.user else role)

    def realname(self, nick: str, from_: str) -> str:
        """Return what somebody is called besides the nick; the nick, where nothing else is known."""
        persona = self.personas.get(from_)
        return persona.realname if persona and persona.realname else nick

    def was(self, nick: str) -> None:
        """Somebody who is known has gone, or has another nick from now on."""
        face = self.faces.of(nick)
        if face.from_:
            user, realname = self.user(face.from_, face.role), self.realname(nick, face.from_)
            self.gone.note(Was(self.nicks.to_irc(nick), user, face.from_, realname))


@dataclass
class Scene:
    """One client: its capabilities, and whose it is."""

    world: World
    caps: Caps
    nick: str = ""  # as zchat has it
    from_: str = ""
    _batches: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def me(self) -> str:
        """One's own nick, as IRC has it."""
        return self.world.nicks.to_irc(self.nick)

    def called(self, nick: str) -> str:
        """Return a nick as IRC has it."""
        return self.world.nicks.to_irc(nick)

    def channel(self, room: str) -> str:
        """Return a room as IRC has it."""
        return "#" + self.world.rooms.to_irc(room)

    def mask(self, nick: str, from_: str = "") -> str:
        """Return `nick!user@host`: the user tells the role, with a ~ where nothing proves who it is."""
        face = self.world.faces.of(nick, from_)
        return f"{self.called(nick)}!{self.world.user(face.from_, face.role)}@{face.from_ or from_ or 'zchat'}"

    def account(self, nick: str, from_: str = "") -> str | None:
        """Return the account of a member: the nick, which is theirs alone. None for guests, and where it is unknown."""
        role = self.world.faces.of(nick, from_).role
        return self.called(nick) if role in policy.RANKS and role != policy.GUEST else None

    def prefix(self, modes: str) -> str:
        """Return what stands before a nick in a room: the sign of the highest mode, or of all if it asked for that."""
        return (modes if self.caps.has("multi-prefix") else modes[:1]).translate(SIGNS)

    def batch(self) -> str:
        """Return the name of a new batch."""
        return f"z{next(self._batches)}"


USER_MAX = 9  # characters, behind the ~


def user_of(name: str) -> str:
    """Return of what a client gives for its user (USER) what a mask can have."""
    return "".join(char for char in name if char.isascii() and (char.isalnum() or char in "-._"))[:USER_MAX]


MODES = {"owner": "q", "moderator": "o", "member": "v"}
SIGNS = str.maketrans("qov", "~@+")


def modes_of(role: str, operates: bool = False) -> str:
    """Return the modes of somebody in a room, the highest first: that of the role, and `o` of who operates the room."""
    mode = MODES.get(role, "")
    return "".join(each for each in "qov" if each == mode or (each == "o" and operates))
