"""The server under test, in a process of its own, and what processes cost.

The broker is started as a user would start it, with the log on a disk; its processor time is what the system
charged to it, user and kernel, all threads, over the window of the measurement.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from board import BenchError

ZCHAT = Path(sys.executable).with_name("zchat")
START = 30.0  # seconds


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    pid: int
    listen: str
    publish: str


@contextlib.contextmanager
def broker(disk: Path) -> Iterator[Broker]:
    """Start a zchat broker with a new log on `disk`, and stop it when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="zchat-bench-", dir=disk))
    anywhere = ["--listen", "tcp://127.0.0.1:0", "--publish", "tcp://127.0.0.1:0", "--rate", "0"]
    command = [str(ZCHAT), "broker", *anywhere, "--data", str(folder), "--log-dir", str(folder)]
    errors = folder / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        endpoints = _endpoints(process, errors)
        yield Broker(process.pid, endpoints["listen"], endpoints["publish"])
        if process.poll() is not None:
            raise BenchError(f"the broker ended: {errors.read_text()[-2000:]}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


def _endpoints(process: "subprocess.Popen[str]", errors: Path) -> dict[str, str]:
    """Read the two lines that the broker prints when it is ready."""
    found: dict[str, str] = {}
    for printed in process.stdout or ():
        name, _, endpoint = printed.strip().partition(" ")
        found[name] = endpoint.strip()
        if {"listen", "publish"} <= found.keys():
            return found
    process.wait(START)
    raise BenchError(f"the broker did not start: {errors.read_text()[-2000:]}")


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


def rss(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    size: int = psutil.Process(pid).memory_info().rss
    return size


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
