"""The load: what each process of it does, from its connections to its last message.

Every loop is one selector, a batch of bytes a turn and a counter on the board. The senders run in a closed loop
(so many unanswered, never more), as people and bots behind an outbox do; the receivers only count. A run starts
warm: the senders say one message at a time, until every receiver has heard something, because a subscription
takes its time. From there on nobody may miss anything.
"""

import resource
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from board import DRAIN, RUN, STOP, WARM, BenchError, Board
from marks import judge
from peers import PEERS
from peers.stream import SCRATCH, Address, Receiver, Sender, Stream, open_all, room_name

TURN = 0.05  # s to wait for input before looking at the board
NAP = 0.001  # s between two rounds of reading under load: few large reads instead of many small ones
PATIENCE = 10.0  # s without progress after which the rest is taken for lost

Result = dict[str, Any]
S = TypeVar("S", bound=Stream)


def senders(
    board: Board, key: str, address: Address, count: int, rooms: int, window: int, lines: int = 1, fan: int = 0
) -> Result:
    """Keep `window` messages unanswered from each of `count` senders until the board says drain.

    A server may answer before its receivers have the message, and then fill its queues until it has to drop. So nobody
    says more while the receivers, `fan` to a message, are further behind than all windows together.
    """
    allow_files(count)
    scratch, make = bytearray(SCRATCH), PEERS[key].sender
    groups = in_groups(key, count, lambda number: make(address, scratch, number, room_name(number % rooms), lines))
    team = list(chain.from_iterable(groups))
    wake(board, team)
    clock, held = _Clock(), set(team)
    with selector(team) as ready:
        moved = time.monotonic()
        while board.phase == RUN or any(each.acked < each.sent for each in team):
            if board.phase == RUN and board.acked * fan - board.seen <= window * count * fan:
                for sender in held:
                    sender.send(window - (sender.sent - sender.acked))
                    clock.sent(sender)
                held.clear()
            for event, _ in ready.select(NAP if held else TURN):
                sender = event.data
                moved = time.monotonic()
                board.acked += sender.receive()
                clock.answered(sender)
                held.add(sender)
            if time.monotonic() - moved > PATIENCE:
                raise BenchError(f"{sum(each.sent - each.acked for each in team)} messages were not answered")
    return told(board, team, rooms) | {"latencies": clock.latencies}


def wake(board: Board, team: Sequence[Sender]) -> None:
    """Say what nobody counts until every sender was answered and the run says that all receivers have heard it."""
    answered: set[int] = set()
    while board.phase == WARM:
        for sender in team:
            sender.warmed += 1
            if sender.warm():
                answered.add(sender.number)
        board.woken = len(answered)
        time.sleep(TURN)


def receivers(board: Board, key: str, address: Address, count: int, rooms: int, watchers: int = 0) -> Result:
    """Count what `count` receivers see, until each has seen all that was said in its room or nothing comes any more."""
    allow_files(count)
    crowd = connect(board, key, address, count, rooms, watchers)
    with selector(crowd) as ready:
        moved = beaten = time.monotonic()
        while board.phase != STOP:
            came = 0
            for event, _ in ready.select(TURN):
                came += event.data.receive()
            if came:
                board.seen += came
                moved = time.monotonic()
            if crowd[0].EVERY and time.monotonic() - beaten > crowd[0].EVERY:
                beaten = time.monotonic()
                for each in crowd:
                    each.beat()
            if board.ready < count:
                board.ready = sum(bool(each.warm) for each in crowd)
            elif board.target and all(each.seen >= expected(board, each) for each in crowd):
                break
            else:
                time.sleep(NAP)
            if board.phase == DRAIN and time.monotonic() - moved > PATIENCE:
                break
    return _heard(board, crowd)


def connect(board: Board, key: str, address: Address, count: int, rooms: int, watchers: int = 0) -> list[Receiver]:
    """Connect and subscribe `count` receivers, of which the first keeps the marks.

    They leave places for `watchers` of another process, evenly among them.
    """
    scratch, crowd, make = bytearray(SCRATCH), list[Receiver](), PEERS[key].receiver

    def one(number: int) -> Receiver:
        return make(address, scratch, number, room_name(number % rooms), exact=number == 0)

    for behind, group in enumerate(in_groups(key, count, one, watchers and count // (watchers + 1)), 1):
        crowd += group
        board.connected = len(crowd)
        while board.watching < min(behind, watchers):
            time.sleep(0.001)
    return crowd


def in_groups(key: str, count: int, make: Callable[[int], S], together: int = 0) -> Iterator[list[S]]:
    """Make and open `count` connections, and yield them, `together` (0: as many as the server takes well) at a time."""
    together = together or PEERS[key].together
    for start in range(0, count, together):
        group = [make(number) for number in range(start, min(count, start + together))]
        open_all(group)
        yield group


def expected(board: Board, receiver: Receiver) -> int:
    """Return how many messages were said in a receiver's room."""
    return int(board.said[int(receiver.room[-3:])])


def told(board: Board, team: Sequence[Sender], rooms: int) -> Result:
    """Write on the board what was said in each room, and return it for each sender."""
    for sender in team:
        board.said[sender.number % rooms] += sender.sent
    sent = {sender.number: sender.sent for sender in team}
    return {"sent": sent, "warmed": sum(sender.warmed for sender in team)}


def _heard(board: Board, crowd: Sequence[Receiver]) -> Result:
    missed = [expected(board, each) - each.seen for each in crowd]
    return {
        "lost": sum(max(0, number) for number in missed),
        "repeated": sum(max(0, -number) for number in missed),
        "exact": [judge(b"".join(each.marks)) for each in crowd if each.exact],
    }


def allow_files(count: int) -> None:
    """Let this process, and what it starts, open files for `count` sessions; BenchError if the system refuses."""
    want = 2 * count + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < want:
        raise BenchError(f"{count} sessions need {want} file descriptors, and the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))


def selector(streams: Sequence[Stream]) -> selectors.BaseSelector:
    """Return a selector whose every event carries its stream as `data`."""
    made = selectors.DefaultSelector()
    for stream in streams:
        made.register(stream, selectors.EVENT_READ, stream)
    return made


class _Clock:
    """Times one message of each sender at a time, from its sending to its answer, in seconds."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.timed: dict[int, tuple[int, float]] = {}

    def sent(self, sender: Sender) -> None:
        if sender.number not in self.timed and sender.sent > sender.acked:
            self.timed[sender.number] = (sender.sent, time.perf_counter())

    def answered(self, sender: Sender) -> None:
        number, since = self.timed.get(sender.number, (1 << 62, 0.0))
        if sender.acked >= number:
            self.latencies.append(time.perf_counter() - since)
            del self.timed[sender.number]
