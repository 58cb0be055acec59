"""What the workloads know of a server: how it is started, who speaks to it, what it cannot do."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from board import BenchError
from cover import Cover

from .stream import Address, Receiver, Sender

ACKNOWLEDGES = "acknowledges nothing, and keeps no messages"


class Log(Protocol):
    """A connection that asks for what a server keeps."""

    def __init__(self, address: Address, room: str) -> None: ...

    def stored(self) -> int:
        """Return how many messages of the room the server keeps."""

    def place(self) -> str:
        """Return the place of the room's last message, for `Peer.follower`."""

    def page(self, share: float, count: int) -> int:
        """Read `count` messages from `share` (0 to 1) of the log's length on; return how many came."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True)
class Peer:
    """One server in one way of using it; the fields are told apart by what they are for."""

    key: str
    name: str
    program: str  # in the path, or next to this Python
    package: str  # of Debian
    command: Callable[[Path, Address], list[str]]  # writes the configuration into the folder
    sender: type[Sender]
    receiver: type[Receiver]
    version: tuple[str, ...] = ("--version",)
    member: type[Receiver] | None = None  # an idle session, if it is more than a receiver
    newcomer: type[Receiver] | None = None  # open when the server has it and sends to it, if a member is not
    follower: Callable[[Address, bytearray, int, str, str], Receiver] | None = None  # from a place on
    log: type[Log] | None = None
    together: int = 200  # connections that are opened at the same time; fewer where the queue of newcomers is short
    prepare: Callable[[Path, Address], None] = field(default=lambda folder, address: None)
    cannot: Mapping[str, str] = field(default_factory=dict)  # workload -> why
    cover: Callable[[Path], Cover] | None = (
        None  # how connections are covered, told from what the server's folder holds
    )
    limits: str = ""  # what could not be switched off, and what else a reader must know

    def path(self) -> str:
        """Return where the program is; BenchError names the package if it is not there."""
        found = shutil.which(self.program) or shutil.which(self.program, path="/usr/sbin:/usr/local/sbin")
        if not found:
            raise BenchError(f"{self.program} is not installed: apt-get install {self.package}")
        return found

    def title(self) -> str:
        """Return the name with the version of the program that is installed."""
        said = subprocess.run([self.path(), *self.version], capture_output=True, text=True, timeout=20, check=False)
        number = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr) if self.version else None
        return f"{self.name} {number[0]}" if number else self.name


def covered(peer: Peer, cover: Cover, command: Callable[[Path, Address], list[str]], limits: str = "") -> Peer:
    """Return the same server behind TLS; `command` starts it so."""
    return replace(
        peer,
        key=f"{peer.key}-tls",
        name=f"{peer.name}, TLS",
        limits=limits or peer.limits,
        command=command,
        cover=lambda folder: cover,
    )
