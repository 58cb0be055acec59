"""zchat over CURVE: guests of a broker that lets every key in.

Who is a guest and who a member makes no difference to what is sent to them. The feed opens to a key that the broker has
let in, so a receiver greets first.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq
from curve import Curve
from zmq.utils import z85
from zmtp import READY, hello, subscribe

from .stream import Address, Receiver, Stream
from .zchat import ZCHAT, broker, greeting, line


class CurveReceiver(Receiver):
    """A session that only pings, and its feed."""

    EVERY = 5.0

    def __init__(self, address: Address, *args: Any, **options: Any) -> None:
        super().__init__(address, *args, **options, port=2)

    def opening(self) -> Iterator[None]:
        """Greet, and subscribe when the broker knows the key."""
        session = Stream(self.address, self.scratch, who=self.who)
        self.others.append(session)
        session.sock.sendall(hello(b"DEALER"))
        yield
        session.until(READY)
        session.sock.sendall(greeting(self.who))
        yield
        session.until(b'"welcome"')
        self.sock.sendall(hello(b"SUB"))
        yield
        self.until(READY)
        self.sock.sendall(subscribe(b"room/%b/" % self.room.encode()))

    def beat(self) -> None:
        """Send the heartbeat."""
        self.others[0].sock.sendall(line("ping"))


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
    receiver=CurveReceiver,
    follower=None,
    log=None,
)
