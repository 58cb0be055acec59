"""What the processes of one run share: a few counters, each written by one process, and the phase, set by the run.

The counters live in shared memory, so that a process under load tells how far it is with a store and the run
reads all of them at one instant, beside the clocks of the processes. What is too large for a counter (a sender's
latencies) comes at the end, through a pipe.
"""

import ctypes
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawValue
from typing import Any

WARM, RUN, DRAIN, STOP = range(4)
SPAWN = multiprocessing.get_context("spawn")


class BenchError(Exception):
    """The run cannot go on; its text says why."""


ROOMS = 128


class Board(ctypes.Structure):
    """The counters of one run.

    `connected`, `watching` and `ready` count receivers, `seen` and `watched` what they saw (in two processes), `woken`
    senders whose room answers. `target` is what was said in all, `said` in each room: what a receiver must have seen
    before it may stop.
    """

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("phase", "connected", "watching", "ready", "woken", "acked", "seen")),
        *((name, ctypes.c_int64) for name in ("watched", "target", "pid", "port")),
        ("said", ctypes.c_int64 * ROOMS),
    ]
    phase: int
    connected: int
    watching: int
    ready: int
    woken: int
    acked: int
    seen: int
    watched: int
    target: int
    pid: int
    port: int
    said: ctypes.Array[ctypes.c_int64]


def new_board() -> Board:
    """Return a board in memory that processes started with it share."""
    board: Board = RawValue(Board)
    return board


class Worker:
    """A process of the load: `work(board, *args)` runs there, and what it returns comes back by `result`."""

    def __init__(self, work: Callable[..., dict[str, Any]], board: Board, *args: Any) -> None:
        self.name = work.__name__
        self.pipe, child = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(target=_run, args=(child, work, board, *args), daemon=True)
        self.process.start()
        child.close()
        self.pid = self.process.pid or 0

    def result(self, timeout: float) -> dict[str, Any]:
        """Wait up to `timeout` seconds for what the work returned; BenchError if it failed."""
        if not self.pipe.poll(timeout):
            raise BenchError(f"{self.name}: no end after {timeout:g} s more")
        return self._take()

    def check(self) -> None:
        """Raise BenchError if the work ended before its time."""
        if self.pipe.poll():
            self._take()
            raise BenchError(f"{self.name} ended early")

    def end(self) -> None:
        """End the process, if it has not ended by itself."""
        self.process.join(2)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()
        self.pipe.close()

    def _take(self) -> dict[str, Any]:
        try:
            result: dict[str, Any] = self.pipe.recv()
        except EOFError:
            raise BenchError(f"{self.name} died") from None
        if error := result.get("error"):
            raise BenchError(str(error))
        return result


@contextmanager
def workers(*made: Worker) -> Iterator[tuple[Worker, ...]]:
    """End these workers when the block ends."""
    try:
        yield made
    finally:
        for worker in made:
            worker.end()


def wait(condition: Callable[[], bool], what: str, made: tuple[Worker, ...], timeout: float = 60) -> None:
    """Wait until `condition`, while all workers live; BenchError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        for worker in made:
            worker.check()
        if time.monotonic() > deadline:
            raise BenchError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.01)


def _run(pipe: Connection, work: Callable[..., dict[str, Any]], *args: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run hears it, and ends us
    signal.signal(signal.SIGTERM, _leave)
    try:
        pipe.send(work(*args))
    except (BenchError, OSError) as error:
        pipe.send({"error": f"{work.__name__}: {error}"})


def _leave(*_: object) -> None:
    sys.exit(1)  # by an exception, so that what this process started is ended too
