"""CURVE (ZeroMQ RFC 26) for the load: what `zmtp` writes for NULL goes in, and the same over CURVE comes out.

The peers of the load greet, wait for READY, and send frames. Here the greeting and READY become HELLO and INITIATE,
each frame a MESSAGE, and what the server answers becomes what it would have said in the clear, less the heads of its
frames: nobody looks at those. The libsodium is the one that pyzmq brings, or else the system's: a frame is a call.
"""

import ctypes
import ctypes.util
import functools
import hashlib
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

import zmq
from board import BenchError
from cover import LARGEST, RAW, Covered
from zmtp import COMMAND, LONG, MORE, READY, frame, head

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
HELLO, WELCOME, INITIATE, MESSAGE, ERROR = b"\x05HELLO", b"\x07WELCOME", b"\x08INITIATE", b"\x07MESSAGE", b"\x05ERROR"
MAC, KEY, COOKIE = 16, 32, 96  # bytes
BEFORE = len(MESSAGE) + 8  # bytes of a MESSAGE before its box: its name and the nonce
SEALED = bytearray(LARGEST)
CIPHER = "CURVE: Curve25519, XSalsa20, Poly1305"


@dataclass(frozen=True)
class Curve:
    """CURVE with a server of this public key; each client has a key made of its name, so it can come back."""

    server: bytes

    def named(self, sock: socket.socket) -> str:
        """Return what there is no choice of."""
        return CIPHER

    def over(self, sock: socket.socket, who: str) -> "CurveSocket":
        """Return a covered connection, which says nothing yet."""
        return CurveSocket(sock, self.server, secret_of(who))

    def source(self, who: str) -> tuple[str, int]:
        """Return an address of the client's own on this machine: so many new keys of one address are let in slowly."""
        first, second, third = secret_of(who)[:3]
        return f"127.{first % 254 + 1}.{second}.{third % 254 + 1}", 0


class CurveSocket(Covered):
    """The client's end."""

    def __init__(self, sock: socket.socket, server: bytes, secret: bytes) -> None:
        super().__init__(sock)
        self.server, self.secret, self.short = server, secret, os.urandom(KEY)
        self.sodium, self.metadata, self.rest = sodium(), b"", b""
        self.key, self.number, self.agreed, self.greeted = b"", 0, False, False
        self.sealed = address_of(SEALED)

    def sendall(self, data: bytes | bytearray, /) -> None:
        """Send the frames in `data`; the first time a greeting and READY."""
        if not self.metadata:
            self.metadata = bytes(data[len(GREETING) + 2 + len(READY) :])
            self.key = before(self.server, self.short)
            box = seal(bytes(64), b"CurveZMQHELLO---" + self._next(), self.key)
            hello = HELLO + b"\1\0" + bytes(72) + public(self.short) + self._nonce() + box
            self.sock.sendall(GREETING + frame(hello, COMMAND))
            return
        start = place = 0
        while start < len(data):
            size, body = extent(data, start, len(data))
            if place + size + 64 > LARGEST:
                self.sock.sendall(SEALED[:place])
                place = 0
            place = self._seal(bytes((data[start] & MORE,)) + data[body : body + size], place)
            start = body + size
        with memoryview(SEALED) as view:
            self.sock.sendall(view[:place])

    def decipher(self, got: int, view: memoryview) -> int:
        """Take frames; write what is in them."""
        if not self.agreed:
            return self._handshake(bytes(RAW[:got]), view)
        if self.rest:
            data = self.rest + RAW[:got]
            RAW[: len(data)] = data
            got = len(data)
        return self._open(got, view)

    def _open(self, end: int, view: memoryview) -> int:
        """Decipher the whole frames at the start of RAW; keep the rest."""
        start = place = 0
        raw, clear = address_of(RAW), address_of(view)
        while end - start > 9:
            size, body = extent(RAW, start, end)
            if end - body < size:
                break
            nonce = b"CurveZMQMESSAGES" + RAW[body + 8 : body + BEFORE]
            box = size - BEFORE
            if self.sodium.crypto_box_open_easy_afternm(clear + place, raw + body + BEFORE, box, nonce, self.key):
                raise BenchError(f"a frame that cannot be deciphered: {bytes(RAW[body : body + 40])!r}")
            place += box - MAC
            start = body + size
        self.rest = bytes(RAW[start:end])
        return place

    def _seal(self, plain: bytes, place: int) -> int:
        """Write a MESSAGE to `place` of SEALED; return its end."""
        size = BEFORE + MAC + len(plain)
        self.number += 1
        short = self.number.to_bytes(8, "big")
        start = head(size) + MESSAGE + short
        SEALED[place : place + len(start)] = start
        place += len(start)
        self.sodium.crypto_box_easy_afternm(
            self.sealed + place, plain, len(plain), b"CurveZMQMESSAGEC" + short, self.key
        )
        return place + MAC + len(plain)

    def _handshake(self, part: bytes, view: memoryview) -> int:
        """Go on with the handshake; when it is done, say READY, and what came behind it."""
        self.rest += part
        if not self.greeted and len(self.rest) >= len(GREETING):
            self.greeted, self.rest = True, self.rest[len(GREETING) :]
        while self.greeted and not self.agreed and len(self.rest) > 2:
            size, body = extent(self.rest, 0, len(self.rest))
            if len(self.rest) < body + size:
                break
            said, self.rest = self.rest[body : body + size], self.rest[body + size :]
            self._answer(said)
        if not self.agreed:
            return 0
        view[: len(READY)] = READY
        rest, self.rest = self.rest, b""
        RAW[: len(rest)] = rest
        return len(READY) + self._open(len(rest), view[len(READY) :])

    def _answer(self, said: bytes) -> None:
        if said.startswith(ERROR):
            raise BenchError(f"the broker refused a key: {said[len(ERROR) + 1 :].decode(errors='replace')}")
        if said.startswith(READY):
            self.agreed = True
            return
        if not said.startswith(WELCOME):
            raise BenchError(f"no answer of a handshake: {said[:20]!r}")
        inside = unseal(said[8 + 16 :], WELCOME[1:] + b"-" + said[8 : 8 + 16], self.key)
        server, cookie = inside[:KEY], inside[KEY:]
        vouch = os.urandom(16)
        vouched = seal(public(self.short) + self.server, b"VOUCH---" + vouch, before(server, self.secret))
        self.key = before(server, self.short)
        inside = public(self.secret) + vouch + vouched + self.metadata
        box = seal(inside, b"CurveZMQINITIATE" + self._next(), self.key)
        self.sock.sendall(frame(INITIATE + cookie + self._nonce() + box, COMMAND))

    def _next(self) -> bytes:
        self.number += 1
        return self._nonce()

    def _nonce(self) -> bytes:
        return self.number.to_bytes(8, "big")


