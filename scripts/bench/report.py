"""What the figures should be, and how they are shown: JSON lines for programs, a table for people."""

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import zmq

OTHERS = 0.2  # cores


@dataclass(frozen=True)
class Target:
    """A bound for one figure of one workload."""

    workload: str
    figure: str
    bound: float
    at_least: bool

    def met(self, value: float) -> bool:
        """Say whether `value` keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


TARGETS = (
    Target("fanout", "deliveries_per_s", 2_500_000, True),
    Target("fanout", "cpu_us_per_delivery", 0.28, False),
    Target("ingest", "messages_per_s", 75_000, True),
    Target("ingest", "cpu_us_per_message", 12, False),
    Target("latency", "p50_ms", 1, False),
    Target("idle", "server_cpu", 0.08, False),
    Target("idle", "kib_per_session", 65, False),
    Target("follow", "events_per_s", 200_000, True),
    Target("follow-batches", "events_per_s", 200_000, True),
    Target("tail", "events_per_s", 500_000, True),
)


def machine(disk: Path) -> dict[str, Any]:
    """Return what a reader must know of the machine to compare figures; `fsync_ms` is the median on `disk`."""
    return {
        "machine": f"{psutil.cpu_count()} x {_processor()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libzmq": zmq.zmq_version(),
        "zchat": version("zchat-zmq"),
        "fsync_ms": round(_fsync(disk) * 1e3, 3),
        "load_before": round(os.getloadavg()[0], 2),
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the figures that have a target, beside it."""
    rows = [("workload", "figure", "measured", "target", "")]
    for result in results:
        for target in TARGETS:
            value = result.get(target.figure)
            if target.workload == result["name"] and value is not None:
                sign = ">=" if target.at_least else "<="
                verdict = ("met" if target.met(value) else "NOT MET") if result["complete"] else "VOID: incomplete"
                rows.append((target.workload, target.figure, f"{value:,}", f"{sign} {target.bound:,}", verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    notes = [note for result in results for note in _notes(result)]
    aligned = [
        f"{r[0]:{widths[0]}}  {r[1]:{widths[1]}}  {r[2]:>{widths[2]}}  {r[3]:>{widths[3]}}  {r[4]}" for r in rows
    ]
    return "\n".join(aligned + notes)


def _notes(result: dict[str, Any]) -> Iterator[str]:
    """Yield what casts doubt on a result."""
    if error := result.get("error"):
        yield f"{result['name']}: {error}"
    if repairs := result.get("repairs"):
        yield f"{result['name']}: asked {repairs} times for history, though nothing was lost"
    if (others := result.get("others_cpu", 0)) > OTHERS:
        yield f"{result['name']}: other programs used {others:.2f} cores, so the rates are too low"


def _processor() -> str:
    """Return the processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _fsync(disk: Path, times: int = 101) -> float:
    """Return the median seconds of appending 4 KiB and having them on disk: the floor of every durable latency."""
    spent = []
    with tempfile.TemporaryFile(dir=disk) as file:
        for _ in range(times):
            before = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            spent.append(time.perf_counter() - before)
    return sorted(spent)[times // 2]
