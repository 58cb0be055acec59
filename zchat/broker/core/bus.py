"""What brokers of a cluster tell each other beside the stream: it is not kept, and may be lost, doubled or late.

Each is sent to all brokers, and comes back to the one that sent it. `elsewhere.py` says what is made of presence. None
is larger than 512 KiB, because the engine takes 1 MiB.
"""

import msgspec
from msgspec import Struct


class Heartbeat(Struct, frozen=True, tag=True):
    """A broker is there. It has applied the stream up to `applied`, where its running hash is `hash`."""

    broker: str
    epoch: int
    applied: int
    hash: bytes = b""
    sessions: int = 0
    version: str = ""
    revision: int = 0  # of the last `Here`
    term: str = ""  # of the stream of which its log is
    trouble: str = ""  # why nothing is written now
    tables: str = ""  # by which it judges names
    wall: float = 0.0  # its clock, in seconds since 1970; 0: an older broker does not tell


class Elsewhere(Struct, frozen=True, array_like=True):
    """An author at a broker: what all of its sessions there make of it. `nick` is None if it only observes."""

    from_: str
    nick: str | None = None
    role: str = "guest"
    bot: bool = False
    away: str | None = None
    away_set: tuple[int, str] = (0, "")  # how often `away` was set, and at which broker last: the greater one holds
    rooms: frozenset[str] = frozenset()
    credential: str = ""
    idle: int = 0  # seconds, when this was told


class Left(Struct, frozen=True, array_like=True):
    """An author left these rooms on purpose, or was silent for too long; `reason` and `text` as in `left`."""

    from_: str
    rooms: tuple[str, ...]
    reason: str
    text: str | None = None


class Here(Struct, frozen=True, tag=True):
    """What has changed at a broker since `revision` - 1: authors as they are now, and those without a session there.

    A room that is not named any more, and not in `left` either, was not left on purpose: the author is on its way.
    """

    broker: str
    epoch: int
    revision: int
    authors: list[Elsewhere] = []
    gone: list[str] = []
    left: list[Left] = []


class Ask(Struct, frozen=True, tag=True):
    """A broker is asked for `Everybody`."""

    broker: str


class Everybody(Struct, frozen=True, tag=True):
    """All authors at a broker, as of a revision, in so many parts."""

    broker: str
    epoch: int
    revision: int
    part: int
    parts: int
    authors: list[Elsewhere]


class Active(Struct, frozen=True, tag=True):
    """These authors have done something lately, so many seconds ago."""

    broker: str
    epoch: int
    authors: dict[str, int]


class Typing(Struct, frozen=True, tag=True):
    """Somebody is typing in a room, or to the author whose `from` is `to` and whose nick is `to_nick`."""

    broker: str
    nick: str
    room: str | None = None
    to: str | None = None
    to_nick: str = ""


class Kicked(Struct, frozen=True, tag=True):
    """A moderator at another broker sends an author away; with `room`, from there only."""

    broker: str
    from_: str
    by: str | None
    room: str | None = None
    text: str | None = None


Presence = Here | Ask | Everybody | Active | Typing | Kicked
Told = Heartbeat | Presence

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Told).decode
