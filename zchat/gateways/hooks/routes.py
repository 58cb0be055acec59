"""`POST /hook/TOKEN`: from a request to a message, and to an answer that tells the sender what to do.

    200   it is on the broker's disk (or it is nothing to be said: a label was set)
    400   it cannot be read; 413   it is too long; 415   it is compressed
    401   the secret is wrong: nothing is said
    403   the broker does not let the bot say it; 409   somebody else has its nick
    404   there is no such hook; 405   it is no POST
    408   it came too slowly; 429   too many: Retry-After tells when
    503   the broker is away: Retry-After tells when to try again

A stranger costs little: without a token that counts no body is read, and at most so many are read at the same time,
each within seconds, none beyond its bound. No token is in any log or answer.
"""

import asyncio
import logging
import math
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from zchat.errors import NickTakenError, RefusedError, ZchatError
from zchat.gateways.rates import Buckets, source
from zchat.protocol.messages import TEXT_MAX

from . import deliveries, limits, payloads, signatures
from .book import Book, Hook
from .speakers import PATIENCE, Speakers

BODY_MAX = 1024 * 1024  # bytes; GitHub posts up to 25 MiB for a push of thousands of commits, and others far less
DRAINED = 8 * BODY_MAX  # bytes that are read and dropped, so that a sender reads the answer before the connection ends
SLOWEST = 10.0  # seconds for a body
AT_ONCE, OF_HOOK = 64, 16  # deliveries that are read or said at the same time: in all, to one hook
AGAIN = 5  # seconds after which a sender should try again
TOO_LONG = f"It is longer than {BODY_MAX:,} bytes."
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

log = logging.getLogger(__name__)


class Hooks:
    """The incoming hooks of a gateway: its `routes`; `async with` ends the sessions of its bots.

    `folder` is where the hooks are written down, `patience` how many seconds a delivery waits for the broker.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE, bounds: limits.Bounds = limits.BOUNDS) -> None:
        self.book, self.speakers = Book(folder), Speakers(folder, patience)
        self.routes = [Route("/hook/{token}", self._answer, methods=METHODS)]
        self._by_hook, self._by_address = Buckets(bounds.hook), Buckets(bounds.address)
        self._guesses = Buckets(bounds.guess)
        self._busy: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.speakers.close()

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._deliver(request, await self._find(request))
        except HTTPException as refusal:
            answer = PlainTextResponse(f"{refusal.detail}\n", refusal.status_code, refusal.headers)
            if _told(request) > BODY_MAX:  # a shorter body the server reads and drops, so that the answer arrives
                answer.headers["Connection"] = "close"
            return answer
        except ClientDisconnect:
            return PlainTextResponse("", 400)  # nobody reads it

    async def _find(self, request: Request) -> Hook:
        """Return the hook that is meant."""
        now = asyncio.get_running_loop().time()
        whose = source(request.client.host if request.client else "")
        _within(self._by_address.take(whose, now), "this address")
        if self.book.refresh():
            await self.speakers.keep(self.book.hooks)
        hook = self.book.find(request.path_params["token"])
        if hook is None:
            _within(self._guesses.take(whose, now), "this address")
            _refuse(404, "There is no such hook: it was removed, or its address is not whole.")
        if request.method != "POST":
            _refuse(405, "This is the address of a hook: POST to it what is to be said.", Allow="POST")
        _within(self._by_hook.take(hook.token, now), "this hook")
        return hook

    async def _deliver(self, request: Request, hook: Hook) -> Response:
        if self._busy[hook.token] >= OF_HOOK or self._busy.total() >= AT_ONCE:
            _refuse(503, "Too many deliveries are on their way: try again.", Retry_After=str(AGAIN))
        self._busy[hook.token] += 1
        try:
            body = await _body(request)
            text, once = _read(hook, {name.lower(): value for name, value in request.headers.items()}, body)
            return await self._say(hook, text, once) if text is not None else PlainTextResponse("ok")
        finally:
            self._busy[hook.token] -= 1
            self._busy += Counter()  # without those that are at 0

    async def _say(self, hook: Hook, text: str, once: str | None) -> Response:
        try:
            ack = await self.speakers.say(hook, text, once)
        except ZchatError as error:
            log.warning("hook %s: %s", hook.id, error)
            if isinstance(error, NickTakenError):
                _refuse(409, f"Somebody else has the nick of this hook. {error}")
            if isinstance(error, RefusedError):
                _refuse(403, str(error))
            _refuse(503, "The broker is away: try again.", Retry_After=str(AGAIN))
        return PlainTextResponse("ok", headers={"X-Zchat-Seq": str(ack.seq)} if ack.seq else None)


def _read(hook: Hook, headers: dict[str, str], body: bytes) -> tuple[str | None, str | None]:
    """Return what is to be said, and the key of the delivery."""
    if hook.secret and not signatures.proved(hook.secret, headers, body):
        log.warning("hook %s: a delivery without its secret, or with a wrong one", hook.id)
        _refuse(401, "The signature is missing or wrong: give the sender the secret of this hook.")
    try:
        text = payloads.read(hook.kind, headers, body, TEXT_MAX)
    except payloads.UnreadableError as error:
        log.info("hook %s: %s", hook.id, error)
        _refuse(400, str(error))
    return text, deliveries.key(hook.id, headers, body)


async def _body(request: Request) -> bytes:
    """Return the body, read within seconds and no further than its bound."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        _refuse(415, "It is compressed: have the sender post it as it is.")
    if "content-length" in request.headers and _told(request) > DRAINED:
        _refuse(413, TOO_LONG)
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(SLOWEST):
            async for piece in request.stream():
                size += len(piece)
                if size <= BODY_MAX:
                    body += piece
                elif size > DRAINED:
                    break
    except TimeoutError:
        _refuse(408, "It came too slowly.")
    if size > BODY_MAX:
        _refuse(413, TOO_LONG)
    return bytes(body)


def _told(request: Request) -> float:
    """Return how long a body is said to be; without an end where that is not told."""
    told = request.headers.get("content-length", "" if "transfer-encoding" in request.headers else "0")
    return int(told) if told.isdecimal() and len(told) < 16 else math.inf


def _within(wait: float, who: str) -> None:
    """Refuse what came too soon."""
    if wait:
        _refuse(429, f"That was too much from {who}: slow down.", Retry_After=str(math.ceil(wait)))


def _refuse(status: int, why: str, **headers: str) -> NoReturn:
    raise HTTPException(status, why, {name.replace("_", "-"): value for name, value in headers.items()})
