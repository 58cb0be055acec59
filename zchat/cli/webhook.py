"""An outgoing webhook: `zchat tail --post URL`.

Each message is one POST; the body is the message's line of the protocol. `X-Zchat-Signature` is `sha256=` and the HMAC
of exactly this body under the secret, so the receiver knows who sent it. `Idempotency-Key` is the same for each try, so
the receiver can drop repeats. A server that does not answer is tried for as long as it takes: new messages are in the
log meanwhile. After an answer that may be temporary (408, 429, 5xx) the message is sent again, ever more slowly. If it
is refused, or has failed too often, standard error says so, and the next message is sent.
"""

import asyncio
import hashlib
import hmac
import itertools
import logging
import math
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

import click
import httpx

from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.version import __version__

TRIES = 6
FIRST, LONGEST = 0.5, 30.0  # seconds between two tries: the first wait, and what a server may ask for at most
BODY_MAX = 64 * 1024  # bytes of an answer that are read and dropped, so that the connection can be used again
AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))

log = logging.getLogger(__name__)


class Webhook:
    """Posts messages to `url`, signed with `secret` if there is one; waits `timeout` seconds for one answer.

    `key` names the message with a seq.
    """

    def __init__(self, url: str, secret: str | None, key: Callable[[int], str], timeout: float) -> None:
        self._url, self._secret, self._key = url, (secret or "").encode(), key
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the URL, which may be a secret
        self._timeout = timeout
        agent = {"User-Agent": f"zchat/{__version__}"}
        self._http = httpx.AsyncClient(timeout=None, headers=agent)  # noqa: S113 — `_try` bounds the whole of it

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def handle(self, message: m.Message, line: bytes) -> None:
        """Post one message, again and again until it is accepted, or an answer says that more tries are useless."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": self._key(message.seq)}
        if self._secret:
            headers["X-Zchat-Signature"] = signature(self._secret, line)
        for tries in itertools.count(1):
            most, why, wait = await self._try(line, headers)
            if not why:
                return
            if tries >= most:
                click.echo(f"zchat: message {message.seq} was not posted: {escape_controls(why)}", err=True)
                return
            log.warning("message %d: %s, trying again", message.seq, why)
            slower = min(LONGEST, FIRST * 2 ** min(tries - 1, 10))
            await asyncio.sleep(wait or slower * (0.5 + random.random()))  # noqa: S311 — jitter

    async def _try(self, line: bytes, headers: dict[str, str]) -> tuple[float, str, float]:
        """Return how many tries make sense in all, why this one failed ("" if it did not), and how long to wait."""
        answer: httpx.Response | None = None
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream("POST", self._url, content=line, headers=headers) as answer,
            ):
                await _read(answer)
        except (TimeoutError, httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
            if answer is None:  # else it has answered: only the rest of the body is missing
                return _most(error), self._said(error), 0.0
        if answer.is_success:
            return 1, "", 0.0
        asked = answer.headers.get("Retry-After", "")
        wait = min(float(asked), LONGEST) if asked.isascii() and asked.isdigit() else 0.0
        return TRIES if answer.status_code in AGAIN else 1, f"the server answered {answer.status_code}", wait

    def _said(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer in {self._timeout:g} s"
        return f"{type(error).__name__} {error}".strip()


def _most(error: Exception) -> float:
    """Return how many tries make sense after this error: without end if nobody is there, one if the URL is wrong."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return 1
    return TRIES if isinstance(error, httpx.ProxyError | httpx.ProtocolError) else math.inf


async def _read(answer: httpx.Response) -> None:
    left = BODY_MAX
    async for piece in answer.aiter_raw():
        left -= len(piece)
        if left < 0:
            return


def signature(secret: bytes, body: bytes) -> str:
    """Return what `X-Zchat-Signature` holds for this body."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
