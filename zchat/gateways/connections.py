"""Connections of strangers, with bounds: what uvicorn leaves open.

A connection that sends no whole request may stay for ever, and a peer that reads nothing, too. So who has not sent a
whole head in time is cut, and one address has so many connections. What costs much to read and carries little is cut as
well: a body in chunks of a byte, or a head of a thousand lines. Each is read within one step
of the loop, and everybody else waits for that. So a read is short, and its pieces are counted.

uvicorn is told of it by `http=Connection`. What becomes a WebSocket is bounded by the page's server.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from zchat import ports
from zchat.gateways.rates import source
from zchat.protocol.endpoints import is_loopback

HEAD = 10.0  # seconds for the head of a request
HEAD_MAX = 32 * 1024  # bytes; what was read at once with its end may be a little more
HEADERS_MAX = 200
COMING = 4  # one in so many open files may be a connection that has said nothing yet: the oldest gives way
REST = 10.0  # seconds for what is left of a body when its request is answered already
CONNECTIONS_OF_ADDRESS = 100
READ = 16 * 1024  # bytes that are read at once
PIECES, PIECE = 1_000, 64  # chunks of a body, after which they have to have so many bytes on average
BY_STRANGERS = frozenset(
    ("Invalid HTTP request received.", "Unsupported upgrade request.", "Invalid UTF-8 sequence received from client.")
)


class Pieces(h11.Connection):
    """Reads HTTP, and refuses what is all heads and no body."""

    _pieces = _bytes = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
            if len(event.headers) > HEADERS_MAX:
                raise h11.RemoteProtocolError("too many headers", error_status_hint=431)
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > PIECES and self._bytes < self._pieces * PIECE:
                raise h11.RemoteProtocolError("a body in very small chunks")
        return event


class Coming:
    """Connections from which nothing whole has come yet, the oldest first; when there are very many, it gives way."""

    def __init__(self) -> None:
        self._cut: dict[object, Callable[[], None]] = {}

    def add(self, connection: object, cut: Callable[[], None]) -> None:
        self._cut[connection] = cut
        if len(self._cut) > ports.open_files() // COMING:
            oldest = next(iter(self._cut))
            self._cut.pop(oldest)()

    def remove(self, connection: object) -> None:
        self._cut.pop(connection, None)


COMING_NOW = Coming()


class Connection(H11Protocol):
    """One connection, with bounds. (WebSockets leave this class once they are open.)"""

    _of_address: ClassVar[Counter[str]] = Counter()
    _timer: asyncio.TimerHandle | None = None
    _is_counted = False

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.conn = Pieces(h11.SERVER, HEAD_MAX)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        read_little(transport)
        whose = self._whose()
        self._of_address[whose] += 1
        self._is_counted = True
        if self._of_address[whose] > CONNECTIONS_OF_ADDRESS and not is_loopback(whose):
            transport.abort()
            return
        COMING_NOW.add(self, self._late)
        self._timer = self.loop.call_later(HEAD, self._late)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.scope is not None:
            COMING_NOW.remove(self)
        self._watch()
        if self._is_counted and self not in self.connections and self.scope is not None:  # it is a WebSocket by now
            self._uncount()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP. The application says nothing more there; and where it has begun to, nobody does."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Let the time run while a request is only begun, or answered before it is whole."""
        wait = self._wait()
        if self._timer is not None and not wait:
            self._timer.cancel()
            self._timer = None
        elif self._timer is None and wait and not self.transport.is_closing():
            self._timer = self.loop.call_later(wait, self._late)

    def _wait(self) -> float:
        """Return how many seconds what was begun may take; 0 if nothing was, or somebody takes care of it."""
        if self.conn.their_state is h11.IDLE:
            return HEAD if self.scope is None or self.conn.trailing_data[0] else 0.0
        return REST if self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE else 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        COMING_NOW.remove(self)
        self._uncount()
        super().connection_lost(exc)

    def _late(self) -> None:
        COMING_NOW.remove(self)
        self.transport.abort()

    def _uncount(self) -> None:
        if self._is_counted:
            self._is_counted = False
            less(self._of_address, self._whose())

    def _whose(self) -> str:
        return source(self.client[0] if self.client else "")


def read_little(transport: Any) -> None:
    """Let no more be read at once than is done with quickly; asyncio reads sixteen times as much."""
    transport.max_size = READ


def less(counter: Counter[str], whose: str) -> None:
    """Count one less, and keep no zeros."""
    counter[whose] -= 1
    if counter[whose] <= 0:
        del counter[whose]


class Quiet(logging.Filter):
    """Leaves out what anybody may cause as often as they like."""

    def filter(self, record: logging.LogRecord) -> bool:
        return cast(str, record.msg) not in BY_STRANGERS
