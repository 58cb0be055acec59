"""Connections that have become WebSockets, with bounds: what uvicorn leaves open there.

One whose head is refused stays open for ever, and fragments of a byte and pings are read and answered without an end,
also if nobody takes the answers. So these are counted, and who sends more than any browser does is cut.
"""

import asyncio
from collections import Counter
from typing import ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from zchat.gateways.connections import HEAD, less
from zchat.gateways.rates import Bucket, Rate, source
from zchat.protocol.endpoints import is_loopback

SOCKETS_OF_ADDRESS = 200
FRAMES = Rate(1_000, 50)  # pings, pongs and fragments; browsers send few


class Socket(WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket, or wants to."""

    _of_address: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._whose = source(self.client[0] if self.client else "")
        self._of_address[self._whose] += 1
        self._frames = Bucket(FRAMES, self.loop.time())
        self._timer = self.loop.call_later(HEAD, self._late)
        if self._of_address[self._whose] > SOCKETS_OF_ADDRESS and not is_loopback(self._whose):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():  # it is told so, and not ended
            self.handshake_complete = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        less(self._of_address, self._whose)
        super().connection_lost(exc)

    def handle_cont(self, event: Frame) -> None:
        self._count()
        super().handle_cont(event)

    def handle_ping(self) -> None:
        self._count()
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        self._count()
        super().handle_pong(event)

    def _count(self) -> None:
        if self._frames.owe(self.loop.time()):
            self.transport.abort()

    def _late(self) -> None:
        if not self.handshake_complete:
            self.transport.abort()
