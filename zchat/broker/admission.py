"""Who may open a connection: the answers to libzmq's questions (ZAP, ZeroMQ's RFC 27).

libzmq asks once for each connection, over `inproc`, before it lets a message through. The domain of the question tells
which kind of door it is, and whether it is that for commands or for the feed. What is answered as the user id, the
credential, stands on every message of the connection, and is all that the hub believes.

- Who is banned is refused for good (400): libzmq does not try again.
- A key that is not a member's may open the door for commands, to say `hello` with an invitation. So strangers can cost
  the broker something: they are admitted at a limited rate for each source, and only so many may be here at once.
  Beyond that the answer is "later" (300), and libzmq tries again.
- The feed is for members. With `open` any key may read it, and users of this machine may as long as guests may.

The sockets enforce their domains: without an answer nobody is let in. The handler lives in the broker's own loop. It
answers a bounded number of questions in one turn, each at once, so that no answer is late or is given twice.
"""

import asyncio
import contextlib
import logging
import re
import socket
import time
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import zmq

from zchat.errors import AddressInUseError
from zchat.protocol import links

from . import kernel, users
from .core.entrance import Terms
from .doors import Kind
from .notes import Notes
from .strangers import Strangers

ZAP = "inproc://zeromq.zap.01"
VERSION = b"1.0"
QUESTIONS = 100  # answered in one turn of the loop: some milliseconds
NOBLOCK, EVENTS, READABLE = int(zmq.NOBLOCK), int(zmq.EVENTS), int(zmq.POLLIN)


Verdict = Literal["in", "stranger", "later", "no"]


class Membership(Protocol):
    """Who is a member, and who is banned, by credentials. `wall` is the wall clock, in seconds since 1970."""

    def is_member(self, credential: str, wall: float) -> bool: ...

    def is_banned(self, credential: str, wall: float) -> bool: ...


class Question(NamedTuple):
    """What libzmq wants to know: may whoever has this credential come in there?"""

    kind: Kind
    feed: bool
    credential: str
    source: str


def domain(kind: Kind, feed: bool) -> bytes:
    """Return the ZAP domain of a door's endpoint; empty where nobody is asked."""
    name = {"guest": b"", "user": b"local", "key": b"net"}[kind]
    return name + b"-feed" if feed and name else name


PLACES: dict[bytes, tuple[Kind, bool]] = {
    domain(kind, feed): (kind, feed) for kind in ("user", "key") for feed in (False, True)
}


def judge(question: Question, members: Membership, terms: Terms, wall: float) -> Verdict:
    """Decide about a connection. A `stranger` may come in if there are not too many."""
    if members.is_banned(question.credential, wall):
        return "no"
    if members.is_member(question.credential, wall):
        return "in"
    if question.kind == "user":  # a user of this machine becomes a member by saying hello
        return "in" if terms.guests or not question.feed else "later"
    if question.feed:
        return "in" if terms.open else "no"
    return "stranger"


def read(parts: list[bytes], host: str) -> Question | None:
    """Read the frames of a request, from its domain on: domain, address, identity, mechanism, credentials."""
    place = PLACES.get(parts[0]) if len(parts) >= 4 else None
    if place is None:
        return None
    (kind, feed), address, mechanism, proofs = place, parts[1].decode(errors="replace"), parts[3], parts[4:]
    if kind == "user" and mechanism == b"NULL" and (found := re.fullmatch(r"localhost:(\d+):\d+:\d*", address)):
        return Question(kind, feed, users.credential(int(found[1]), host), f"uid {found[1]}")
    if kind == "key" and mechanism == b"CURVE" and len(proofs) == 1 and len(proofs[0]) == links.KEY_BYTES:
        try:
            return Question(kind, feed, links.key_text(proofs[0]), kernel.network(address))
        except OSError:
            return None
    return None


class Admission:
    """Answers all questions of one context: `open` it before the sockets that ask, `start` it in a running loop."""

    def __init__(self, members: Membership, terms: Terms, notes: Notes) -> None:
        self.members, self.terms = members, terms
        self.strangers = Strangers()
        self._notes = notes
        self._host = socket.gethostname()
        self._socket: zmq.Socket[bytes] | None = None
        self._due = False

    def open(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Open the socket. Raises AddressInUseError if somebody else in this process answers for the context."""
        self._socket = context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        try:
            self._socket.bind(ZAP)
        except zmq.ZMQError:
            self._socket.close(0)
            raise AddressInUseError(ZAP, "--listen", "another broker of this process") from None

    def close(self) -> None:
        """Close the socket. Another broker of this process may answer for the context from now on."""
        if self._socket is not None and not self._socket.closed:
            with contextlib.suppress(zmq.ZMQError):
                self._socket.unbind(ZAP)  # closing alone would free the address some time later
            self._socket.close(0)

    def start(self, loop: asyncio.AbstractEventLoop) -> Callable[[], object]:
        """Begin to answer. Return what ends it."""
        assert self._socket is not None  # noqa: S101 — for mypy: it was opened
        descriptor = self._socket.fileno()
        loop.add_reader(descriptor, self._answer_some)
        loop.call_soon(self._answer_some)
        return lambda: loop.remove_reader(descriptor)

    def may_read(self, credential: str, kind: Kind) -> bool:
        """Return whether a connection to the feed may stay, now that something came over it."""
        question = Question(kind, True, credential, "")
        return kind == "guest" or judge(question, self.members, self.terms, time.time()) == "in"

    def _answer_some(self) -> None:
        """Answer the questions that are there. If there may be more, go on in the next turn of the loop."""
        self._due = False
        opened = self._socket
        if opened is None or opened.closed:
            return
        try:
            for _ in range(QUESTIONS):
                self._answer(opened, opened.recv_multipart(NOBLOCK))
        except zmq.Again:
            pass
        except Exception:  # noqa: BLE001 — it is logged
            self._notes.write(logging.ERROR, "a connection could not be judged", trace=True)
        if not self._due and int(opened.get(EVENTS)) & READABLE:
            self._due = True
            asyncio.get_running_loop().call_soon(self._answer_some)

    def _answer(self, opened: "zmq.Socket[bytes]", request: list[bytes]) -> None:
        """Answer one request: routing id, empty frame, version, id of the request, then what `read` takes."""
        if len(request) < 4 or request[1] or request[2] != VERSION:
            return  # not libzmq's: nobody waits for an answer
        code, text, credential = b"300", b"try again later", ""
        try:
            code, text, credential = self._decide(request[4:])
        finally:
            opened.send_multipart([*request[:4], code, text, credential.encode(), b""], NOBLOCK)

    def _decide(self, parts: list[bytes]) -> tuple[bytes, bytes, str]:
        question = read(parts, self._host)
        if question is None:
            self._notes.write(logging.WARNING, "a connection was refused: its request was not understood")
            return b"400", b"not understood", ""
        verdict = judge(question, self.members, self.terms, time.time())
        if verdict == "stranger":
            taken = self.strangers.take(question.source, time.monotonic(), self.terms.open)
            verdict = "in" if taken else "later"
        if verdict == "in":
            return b"200", b"OK", question.credential
        self._notes.write(logging.INFO, "a connection was refused: %s of %s", question.credential, question.source)
        return (b"300", b"try again later", "") if verdict == "later" else (b"400", b"not admitted", "")
