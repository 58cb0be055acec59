"""The frames that a page gets, as JSON. Pure. [What each means](README.md)."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from zchat.client.client import ChatClient
from zchat.client.core import notices
from zchat.protocol import messages as m

from .places import Place, Places


class Frame(msgspec.Struct, omit_defaults=True, tag_field="type", rename={"from_": "from", "with_": "with"}):
    """A frame, told from others by its `type`."""


class Me(msgspec.Struct, omit_defaults=True, rename={"from_": "from"}):
    """Who one is; `member` is absent for a guest."""

    from_: str
    nick: str
    role: str
    member: bool = False


class RoomTold(msgspec.Struct):
    """A room as a page begins with it."""

    name: str
    topic: str
    mode: str
    through: int
    read: int
    unread: int
    mentions: int
    unmarked: bool
    members: list[m.Member]


class TalkTold(msgspec.Struct, rename={"with_": "with"}):
    """A conversation as a page begins with it."""

    with_: str
    nick: str
    through: int
    read: int
    unread: int
    unmarked: bool


class Hello(Frame, tag="hello"):
    """All that a page begins with."""

    me: Me
    log: str
    epochs: m.Epochs
    broker: m.Limits
    server: str
    online: bool
    rooms: list[RoomTold]
    talks: list[TalkTold]
    push: str | None = None
    stalled: str | None = None


class Reply(Frame, tag="reply"):
    """The broker's answer to what has this `id`."""

    id: int | None
    reply: Raw


class Refused(Frame, tag="refused"):
    """What has this `id` is refused."""

    id: int | None
    code: str
    message: str


class Read(Frame, tag="read"):
    """A place was read through `seq`, in another tab or on another device."""

    seq: int
    room: str | None = None
    with_: str | None = None


class Unread(Frame, tag="unread"):
    """A place is unread behind `seq`, in all tabs: so many messages, of which so many call."""

    seq: int
    unread: int
    mentions: int
    room: str | None = None
    with_: str | None = None


class State(Frame, tag="state"):
    """Whether the gateway reaches the broker, and what else keeps things from being stored."""

    online: bool
    why: str | None = None
    retry_in: float | None = None
    stalled: str | None = None


class MeNow(Frame, tag="me"):
    """Who one is has changed: the nick, or the role."""

    me: Me


class RoomNow(Frame, tag="room"):
    """A room is one of one's own from now on: another tab has entered it."""

    room: RoomTold


class Parted(Frame, tag="parted"):
    """A room is not one of one's own any more; `why`, if that was not oneself."""

    room: str
    why: str | None = None


class Out(Frame, tag="out"):
    """The login is gone."""

    why: str


def text(frame: Frame) -> str:
    """Return a frame as it is sent."""
    return msgspec.json.encode(frame).decode()


def events(lines: Sequence[bytes]) -> str:
    """Return events, each JSON already, as one frame."""
    return (b'{"type":"events","events":[' + b",".join(lines) + b"]}").decode()


def me(client: ChatClient) -> Me:
    return Me(client.from_, client.nick or "", client.role, client.member is not None)


def hello(client: ChatClient, places: Places, push: str | None) -> Hello:
    """Return what a page begins with."""
    welcome = client.welcome
    rooms = (place for name in client.followed if (place := places.rooms.get(name)) is not None)
    return Hello(
        me=me(client),
        log=welcome.log if welcome else "",
        epochs=client.epochs,
        broker=welcome.limits if welcome else m.Limits(),
        server=welcome.server if welcome else "",
        online=client.online,
        rooms=[room(client, place) for place in rooms],
        talks=[talk(place) for place in _latest(places.talks.values())],
        push=push,
        stalled=client.stalled,
    )


def room(client: ChatClient, place: Place) -> RoomTold:
    calls, name, read = sum(calls for _, calls in place.unread), place.name, place.read
    members = list(client.members(name).values())
    return RoomTold(
        name, place.topic, place.mode, place.through, read, len(place.unread), calls, place.unmarked, members
    )  # fmt: skip


def talk(place: Place) -> TalkTold:
    unread = len(place.unread)
    return TalkTold(place.with_ or "", place.name, place.through, place.read, unread, place.unmarked)


def _latest(talks: Iterable[Place]) -> list[Place]:
    return sorted(talks, key=lambda place: -place.through)


def state(notice: Any) -> State | None:
    """Return what a notice of the client means for the page."""
    return _STATES[type(notice)](notice) if type(notice) in _STATES else None


_STATES: dict[type, Any] = {
    notices.Offline: lambda it: State(False, it.why, round(it.retry_in, 1)),
    notices.KeptOut: lambda it: State(False, it.why),
    notices.Deferred: lambda it: State(True, stalled=it.why),
    notices.Stalled: lambda it: State(True, stalled=it.why),
    notices.Flowing: lambda _: State(True),
}
