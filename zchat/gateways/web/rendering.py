"""Lines of the protocol as the page gets them: each message and edit with its text as HTML beside it.

A line is rendered once for all who read it, and kept for a while: what is new is read by everybody at the same time. So
nothing that depends on the reader goes into it.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from zchat.protocol import messages as m

from .markdown import html

KEPT = 16 * 2**20  # bytes of lines and what became of them


class _Spoken(msgspec.Struct):
    type: str = ""
    text: str | None = None


class Rendering:
    """Renders lines; `kept` is how many bytes it remembers."""

    def __init__(self, kept: int = KEPT) -> None:
        self._max, self._bytes = kept, 0
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._decode = msgspec.json.Decoder(_Spoken).decode

    def line(self, line: bytes) -> bytes:
        """Return the line of an event, with `html` if there is a text to be read."""
        if (known := self._known.get(line)) is not None:
            self._known.move_to_end(line)
            return known
        spoken = self._decode(line)
        if spoken.type not in ("message", "edit") or spoken.text is None:
            return line
        made = line[:-1] + b',"html":' + msgspec.json.encode(html(spoken.text)) + b"}"
        self._known[line] = made
        self._bytes += len(line) + len(made)
        while self._bytes > self._max:
            old, of_old = self._known.popitem(last=False)
            self._bytes -= len(old) + len(of_old)
        return made

    def reply(self, reply: m.Reply) -> Raw:
        """Return a reply as JSON, its events rendered."""
        if isinstance(reply, m.History | m.Found | m.Audit):
            reply = msgspec.structs.replace(reply, events=tuple(Raw(self.line(bytes(each))) for each in reply.events))
        return Raw(msgspec.json.encode(reply))

    def events(self, heard: Iterable[tuple[Any, bytes]]) -> list[bytes]:
        """Return events as JSON."""
        return [self.line(line) if line else msgspec.json.encode(event) for event, line in heard]
