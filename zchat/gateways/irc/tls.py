"""TLS for clients that may show a certificate of their own.

IRC knows people by self-signed certificates: nobody vouches for them, the fingerprint is what counts (SASL EXTERNAL).
Python's `ssl` ends the handshake at a certificate that it cannot verify, and has no way to say that this is fine;
pyOpenSSL has. It is used over memory: bytes come from and go to a plain connection of asyncio.
"""

import asyncio
import contextlib
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from zchat.errors import UsageError

from .wire import READ

HANDSHAKE = 20.0  # seconds


class BadCertificateError(UsageError):
    """The certificate or its key cannot be used."""

    def __init__(self, certificate: Path, key: Path, why: str) -> None:
        super().__init__(
            f"The certificate {certificate} with the key {key} cannot be used ({why}). Both are files in PEM; the "
            "certificate has those of its issuers behind it."
        )


def context_of(certificate: Path, key: Path) -> SSL.Context:
    """Return what makes connections TLS. Raises BadCertificateError."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)  # whoever it is, we only want to know which one it has
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    try:
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
    except (SSL.Error, OSError) as error:
        raise BadCertificateError(certificate, key, _why(error)) from None
    return context


def _why(error: Exception) -> str:
    reasons = error.args[0] if error.args else ""
    if isinstance(reasons, list) and reasons:
        return str(reasons[-1][-1])
    return str(error) or "it cannot be read"


class Tls:
    """A connection with TLS; `shake` first. All that TLS makes is sent at once."""

    def __init__(self, context: SSL.Context, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.certificate: str | None = None
        self._reader, self._writer = reader, writer
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()

    async def shake(self) -> None:
        """Agree on keys. Raises OSError, TimeoutError."""
        async with asyncio.timeout(HANDSHAKE):
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except SSL.WantReadError:
                    self._flush()
                    await self._feed()
                except SSL.Error as error:
                    self._flush()
                    raise ConnectionError(f"no TLS: {_why(error)}") from None
        self._flush()
        shown = self._tls.get_peer_certificate(as_cryptography=True)
        self.certificate = hashlib.sha256(shown.public_bytes(Encoding.DER)).hexdigest() if shown else None

    async def read(self) -> bytes:
        while True:
            try:
                return self._tls.recv(READ)
            except SSL.WantReadError:
                self._flush()
                await self.drain()  # what TLS itself answers counts, too
                if not await self._feed(at_end=False):
                    return b""
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                raise ConnectionError(_why(error)) from None

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._tls.send(view[:READ]) :]
            except SSL.Error:  # the other end is gone: reading tells
                return
        self._flush()

    async def drain(self) -> None:
        await self._writer.drain()

    @property
    def waiting(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    @property
    def gone(self) -> bool:
        return self._writer.is_closing()

    def end(self) -> None:
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()
        self._flush()
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _feed(self, *, at_end: bool = True) -> bool:
        data = await self._reader.read(READ)
        if not data and at_end:
            raise ConnectionError("it ended before TLS was agreed on")
        if data:
            self._tls.bio_write(data)
        return bool(data)

    def _flush(self) -> None:
        while True:
            try:
                self._writer.write(self._tls.bio_read(READ * 2))
            except SSL.WantReadError:
                return
            except SSL.Error:
                return
