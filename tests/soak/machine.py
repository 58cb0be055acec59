"""A machine of a soak: its broker, with a disk and a clock, and in a cluster a node of the engine beside it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.soak.broker import Broker
from tests.soak.disk import Disk
from tests.soak.node import Node
from tests.soak.process import Process
from tests.soak.shim import Shim, can_be_built
from zchat.client.addresses import Address


@dataclass
class Machine:
    """`address` is where the audit reaches its broker, past all that is broken, `feed` is beside it.

    `shim` is None without gcc.
    """

    name: str
    broker: Process
    address: Address
    feed: str
    disk: Disk
    shim: Shim | None = None
    node: Node | None = None

    @property
    def endpoints(self) -> tuple[str, str]:
        return self.address.endpoints[0], self.feed

    @property
    def processes(self) -> list[Process]:
        return [self.broker] if self.node is None else [self.node, self.broker]

    @property
    def log(self) -> Path:
        return self.disk.data / "log.db"

    def excuse_broker(self, seconds: float) -> None:
        """Withdraw an excuse of its broker: so soon after a full disk it may still end by itself."""

        def withdraw() -> None:
            self.broker.excused -= 1

        asyncio.get_running_loop().call_later(seconds, withdraw)

    def heal(self) -> None:
        """Set everything right."""
        if self.shim is not None:
            self.shim.set_clock(0)
            self.shim.set_delay(0)
        self.disk.free()
        for process in self.processes:
            process.go_on()
            process.release()


def alone(zchat: Sequence[str], folder: Path, env: dict[str, str]) -> tuple[Machine, Broker]:
    """Return the one machine of a soak without a cluster, and its broker."""
    disk, shim = Disk(folder), shim_in(folder)
    broker = Broker(zchat, folder, disk.data, env | (shim.env if shim else {}))
    address = Address((broker.endpoint,), broker.endpoint)
    return Machine("", broker, address, broker.feed, disk, shim), broker


def shim_in(folder: Path) -> Shim | None:
    return Shim(folder) if can_be_built() else None
