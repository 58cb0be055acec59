"""A power cut with a thousand clients away: how long until all of them have all that they missed.

The clients connect and are cut off; messages are said while they are away, and acknowledged; the server is killed by
SIGKILL and started again. The clock runs from that start until every client is connected again and has every message.
All of them come at once, in so far as one process can: each step of a client's way back is taken by all, before
the next is.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import load
from board import STOP, BenchError, Board, Worker, new_board, wait, workers
from peers import PEERS, Peer
from peers.stream import SCRATCH, Address, Receiver, open_all, room_name
from server import Meter, rss, serve
from window import Options, Result, cores, mib

PATIENCE = 60.0  # s for all to be back
RETRY = 0.01  # s between two tries to connect


@dataclass(frozen=True)
class Recovery:
    """So many clients, who miss so many messages each."""

    clients: int = 1_000
    missed: int = 100

    def run(self, peer: Peer, options: Options) -> Result:
        """Measure on a new server."""
        if peer.follower is None or peer.log is None:
            raise BenchError(f"{peer.name} keeps no history")
        load.allow_files(self.clients)
        with serve(peer, options.disk) as server:
            log = peer.log(server.address, room_name(0))
            self._meet(peer, server.address)
            place = log.place()
            _say(peer, server.address, self.missed)
            log.close()
            server.kill()
            board = new_board()
            back = Worker(come_back, board, peer.key, server.address, self.clients, self.missed, place)
            with workers(back):
                start = time.monotonic()
                server.launch()
                meter = Meter(server=[server.pid], load=[back.pid])
                wait(lambda: board.ready == self.clients, "the clients", (back,), PATIENCE)
                figures = cores(meter.stop())
                board.phase = STOP
                heard = back.result(10)
            size = rss(server.pid)
        took = heard.pop("at") - start
        missed = {"sessions": self.clients, "missed": self.clients * self.missed}
        return {**heard, **missed, "recovery_s": round(took, 3), **figures, "rss_mib": mib(size)}

    def _meet(self, peer: Peer, address: Address) -> None:
        """Let all clients connect and hear something, and cut them off."""
        scratch = bytearray(SCRATCH)
        sender = peer.sender(address, scratch, 0, room_name(0))
        crowd = [peer.receiver(address, scratch, number, room_name(0)) for number in range(self.clients)]
        open_all([sender, *crowd])
        with load.selector(crowd) as selector:
            end = time.monotonic() + PATIENCE
            while not all(each.warm for each in crowd):
                sender.warmed += 1
                sender.warm()
                for chosen, _ in selector.select(0.05):
                    chosen.data.receive()
                if time.monotonic() > end:
                    raise BenchError("not all clients heard the first message")
        for stream in (sender, *crowd):
            stream.close()


def _say(peer: Peer, address: Address, count: int) -> None:
    sender = peer.sender(address, bytearray(SCRATCH), 1, room_name(0))
    open_all([sender])
    sender.send(count)
    while sender.acked < count:
        sender.receive()
    sender.close()


def come_back(board: Board, key: str, address: Address, count: int, missed: int, place: str) -> dict[str, Any]:
    """Bring `count` clients back to a server that is starting, until each has what it missed."""
    load.allow_files(count)
    scratch = bytearray(SCRATCH)
    crowd = _connect(key, address, scratch, count, place)
    open_all(crowd)
    end = time.monotonic() + PATIENCE
    with load.selector(crowd) as selector:
        left = sum(each.seen < missed for each in crowd)
        while left and time.monotonic() < end:
            for chosen, _ in selector.select(0.05):
                chosen.data.receive()
            left = 0
            for each in crowd:
                if each.seen < missed:
                    each.beat()
                    left += 1
    at = time.monotonic()
    board.ready = count
    while board.phase != STOP:  # the run reads our clock first
        time.sleep(0.01)
    return {"at": at, **_verdict(crowd, missed)}


def _connect(key: str, address: Address, scratch: bytearray, count: int, place: str) -> Sequence[Receiver]:
    follower = PEERS[key].follower
    log = PEERS[key].log
    if follower is None or log is None:
        raise BenchError(f"{key} keeps no history")
    end = time.monotonic() + PATIENCE
    while True:  # until the server takes questions, as clients try again and again
        with contextlib.suppress(OSError):
            log(address, room_name(0)).close()
            break
        if time.monotonic() > end:
            raise BenchError("the server did not come back")
        time.sleep(RETRY)
    return [follower(address, scratch, number, room_name(0), place) for number in range(count)]


def _verdict(crowd: Sequence[Receiver], missed: int) -> dict[str, Any]:
    lost = sum(max(0, missed - each.seen) for each in crowd)
    return {"complete": lost == 0 and all(each.seen == missed for each in crowd), "lost": lost}
