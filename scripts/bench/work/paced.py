"""One sender and the receivers that watch it, in one process, so that all read one clock.

The watchers connect here and there among the crowd: servers write to their receivers one after the other, in an order
of their own, so what a single one sees may be the first of a hundred writes or the last. Latency is from before the
sending to after the read that brought the message, at each watcher.
"""

import select
import time
from collections.abc import Sequence
from typing import Any

from board import RUN, WARM, Board
from load import PATIENCE, TURN, told
from marks import judge
from peers import PEERS
from peers.stream import SCRATCH, Address, Receiver, Sender, open_all, room_name

WATCHERS = 9  # of a hundred receivers
WATCHER = 90_000  # the first one's number, which no other receiver has


def one_sender(board: Board, key: str, address: Address, rate: float, crowd: int) -> dict[str, Any]:
    """Say `rate` messages a second evenly (0: one at a time) while the run lasts.

    There is one watcher alone, or WATCHERS evenly among the `crowd` that another process connects.
    """
    scratch = bytearray(SCRATCH)
    watchers: list[Receiver] = []
    for number in range(WATCHERS if crowd else 1):
        while board.connected < crowd * (number + 1) // (WATCHERS + 1):
            time.sleep(0.001)
        watchers.append(PEERS[key].receiver(address, scratch, WATCHER + number, room_name(0), exact=True))
        open_all(watchers[-1:])
        board.watching = len(watchers)
    sender = PEERS[key].sender(address, scratch, 0, room_name(0))
    open_all([sender])
    sender.quantum = sender.GROUP = 1
    while board.phase == WARM:
        sender.warmed += 1
        answered = sender.warm()
        for watcher in select.select(watchers, [], [], TURN)[0]:
            watcher.receive()
        board.woken = answered and all(watcher.warm for watcher in watchers)
    return _run(board, sender, watchers, rate)


def _run(board: Board, sender: Sender, watchers: Sequence[Receiver], rate: float) -> dict[str, Any]:
    latencies: list[float] = []
    sent_at, moved, due = [0.0], time.monotonic(), time.perf_counter()
    while board.phase == RUN or any(watcher.seen < sender.sent for watcher in watchers):
        now = time.perf_counter()
        if board.phase == RUN and (now >= due if rate else watchers[0].seen == sender.sent):
            due = max(due + 1 / rate, now - 1) if rate else 0.0
            sent_at.append(now)
            sender.send(1)
            board.acked = sender.sent
        left = max(0.0, due - time.perf_counter()) if rate else TURN
        for each in select.select([*watchers, sender], [], [], min(left, TURN))[0]:
            came, now = each.receive(), time.perf_counter()
            if isinstance(each, Receiver):
                latencies += [now - at for at in sent_at[each.seen - came + 1 : each.seen + 1]]
                board.watched += came
                moved = time.monotonic()
        if time.monotonic() - moved > PATIENCE:
            break
    exact = [judge(b"".join(watcher.marks)) for watcher in watchers]
    return told(board, [sender], 1) | {"latencies": latencies, "exact": exact}
