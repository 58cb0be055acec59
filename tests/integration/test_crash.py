"""A broker killed at any instant: what was acknowledged is in the log once, in order, and everybody sees it so.

Several senders and followers work against one broker, which dies by SIGKILL again and again at moments that depend on
nothing. Afterwards the log is read through `history` and held against what each sender was told and what each follower
shows.
"""

import random
import time
from collections.abc import Callable, Sequence

from tests.conftest import Broker, StartBroker
from tests.integration.conftest import NetOf
from tests.integration.raw import Line, Net
from tests.integration.reliable import Follower, Json, Sender

KILLS = 22
ROOMS = ["den", "hall"]


def wait(condition: Callable[[], object], what: str, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.005)


def whole_log(net: Net, room: str) -> list[Json]:
    """Read all pages of a room's history."""
    reader = net.session(None)
    events: list[Json] = []
    page: Line | Json = {"upto": 0, "more": True}
    while page["more"]:
        page = reader.history(room=room, after=page["upto"])
        events += page["events"]
    return events


def audit_chain(events: list[Json]) -> None:
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs)), "a seq was used twice or out of order"
    assert [event["prev"] for event in events] == [0, *seqs][: len(seqs)], "the chain of prev is broken"


def audit_sender(log: dict[str, list[Json]], sender: Sender) -> None:
    """Check that the log has each of its commands that was not refused, once, in its order, where the ack said."""
    mine = [event for events in log.values() for event in events if event["from"] == sender.sender]
    mine.sort(key=lambda event: event["seq"])
    good = [command for command in sender.commands if command["text"]]
    assert [(event["type"], event["room"], event["text"]) for event in mine] == [
        ("message" if command["type"] == "say" else "topic", command["room"], command["text"]) for command in good
    ]
    for event, command in zip(mine, good, strict=True):
        assert sender.acked[command["n"]] in {event["seq"], None}
    assert set(sender.acked) | sender.refused == set(range(1, len(sender.commands) + 1))


def wait_for_acks(senders: Sequence[Sender]) -> None:
    goals = [len(sender.acked) + 50 for sender in senders]
    wait(lambda: all(len(s.acked) > goal or s.failure for s, goal in zip(senders, goals, strict=True)), "new acks")


def wait_for_view(follower: Follower, room: str, count: int) -> None:
    wait(lambda: len(follower.view[room]) >= count or follower.failure, "a follower to catch up")


def crash_repeatedly(broker: Broker, senders: list[Sender], kills: int) -> None:
    for _ in range(kills):
        wait_for_acks(senders)
        time.sleep(random.random() * 0.1)  # any instant
        broker.kill()
        broker.start()


def test_nothing_acknowledged_is_lost_doubled_or_reordered_by_sigkill(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--rate", "0")
    senders = [Sender(broker.listen, f"sender{k}", ROOMS, window) for k, window in enumerate((4, 64, 300))]
    followers = [Follower(broker.listen, ROOMS, loss) for loss in (0, 0, 0.1)]
    for thread in (*senders, *followers):
        thread.start()
    try:
        crash_repeatedly(broker, senders, KILLS)
    finally:
        for sender in senders:
            sender.finish.set()
    for sender in senders:
        sender.end(30)

    net = net_of(broker)
    log = {room: whole_log(net, room) for room in ROOMS}
    for room, events in log.items():
        audit_chain(events)
        for follower in followers:
            wait_for_view(follower, room, len(events))
    for follower in followers:
        follower.end(10)
        for room in ROOMS:
            assert follower.view[room] == log[room], "a follower shows something else than the log"
        assert follower.lives > KILLS // 2
    assert followers[2].repairs > KILLS
    for sender in senders:
        audit_sender(log, sender)
        assert len(sender.acked) > 50 * KILLS
    seqs = [event["seq"] for events in log.values() for event in events]
    assert len(set(seqs)) == len(seqs), "two rooms share a seq"
