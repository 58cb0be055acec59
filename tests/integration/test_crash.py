"""A broker killed at any instant: what was acknowledged is in the log once, in order, and everybody sees it so.

Several senders and followers work against one broker, which dies by SIGKILL again and again at moments that depend on
nothing. Afterwards the log is read through `history` and held against what each sender was told and what each follower
shows.
"""

import random
import time

from tests.conftest import Broker, StartBroker
from tests.integration.conftest import NetOf
from tests.integration.reliable import (
    Follower,
    Sender,
    audit_chain,
    audit_sender,
    wait_for_acks,
    wait_for_view,
    whole_log,
)

KILLS = 22
ROOMS = ["den", "hall"]


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
