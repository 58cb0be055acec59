"""A restart: how long until a thousand clients are back, each with its answer and what it is to receive.

The clients connect once, so that the server has met them, and then it is ended and started again. The clock runs from
the moment it has taken one more, so that what a server needs to start is not in it. All of them come at once, in so far
as one process can and the server's queue of newcomers allows: each step of a client's way is taken by all, before the
next is. Nothing was missed, so nothing but handshakes and greetings is measured.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import load
from board import DRAIN, RUN, BenchError, Board, Worker, new_board, wait, workers
from peers import PEERS, Peer
from peers.stream import SCRATCH, Address, Receiver, open_all, room_name
from server import Meter, rss, serve
from window import Options, Result, cores, mib

PATIENCE = 60.0  # s for all to be there
RETRY = 0.002  # s between two tries to connect
QUEUE = 100  # newcomers: a server that takes fewer at a time gets no more


@dataclass(frozen=True)
class Handshakes:
    """So many clients."""

    clients: int = 1_000

    def run(self, peer: Peer, options: Options) -> Result:
        """Measure on a server that is started anew."""
        load.allow_files(self.clients)
        with serve(peer, options.disk) as server:
            board = new_board()
            come = Worker(come_twice, board, peer.key, server.address, self.clients)
            with workers(come) as all_:
                wait(lambda: board.connected == self.clients, "the clients", all_, PATIENCE)
                server.end()
                board.phase = RUN
                wait(lambda: board.phase == DRAIN, "them to notice", all_, PATIENCE)
                server.launch()
                board.pid = server.pid
                figures = come.result(PATIENCE)
            size = rss(server.pid)
        cipher = {"cipher": server.cipher} if server.cipher else {}
        return {"complete": True, "lost": 0, "sessions": self.clients, **figures, **cipher, "rss_mib": mib(size)}


def come_twice(board: Board, key: str, address: Address, count: int) -> dict[str, Any]:
    """Bring `count` clients to a server, and again when it has started anew; return the figures of the second time."""
    load.allow_files(count)
    crowd = _come(key, address, count + 1, 0)  # one more will try when the server is there again
    board.connected = count
    while board.phase != RUN:
        time.sleep(RETRY)
    _close(crowd)
    board.phase = DRAIN
    while not board.pid:
        time.sleep(RETRY)
    _knock(key, address, count)
    meter = Meter(server=[board.pid], load=[os.getpid()])
    crowd = _come(key, address, count, count if PEERS[key].together >= QUEUE else 0)
    used = meter.stop()
    seconds = used["seconds"]
    return {
        "handshakes_per_s": round(count / seconds),
        "cpu_us_per_handshake": round(used["server"] / count * 1e6),
        "back_s": round(seconds, 3),
        **cores(used),
        "limit": "server" if used["server"] > used["load"] else "load",
    }


def _come(key: str, address: Address, count: int, together: int) -> list[Receiver]:
    """Open `count` connections, with all that they are for; `together` at a time (0: as `Peer.together` says)."""
    groups = load.in_groups(key, count, _maker(key, address), together)
    return [each for group in groups for each in group]


def _knock(key: str, address: Address, number: int) -> None:
    """Try to come with one more client, until the server takes it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            first = _maker(key, address)(number)
            open_all([first])
            _close([first])
            return
        time.sleep(RETRY)
    raise BenchError("the server did not come back")


def _maker(key: str, address: Address) -> Callable[[int], Receiver]:
    peer, scratch = PEERS[key], bytearray(SCRATCH)
    make = peer.newcomer or peer.member or peer.receiver
    return lambda number: make(address, scratch, number, room_name(0))


def _close(crowd: Iterable[Receiver]) -> None:
    for each in crowd:
        for stream in (each, *each.others):
            stream.close()
