"""A forwarder of nothing but libzmq: what ROUTER to PUB costs when nobody looks at a message, the limit of the design.

`zmq_proxy` moves every message from a ROUTER to a PUB socket in C. What ROUTER puts in front of a message is the
routing id, and what PUB takes for the topic is the first frame: so a sender whose routing id begins with the room's
name speaks in that room, and no code has to read anything. A sender follows its own messages to know when to go on.
Started as a program (`python -m peers.forwarder LISTEN PUBLISH`) it is the server.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq
import zmq.utils.z85
from curve import Curve
from marks import MARK, SIZE, WARM, warm_text
from zmtp import READY, frame, head, hello, subscribe

from .peer import Peer
from .stream import Address, Receiver, Sender, Stream

ECHO = 0.2  # s to wait for the first echo


class ForwarderSender(Sender):
    """A DEALER peer and a SUB peer that hears it; an echo counts as an answer."""

    ANSWER = MARK

    def __init__(self, address: Address, *args: Any, **options: Any) -> None:
        self.feed = Stream(address, bytearray(), port=2, who="echoes")
        super().__init__(address, *args, **options)

    def opening(self) -> Iterator[None]:
        """Introduce both."""
        name = b"%b/%03d" % (self.room.encode(), self.number)
        self.up = self.sock
        self.sock = self.feed.sock
        self.up.sendall(hello(b"DEALER", name))
        self.sock.sendall(hello(b"SUB"))
        yield
        said = b""
        while READY not in said:
            said += self.up.recv(1 << 16)
        self.until(READY)
        self.sock.sendall(subscribe(name))

    def shape(self, text: bytes) -> bytes:
        """Return the text as a frame."""
        return head(SIZE) + text

    def warm(self) -> bool:
        """Say one message that nobody counts; False until its echo comes."""
        self.up.sendall(frame(warm_text()))
        self.sock.settimeout(ECHO)
        try:
            self.until(WARM)
        except TimeoutError:
            return False
        self.sock.settimeout(None)
        return True

    def send(self, count: int) -> None:
        """Send the next `count` messages at once."""
        first = self.sent + 1
        self.sent += count
        self.up.sendall(self.frames(first, first + count))


class ForwarderReceiver(Receiver):
    """A SUB peer."""

    def __init__(self, address: Address, *args: Any, **options: Any) -> None:
        super().__init__(address, *args, **options, port=2)

    def opening(self) -> Iterator[None]:
        """Subscribe. Nothing answers: the first message tells."""
        self.sock.sendall(hello(b"SUB"))
        yield
        self.until(READY)
        self.sock.sendall(subscribe(b"%b/" % self.room.encode()))


class ForwarderMember(ForwarderReceiver):
    """An idle pair of connections, as zchat's."""

    def opening(self) -> Iterator[None]:
        """Connect both."""
        up = Stream(self.address, self.scratch, who=self.who)
        up.sock.sendall(hello(b"DEALER", b"idle/%05d" % self.number))
        self.others.append(up)
        yield from super().opening()
        up.until(READY)


def _command(folder: Path, address: Address) -> list[str]:
    program = "import sys; sys.path[0:0] = [sys.argv[3]]; from peers.forwarder import main; main()"
    here = Path(__file__).resolve().parent.parent
    return [sys.executable, "-c", program, str(address.port), str(address.second), str(here)]


def _command_curve(folder: Path, address: Address) -> list[str]:
    if not (folder / "secret").exists():
        public, secret = zmq.curve_keypair()
        (folder / "secret").write_bytes(secret)
        (folder / "public").write_bytes(zmq.utils.z85.decode(public))
    return [*_command(folder, address), (folder / "secret").read_text()]


def main() -> None:
    """Forward from the port LISTEN to the port PUBLISH until killed; with a secret key over CURVE."""
    context = zmq.Context()
    router, pub = context.socket(zmq.ROUTER), context.socket(zmq.PUB)
    for socket, port in ((router, sys.argv[1]), (pub, sys.argv[2])):
        if sys.argv[4:]:
            socket.curve_server, socket.curve_secretkey = True, sys.argv[4].encode()
        socket.set_hwm(0)  # a slow receiver shall be told late, and not lose anything
        socket.bind(f"tcp://127.0.0.1:{port}")
    zmq.proxy(router, pub)


FORWARDER = Peer(
    key="forwarder",
    name=f"libzmq forwarder {zmq.zmq_version()}",
    program=sys.executable,
    package="python3",
    command=_command,
    sender=ForwarderSender,
    receiver=ForwarderReceiver,
    member=ForwarderMember,
    version=(),
    together=64,
    limits="its senders follow their own messages, which is one delivery a message more than is counted",
)
FORWARDER_CURVE = replace(
    FORWARDER,
    key="forwarder-curve",
    name=f"libzmq forwarder {zmq.zmq_version()}, CURVE",
    command=_command_curve,
    cover=lambda folder: Curve((folder / "public").read_bytes()),
)
