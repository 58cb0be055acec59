"""Over streamable HTTP, for hosts that do not start the gateway themselves. One gateway is one agent.

Who may speak as the agent is told by a bearer token, in a file that only its owner reads. It is asked for before
anything else of a request is looked at. A page in somebody's browser must not reach a server on loopback: so `Host` and
`Origin` have to be this gateway's, as the specification asks (DNS rebinding). Beyond loopback it listens to nobody: a
proxy that speaks TLS has to be in between, and `--url` tells under which address.
"""

import asyncio
import hmac
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from zchat import ports
from zchat.errors import UsageError
from zchat.gateways.connections import Connection, Quiet
from zchat.protocol import endpoints

from .session import Agent

PATH = "/mcp"
OPTION, FORM = "--http", "HOST:PORT or PORT, as in 127.0.0.1:8090"
BODY_MAX = 1024 * 1024  # bytes of a request: a text has 16 KiB
SESSIONS_MAX = 1_000  # 30 kB each; a host that was killed leaves its own for half an hour
CLOSING = 2  # seconds for requests at work, once it is to stop


class Token:
    """Lets through who has the token; everybody else gets 401."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._wanted = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(given) != 1 or not hmac.compare_digest(given[0], self._wanted):
                refused = Response(
                    "The token of this agent is missing or wrong.\n", 401, {"WWW-Authenticate": "Bearer"}
                )
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Server(uvicorn.Server):
    """uvicorn's server; what signals do is decided here."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(where: str) -> socket.socket:
    """Return a socket that listens on loopback at `HOST:PORT`. Raises UsageError, AddressInUseError."""
    host, port = ports.split(where, OPTION, FORM)
    if not endpoints.is_loopback(host):
        raise UsageError(
            f"{where} is not on loopback, and an agent's token must not travel without TLS. Listen on 127.0.0.1 behind "
            "a proxy that has a certificate, and tell its address with --url."
        )
    return ports.listen(host, port, OPTION, FORM)


def security(port: int, url: str | None) -> TransportSecuritySettings:
    """Return which `Host` and `Origin` are this gateway's: those of loopback, and those of `url`."""
    hosts = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")]
    origins = [f"http://{host}" for host in hosts]
    if url is not None:
        split = urlsplit(url)
        if split.scheme != "https" or not split.netloc:
            raise UsageError(f"{url!r} is no address of a proxy with TLS: write it as https://agents.example.org.")
        hosts.append(split.netloc)
        origins.append(f"https://{split.netloc}")
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


async def serve(server: MCPServer[Any], agent: Agent, sock: socket.socket, token: str, url: str | None) -> None:
    """Serve until SIGTERM. Raises ZchatError for what ends the agent."""
    app = server.streamable_http_app(
        streamable_http_path=PATH, transport_security=security(sock.getsockname()[1], url),
        max_request_body_size=BODY_MAX, max_sessions=SESSIONS_MAX,
    )  # fmt: skip
    config = uvicorn.Config(
        Token(app, token), log_config=None, access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=CLOSING, http=Connection, ws="none",
    )  # fmt: skip
    logging.getLogger("uvicorn.error").addFilter(Quiet())
    ports.raise_open_files()
    http = Server(config)
    loop, running = asyncio.get_running_loop(), asyncio.create_task(agent.run())

    def stop(*_: Any) -> None:
        http.should_exit = True

    for how in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(how, stop)
    running.add_done_callback(stop)
    try:
        await http.serve([sock])
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