def secret_of(who: str) -> bytes:
    """Return the secret key of a client."""
    return hashlib.sha256(b"bench " + who.encode()).digest()


def extent(data: bytes | bytearray, start: int, end: int) -> tuple[int, int]:
    """Return the size of the frame that starts there, and where its body does."""
    if not data[start] & LONG:
        return data[start + 1], start + 2
    if end - start < 9:
        return end - start + 1, start  # its head is not there yet
    return struct.unpack_from(">Q", data, start + 1)[0], start + 9


def address_of(buffer: bytearray | memoryview) -> int:
    """Return where a buffer lies."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def public(secret: bytes) -> bytes:
    """Return the public key."""
    made = ctypes.create_string_buffer(KEY)
    sodium().crypto_scalarmult_base(made, secret)
    return made.raw


def before(theirs: bytes, secret: bytes) -> bytes:
    """Return the key that two share."""
    made = ctypes.create_string_buffer(KEY)
    if sodium().crypto_box_beforenm(made, theirs, secret):
        raise BenchError("a public key that is none")
    return made.raw


def seal(plain: bytes, nonce: bytes, key: bytes) -> bytes:
    """Return the box."""
    made = ctypes.create_string_buffer(len(plain) + MAC)
    sodium().crypto_box_easy_afternm(made, plain, len(plain), nonce, key)
    return made.raw


def unseal(box: bytes, nonce: bytes, key: bytes) -> bytes:
    """Return what is in the box."""
    made = ctypes.create_string_buffer(len(box) - MAC)
    if sodium().crypto_box_open_easy_afternm(made, box, len(box), nonce, key):
        raise BenchError("a box of the handshake that does not open: another server's key?")
    return made.raw


@functools.cache
def sodium() -> ctypes.CDLL:
    """Return libsodium: pyzmq's own, so that both sides are as fast."""
    brought = sorted(Path(zmq.__file__).parent.parent.glob("pyzmq.libs/libsodium*"))
    name = str(brought[0]) if brought else ctypes.util.find_library("sodium")
    if not name:
        raise BenchError("libsodium is not installed: apt-get install libsodium23")
    library = ctypes.CDLL(name)
    library.sodium_init()
    pointer, size = ctypes.c_void_p, ctypes.c_ulonglong
    for call in (library.crypto_box_easy_afternm, library.crypto_box_open_easy_afternm):
        call.argtypes = (pointer, pointer, size, pointer, pointer)
    return library
