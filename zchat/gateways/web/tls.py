"""TLS before HTTP: a connection is counted and timed before keys are agreed on, and not only afterwards.

asyncio tells of a connection with TLS once the keys are agreed on. Until then nobody counts it, it may take a minute,
and has a quarter of a megabyte to itself: who opens twenty thousand and says nothing has all descriptors, and six
gigabytes. So connections are accepted as they are, and TLS begins here.
"""

import asyncio
import contextlib
import ssl
from asyncio import sslproto
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, cast

from zchat.gateways.connections import COMING_NOW, CONNECTIONS_OF_ADDRESS, HEAD, READ, less
from zchat.gateways.rates import Buckets, Rate, source
from zchat.protocol.endpoints import is_loopback

SHAKES = Rate(400, 40)  # handshakes of one address: each costs us a signature, and the other end nothing
GOODBYE = 5.0  # seconds for the other end to say that it has ended, too

cast(Any, sslproto.SSLProtocol).max_size = READ  # of a buffer that each connection has as long as it lives


class Door(asyncio.Protocol):
    """One connection until its keys are agreed on; `made` makes what speaks HTTP there."""

    _of_address: ClassVar[Counter[str]] = Counter()
    _shakes: ClassVar[Buckets] = Buckets(SHAKES)

    def __init__(self, context: ssl.SSLContext, made: Callable[[], asyncio.Protocol]) -> None:
        self._context, self._made = context, made
        self._early = bytearray()  # what came together with the last step of the handshake
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain, loop = cast(asyncio.Transport, transport), asyncio.get_running_loop()
        whose = source(str((transport.get_extra_info("peername") or ("",))[0]))
        if not is_loopback(whose) and (
            self._of_address[whose] >= CONNECTIONS_OF_ADDRESS or self._shakes.take(whose, loop.time())
        ):
            plain.abort()
            return
        plain.pause_reading()
        self._of_address[whose] += 1
        COMING_NOW.add(self, plain.abort)
        self._task = loop.create_task(self._shake(plain))
        self._task.add_done_callback(lambda _: self._done(whose))

    def data_received(self, data: bytes) -> None:
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True

    def _done(self, whose: str) -> None:
        less(self._of_address, whose)
        COMING_NOW.remove(self)

    async def _shake(self, plain: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # it is no TLS, or took too long, or is gone
            transport = await loop.start_tls(
                plain,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HEAD,
                ssl_shutdown_timeout=GOODBYE,
            )
            if transport is None or self._over:
                return
            inner = self._made()
            transport.set_protocol(inner)
            inner.connection_made(transport)
            if self._early:
                inner.data_received(bytes(self._early))


def context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what makes connections TLS. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
