"""Lines of the protocol as the page gets them: each message and edit with its text as HTML beside it.

A line is rendered once for all who read it, and kept for a while: what is new is read by everybody at the same time. So
nothing that depends on the reader goes into it.

Some texts take ten milliseconds, and a page of history may have two hundred of them, put there by somebody who means
it. Everybody else would wait for that. So texts with many marks are rendered one at a time in the whole server, each
with a pause that is as long as it took, in turns between those who ask; what is usual goes past them. And of new texts
with many marks there are only some of one author: what comes faster is shown as it stands.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import msgspec
from msgspec import Raw

from zchat.gateways.rates import Buckets, Rate
from zchat.protocol import messages as m

from .markdown import MARKS_MAX, html, marks_of

KEPT = 16 * 2**20  # bytes of lines and what became of them
MANY, LONG = 100, 4_096  # marks, characters: a millisecond
AT_ONCE = 0.005  # seconds for what has few, before others have a turn
OF_AUTHOR = Rate(10, 1)  # new texts with many marks


class _Spoken(msgspec.Struct, rename={"from_": "from"}):
    type: str = ""
    text: str | None = None
    from_: str = ""


class Rendering:
    """Renders lines; `kept` is how many bytes it remembers."""

    def __init__(self, kept: int = KEPT) -> None:
        self._max, self._bytes = kept, 0
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._decode = msgspec.json.Decoder(_Spoken).decode
        self._turn = asyncio.Lock()
        self._authors = Buckets(OF_AUTHOR)

    async def reply(self, reply: m.Reply, turn: asyncio.Lock) -> Raw:
        """Return a reply as JSON, its events rendered; `turn` is one of the person who asks."""
        if isinstance(reply, m.History | m.Found | m.Audit):
            lines = [bytes(each) for each in reply.events]
            async with turn if any(line not in self._known for line in lines) else nullcontext():
                reply = msgspec.structs.replace(reply, events=tuple([Raw(each) for each in await self._all(lines)]))
        return Raw(msgspec.json.encode(reply))

    async def events(self, heard: Iterable[tuple[Any, bytes]]) -> list[bytes]:
        """Return what has just happened as JSON."""
        events = list(heard)
        made = iter(await self._all([line for _, line in events if line], new=True))
        return [next(made) if line else msgspec.json.encode(event) for event, line in events]

    async def _all(self, lines: list[bytes], *, new: bool = False) -> list[bytes]:
        made, since = [], time.perf_counter()
        for line in lines:
            made.append(self._known_as(line) or await self._rendered(line, new=new))
            if time.perf_counter() - since > AT_ONCE:
                await asyncio.sleep(0)
                since = time.perf_counter()
        return made

    async def _rendered(self, line: bytes, *, new: bool) -> bytes:
        spoken = self._decode(line)
        if spoken.type not in ("message", "edit") or spoken.text is None:
            return line
        marks = marks_of(spoken.text)
        if (marks <= MANY and len(spoken.text) <= LONG) or marks > MARKS_MAX:
            return self._keep(line, html(spoken.text, marks))
        async with self._turn:
            if (known := self._known_as(line)) is not None:
                return known
            begun = time.perf_counter()
            too_many = new and marks > MANY and self._authors.take(spoken.from_, begun) > 0
            made = self._keep(line, html(spoken.text, marks, MANY if too_many else MARKS_MAX))
            await asyncio.sleep(time.perf_counter() - begun)
            return made

    def _known_as(self, line: bytes) -> bytes | None:
        if (known := self._known.get(line)) is not None:
            self._known.move_to_end(line)
        return known

    def _keep(self, line: bytes, shown: str) -> bytes:
        made = line[:-1] + b',"html":' + msgspec.json.encode(shown) + b"}"
        if line not in self._known:
            self._bytes += len(line) + len(made)
        self._known[line] = made
        while self._bytes > self._max:
            old, of_old = self._known.popitem(last=False)
            self._bytes -= len(old) + len(of_old)
        return made
