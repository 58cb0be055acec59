"""The load: what each process of it does, from its connections to its last message.

Every loop is one selector, a batch of bytes a turn and a counter on the board. The senders run in a closed loop
(so many unanswered, never more), as people and bots behind an outbox do; the subscribers only count. A run starts
warm: one sender speaks, one message at a time, until every subscriber has heard something, because a subscription
takes its time. From there on nobody may miss anything.
"""

import resource
import selectors
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import zmtp
from board import DRAIN, RUN, STOP, WARM, BenchError, Board
from zchat_peer import Member, Sender, Subscriber

TURN = 0.05  # s to wait for input before looking at the board
PATIENCE = 10.0  # s without progress after which the rest is taken for lost
HEARTBEAT = 5.0  # s
MEMBERS = 50  # idle sessions in one room
SETTLE = 3.0  # s from the last connection to the window


class _Receiver(Protocol):
    def fileno(self) -> int: ...


def senders(board: Board, endpoint: str, count: int, outstanding: int, size: int) -> dict[str, Any]:
    """Keep `outstanding` messages of `size` bytes unanswered in each of `count` sessions until the board says drain."""
    scratch = bytearray(zmtp.SCRATCH)
    team = [Sender(endpoint, scratch, number, size) for number in range(count)]
    while board.phase == WARM:
        team[0].send(1)
        team[0].receive()
        time.sleep(TURN)
    warm, base = team[0].acked, max(sender.last for sender in team)
    clock = _Clock()
    with _selector(team) as selector:
        for sender in team:
            sender.send(outstanding)
            clock.sent(sender)
        moved = time.monotonic()
        while board.phase == RUN or (behind := sum(each.sent - each.acked for each in team)):
            for key, _ in selector.select(TURN):
                sender = key.fileobj  # type: ignore[assignment]
                moved = time.monotonic()
                board.acked += (answered := sender.receive())
                clock.answered(sender)
                if board.phase == RUN and answered:
                    sender.send(outstanding - (sender.sent - sender.acked))
                    clock.sent(sender)
            if time.monotonic() - moved > PATIENCE:
                raise BenchError(f"{behind} messages were not answered")
    acked = sum(sender.acked for sender in team) - warm
    last = max(sender.last for sender in team)
    # each message took one place in the log: more were stored twice, fewer were not stored
    return {"acked": acked, "last": last, "stored": last - base, "latencies": clock.latencies}


def subscribers(board: Board, feed: str, count: int) -> dict[str, Any]:
    """Count what `count` subscribers see, until each has seen the board's `target` or nothing comes any more."""
    scratch = bytearray(zmtp.SCRATCH)
    crowd = [Subscriber(feed, scratch, exactly=not number) for number in range(count)]
    with _selector(crowd) as selector:
        moved = time.monotonic()
        while board.phase != STOP:
            for key, _ in selector.select(TURN):
                board.seen += key.fileobj.receive()  # type: ignore[union-attr]
                moved = time.monotonic()
            if board.ready < count:
                board.ready = sum(bool(each.seen) for each in crowd)
            ended = board.target and all(each.last >= board.target for each in crowd)
            if board.phase == DRAIN and (ended or time.monotonic() - moved > PATIENCE):
                break
    return {
        "lost": sum(each.gaps + max(0, board.target - each.last) for each in crowd),
        "complete": all(not each.gaps and each.last == board.target for each in crowd)
        and crowd[0].counted == crowd[0].seen,
    }


def one_at_a_time(board: Board, endpoint: str, feed: str, size: int, samples: int) -> dict[str, Any]:
    """Say one message, wait until a subscriber sees it, and again: at least `samples` times and while the run lasts."""
    scratch = bytearray(zmtp.SCRATCH)
    subscriber, sender = Subscriber(feed, scratch, exactly=True), Sender(endpoint, scratch, 0, size)
    subscriber.peer.sock.settimeout(TURN)
    while not subscriber.seen:
        sender.send(1)
        sender.receive()
        try:
            subscriber.receive()
        except TimeoutError:
            continue
    subscriber.peer.sock.settimeout(PATIENCE)
    board.ready = 1
    latencies: list[float] = []
    while board.phase in {WARM, RUN} or len(latencies) < samples:
        before = time.perf_counter()
        sender.send(1)
        while subscriber.last <= sender.last:
            subscriber.receive()
        seen = time.perf_counter() - before
        while sender.acked < sender.sent:
            sender.receive()
        if board.phase != WARM:
            latencies.append(seen)
            board.acked += 1
            board.seen += 1
    return {"complete": not subscriber.gaps and subscriber.last == sender.last, "latencies": latencies}


def idlers(board: Board, endpoint: str, feed: str, count: int) -> dict[str, Any]:
    """Hold `count` sessions that do nothing but ping every 5 s, spread evenly."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count + 100:
        raise BenchError(f"{count} sessions need {2 * count + 100} file descriptors, and the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * count + 100)), hard))
    scratch = bytearray(zmtp.SCRATCH)
    due: deque[tuple[float, Member]] = deque()
    with selectors.DefaultSelector() as selector:
        for number in range(count):
            member = Member(endpoint, feed, scratch, number, f"idle-{number // MEMBERS}")
            selector.register(member.session.peer, selectors.EVENT_READ, member.pongs)
            selector.register(member.feed, selectors.EVENT_READ, member.feed.receive)
            due.append((time.monotonic() + HEARTBEAT, member))
            board.ready = number + 1
            if not number % 50:
                _beat(board, selector, due, 0)
        spread = time.monotonic() + HEARTBEAT
        due = deque((spread + HEARTBEAT * number / count, member) for number, (_, member) in enumerate(due))
        while board.phase in {WARM, RUN}:
            _beat(board, selector, due, 0.01)
        stop = time.monotonic() + SETTLE
        while board.acked < board.sent and time.monotonic() < stop:
            _beat(board, selector, deque(), 0.01)
    return {"complete": board.acked == board.sent}


def _beat(board: Board, selector: selectors.BaseSelector, due: deque[tuple[float, Member]], wait: float) -> None:
    """Send the pings that are due, and take what came."""
    now = time.monotonic()
    while due and due[0][0] <= now:
        when, member = due.popleft()
        member.ping()
        board.sent += 1
        due.append((when + HEARTBEAT, member))
    for key, _ in selector.select(wait):
        if isinstance(answered := key.data(), int):
            board.acked += answered


def _selector(peers: Sequence[_Receiver]) -> selectors.BaseSelector:
    selector = selectors.DefaultSelector()
    for peer in peers:
        selector.register(peer, selectors.EVENT_READ)
    return selector


class _Clock:
    """Times one message of each sender at a time, from its `say` to its `ack`, in seconds."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.timed: dict[int, tuple[int, float]] = {}

    def sent(self, sender: Sender) -> None:
        self.timed.setdefault(sender.fileno(), (sender.sent, time.perf_counter()))

    def answered(self, sender: Sender) -> None:
        number, since = self.timed[sender.fileno()]
        if sender.acked >= number:
            self.latencies.append(time.perf_counter() - since)
            del self.timed[sender.fileno()]
