"""One sender and the receiver that watches it, in one process, so that both read one clock.

The watcher connects in the middle of the crowd: servers write to their receivers one after the other, and neither the
first nor the last of them is typical. Latency is from before the sending to after the read that brought the message.
"""

import select
import time
from typing import Any

from board import RUN, WARM, Board
from load import PATIENCE, TURN, told
from marks import judge
from peers import PEERS
from peers.stream import SCRATCH, Address, Receiver, Sender, open_all, room_name

WATCHER = 90_000  # its number, which no other receiver has


def one_sender(board: Board, key: str, address: Address, rate: float, after: int) -> dict[str, Any]:
    """Say `rate` messages a second evenly (0: one at a time) while the run lasts, once `after` receivers are there."""
    while board.connected < after:
        time.sleep(0.001)
    scratch = bytearray(SCRATCH)
    watcher = PEERS[key].receiver(address, scratch, WATCHER, room_name(0), exact=True)
    sender = PEERS[key].sender(address, scratch, 0, room_name(0))
    open_all([watcher, sender])
    sender.quantum = sender.GROUP = 1
    while board.phase == WARM:
        sender.warmed += 1
        board.woken = bool(sender.warm()) and bool(watcher.warm)
        while select.select([watcher], [], [], TURN)[0] and not watcher.warm:
            watcher.receive()
    return _run(board, sender, watcher, rate)


def _run(board: Board, sender: Sender, watcher: Receiver, rate: float) -> dict[str, Any]:
    latencies: list[float] = []
    sent_at, moved, due = [0.0], time.monotonic(), time.perf_counter()
    while board.phase == RUN or watcher.seen < sender.sent:
        now = time.perf_counter()
        if board.phase == RUN and (now >= due if rate else watcher.seen == sender.sent):
            due = max(due + 1 / rate, now - 1) if rate else 0.0
            sent_at.append(now)
            sender.send(1)
            board.acked = sender.sent
        left = max(0.0, due - time.perf_counter()) if rate else TURN
        ready, _, _ = select.select([watcher, sender], [], [], min(left, TURN))
        if watcher in ready:
            came, now, moved = watcher.receive(), time.perf_counter(), time.monotonic()
            latencies += [now - at for at in sent_at[watcher.seen - came + 1 : watcher.seen + 1]]
            board.watched = watcher.seen
        if sender in ready:
            sender.receive()
        if time.monotonic() - moved > PATIENCE:
            break
    return told(board, [sender], 1) | {"latencies": latencies, "exact": judge(b"".join(watcher.marks))}
