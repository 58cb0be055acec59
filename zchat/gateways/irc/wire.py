"""One connection of TCP, plain or TLS: bytes in, lines out, and bounds on both."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from .core.lines import Line, encoded

READ = 16_384  # bytes at a time
UNREAD_MAX = 2 * 2**20  # bytes that wait for a client which does not read: then it is cut
STUCK = 60.0  # seconds until a client that takes nothing is cut
LINGER = 5.0  # seconds in which a client may take what it was sent last


class Stream(Protocol):
    """What `Wire` stands on: a plain connection, or one with TLS."""

    certificate: str | None  # the fingerprint of the client's, by SHA-256, if it has shown one

    async def read(self) -> bytes:
        """Return what has come, b"" at the end. Raises OSError."""

    def write(self, data: bytes) -> None:
        """Send, or let it wait."""

    async def drain(self) -> None:
        """Wait until not much waits. Raises OSError."""

    @property
    def waiting(self) -> int:
        """How many bytes wait to be sent."""

    @property
    def gone(self) -> bool:
        """Whether nobody is there any more, though not all that came was read."""

    def end(self) -> None:
        """Close once all is sent."""

    def abort(self) -> None:
        """Close at once."""


class Plain:
    """A connection without TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.certificate: str | None = None
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        return await self._reader.read(READ)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    @property
    def waiting(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    @property
    def gone(self) -> bool:
        return self._writer.is_closing()

    def end(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()


class Wire:
    """Lines to a client. Nothing is sent after `end`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.over = False
        self.why = ""

    async def read(self) -> bytes:
        """Return what has come, b"" when the connection is over."""
        try:
            return await self.stream.read()
        except OSError:
            return b""

    def send(self, lines: Iterable[Line]) -> None:
        """Send lines. A client that does not read is cut."""
        if self.over or self.stream.gone:
            return
        data = b"".join(map(encoded, lines))
        if data:
            self.stream.write(data)
            if self.stream.waiting > UNREAD_MAX:
                self.cut("it does not read what it is sent")

    async def drain(self) -> bool:
        """Wait until not much waits; return whether all has left."""
        try:
            async with asyncio.timeout(STUCK):
                await self.stream.drain()
        except TimeoutError:
            self.cut("it does not read what it is sent")
        except OSError:
            pass  # it is gone, as reading tells
        return self.stream.waiting == 0

    def end(self, why: str, last: Iterable[Line] = ()) -> None:
        """Send some last lines, and close."""
        if not self.over:
            self.send(last)
            self.over, self.why = True, self.why or why
            self.stream.end()
            asyncio.get_running_loop().call_later(LINGER, self.stream.abort)  # it may take nothing

    def cut(self, why: str) -> None:
        """Close at once."""
        self.over, self.why = True, self.why or why
        self.stream.abort()
