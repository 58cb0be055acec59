"""The cluster of a soak: three machines, each with a node and a broker as `zchat cluster node` and `zchat broker` run.

Each has a network of its own where that can be had, else they share this machine's loopback, and no cable can be
pulled.
"""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nats

from tests.soak.broker import HEARTBEAT, HOST, free_port
from tests.soak.disk import Disk
from tests.soak.machine import Machine, shim_in
from tests.soak.net import Net, address, inside
from tests.soak.node import Node
from tests.soak.process import Process
from zchat.broker import keys
from zchat.broker.cluster import folder as folders
from zchat.client.addresses import Address
from zchat.protocol import links

NAMES = "abc"
RESTORED_WITHIN = 60.0  # seconds until `restore` must have succeeded


class Cluster:
    """The machines of a cluster in `folder`; `net` is None where no cable can be pulled."""

    def __init__(self, zchat: Sequence[str], folder: Path, env: dict[str, str], mutant: str = "") -> None:
        self.net = Net(len(NAMES)) if inside() else None
        self.zchat, self.folder, self.env, self.mutant = list(zchat), folder, env, mutant
        self.version = 0  # how often it was upgraded
        hosts = [address(k) if self.net else HOST for k in range(len(NAMES))]
        named = [f"{name}={host}" for name, host in zip(NAMES, hosts, strict=True)]
        first = 5555 if self.net else free_port()
        ports = ("--port", str(first), "--node-port", str(first + 4), "--route-port", str(first + 6))
        self.place = folder / "cluster"
        init = [*zchat, "cluster", "init", str(self.place), *named, *ports]
        subprocess.run(init, check=True, env=env, stdout=subprocess.DEVNULL)
        self.key = keys.read(self.place).raw
        self.settings = folders.whole(self.place)
        self.machines = [self._machine(k) for k in range(len(NAMES))]

    def _machine(self, k: int) -> Machine:
        me = self.settings.machines[k]
        place = self.place / me.name
        disk, shim = Disk(place), shim_in(place)
        env = self.env | (shim.env if shim else {})
        broker = Process(self.command(k), self.folder / f"broker-{me.name}.stderr", env, "publish")
        node = Node((*self.prefix(k), *self.zchat), place, self.folder / f"node-{me.name}.stderr", self.env)
        link = links.BrokerLink(((me.host, me.broker),), self.key)
        feed = f"tcp://{me.host}:{me.broker + 1}"
        return Machine(me.name, broker, Address(link.endpoints, link.text, self.key), feed, disk, shim, node)

    def prefix(self, machine: int) -> tuple[str, ...]:
        """Return what begins a command that is to run on a machine."""
        return self.net.prefix(machine) if self.net else ()

    def command(self, machine: int) -> list[str]:
        """Return how its broker is started now: broken on purpose, if this is a mutant, and upgraded so often."""
        name, zchat = NAMES[machine], self.zchat
        if self.mutant:
            zchat = [sys.executable, "-m", "tests.soak.mutants", self.mutant]
        elif self.version:
            zchat = [sys.executable, "-m", "tests.soak.newer", str(self.version)]
        settings = ("--open", "--rate", "0", "--heartbeat", HEARTBEAT, "--log-dir", str(self.folder / f"log-{name}"))
        return [*self.prefix(machine), *zchat, "broker", "--cluster", str(self.place / name), *settings]

    async def delete_stream(self, machine: int) -> None:
        """Delete the stream that all brokers share."""
        found = folders.read(self.place / NAMES[machine])
        connection = await nats.connect(list(found.servers), tls=found.tls())
        try:
            for stream in await connection.jetstream().streams_info():
                await connection.jetstream().delete_stream(str(stream.config.name))
        finally:
            await connection.close()

    @property
    def links(self) -> tuple[str, ...]:
        """Links to all brokers, each of which names another one first."""
        hosts = tuple((each.host, each.broker) for each in self.settings.machines)
        return tuple(links.BrokerLink((*hosts[k:], *hosts[:k]), self.key).text for k in range(len(hosts)))

    async def restore(self) -> str:
        """Run `zchat cluster restore` until it succeeds; return why it has not."""
        ends = asyncio.get_running_loop().time() + RESTORED_WITHIN
        command = (*self.prefix(0), *self.zchat, "cluster", "restore", str(self.place / NAMES[0]), "--yes")
        while True:
            run = await asyncio.create_subprocess_exec(
                *command, env=self.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            said, _ = await run.communicate()
            if run.returncode == 0:
                return ""
            if asyncio.get_running_loop().time() > ends:
                return f"restore: {said.decode()}"
            await asyncio.sleep(1)

    def close(self) -> None:
        for machine in self.machines:
            machine.disk.close()
        if self.net is not None:
            self.net.close()
