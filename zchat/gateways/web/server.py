"""Serving the page: the socket, TLS, connections that never say what they want, and an end that is told.

uvicorn does the work. What it leaves open: a connection that sends no whole request may stay for ever, and a peer that
reads nothing, too. So who has not sent a whole head in time is cut, one address has so many connections, and the kernel
ends those that do not take what they are sent.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from zchat import ports
from zchat.errors import UsageError
from zchat.gateways.rates import source
from zchat.protocol.endpoints import is_loopback

OPTION, FORM = "--listen", "HOST:PORT, as in 127.0.0.1:8080"
HEAD = 10.0  # seconds for the head of a request
COMING = 4  # one in so many open files may be a connection that has said nothing yet: the oldest gives way
REST = 10.0  # seconds for what is left of a body when its request is answered already
CONNECTIONS_OF_ADDRESS = 100
BACKLOG, ACCEPTED = 1_024, 64  # connections that wait to be accepted; that are at once, before one gives way
FRAME_MAX = 256 * 1024  # bytes of a frame from a page: a text of 16 KiB, each character escaped
UNREAD = 30_000  # ms after which a peer is given up that does not take what it is sent
GRACEFUL = 5  # seconds for what is under way when it stops


class Connection(H11Protocol):
    """One connection, with bounds. (WebSockets leave this class once they are open.)"""

    _of_address: ClassVar[Counter[str]] = Counter()
    _coming: ClassVar[dict["Connection", None]] = {}  # from which no whole head has come yet, the oldest first
    _timer: asyncio.TimerHandle | None = None
    _is_counted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        whose = self._whose()
        self._of_address[whose] += 1
        self._is_counted = True
        if self._of_address[whose] > CONNECTIONS_OF_ADDRESS and not is_loopback(whose):
            transport.abort()
            return
        self._coming[self] = None
        if len(self._coming) > ports.open_files() // COMING:
            next(iter(self._coming))._late()
        self._timer = self.loop.call_later(HEAD, self._late)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.scope is not None:
            self._coming.pop(self, None)
        self._watch()
        if self._is_counted and self not in self.connections and self.scope is not None:  # it is a WebSocket by now
            self._uncount()

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
        self._coming.pop(self, None)
        self._uncount()
        super().connection_lost(exc)

    def _late(self) -> None:
        self._coming.pop(self, None)
        self.transport.abort()

    def _uncount(self) -> None:
        if not self._is_counted:
            return
        self._is_counted = False
        whose = self._whose()
        self._of_address[whose] -= 1
        if self._of_address[whose] <= 0:
            del self._of_address[whose]

    def _whose(self) -> str:
        return source(self.client[0] if self.client else "")


class Server(uvicorn.Server):
    """A server whose signals are handled by who runs it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; many may wait to be accepted, though few are at once."""
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(BACKLOG)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises AddressInUseError, BadAddressError."""
    opened = ports.listen(host, port, OPTION, FORM, backlog=BACKLOG)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # connections that are accepted have it, too
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD)
    return opened


def server(app: ASGIApp, certificate: Path | None = None, key: Path | None = None) -> Server:
    """Return a server for an application."""
    tls: dict[str, Any] = {"ssl_certfile": certificate, "ssl_keyfile": key} if certificate else {}
    config = uvicorn.Config(
        cast(Any, app),
        http=Connection,
        ws="websockets-sansio",
        ws_max_size=FRAME_MAX,
        ws_per_message_deflate=False,  # 64 kB a tab, for small texts
        backlog=ACCEPTED,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # `guard.py` reads what it needs of them
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL,
        **tls,
    )
    try:
        config.load()
    except OSError as error:  # of a certificate
        raise UsageError(
            f"The certificate {certificate} or its key cannot be used: {error.strerror or error}."
        ) from error
    return Server(config)
