"""Web Push: one notice, encrypted for one browser, to the service of that browser's maker.

The service gets to know that, and when, something came for a browser, and nothing else: what is sent is encrypted for
the browser alone (RFC 8291), always of the same length, and says who called and where, never what was said. We prove by
a key of our own (VAPID, RFC 8292) that it is always us; it is made once and stays, since browsers subscribe to it.

Nothing is followed that leads elsewhere, and a name is looked up by us, so that it leads to no address of our own
network, also if it did not when it was given.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp  # pywebpush needs it, too
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02, b64urlencode  # type: ignore[import-untyped]
from pywebpush import WebPusher  # type: ignore[import-untyped]

from zchat import files
from zchat.errors import StateFileError, StorageError

from .subscriptions import Subscription, is_public

LENGTH = 512  # bytes of each notice
KEPT = 86_400  # seconds for which a push service keeps a notice for a browser that is away
PATIENCE = 15.0
AT_ONCE = 20  # to the services below, and as many to all others: those anybody may run, and have us wait
SERVICES = (
    "fcm.googleapis.com",
    "jmt17.google.com",
    "push.services.mozilla.com",
    "push.apple.com",
    "notify.windows.com",
)
UNREACHABLE = "none"  # in place of a status

log = logging.getLogger(__name__)


class Outcome(Enum):
    """What became of a notice."""

    SENT = auto()
    GONE = auto()  # this browser wants no more
    FAILED = auto()


class Notice(msgspec.Struct):
    """What the page's worker shows, and where a click on it leads."""

    title: str
    body: str
    tag: str
    key: str
    seq: int
    address: str


class Push:
    """Sends notices; use it as `async with`. `key` is the file of our key, `subject` says who we are (a URL)."""

    def __init__(
        self,
        key: Path,
        subject: str,
        *,
        allowed: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
        services: tuple[str, ...] = SERVICES,
    ) -> None:
        self._services, self._others = services, asyncio.Semaphore(AT_ONCE)
        self._vapid, self._subject, self._allowed, self._tls = _load(key), subject, allowed, tls
        point = self._vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key: str = b64urlencode(point)
        self.answers: Counter[str] = Counter()  # how often a service answered with which status
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=_Allowed(self._allowed),
            socket_factory=self._socket,  # a host that is an address is not looked up
            use_dns_cache=False,
            limit=2 * AT_ONCE,
            ssl=self._tls or True,
        )
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def _socket(self, where: Any) -> socket.socket:
        family, type_, proto, _, address = where
        if not self._allowed(address[0]):
            raise OSError(f"{address[0]} is no address of the Internet")
        return socket.socket(family, type_, proto)

    async def send(self, subscription: Subscription, notice: Notice) -> Outcome:
        """Send a notice; never raises."""
        try:
            body, headers = self._sealed(subscription, notice)
        except Exception:  # noqa: BLE001 — what a browser says of its keys may be anything
            log.info("a subscription is no use: its keys are none")
            return Outcome.GONE
        async with nullcontext() if self._is_service(subscription) else self._others:
            return await self._post(subscription.endpoint, body, headers)

    def _is_service(self, subscription: Subscription) -> bool:
        host = urlsplit(subscription.endpoint).hostname or ""
        return any(host == each or host.endswith(f".{each}") for each in self._services)

    async def _post(self, endpoint: str, body: bytes, headers: dict[str, str]) -> Outcome:
        try:
            async with self._session.post(endpoint, data=body, headers=headers, allow_redirects=False) as answer:
                self.answers[str(answer.status)] += 1
                if answer.status in (404, 410):
                    return Outcome.GONE
                if answer.status >= 300:
                    log.warning("a push service answered %d", answer.status)
                return Outcome.SENT if answer.status < 300 else Outcome.FAILED
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self.answers[UNREACHABLE] += 1
            log.warning("a push service cannot be reached: %s", type(error).__name__)
            return Outcome.FAILED

    def _sealed(self, subscription: Subscription, notice: Notice) -> tuple[bytes, dict[str, str]]:
        plain = msgspec.json.encode(notice).ljust(LENGTH)[:LENGTH]
        keys = {"p256dh": subscription.keys.p256dh, "auth": subscription.keys.auth}
        body = WebPusher({"endpoint": subscription.endpoint, "keys": keys}).encode(plain)["body"]
        where = urlsplit(subscription.endpoint)
        claims = {"aud": f"https://{where.netloc}", "sub": self._subject}
        headers = self._vapid.sign(claims)
        return body, headers | {"Content-Encoding": "aes128gcm", "TTL": str(KEPT), "Urgency": "normal"}


class _Allowed(AbstractResolver):
    """Looks names up, and knows only addresses that are allowed."""

    def __init__(self, allowed: Callable[[str], bool]) -> None:
        self._is_allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found: list[Any] = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results = [
            ResolveResult(
                hostname=host, host=address[0], port=address[1], family=family, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for family, _, proto, _, address in found
            if self._is_allowed(address[0])
        ]
        if not results:
            raise OSError(f"{host} is no host of the Internet")
        return results

    async def close(self) -> None:
        """There is nothing to close."""


def _load(path: Path) -> Vapid02:
    """Return our key, made if there is none. Raises StorageError."""
    try:
        files.tighten(path)
        if not path.exists():
            made = Vapid02()
            made.generate_keys()
            files.rewrite(path, made.private_pem())
        return Vapid02.from_pem(path.read_bytes())
    except OSError as error:
        raise StateFileError(path, "read or written", error) from error
    except Exception as error:
        raise StorageError(
            f"{path} is no key ({error}). It was left untouched: move it away, and all browsers have to be told anew."
        ) from error
