"""Read marks: in zchat the seq through which one has read, in IRC a time.

A client is answered with the very time that it told, as long as that means the same: it is `Stamp`, and lives as long
as its connections. Else the time is that of the last event that was read.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from zchat.client.client import ChatClient
from zchat.errors import ZchatError
from zchat.protocol import messages as m

from .carried import Carried, Stamp
from .core import chathistory
from .core.lines import Line, line
from .core.numerics import SERVER
from .core.scene import Scene

UNKNOWN = "*"
BEFORE = datetime(1970, 1, 1, tzinfo=UTC)  # all events
MILLISECOND = timedelta(milliseconds=1)


async def shown(carried: Carried, *, room: str | None = None, to: str | None = None) -> str:
    """Return a person's mark in a place as IRC has it."""
    session = carried.person.client
    seq, stamp = session.read_marks.through(room=room, to=to), carried.stamps.get(_name(room, to))
    if stamp is not None and stamp.seq == seq:
        return f"timestamp={chathistory.shown(stamp.time)}"
    return await time_of(session, seq, room=room, to=to)


async def set_(carried: Carried, time: datetime, *, room: str | None = None, to: str | None = None) -> None:
    """All through a time was read in a place, unless it is known that more was.

    Raises RefusedError, TimedOutError, ClosedError.
    """
    session, name = carried.person.client, _name(room, to)
    last = await _last_through(session, time, room=room, to=to)
    time = max(min(time, datetime.now(UTC)), last.time)  # what is still to be said was read by nobody
    before, stamp = session.read_marks.through(room=room, to=to), carried.stamps.get(name)
    if last.seq > before:
        await session.messages.mark_read(last.seq, **_place(room, to))
    elif last.seq < before or (stamp is not None and stamp.seq == last.seq and stamp.time >= time):
        return
    carried.stamp(name, Stamp(last.seq, time))


async def time_of(session: ChatClient, seq: int, *, room: str | None = None, to: str | None = None) -> str:
    """Return the time of an event, or of the one before it that is still there; `*` if there is none."""
    if seq <= 0:
        return UNKNOWN
    try:
        page = await session.history(**_place(room, to), before=seq + 1, limit=1)
    except ZchatError:
        return UNKNOWN
    times = [event.time for event in page.events if isinstance(event, m.Event)]
    return f"timestamp={times[-1]}" if times else UNKNOWN


async def _last_through(session: ChatClient, time: datetime, *, room: str | None, to: str | None) -> Stamp:
    """Return the last event of a place through a time; the seq is 0 if there is none."""
    place = _place(room, to)
    later = await session.history(**place, since=time + MILLISECOND, limit=1)
    first = next((event.seq for event in later.events if event.seq), None)
    page = await session.history(**place, before=first, limit=1)
    found = [event for event in page.events if isinstance(event, m.Event) and event.seq]
    return Stamp(found[-1].seq, datetime.fromisoformat(found[-1].time)) if found else Stamp(0, BEFORE)


async def told(session: ChatClient, scene: Scene, event: m.ReadMarked) -> list[Line]:
    """Tell what was read on another device."""
    if not scene.caps.has("draft/read-marker"):
        return []
    target = scene.channel(event.room) if event.room is not None else scene.called(event.to or "")
    time = await time_of(session, event.seq, room=event.room, to=event.to)
    return [line(SERVER, "MARKREAD", target, time)]


def moment(word: str) -> datetime | None:
    """Return the time in `timestamp=…`."""
    kind, _, value = word.partition("=")
    return chathistory.moment(value) if kind == "timestamp" else None


def _place(room: str | None, to: str | None) -> dict[str, Any]:
    return {"room": "#" + room} if room is not None else {"to": to}


def _name(room: str | None, to: str | None) -> str:
    return f"#{room}" if room is not None else f"@{to}"
