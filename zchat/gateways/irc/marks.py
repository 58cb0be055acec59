"""Read marks: in zchat the seq through which one has read, in IRC the time of what was read last."""

from datetime import datetime, timedelta
from typing import Any

from zchat.client.client import ChatClient
from zchat.errors import ZchatError
from zchat.protocol import messages as m

from .core import chathistory
from .core.lines import Line, line
from .core.numerics import SERVER
from .core.scene import Scene

UNKNOWN = "*"
MILLISECOND = timedelta(milliseconds=1)


async def shown(session: ChatClient, *, room: str | None = None, to: str | None = None) -> str:
    """Return a person's mark in a place as IRC has it."""
    return await time_of(session, session.read_marks.through(room=room, to=to), room=room, to=to)


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


async def seq_at(session: ChatClient, time: datetime, *, room: str | None = None, to: str | None = None) -> int:
    """Return the seq of the last event of a place through a time; 0 if there is none.

    Raises RefusedError, TimedOutError, ClosedError.
    """
    place = _place(room, to)
    later = await session.history(**place, since=time + MILLISECOND, limit=1)
    first = next((event.seq for event in later.events if event.seq), None)
    page = await session.history(**place, before=first, limit=1)
    return max((event.seq or 0 for event in page.events), default=0)


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
