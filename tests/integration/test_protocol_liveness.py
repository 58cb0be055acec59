"""Silence: who says nothing for `grace` seconds is gone, and who says anything stays."""

import time

import pytest

from tests.conftest import StartBroker, wait_for
from tests.integration.conftest import NetOf
from tests.integration.raw import Feed, Line, Net, Peer

GRACE = 1.0


def wait_for_timeout(peer: Peer, feed: Feed) -> None:
    """Wait until the peer is told that it was silent for too long; the feed's own session stays awake meanwhile."""

    def told() -> bool:
        feed.peer.ask("pong", type="ping")
        peer.receive(0.05)
        return "timeout" in [line.get("reason") for line in peer.take_all()]

    wait_for(told, "somebody silent to be told so")


@pytest.fixture
def brisk(start_broker: StartBroker, net_of: NetOf) -> Net:
    """Return peers around a broker that has little patience."""
    return net_of(start_broker("--memory", "--heartbeat", "0.3", "--grace", str(GRACE), "--rate", "0"))


def test_the_silent_are_removed_and_the_rooms_hear_of_it(brisk: Net) -> None:
    silent = brisk.session("silent", "den", "hall")
    awake = brisk.session("awake", "den")
    feed = brisk.feed("room/")
    assert (silent.welcome["heartbeat"], silent.welcome["grace"]) == (0.3, GRACE)

    def removed() -> list[Line]:
        awake.ask("pong", type="ping")
        return [line for line in feed.settled() if line["type"] == "left"]

    left = wait_for(removed, "somebody to be removed")
    while len(left) < 2:
        left.append(feed.expect("left"))
    assert {(line["room"], line["nick"], line["reason"]) for line in left} == {
        ("den", "silent", "timeout"),
        ("hall", "silent", "timeout"),
    }
    assert silent.expect("bye")["reason"] == "timeout"
    silent.refused("no_session", type="ping")
    assert brisk.session("silent").welcome["nick"] == "silent"


def test_nobody_is_removed_before_grace_is_over(start_broker: StartBroker, net_of: NetOf) -> None:
    alice = net_of(start_broker("--memory", "--heartbeat", "0.2", "--grace", "0.4")).peer()
    for _ in range(2):  # at first everybody has a grace from the start of the broker on
        spoke = time.monotonic()
        alice.hello("alice")
        assert alice.expect("bye")["reason"] == "timeout"
        assert time.monotonic() - spoke >= 0.4


LINES = (b'{"type":"ping"}', b'{"type":"typing","room":"den"}', b'{"type":"oops"}', b"{")


def test_any_line_is_a_sign_of_life(brisk: Net) -> None:
    peers = [brisk.session(f"peer{k}", "den") for k in range(len(LINES))]
    talker = brisk.session("talker", "den")
    end = time.monotonic() + 2.5 * GRACE
    while time.monotonic() < end:
        for peer, line in zip(peers, LINES, strict=True):
            peer.send(line)
        talker.send({"type": "say", "n": talker.number(), "room": "den", "text": "x"})
        time.sleep(GRACE / 10)
    for peer in (*peers, talker):
        assert not [line for line in peer.settled() if line["type"] == "bye"]


def test_session_taken_over_within_grace_causes_no_left(brisk: Net) -> None:
    feed = brisk.feed("room/")
    old = brisk.session("alice", "den")
    for _ in range(8):
        new = brisk.session("alice", client=old.welcome["client"])
        new.join("den", after=0)
        time.sleep(GRACE / 4)  # eight times a quarter: twice the patience, in steps none of which exhausts it
        assert old.expect("bye")["reason"] == "replaced"
        old = new
        feed.peer.ask("pong", type="ping")
    assert [line["type"] for line in feed.settled()] == ["joined"]


def test_client_that_timed_out_comes_back_with_its_count_and_is_heard_to_join(brisk: Net) -> None:
    alice = brisk.session("alice", "den")
    alice.say("x", room="den")
    feed = brisk.feed("room/")
    wait_for_timeout(alice, feed)
    again = brisk.session("alice", "den", client=alice.welcome["client"])
    assert again.welcome["n"] == 1
    assert [line["type"] for line in feed.settled()] == ["left", "joined"]


def test_resume_of_a_session_that_is_gone_begins_another(brisk: Net) -> None:
    alice = brisk.session("alice", "den")
    assert alice.expect("bye")["reason"] == "timeout"
    again = brisk.session("alice", resume=alice.welcome["session"])
    for name in ("id", "session", "client", "from"):
        assert again.welcome[name] != alice.welcome[name]
    assert [member["from"] for member in again.ask("roster", type="who")["members"]] == [again.sender]
    assert again.ask("roster", type="who", room="den")["members"] == []


def test_broker_that_was_stopped_itself_blames_nobody_for_it(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--memory", "--heartbeat", "0.3", "--grace", str(GRACE))
    net = net_of(broker)
    alice = net.session("alice", "den")
    feed = net.feed("room/den/")
    for _ in range(2):
        broker.process.send_signal(19)  # SIGSTOP
        time.sleep(2 * GRACE)
        broker.process.send_signal(18)  # SIGCONT
        feed.peer.ask("pong", type="ping")
        alice.ask("pong", type="ping")
    assert feed.settled() == []
