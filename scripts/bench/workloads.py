"""What is measured: each workload as data, and how its figures are taken.

Every figure belongs to a window in the middle of the run: the counters and the clocks of the processes are read at
its start and its end, while the load goes on. After it the load stops, and the run counts only if
then every receiver has every message.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clients
import load
from board import DRAIN, RUN, STOP, Board, Worker, new_board, wait, workers
from server import Broker, Meter, broker, rss
from standin import stand_in

Result = dict[str, Any]
WARM_UP = 1.5  # s under load before the window


@dataclass(frozen=True)
class Options:
    """What the command line says; `seconds` is the length of a window."""

    seconds: float
    disk: Path
    sessions: int


@dataclass(frozen=True)
class Crowd:
    """Senders in a closed loop, and subscribers that count."""

    subscribers: int
    senders: int = 10
    outstanding: int = 64  # messages of each sender
    text: int = 64  # bytes

    def run(self, options: Options) -> Result:
        """Measure on a new broker."""
        with broker(options.disk) as server:
            board = new_board()
            hears = Worker(load.subscribers, board, server.publish, self.subscribers)
            says = Worker(load.senders, board, server.listen, self.senders, self.outstanding, self.text)
            with workers(hears, says) as both:
                wait(lambda: board.ready == self.subscribers, "the subscribers", both)
                board.phase = RUN
                figures = _window(board, server, both, options.seconds, WARM_UP)
                board.phase = DRAIN
                said = says.result(60)
                board.target = said["last"]
                heard = hears.result(120)
                board.phase = STOP
        figures |= _percentiles("ack", said["latencies"])
        complete = heard["complete"] and said["stored"] == said["acked"]
        return {"complete": complete, "lost": heard["lost"], **figures}


@dataclass(frozen=True)
class OneAtATime:
    """One sender, one subscriber, one message at a time; `samples` at least."""

    samples: int = 2_000
    text: int = 64

    def run(self, options: Options) -> Result:
        """Measure on a new broker."""
        with broker(options.disk) as server:
            board = new_board()
            work = Worker(load.one_at_a_time, board, server.listen, server.publish, self.text, self.samples)
            with workers(work) as all_:
                wait(lambda: board.ready == 1, "the subscriber", all_)
                time.sleep(WARM_UP)
                board.phase = RUN
                figures = _window(board, server, all_, options.seconds)
                board.phase = DRAIN
                ended = work.result(60)
        latencies = ended.pop("latencies")
        return {**ended, **figures, "samples": len(latencies), **_percentiles("seen", latencies)}


@dataclass(frozen=True)
class Idle:
    """Sessions that only ping; the window is at least `seconds` long."""

    seconds: float = 15

    def run(self, options: Options) -> Result:
        """Measure on a new broker."""
        seconds = max(self.seconds, options.seconds)
        with broker(options.disk) as server:
            board = new_board()
            work = Worker(load.idlers, board, server.listen, server.publish, options.sessions)
            with workers(work) as all_:
                wait(lambda: board.ready > 0, "the first session", all_)  # what only the first costs is not theirs
                first, before = board.ready, rss(server.pid)
                wait(lambda: board.ready == options.sessions, "the sessions", all_, 300)
                figures = _window(board, server, all_, seconds, load.SETTLE + 2 * load.HEARTBEAT)
                size = rss(server.pid)
                board.phase = DRAIN
                ended = work.result(60)
        per_session = (size - before) / 1024 / max(1, options.sessions - first)
        figures = {key: figures[key] for key in ("seconds", "broker_cpu", "load_cpu", "others_cpu", "broker_rss_mib")}
        return {**ended, "sessions": options.sessions, **figures, "kib_per_session": round(per_session, 1)}


@dataclass(frozen=True)
class Follow:
    """A client follows a room that a stand-in for the broker floods at the client's own pace."""

    client: Callable[[Board, str], Result]
    text: int = 64

    def run(self, options: Options) -> Result:
        """Measure one client."""
        board = new_board()
        server = Worker(stand_in, board, self.text)
        with workers(server):
            wait(lambda: board.port > 0, "the stand-in", (server,))
            client = Worker(self.client, board, f"tcp://127.0.0.1:{board.port}")
            with workers(client):
                both = (server, client)
                wait(lambda: board.ready == 1, "the client", both)
                board.phase = RUN
                wait(lambda: board.seen > 0, "the first event", both)
                time.sleep(WARM_UP)
                meter, seen = Meter(client=[board.pid], load=[server.pid]), board.seen
                time.sleep(options.seconds)
                used, seen, size = meter.stop(), board.seen - seen, rss(board.pid)
                board.phase = DRAIN
                ended = {**client.result(60), **server.result(60)}
        rate = {"events_per_s": round(seen / used["seconds"]), "client_cpu_us_per_event": _per(used["client"], seen)}
        return {**ended, "publisher": "stand-in", **rate, **_cores(used), "client_rss_mib": _mib(size)}


WORKLOADS: dict[str, Crowd | OneAtATime | Idle | Follow] = {
    "fanout": Crowd(subscribers=100),
    "ingest": Crowd(subscribers=1),
    "latency": OneAtATime(),
    "idle": Idle(),
    "follow": Follow(clients.follow_listen),
    "follow-batches": Follow(clients.follow_batches),
    "tail": Follow(clients.tail),
}


def note(text: str) -> None:
    """Tell the person who waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def _window(board: Board, server: Broker, made: tuple[Worker, ...], seconds: float, before: float = 0) -> Result:
    """Wait `before` seconds, then read all counters and clocks at the start and the end of `seconds`."""
    _sleep(before, made)
    meter, acked, seen = Meter(broker=[server.pid], load=[each.pid for each in made]), board.acked, board.seen
    _sleep(seconds, made)
    used, acked, seen = meter.stop(), board.acked - acked, board.seen - seen
    return {
        "messages_per_s": round(acked / used["seconds"]),
        "deliveries_per_s": round(seen / used["seconds"]),
        "broker_cpu_us_per_message": _per(used["broker"], acked),
        "broker_cpu_us_per_delivery": _per(used["broker"], seen),
        **_cores(used),
        "broker_rss_mib": _mib(rss(server.pid)),
    }


def _sleep(seconds: float, made: tuple[Worker, ...]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.5))
        for worker in made:
            worker.check()


def _cores(used: dict[str, float]) -> Result:
    """Return the window's length in seconds, and what each group used of a core (1.0: all of one)."""
    seconds = used["seconds"]
    return {"seconds": round(seconds, 2)} | {
        f"{name}_cpu": round(spent / seconds, 3) for name, spent in used.items() if name != "seconds"
    }


def _percentiles(what: str, latencies: list[float]) -> Result:
    """Return p50 and p99 in milliseconds."""
    ordered = sorted(latencies) or [float("nan")]
    return {f"{what}_p{p}_ms": round(ordered[len(ordered) * p // 100] * 1e3, 3) for p in (50, 99)}


def _per(seconds: float, count: int) -> float | None:
    return round(seconds / count * 1e6, 3) if count else None


def _mib(size: int) -> float:
    return round(size / 2**20, 1)
