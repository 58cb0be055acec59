"""Cables that can be pulled: each machine of a cluster is a network namespace, joined to a bridge by a pair of veths.

Namespaces without a name end with the last process in them, and so does all that was made in them. A soak with a
cluster therefore runs in a network of its own, and in a process space of its own whose end takes everything along,
nodes that brokers started included (`inside`). Nothing here can be seen from outside, or reach anything there.

What cannot be heard is dropped as it arrives, by a rule of routing: the sender learns nothing, as on a real line.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

INSIDE = "SOAK_INSIDE"  # set in the environment of a soak that is in a world of its own
OWN_WORLD = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
BRIDGE, PEOPLE = "soak", 254  # the people are on the bridge itself
Pair = tuple[int, int]


def inside() -> bool:
    """Return whether there is a network of its own; else begin again in one, if that can be had."""
    if INSIDE in os.environ:
        return os.environ[INSIDE] == "1"
    own = [*OWN_WORLD, *(() if os.geteuid() == 0 else ("--map-root-user",))]
    could = shutil.which("ip") and shutil.which("unshare") and _works([*own, "ip", "link", "add", "x", "type", "veth"])
    if could:  # a shell is the first process: it takes leave of those whose parents have died
        this = [sys.executable, "-m", "tests.soak", *sys.argv[1:]]
        os.execvpe("unshare", [*own, "sh", "-c", '"$@"; exit $?', "sh", *this], os.environ | {INSIDE: "1"})
    return False


def _works(command: Sequence[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


class Net:
    """Machines 0 to `count` - 1 on a bridge. Only for a process that is `inside`."""

    def __init__(self, count: int) -> None:
        self._holders = [subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) for _ in range(count)]
        _run("ip link set lo up")
        _run(f"ip link add {BRIDGE} type bridge")
        _run(f"ip addr add {_host(PEOPLE)}/24 dev {BRIDGE}")
        _run(f"ip link set {BRIDGE} up")
        for machine, holder in enumerate(self._holders):
            while Path(f"/proc/{holder.pid}/ns/net").samefile("/proc/self/ns/net"):
                os.sched_yield()  # it has not left yet
            _run(f"ip link add {_cable(machine)} type veth peer name eth0 netns {holder.pid}")
            _run(f"ip link set {_cable(machine)} master {BRIDGE} up")
            for command in ("ip link set lo up", f"ip addr add {address(machine)}/24 dev eth0", "ip link set eth0 up"):
                self._run_at(machine, command)
            self._run_at(machine, "ip rule add pref 100 lookup local")  # behind our rules
            self._run_at(machine, "ip rule del pref 0")

    def prefix(self, machine: int) -> tuple[str, ...]:
        """Return what begins a command that is to run on a machine."""
        return ("nsenter", f"--net=/proc/{self._holders[machine].pid}/ns/net")

    def unplug(self, machine: int) -> None:
        """Let a machine hear nobody, and be heard by nobody."""
        _run(f"ip link set {_cable(machine)} down")

    def apart(self, pairs: Iterable[Pair]) -> None:
        """Let the two machines of each pair not hear each other."""
        for one, other in pairs:
            for here, there in ((one, other), (other, one)):
                self._run_at(here, f"ip rule add pref 10 iif eth0 from {address(there)} blackhole")

    def heal(self) -> None:
        """Be a good network again."""
        for machine in range(len(self._holders)):
            _run(f"ip link set {_cable(machine)} up")
            while _works([*self.prefix(machine), "ip", "rule", "del", "pref", "10"]):
                pass

    def close(self) -> None:
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def _run_at(self, machine: int, command: str) -> None:
        subprocess.run([*self.prefix(machine), *command.split()], check=True)


def address(machine: int) -> str:
    """Return a machine's address."""
    return _host(machine + 1)


def _host(number: int) -> str:
    return f"10.99.0.{number}"


def _cable(machine: int) -> str:
    return f"cable{machine}"


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)
