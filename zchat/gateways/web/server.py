"""Serving the page: the socket, TLS, and an end that is told.

uvicorn does the work; `../connections.py`, `upgraded.py` and `tls.py` bound what strangers can do to it. The kernel
ends connections whose other end does not take what it is sent.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from zchat import ports
from zchat.errors import UsageError
from zchat.gateways.connections import Connection, Quiet

from . import tls
from .upgraded import Socket

OPTION, FORM = "--listen", "HOST:PORT or PORT, as in 127.0.0.1:8080"
BACKLOG, ACCEPTED = 1_024, 64  # connections that wait to be accepted; that are at once, before one gives way
FRAME_MAX = 256 * 1024  # bytes of a frame from a page: a text of 16 KiB, each character escaped
UNREAD = 30_000  # ms after which a peer is given up that does not take what it is sent
GRACEFUL = 5  # seconds for what is under way when it stops


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


def server(app: ASGIApp, certificate: tuple[Path, Path] | None = None) -> Server:
    """Return a server for an application; by TLS, if there are a certificate and its key."""
    http: Any = Connection
    if certificate is not None:
        try:
            context = tls.context_of(*certificate)
        except OSError as error:
            raise UsageError(
                f"The certificate {certificate[0]} or its key cannot be used: {error.strerror or error}."
            ) from error
        http = _behind(context)
    logging.getLogger("uvicorn.error").addFilter(Quiet())
    config = uvicorn.Config(
        cast(Any, app),
        http=http,
        ws=Socket,
        ws_max_size=FRAME_MAX,
        ws_per_message_deflate=False,  # 64 kB a tab, for small texts
        backlog=ACCEPTED,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # `guard.py` reads what it needs of them
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL,
    )
    config.load()
    return Server(config)


def _behind(context: ssl.SSLContext) -> Callable[..., asyncio.Protocol]:
    """Return what makes connections that speak TLS before they speak HTTP."""

    def door(**settings: Any) -> asyncio.Protocol:
        return tls.Door(context, lambda: Connection(**settings))

    return door
