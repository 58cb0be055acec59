"""Sessions that do nothing but what the protocol asks of an idle client.

Memory is what the sessions after the first add to the server. At the end one message is said in each room: the run
counts if every session hears it.
"""

import selectors
import time
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import Any

import load
from board import DRAIN, STOP, WARM, Board, Worker, new_board, wait, workers
from peers import PEERS, Peer
from peers.stream import SCRATCH, Address, Receiver, room_name
from server import rss, serve
from window import Options, Result, measure

MEMBERS = 50  # sessions in one room
SETTLE = 3.0  # s from the last session to the window
KEPT = ("seconds", "server_cpu", "load_cpu", "others_cpu", "rss_mib", "limit", "cipher")  # of a window's figures
SECONDS = 10.0  # of the window at least: two heartbeats of 5 s


@dataclass(frozen=True)
class Idle:
    """So many sessions."""

    sessions: int

    def run(self, peer: Peer, options: Options) -> Result:
        """Measure on a new server."""
        rooms = max(1, self.sessions // MEMBERS)
        load.allow_files(self.sessions)
        with serve(peer, options.disk) as server:
            board = new_board()
            where = (board, peer.key, server.address)
            holds = Worker(idlers, *where, self.sessions, rooms)
            with workers(holds) as all_:
                wait(lambda: board.connected > 0, "the first session", all_)  # what only the first costs is not theirs
                first, before = board.connected, rss(server.pid)
                wait(lambda: board.connected == self.sessions, "the sessions", all_, 120)
                seconds = max(SECONDS, options.seconds)
                figures = measure(board, server, all_, Options(seconds, options.disk, warm_up=SETTLE))
                size = rss(server.pid)
                calls = Worker(load.senders, *where, rooms, rooms, 1)
                with workers(calls):
                    wait(lambda: board.ready == self.sessions or board.phase == STOP, "the last message", all_, 20)
                    board.phase = DRAIN
                    calls.result(20)
                holds.result(20)
        per_session = (size - before) / 1024 / max(1, self.sessions - first)
        kept = {name: figures[name] for name in KEPT if name in figures}
        return {
            "complete": True,
            "lost": 0,
            "sessions": self.sessions,
            **kept,
            "kib_per_session": round(per_session, 1),
        }


def idlers(board: Board, key: str, address: Address, count: int, rooms: int) -> dict[str, Any]:
    """Hold `count` sessions, and send the heartbeats that are due, spread evenly."""
    load.allow_files(count)
    scratch = bytearray(SCRATCH)
    make = PEERS[key].member or PEERS[key].receiver
    crowd: list[Receiver] = []
    with selectors.DefaultSelector() as selector:
        for team in load.in_groups(key, count, lambda each: make(address, scratch, each, room_name(each % rooms))):
            crowd += team
            for stream in chain.from_iterable((member, *member.others) for member in team):
                selector.register(stream, selectors.EVENT_READ, stream)
            board.connected = len(crowd)
            _turn(selector, 0)
        every, start = crowd[0].EVERY, time.monotonic()
        due = deque((start + every * number / count, member) for number, member in enumerate(crowd) if every)
        while board.phase == WARM:
            _beat(due)
            _turn(selector, 0.01)
            if board.ready < count:
                board.ready = sum(bool(each.warm) for each in crowd)
    return {}


def _beat(due: deque[tuple[float, Receiver]]) -> None:
    now = time.monotonic()
    while due and due[0][0] <= now:
        when, member = due.popleft()
        member.beat()
        due.append((when + member.EVERY, member))


def _turn(selector: selectors.BaseSelector, wait: float) -> None:
    for chosen, _ in selector.select(wait):
        chosen.data.receive()
