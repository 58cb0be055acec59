"""What is measured on every server: each workload as data, and how its figures are taken.

Every figure belongs to a window in the middle of the run: the counters and the clocks of the processes are read at
its start and its end, while the load goes on. After it the load stops, and the run counts only if
then every receiver has every message, and one of them each sender's messages in order.
"""

import time
from dataclasses import dataclass

import load
from board import DRAIN, RUN, STOP, BenchError, Worker, new_board, wait, workers
from peers import Peer
from peers.stream import room_name
from server import serve
from window import Options, Result, measure, percentiles, verdict

from work import paced


@dataclass(frozen=True)
class Crowd:
    """Senders in a closed loop, and receivers that count."""

    receivers: int
    senders: int = 10
    rooms: int = 1
    window: int = 64  # messages of each sender
    lines: int = 1  # messages in one frame, or in one write where there are no frames

    def run(self, peer: Peer, options: Options) -> Result:
        """Measure on a new server."""
        load.allow_files(self.receivers + self.senders)
        with serve(peer, options.disk) as server:
            board, fan = new_board(), self.receivers // self.rooms
            where = (board, peer.key, server.address)
            hears = Worker(load.receivers, *where, self.receivers, self.rooms)
            says = Worker(load.senders, *where, self.senders, self.rooms, self.window, self.lines, fan)
            with workers(hears, says) as both:
                wait(lambda: board.ready == self.receivers and board.woken == self.senders, "the receivers", both)
                board.phase = RUN
                figures = measure(board, server, both, options)
                board.phase = DRAIN
                said = says.result(60)
                board.target = sum(said["sent"].values())
                heard = hears.result(120)
                board.phase = STOP
        latencies = percentiles("ack", said["latencies"], (50, 99)) if peer.sender.GROUP == 1 else {}
        return {"receivers": self.receivers, **verdict(said, heard, self.rooms), **figures, **latencies}


@dataclass(frozen=True)
class Durable:
    """Senders in a closed loop, and a log that keeps what they say: answered only when it is on disk."""

    lines: int = 1  # messages in one frame, or in one write where there are no frames
    senders: int = 10
    window: int = 64

    def run(self, peer: Peer, options: Options) -> Result:
        """Measure on a new server; complete if the log holds exactly what was answered."""
        if peer.log is None:
            raise BenchError(f"{peer.name} keeps no log")
        with serve(peer, options.disk) as server:
            board = new_board()
            says = Worker(load.senders, board, peer.key, server.address, self.senders, 1, self.window, self.lines)
            with workers(says) as all_:
                wait(lambda: board.woken == self.senders, "the senders", all_)
                log = peer.log(server.address, room_name(0))
                board.phase = RUN
                figures = measure(board, server, all_, options)
                board.phase = DRAIN
                said = says.result(60)
            lost = sum(said["sent"].values()) + said["warmed"] - log.stored()
            log.close()
        return {
            "complete": lost == 0,
            "lost": max(0, lost),
            "frame_lines": self.lines,
            **figures,
            **percentiles("ack", said["latencies"], (50, 99)),
        }


@dataclass(frozen=True)
class Paced:
    """One sender at an even pace, `rate` messages a second (0: the next one when this one was seen)."""

    receivers: int = 100
    rate: float = 500

    def run(self, peer: Peer, options: Options) -> Result:
        """Measure on a new server."""
        with serve(peer, options.disk) as server:
            board = new_board()
            where, crowd = (board, peer.key, server.address), max(0, self.receivers - paced.WATCHERS)
            hears = [Worker(load.receivers, *where, crowd, 1, paced.WATCHERS)] if crowd else []
            says = Worker(paced.one_sender, *where, self.rate, crowd)
            with workers(*hears, says) as all_:
                wait(lambda: board.ready == crowd and board.woken == 1, "the receivers", all_)
                time.sleep(min(options.warm_up, 0.5))
                board.phase = RUN
                figures = measure(board, server, all_, options)
                board.phase = DRAIN
                said = says.result(60)
                board.target = sum(said["sent"].values())
                heard: Result = hears[0].result(60) if hears else {"lost": 0, "repeated": 0, "exact": []}
                board.phase = STOP
        heard["exact"] += said["exact"]
        return {"receivers": self.receivers, **verdict(said, heard, 1), **figures, **percentiles("", said["latencies"])}
