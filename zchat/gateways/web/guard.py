"""What stands before every request: whose host it names, from whose page it comes, and the headers of every answer.

Nothing is asked from anywhere but from here, says the content security policy, so that a message that gets past the
sanitiser still runs nothing and sends nothing anywhere. What changes something needs, beside a cookie that no other
site's page may send (SameSite=Strict), our `Origin` and a header that no form can send.
"""

import logging
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zchat.gateways.rates import source
from zchat.protocol.endpoints import is_loopback

from .site import Site

log = logging.getLogger(__name__)

OURS = "x-zchat"  # the header
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types zchat-html zchat-worker",
    )
)
HEADERS = {
    "content-security-policy": CSP,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
UNKNOWN, UNTOLD = "unknown", "Until then all have the bounds of one address."
HERE = (
    "The proxy before this server tells of somebody on this machine: all of whom it tells that have the bounds of one "
    "address."
)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Asks nothing of what is under `open_to` (paths): programs go there, with tokens of their own."""

    def __init__(self, app: ASGIApp, site: Site, open_to: Iterable[str] = ()) -> None:
        self._app, self._site, self._open_to = app, site, tuple(open_to)
        self._is_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        address = self._address_of(scope, headers)
        scope["address"] = source(address)  # whom bounds are for
        scope["client"] = (address, 0)  # also for routes that are not ours
        if not scope["path"].startswith(self._open_to) and (refusal := self._refusal(scope, headers)) is not None:
            await refusal(scope, receive, self._sending(send))
            return
        await self._app(scope, receive, self._sending(send))

    def _address_of(self, scope: Scope, headers: Headers) -> str:
        """Return from which address somebody comes; one name for all whom a proxy brings without a word.

        Else all of them would be of this machine, for which there are no bounds.
        """
        address = address_of(scope, headers)
        passed_on = self._site.secure and scope["scheme"] in ("http", "ws") and self._is_ours(headers)
        if not (passed_on and is_loopback(address)):
            return address
        if not self._is_warned:
            self._is_warned = True
            told = "The proxy before this server does not tell who comes: let it send X-Forwarded-For. " + UNTOLD
            log.warning(HERE if "x-forwarded-for" in headers else told)
        return UNKNOWN

    def _is_ours(self, headers: Headers) -> bool:
        return headers.get("host", "").lower() in self._site.hosts

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | JSONResponse | None:
        if not self._is_ours(headers):
            return PlainTextResponse(f"This is the server of {self._site.url}, and of no other name.\n", 421)
        if scope["type"] == "http" and scope["method"] in SAFE:
            return None
        if headers.get("origin") not in self._site.origins:
            return refused("forbidden", "This came from another site's page.", 403)
        if scope["type"] == "http" and headers.get(OURS) != "1":
            return refused("forbidden", "The header X-Zchat is missing.", 403)
        return None

    @staticmethod
    def _sending(send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        return sending


def refused(code: str, message: str, status: int) -> JSONResponse:
    """Return an answer that tells why something is refused: as the protocol's errors do."""
    return JSONResponse({"code": code, "message": message}, status)


def address_of(scope: Scope, headers: Headers) -> str:
    """Return from which address somebody comes: what a proxy on this machine tells of it, else the connection's."""
    host = (scope.get("client") or ("", 0))[0]
    if is_loopback(host) and (told := headers.getlist("x-forwarded-for")):
        return told[-1].rpartition(",")[2].strip()[:64]  # the last one: the others are what the client says
    return host
