"""CHATHISTORY: what was said before, as clients ask for it.

A place in the log is a `seq` for the broker; a time is translated first. Only what can be told counts against a limit:
messages and edits, and for clients with `draft/event-playback` also reactions, pins and topics. What was deleted is
left out.
"""

import asyncio
from datetime import datetime
from typing import Any

from zchat.client.core.direct import split_name
from zchat.client.core.pages import Page
from zchat.errors import RefusedError, ZchatError
from zchat.protocol import messages as m

from .client import PIECE, Answer, Client, batched
from .core import chathistory, telling
from .core.chathistory import BadQueryError, Query, Reference
from .core.lines import Line, line
from .core.numerics import SERVER, fail
from .core.saying import invited_to, said
from .marks import MILLISECOND

SAID = ("message", "edit")
DONE = ("reaction", "pin", "topic")
PAGES = 20  # of the broker's at most for one question
TALKS_MAX = 100  # rooms, and conversations, whose last message TARGETS looks for


async def answer(client: Client, got: Line, answer: Answer) -> None:
    """Answer a CHATHISTORY."""
    sub = got.params[0].upper() if got.params else "*"
    target = got.params[1] if len(got.params) > 1 else "*"
    try:
        query = chathistory.parse(got.params)
        lines = await (_targets(client, query) if query.sub == "TARGETS" else _history(client, query))
    except BadQueryError as error:
        lines = [fail("CHATHISTORY", error.code, *error.params)]
    except RefusedError:
        lines = [fail("CHATHISTORY", "INVALID_TARGET", sub, target, "Messages could not be retrieved")]
    except ZchatError as error:
        lines = [fail("CHATHISTORY", "MESSAGE_ERROR", sub, target, f"Messages could not be retrieved: {error}")]
    await answer.deliver(lines)


async def _history(client: Client, query: Query) -> list[Line]:
    place = place_of(client, query.target)
    if place is None:
        raise RefusedError("bad_room", "there is no such channel")
    events = await _SUBS[query.sub](Asked(client, place), query)
    lines: list[Line] = []
    scene = client.scene
    playback = scene.caps.has("draft/event-playback")
    for at, event in enumerate(events):
        if at % PIECE == PIECE - 1:
            await asyncio.sleep(0)  # others are served in between
        invites = isinstance(event, m.Message) and invited_to(event) is not None
        told = said(event, scene) if invites and not playback else telling.tell(event, scene)
        lines += [each for each in told if playback or each.command != "TOPIC"]
    room = place.get("room")
    target = scene.channel(room[1:]) if room else scene.called(place["to"])
    return batched(lines, "chathistory", scene, target)


def place_of(client: Client, target: str) -> dict[str, Any] | None:
    """Return a place as `history` has it; None for what is no name."""
    if not target.startswith("#"):
        return {"to": client.nick_of(target)}
    room = client.room_of(target)
    return None if room is None else {"room": "#" + room}


class Asked:
    """The history of one place, as a client may see it."""

    def __init__(self, client: Client, place: dict[str, Any]) -> None:
        self._session, self._place = client.carried.person.client, place
        self._kinds = (*SAID, *DONE) if client.scene.caps.has("draft/event-playback") else SAID

    async def seq(self, mark: Reference, *, end: bool = False) -> int:
        """Return the seq of a place in the log; of a time that of the first event from then on.

        With `end`, that of the last event before then.
        """
        if mark.seq is not None:
            return mark.seq
        assert mark.time is not None  # noqa: S101 — `*` is asked for by nobody
        first = await self._first(mark.time)
        return first - 1 if end else first

    async def _first(self, time: datetime) -> int:
        page = await self._session.history(**self._place, since=time, limit=1)
        return next((event.seq for event in page.events if event.seq), m.SEQ_MAX)

    async def before(self, seq: int | None, limit: int, above: int = 0) -> list[Any]:
        """Return the last events before a seq, and above another one."""
        found: list[Any] = []
        for _ in range(PAGES):
            page = await self._page(limit - len(found), before=seq if seq is not None and seq < m.SEQ_MAX else None)
            events = [event for event in page.events if (event.seq or 0) > above]
            found = [*events, *found]
            if not page.more or len(found) >= limit or len(events) < len(page.events) or not page.events:
                break
            seq = page.events[0].seq
        return found[-limit:]

    async def after(self, seq: int, limit: int, below: int = m.SEQ_MAX) -> list[Any]:
        """Return the first events after a seq, and below another one."""
        found: list[Any] = []
        for _ in range(PAGES):
            page = await self._page(limit - len(found), after=max(seq, 0))
            events = [event for event in page.events if (event.seq or 0) < below]
            found += events
            if not page.more or len(found) >= limit or len(events) < len(page.events):
                break
            seq = page.upto
        return found[:limit]

    async def _page(self, limit: int, **mark: Any) -> Page:
        return await self._session.history(**self._place, **mark, limit=max(limit, 1), kinds=self._kinds)


async def _latest(asked: Asked, query: Query) -> list[Any]:
    mark = query.marks[0]
    none = mark.seq is None and mark.time is None
    return await asked.before(None, query.limit, 0 if none else await _behind(asked, mark))


async def _behind(asked: Asked, mark: Reference) -> int:
    """Return the seq behind which everything is later than the mark: a message at the very time is not."""
    if mark.time is None:
        return await asked.seq(mark)
    return await asked.seq(Reference(time=mark.time + MILLISECOND), end=True)


async def _before(asked: Asked, query: Query) -> list[Any]:
    return await asked.before(await asked.seq(query.marks[0]), query.limit)


async def _after(asked: Asked, query: Query) -> list[Any]:
    return await asked.after(await _behind(asked, query.marks[0]), query.limit)


async def _around(asked: Asked, query: Query) -> list[Any]:
    middle = await asked.seq(query.marks[0])
    later = await asked.after(middle - 1, query.limit - query.limit // 2)
    earlier = await asked.before(middle, query.limit - len(later))
    return [*earlier, *later]


async def _between(asked: Asked, query: Query) -> list[Any]:
    first, second = query.marks
    if await asked.seq(first) <= await asked.seq(second):
        return await asked.after(await _behind(asked, first), query.limit, await asked.seq(second))
    return await asked.before(await asked.seq(first), query.limit, await _behind(asked, second))


_SUBS = {"LATEST": _latest, "BEFORE": _before, "AFTER": _after, "AROUND": _around, "BETWEEN": _between}


async def _targets(client: Client, query: Query) -> list[Line]:
    """Return the places whose last message is between two times."""
    session = client.carried.person.client
    since, until = sorted(mark.time for mark in query.marks if mark.time is not None)
    pong = await session.ask(m.Ping())
    heads = sorted(pong.heads.items(), key=lambda item: -item[1])[:TALKS_MAX]  # type: ignore[attr-defined]
    found: list[tuple[str, str]] = []
    for name, _ in heads:
        nick, from_ = split_name(name[1:]) if name.startswith("@") else ("", None)
        place: dict[str, Any] = {"to": nick, "with_": from_} if nick else {"room": "#" + name}
        page = await session.history(**place, limit=1, kinds=SAID)
        if page.events:
            target = client.scene.called(nick) if nick else client.scene.channel(name)
            found.append((page.events[-1].time, target))  # type: ignore[union-attr]
    shown = [each for each in sorted(found) if chathistory.shown(since) < each[0] < chathistory.shown(until)]
    lines = [line(SERVER, "CHATHISTORY", "TARGETS", target, time) for time, target in shown[: query.limit]]
    return batched(lines, "draft/chathistory-targets", client.scene)
