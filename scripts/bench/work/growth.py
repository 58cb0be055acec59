"""How the cost of one message grows: with the number of receivers, of rooms, and of messages in the log.

The rooms are all alike, a sender and ten receivers in each: only their number varies.

The log grows on one server: it is filled to each size by the senders of the durable workload, then a fixed number
of messages more are measured, and pages of history read at random places. Sizes are those before these.
"""

import os
import random
import time
from dataclasses import dataclass
from itertools import chain
from typing import Any

import load
from board import BenchError, Board, Worker, new_board, workers
from peers import PEERS, Peer
from peers.stream import SCRATCH, Address, Sender, room_name
from server import Meter, rss, serve
from window import Options, Result, cores, mib, per

from work.crowd import Crowd, Durable

RECEIVERS = (1, 10, 100, 1_000)
ROOMS = (1, 10, 100)
EACH = 10  # receivers of a room
SIZES = (10_000, 100_000, 1_000_000)
LARGE = (10_000_000,)
MEASURED = 50_000  # messages at each size
REST = 3.0  # seconds for a server to write back what the filling left behind: that is no cost of what is measured
PAGE = 100  # messages
PAGES = 200
FILL = 64  # lines of a frame


@dataclass(frozen=True)
class Growth:
    """The fan-out for each number of receivers and of rooms, then the log at each of its sizes."""

    def run(self, peer: Peer, options: Options) -> list[Result]:
        """Measure on new servers; one result for each size."""
        found = [Crowd(receivers=number).run(peer, options) for number in RECEIVERS]
        for number in ROOMS:
            result = Crowd(receivers=EACH * number, senders=number, rooms=number).run(peer, options)
            found.append({**result, "receivers": None, "rooms": number})
        return found + (self._log(peer, options) if peer.log else [])

    def _log(self, peer: Peer, options: Options) -> list[Result]:
        with serve(peer, options.disk) as server:
            sizes = SIZES + (LARGE if options.large else ())
            work = Worker(grow, new_board(), peer.key, server.address, server.pid, sizes)
            with workers(work):
                results: list[Result] = work.result(900)["results"]
        return results


def grow(board: Board, key: str, address: Address, pid: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Fill the log to each size and measure there; return the figures of each."""
    open_log = PEERS[key].log
    if open_log is None:
        raise BenchError(f"{key} keeps no log")
    results, said = [], 0
    for number, size in enumerate(sizes):  # with new senders each time: those who were silent may have been put out
        _say(_team(key, address, Durable(lines=FILL), 40 * number), size - said, 4 * FILL)
        plain = _team(key, address, Durable(), 40 * number + 20)
        log = open_log(address, room_name(0))
        said = log.stored()
        time.sleep(REST)
        meter = Meter(server=[pid], load=[os.getpid()])
        _say(plain, MEASURED, Durable.window)
        used = meter.stop()
        meter, start = Meter(server=[pid], load=[os.getpid()]), time.perf_counter()
        came = [log.page(random.random(), PAGE) for _ in range(PAGES)]
        spent, pages = time.perf_counter() - start, meter.stop()
        said += MEASURED // len(plain) * len(plain)
        lost = said - log.stored() + sum(abs(PAGE - count) for count in came)
        log.close()
        results.append(
            {
                "complete": lost == 0,
                "lost": max(0, lost),
                "log_messages": size,
                "messages": MEASURED,
                "messages_per_s": round(MEASURED / used["seconds"]),
                "cpu_us_per_message": per(used["server"], MEASURED),
                "page_ms": round(spent / PAGES * 1e3, 3),
                "page_cpu_us": per(pages["server"], PAGES),
                **cores(used),
                "rss_mib": mib(rss(pid)),
            }
        )
    return {"results": results}


def _team(key: str, address: Address, how: Durable, first: int) -> list[Sender]:
    scratch, make = bytearray(SCRATCH), PEERS[key].sender
    groups = load.in_groups(
        key, how.senders, lambda number: make(address, scratch, first + number, room_name(0), how.lines)
    )
    return list(chain.from_iterable(groups))


def _say(team: list[Sender], count: int, window: int) -> None:
    """Say `count` messages, rounded down to what the senders send at once, and wait for all answers."""
    each = count // len(team)
    goals = {sender.number: sender.sent + each - each % sender.quantum for sender in team}
    for sender in team:
        sender.send(min(window, goals[sender.number] - sender.sent))
    with load.selector(team) as ready:
        while any(sender.acked < goals[sender.number] for sender in team):
            events = ready.select(load.PATIENCE)
            if not events:
                raise BenchError("some messages were not answered")
            for event, _ in events:
                sender = event.data
                sender.receive()
                sender.send(min(window - (sender.sent - sender.acked), goals[sender.number] - sender.sent))
