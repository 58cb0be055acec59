"""A push service with TLS, as the maker of a browser runs one, and the keys of a browser that is subscribed to it."""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import http_ece  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import PATIENCE
from zchat.gateways.web.push import LENGTH
from zchat.gateways.web.subscriptions import Keys, Subscription


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Service:
    """A push service with TLS, and a browser that decrypts what comes."""

    def __init__(self, folder: Path) -> None:
        self.status, self.got = 201, list[tuple[str, dict[str, str], bytes]]()
        self.headers = b""
        self.answering: set[asyncio.Task[Any]] = set()
        key, chain = certificate()
        self.certificate = folder / "service.pem"
        self.certificate.write_bytes(key + chain)
        self.server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server_tls.load_cert_chain(self.certificate)
        self.tls = ssl.create_default_context(cadata=chain.decode())
        self._secret, self._auth = ec.generate_private_key(ec.SECP256R1()), b"0123456789abcdef"
        self.port = 0

    @property
    def subscription(self) -> Subscription:
        raw = self._secret.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return Subscription(f"https://localhost:{self.port}/abc", Keys(b64(raw), b64(self._auth)))

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self._secret, auth_secret=self._auth, version="aes128gcm")
        assert len(plain) == LENGTH
        told: dict[str, Any] = json.loads(plain)
        return told

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.answering.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        self.got.append((head[0], headers, body))
        writer.write(b"HTTP/1.1 %d x\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n" % (self.status, self.headers))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def certificate() -> tuple[bytes, bytes]:
    """Return a key and a certificate for this machine, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    made = builder.add_extension(names, False).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return pem, made.public_bytes(serialization.Encoding.PEM)


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[Service]:
    running = Service(folder)
    server = await asyncio.start_server(running.answer, "127.0.0.1", 0, ssl=running.server_tls)
    running.port = server.sockets[0].getsockname()[1]
    async with server:
        yield running
        await asyncio.gather(*running.answering, return_exceptions=True)


@contextmanager
def service_in_thread(folder: Path) -> Iterator[Service]:
    """Run a push service beside a thread that has no loop to spare."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    running: list[Service] = []

    async def serve() -> None:
        async with service(folder) as made:
            running.append(made)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield running[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(PATIENCE)
    loop.close()
