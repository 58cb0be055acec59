"""TLS for the load and for the servers: records by OpenSSL, and a certificate that lasts as long as the run.

A server may greet in the clear first, as NATS does: `Tls(after=...)` tells what such a greeting ends with. The
certificate signs itself, with a key of the curve P-256, which is the cheapest that all servers take.
"""

import contextlib
import functools
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from board import BenchError
from cover import RAW, Covered

RECORD = 16_384  # bytes: the longest there is
CERTIFICATE = (
    *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
    *("-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"),
)
GROUP = ("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", "dh.pem")


@dataclass(frozen=True)
class Tls:
    """TLS, from the first byte or `after` the end of a greeting in the clear; `longest` bytes in a record at most."""

    after: bytes = b""
    longest: int = RECORD

    def over(self, sock: socket.socket, who: str) -> "TlsSocket":
        """Return a covered connection, which has said hello already if it may."""
        return TlsSocket(sock, self)

    def source(self, who: str) -> None:
        """Leave it to the system: no server here counts what comes from one address."""

    def named(self, sock: socket.socket) -> str:
        """Return the version and the cipher that the server chose."""
        probe = TlsSocket(sock, self)
        for _ in probe.agreeing():
            pass
        name, version, _ = probe.tls.cipher() or ("", "", 0)
        return f"{version} {name}"


class TlsSocket(Covered):
    """The client's end."""

    def __init__(self, sock: socket.socket, how: Tls) -> None:
        super().__init__(sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = _context().wrap_bio(self.incoming, self.outgoing)
        self.after, self.longest = how.after, how.longest
        self.agreed, self.early = False, b""  # what came with the end of the handshake
        if not self.after:
            self._shake()

    def agreeing(self) -> Iterator[None]:
        """Come to the handshake's end, and be silent until the server has seen it: some read on only a second later."""
        self._hello()
        yield
        self._finish()
        yield

    def recv(self, size: int, /) -> bytes:
        """Wait for something readable; return all that is there."""
        if self.early:
            data, self.early = self.early, b""
            return data
        return super().recv(size)

    def sendall(self, data: bytes | bytearray, /) -> None:
        """Send all of `data`."""
        if not self.agreed:
            self._hello()
            self._finish()
        for start in range(0, len(data), self.longest):
            self.tls.write(data[start : start + self.longest])
        self.sock.sendall(self.outgoing.read())

    def decipher(self, got: int, view: memoryview) -> int:
        """Take records; write what they hold."""
        with memoryview(RAW) as raw:
            self.incoming.write(raw[:got])
        place = 0
        with contextlib.suppress(ssl.SSLWantReadError):
            while size := int(self.tls.read(RECORD, view[place:])):
                place += size
        if self.outgoing.pending:
            self.sock.sendall(self.outgoing.read())
        return place

    def _hello(self) -> None:
        """Wait for the greeting, if there is one, and say hello."""
        greeting = b""
        while self.after and self.after not in greeting:
            greeting += self._some()
        if self.after:
            self.after = b""
            self._shake()

    def _finish(self) -> None:
        """Wait for the end of the handshake."""
        while not self.agreed:
            self.incoming.write(self._some())
            self._shake()
        with contextlib.suppress(ssl.SSLWantReadError):
            while came := self.tls.read(RECORD):
                self.early += came

    def _shake(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
            self.agreed = True
        self.sock.sendall(self.outgoing.read())

    def _some(self) -> bytes:
        if not (part := self.sock.recv(RECORD)):
            raise ConnectionError("the server closed the connection in the handshake")
        return part


def certify(folder: Path) -> tuple[Path, Path]:
    """Have a certificate and its key in `folder`, and a Diffie-Hellman group beside them (dh.pem); return both."""
    for command, made in ((CERTIFICATE, "cert.pem"), (GROUP, "dh.pem")):
        if not (folder / made).exists():
            try:
                subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True, timeout=60)
            except FileNotFoundError:
                raise BenchError("openssl is not installed: apt-get install openssl") from None
            except subprocess.CalledProcessError as error:
                raise BenchError(f"openssl made no certificate: {error.stderr.decode(errors='replace')}") from None
    (folder / "key.pem").chmod(0o644)  # some servers give up root before they read it; it opens nothing
    return folder / "cert.pem", folder / "key.pem"


@functools.cache
def _context() -> ssl.SSLContext:
    """Return how all clients of a process speak TLS: encrypted, with whomever it may be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
