"""zchat over CURVE: all are members, let in by one invitation of many uses, in a public room or in a private one.

The broker's owner comes in over ipc first, and makes the invitation and the private room. The feed opens to a key that
the broker knows, so a receiver greets first. Nothing of the private room goes over the feed: its lines come over
ROUTER, to the sessions that joined. The broker is open to all, for it would let in only so many at once who are still
to be members.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq
from board import BenchError
from curve import Curve
from zmq.utils import z85
from zmtp import READY, hello, subscribe

from .stream import Address, Receiver, Stream, room_name
from .zchat import ZCHAT, ZchatMember, ZchatNewcomer, ZchatSender, broker, greeting, line

CODE = "mjsw4y3invqxe2zan5tcaylmntj7g"  # of an invitation: 16 bytes and their checksum, in base32
AS = {"device": "bench", "invite": CODE}
USES = 10_000
ROOMS = 2  # private ones
ANSWER = 5_000  # ms
PING = 5.0  # s


class MemberSender(ZchatSender):
    """A member who says in the public room."""

    AS = AS


class MemberReceiver(Receiver):
    """A member's session, which only pings, and its feed."""

    EVERY = PING

    def __init__(self, address: Address, *args: Any, **options: Any) -> None:
        super().__init__(address, *args, **options, port=2)

    def opening(self) -> Iterator[None]:
        """Greet, and subscribe when the broker knows the key."""
        session = Stream(self.address, self.scratch, who=self.who)
        self.others.append(session)
        session.sock.sendall(hello(b"DEALER"))
        yield
        session.until(READY)
        session.sock.sendall(greeting(self.who, **AS))
        yield
        session.until(b'"welcome"')
        self.sock.sendall(hello(b"SUB"))
        yield
        self.until(READY)
        self.sock.sendall(subscribe(b"room/%b/" % self.room.encode()))

    def beat(self) -> None:
        """Send the heartbeat."""
        self.others[0].sock.sendall(line("ping"))


class Member(ZchatMember):
    """An idle member."""

    AS = AS


class MemberNewcomer(ZchatNewcomer):
    """A member who comes, or comes back."""

    AS = AS


class PrivateSender(MemberSender):
    """A member who says in the private room, and has not joined it."""

    def __init__(self, address: Address, scratch: bytearray, number: int, room: str, lines: int = 1) -> None:
        super().__init__(address, scratch, number, private(room), lines)


class PrivateReceiver(Receiver):
    """A member's session that joined the private room."""

    EVERY = PING

    def opening(self) -> Iterator[None]:
        """Greet and join."""
        self.sock.sendall(hello(b"DEALER"))
        yield
        self.until(READY)
        self.sock.sendall(greeting(self.who, **AS))
        yield
        self.until(b'"welcome"')
        self.sock.sendall(line("join", room=private(self.room)))
        yield
        self.until(b'"joined"')

    def beat(self) -> None:
        """Send the heartbeat."""
        self.sock.sendall(line("ping"))


def private(room: str) -> str:
    """Return the name of the private room."""
    return f"+{room}"


def invite(folder: Path, address: Address) -> None:
    """Make the invitation, as the broker's owner."""
    _invite(folder, [])


def invite_privately(folder: Path, address: Address) -> None:
    """Make the private rooms, and an invitation that leads into them. They hold fewer than may come in all."""
    _invite(folder, [private(room_name(number)) for number in range(ROOMS)])


def _invite(folder: Path, rooms: list[str]) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as owner:
        owner.linger, owner.rcvtimeo = 0, ANSWER
        owner.connect(f"ipc://{folder}/zchat.sock")
        rights = {"hash": hashlib.sha256(CODE.encode()).hexdigest(), "uses": USES, "rooms": rooms}
        _ask(owner, "welcome", type="hello", protocol=1, nick="owner", device="bench")
        for number, room in enumerate(rooms, 1):
            _ask(owner, "ack", type="access", n=number, room=room, mode="private")
        _ask(owner, "ack", type="invite", n=len(rooms) + 1, **rights)


def _ask(owner: "zmq.Socket[bytes]", answer: str, **command: Any) -> None:
    """Send a command, and wait for an answer of this type; other events may come before it."""
    owner.send(json.dumps(command).encode())
    while True:
        try:
            lines = owner.recv().splitlines()
        except zmq.Again:
            raise BenchError(f"the broker gave its owner no {answer}") from None
        for said in map(json.loads, lines):
            if said["type"] == "error":
                raise BenchError(f"the broker refused its owner: {said}")
            if said["type"] == answer:
                return


def _command(folder: Path, address: Address) -> list[str]:
    return broker(folder, "--open", "--listen", f"zchat://{address.host}:{address.port}")


def _cover(folder: Path) -> Curve:
    """Read the broker's public key from its data."""
    secret = (folder / "broker.key").read_bytes().strip()
    return Curve(z85.decode(zmq.curve_public(secret)))


ZCHAT_CURVE = replace(
    ZCHAT,
    key="zchat-curve",
    name="zchat, CURVE",
    command=_command,
    cover=_cover,
    prepare=invite,
    sender=MemberSender,
    receiver=MemberReceiver,
    member=Member,
    newcomer=MemberNewcomer,
    follower=None,
    log=None,
)
_SAME = "the sessions and the feed are the same, whatever rooms one is in"
ZCHAT_PRIVATE = replace(
    ZCHAT_CURVE,
    key="zchat-private",
    name="zchat, CURVE, private room",
    prepare=invite_privately,
    sender=PrivateSender,
    receiver=PrivateReceiver,
    cannot={"idle1000-encrypted": _SAME, "handshakes": _SAME},
)
