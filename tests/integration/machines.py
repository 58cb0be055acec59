"""Brokers of a cluster as processes, `zchat broker --cluster`, for the tests of commands."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.machines import ports
from tests.conftest import READY, ZCHAT, RunZchat, wait_for
from zchat.broker.cluster import node
from zchat.broker.cluster.folder import Folder, Machine, read

NAMES = ("a", "b", "c")


def options(first: Machine) -> list[str]:
    """Return the options that give the machines these ports."""
    each = {"--port": first.broker, "--node-port": first.node, "--route-port": first.routes}
    return [text for name, port in each.items() for text in (name, str(port))]


@dataclass
class Machines:
    """A cluster on this machine, in the folder `where`, and those of its brokers that were started."""

    where: Path
    env: dict[str, str]
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def folder(self, name: str) -> Folder:
        return read(self.where / name)

    def told(self, name: str, stream: str = "out") -> str:
        """Return what a broker has printed in its present run."""
        return (self.where.parent / f"{name}.{stream}").read_text()

    def start(self, *names: str) -> None:
        """Start brokers side by side, and wait until people can come in."""
        for name in names:
            files = {each: (self.where.parent / f"{name}.{each}").open("wb") for each in ("out", "err")}
            command = (*ZCHAT, "broker", "--cluster", str(self.where / name))
            self.running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=files["out"], stderr=files["err"], env=self.env
            )
            for each in files.values():
                each.close()
        for name in names:
            wait_for(lambda name=name: self._ready(name), f"broker {name} to be ready", READY)  # type: ignore[misc]

    def link(self, name: str) -> str:
        """Return the link with which the owner comes in, this machine first."""
        (line,) = (line for line in self.told(name).splitlines() if line.startswith("zchat join "))
        scheme, _, rest = line.split()[-1].partition("://")
        hosts, _, key = rest.partition("/")
        own = f"127.0.0.1:{self.folder(name).me.broker}"
        return f"{scheme}://{','.join([own, *(host for host in hosts.split(',') if host != own)])}/{key}"

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """End a broker; return its exit code."""
        process = self.running.pop(name)
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(READY)
        finally:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End all that runs."""
        for name in [*self.running]:
            self.end(name, signal.SIGKILL)
        for each in self.where.glob("*/cluster.json"):
            folder = read(each.parent)
            if (pid := node.running(folder)) is not None and pid:
                os.kill(pid, signal.SIGCONT)
            node.stop(folder)

    def _ready(self, name: str) -> bool:
        process = self.running[name]
        assert process.poll() is None, f"broker {name} ended with {process.returncode}: {self.told(name, 'err')}"
        return "publish " in self.told(name)


@contextmanager
def some(
    zchat: RunZchat, env: dict[str, str], where: Path, names: tuple[str, ...] = NAMES, *more: str
) -> Iterator[Machines]:
    """Make the folder of a cluster, with more options; at the end all that runs of it is ended."""
    with ports() as first:
        each = [f"{name}=127.0.0.1" for name in names]
        made = zchat("cluster", "init", str(where), *each, *options(first), *more)
        assert made.code == 0, made.err
        machines = Machines(where, env)
        try:
            yield machines
        finally:
            machines.close()
