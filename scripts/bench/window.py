"""A window of a run: the counters and the clocks at its start and its end, and the figures they make."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from board import Board, Worker
from server import Busiest, Meter, Server, rss

Result = dict[str, Any]
WARM_UP = 1.5  # s under load before the window
FULL = 0.93  # of the machine: above it nobody could have had more


@dataclass(frozen=True)
class Options:
    """What the command line says; `seconds` is the length of a window."""

    seconds: float
    disk: Path
    large: bool = False
    warm_up: float = WARM_UP


def measure(board: Board, server: Server, made: Sequence[Worker], options: Options) -> Result:
    """Wait for the warm-up to pass, then read all counters and clocks at the start and the end of the window."""
    rest(options.warm_up, made)
    meter = Meter(server=[server.pid], load=[each.pid for each in made])
    busy, loads = Busiest([server.pid]), [Busiest([each.pid]) for each in made]
    acked, seen = board.acked, board.seen + board.watched
    rest(options.seconds, made)
    used, acked, seen = meter.stop(), board.acked - acked, board.seen + board.watched - seen
    seconds = used["seconds"]
    busiest = max(busy.stop() / seconds, used["server"] / seconds / (psutil.cpu_count() or 1))
    return {
        "messages": acked,
        "deliveries": seen,
        "messages_per_s": round(acked / seconds),
        "deliveries_per_s": round(seen / seconds),
        "cpu_us_per_message": per(used["server"], acked),
        "cpu_us_per_delivery": per(used["server"], seen),
        **cores(used),
        "rss_mib": mib(rss(server.pid)),
        **({"cipher": server.cipher} if server.cipher else {}),
        "limit": _limit(used, busiest, max(each.stop() for each in loads) / seconds),
    }


def rest(seconds: float, made: Sequence[Worker]) -> None:
    """Sleep, while all workers live."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.5))
        for worker in made:
            worker.check()


def cores(used: dict[str, float]) -> Result:
    """Return the window's length in seconds, and what each group used of a core (1.0: all of one)."""
    seconds = used["seconds"]
    return {"seconds": round(seconds, 2)} | {
        f"{name}_cpu": round(spent / seconds, 3) for name, spent in used.items() if name != "seconds"
    }


def percentiles(what: str, latencies: list[float], which: tuple[int, ...] = (50, 99, 100)) -> Result:
    """Return percentiles in milliseconds; the hundredth is named `max`."""
    ordered, prefix = sorted(latencies), f"{what}_" if what else ""
    names = {100: f"{prefix}max_ms"}
    return {
        names.get(p, f"{prefix}p{p}_ms"): round(ordered[min(len(ordered) * p // 100, len(ordered) - 1)] * 1e3, 3)
        if ordered
        else None
        for p in which
    }


def verdict(said: Result, heard: Result, rooms: int) -> Result:
    """Say whether everybody heard everything: in number, and for the exact receivers in order and once each."""
    room = {number: count for number, count in said["sent"].items() if number % rooms == 0 and count}
    exact = all(each == room for each in heard["exact"])
    return {"complete": not heard["lost"] and not heard["repeated"] and exact, "lost": heard["lost"]} | (
        {"repeated": heard["repeated"]} if heard["repeated"] else {}
    )


def per(seconds: float, count: int) -> float | None:
    """Return microseconds for each."""
    return round(seconds / count * 1e6, 3) if count else None


def mib(size: int) -> float:
    """Return mebibytes."""
    return round(size / 2**20, 1)


def _limit(used: dict[str, float], server: float, load: float) -> str:
    """Say which side was nearer its limit: the server's or the load's busiest thread, or all of the machine."""
    whole = sum(spent for name, spent in used.items() if name != "seconds") / used["seconds"]
    if whole > FULL * (psutil.cpu_count() or 1):
        return "machine"
    return "server" if server >= load else "load"
