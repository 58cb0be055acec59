"""`/metrics` for Prometheus, and `/health`: what the page's server has counted, and what its broker tells.

The broker is asked as who runs the gateway, and tells what it has counted to moderators and owners, such as the user of
its own machine. It is asked at most twice a second, however many ask here.

The numbers are for who is on this machine, or has the token. A request that a proxy has passed on comes from elsewhere,
and so may one that names another host than this machine: a page of somebody else's, in a browser here. To them there
is nothing.
"""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zchat import exposition
from zchat.exposition import Kind
from zchat.protocol import messages as m
from zchat.protocol.endpoints import is_loopback
from zchat.version import __version__

from .gateway import Gateway

PATIENCE = 3.0  # seconds for the broker's answer
FRESH = 0.5  # seconds for which an answer is shown again
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
HOOK = "/hook/"

WEB: Final[Mapping[str, Kind]] = {
    "zchat_web_reaches_broker": Kind("gauge", "1 while the broker answers, else 0."),
    "zchat_web_people": Kind("gauge", "People who are signed in, in whatever browser."),
    "zchat_web_sessions": Kind("gauge", "People for whom there is a session at the broker now."),
    "zchat_web_tabs": Kind("gauge", "Tabs that are open."),
    "zchat_web_requests_total": Kind("counter", "Answers over HTTP, by their status.", "code"),
    "zchat_web_hooks_total": Kind("counter", "Answers to what was posted to hooks: 200 was said.", "code"),
    "zchat_web_pushes_total": Kind(
        "counter", "Answers of push services: 201 was sent, 404 or 410 is a browser that wants no more.", "code"
    ),
    "zchat_web_received_bytes_total": Kind("counter", "Bytes of what browsers and hooks have sent, without heads."),
    "zchat_web_sent_bytes_total": Kind("counter", "Bytes of what was sent to them, without heads."),
}


class Traffic:
    """Counts what passes, around the whole application."""

    def __init__(self) -> None:
        self.received = self.sent = 0  # bytes
        self.answers: Counter[str] = Counter()  # by their status
        self.hooks: Counter[str] = Counter()

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application, with what passes it counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            counts = self.hooks if scope.get("path", "").startswith(HOOK) else None

            async def receiving() -> Message:
                message = await receive()
                self.received += _size(message)
                return message

            async def sending(message: Message) -> None:
                self.sent += _size(message)
                if message["type"] == "http.response.start":
                    self.answers[str(message["status"])] += 1
                    if counts is not None:
                        counts[str(message["status"])] += 1
                await send(message)

            await app(scope, receiving, sending)

        return counted


def _size(message: Message) -> int:
    """Return the bytes that a message of ASGI carries; of a text to or from a tab, as UTF-8."""
    text = message.get("text")
    if text is None:
        return len(message.get("body") or message.get("bytes") or b"")
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Metrics:
    """The two pages."""

    def __init__(self, gateway: Gateway, traffic: Traffic, token: str | None) -> None:
        self._gateway, self._traffic, self._token = gateway, traffic, token
        self._asking = asyncio.Lock()
        self._told: tuple[bool, m.Status | None] = False, None
        self._asked = float("-inf")

    def routes(self) -> list[BaseRoute]:
        return [Route("/metrics", self.numbers), Route("/health", self.health)]

    async def numbers(self, request: Request) -> Response:
        """Answer `GET /metrics`."""
        if not (is_from_here(request) or self._has_token(request.headers)):
            return PlainTextResponse("Not Found", 404)
        reaches, status = await self._broker()
        figures, info = self._counted(reaches), {"zchat_web": __version__}
        if status is not None:
            figures |= exposition.of_broker(status)
            info["zchat_broker"] = status.server.partition("/")[2]
        page = exposition.text(figures, {**WEB, **exposition.BROKER}, info)
        return Response(page, headers={"content-type": exposition.CONTENT_TYPE})

    async def health(self, _: Request) -> Response:
        """Answer `GET /health`, to whoever asks: it says no more than what everybody sees."""
        if self._gateway.people.is_online or (await self._broker())[0]:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unreachable", "why": "the broker does not answer"}, 503)

    async def _broker(self) -> tuple[bool, m.Status | None]:
        """Return whether the broker answers, and how it is."""
        async with self._asking:
            if time.monotonic() - self._asked >= FRESH:
                self._told = await self._gateway.people.status(PATIENCE)
                self._asked = time.monotonic()
            return self._told

    def _counted(self, reaches: bool) -> dict[str, m.Figure]:
        people, traffic = self._gateway.people, self._traffic
        return {
            "zchat_web_reaches_broker": int(reaches),
            "zchat_web_people": people.logins.people,
            "zchat_web_sessions": people.sessions,
            "zchat_web_tabs": len(self._gateway.households),
            "zchat_web_requests_total": dict(traffic.answers),
            "zchat_web_hooks_total": dict(traffic.hooks),
            "zchat_web_pushes_total": dict(self._gateway.pushes),
            "zchat_web_received_bytes_total": traffic.received,
            "zchat_web_sent_bytes_total": traffic.sent,
        }

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if not self._token or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), self._token.encode())


def is_from_here(request: Request) -> bool:
    """Say whether a request comes from this machine, by no proxy and by a name of this machine."""
    address, named = request.scope.get("client"), urlsplit(f"//{request.headers.get('host', '')}").hostname
    passed_on = any(name in request.headers for name in FORWARDED)
    return address is not None and is_loopback(address[0]) and is_loopback(named or "") and not passed_on
