"""The broker of a soak without a cluster: the real `zchat broker`.

Its ports lie below those that the system gives to outgoing connections: a connection that tries a closed port of that
range may be given the very same port, meet itself, and keep the broker out for as long as it lives.
"""

import random
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.soak.process import Process

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
HEARTBEAT = "1"  # seconds: faults are short here, and a client's patience must be shorter


class Broker(Process):
    """`command` is what begins `zchat`."""

    def __init__(self, command: Sequence[str], folder: Path, data: Path, env: dict[str, str]) -> None:
        self.listen, self.publish = free_port(), free_port()
        sockets = ("--listen", f"tcp://{HOST}:{self.listen}", "--publish", f"tcp://{HOST}:{self.publish}")
        folders = ("--data", str(data), "--log-dir", str(folder / "log"))
        command = (*command, "broker", *sockets, *folders, "--heartbeat", HEARTBEAT)
        super().__init__(command, folder / "broker.stderr", env, "publish")

    @property
    def endpoint(self) -> str:
        return f"tcp://{HOST}:{self.listen}"

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
