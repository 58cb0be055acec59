"""The broker of a soak without a cluster: the real `zchat broker`, with a door for guests and one for keys.

Its ports lie below those that the system gives to outgoing connections: a connection that tries a closed port of that
range may be given the very same port, meet itself, and keep the broker out for as long as it lives.
"""

import random
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.soak.process import Process
from zchat.broker import keys
from zchat.protocol import links

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
HEARTBEAT = "1"  # seconds: faults are short here, and a client's patience must be shorter


class Broker(Process):
    """`command` is what begins `zchat`."""

    def __init__(self, command: Sequence[str], folder: Path, data: Path, env: dict[str, str]) -> None:
        self.listen, self.publish = free_port(), free_port()
        self.data = data
        self.keyed_listen, self.keyed_publish = free_port(), free_port()
        guests = ("--listen", f"tcp://{HOST}:{self.listen}", "--publish", f"tcp://{HOST}:{self.publish}")
        keys = ("--listen", f"zchat://{HOST}:{self.keyed_listen}", "--publish", f"tcp://{HOST}:{self.keyed_publish}")
        folders = ("--data", str(data), "--log-dir", str(folder / "log"))
        command = (*command, "broker", *guests, *keys, "--open", *folders, "--heartbeat", HEARTBEAT)
        super().__init__(command, folder / "broker.stderr", env, "publish")

    @property
    def endpoint(self) -> str:
        return f"tcp://{HOST}:{self.listen}"

    @property
    def link(self) -> str:
        """The link to the door for keys."""
        return links.BrokerLink(((HOST, self.keyed_listen),), keys.read(self.data).raw).text

    @property
    def feed(self) -> str:
        return f"tcp://{HOST}:{self.publish}"


def free_port() -> int:
    """Return a port that nobody listens on and that no outgoing connection gets."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
