"""The server under test, in a process of its own, and what processes cost.

A server is started as its user would start it, with its files on a disk, on ports that no other program was given;
its processor time is what the system charged to it, user and kernel, all threads, over the window of the measurement.
The ports lie below those that the system gives to connections, so a server that is killed finds its port free again.
"""

import contextlib
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from board import BenchError
from peers.peer import Peer
from peers.stream import Address

HOST = "127.0.0.1"
PORTS = range(20_000, 30_000)
START = 60.0  # seconds; with a long log some read all of it


class Server:
    """A server of one run: its files in `folder`, its `address`, and while it runs its `pid`."""

    def __init__(self, peer: Peer, disk: Path) -> None:
        peer.path()
        self.peer = peer
        self.folder = Path(tempfile.mkdtemp(prefix="zchat-bench-", dir=disk))
        self.folder.chmod(0o755)  # some servers give up root before they read their files
        self.address = Address(HOST, *_free_ports())
        self.cipher = ""  # of what lies over its connections
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process."""
        return self.process.pid if self.process else 0

    def launch(self) -> None:
        """Start it, and do not wait."""
        command = self.peer.command(self.folder, self.address)
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, cwd=self.folder)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self.launch()
        deadline = time.monotonic() + START
        while not _listens(self.address):
            self.check()
            if time.monotonic() > deadline:
                raise BenchError(f"{self.peer.program} does not listen after {START:g} s: {self._said()}")
            time.sleep(0.01)

    def cover(self) -> None:
        """Tell clients how their connections are covered, and find out what the server agrees to."""
        if self.peer.cover:
            cover = self.peer.cover(self.folder)
            self.address = self.address._replace(cover=cover)
            with socket.create_connection(self.address[:2], timeout=START) as probe:
                self.cipher = cover.named(probe)

    def check(self) -> None:
        """Raise BenchError if it has ended by itself."""
        if self.process is None or self.process.poll() is not None:
            raise BenchError(f"{self.peer.program} ended: {self._said()}")

    def kill(self) -> None:
        """End it by SIGKILL, as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def end(self) -> None:
        """Have it end by itself."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def close(self) -> None:
        """End it, and remove its files."""
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _said(self) -> str:
        return (self.folder / "output").read_text(errors="replace")[-1000:].strip()


@contextlib.contextmanager
def serve(peer: Peer, disk: Path) -> Iterator[Server]:
    """Run a server with nothing in it; stop it when the block ends. BenchError if it ends before."""
    server = Server(peer, disk)
    try:
        server.start()
        server.cover()
        peer.prepare(server.folder, server.address)
        yield server
        server.check()
    finally:
        server.close()


class Meter:
    """Processor seconds, user and kernel, of groups of processes, and of all others on the machine."""

    def __init__(self, **groups: Iterable[int]) -> None:
        self.groups = {name: [psutil.Process(pid) for pid in pids] for name, pids in groups.items()}
        self.start = self._read()

    def stop(self) -> dict[str, float]:
        """Return what was used since the start: per group, `others` and `seconds` of time."""
        end = self._read()
        used = {name: end[name] - self.start[name] for name in end}
        used["others"] = max(0.0, used.pop("machine") - sum(used[name] for name in self.groups))
        return used

    def _read(self) -> dict[str, float]:
        used = {name: sum(_cpu(process) for process in group) for name, group in self.groups.items()}
        machine = psutil.cpu_times()
        busy = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0) - getattr(machine, "guest", 0.0)
        return {"seconds": time.monotonic(), "machine": busy, **used}


class Busiest:
    """The processor seconds of the busiest thread of some processes: at one core it can do no more."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.processes = [psutil.Process(pid) for pid in pids]
        self.start = self._read()

    def stop(self) -> float:
        """Return the seconds since the start."""
        end = self._read()
        return max((spent - self.start.get(thread, 0.0) for thread, spent in end.items()), default=0.0)

    def _read(self) -> dict[int, float]:
        threads = [thread for process in self.processes for thread in process.threads()]
        return {thread.id: thread.user_time + thread.system_time for thread in threads}


def rss(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    size: int = psutil.Process(pid).memory_info().rss
    return size


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _listens(address: Address) -> bool:
    try:
        socket.create_connection(address[:2], timeout=1).close()
    except OSError:
        return False
    return True


def _free_ports() -> tuple[int, int]:
    """Return two ports of this machine, one after the other, that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind((HOST, port))
            other.bind((HOST, port + 1))
            return port, port + 1
