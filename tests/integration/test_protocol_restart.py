"""Stopping and coming back: what a clean stop says, and what a restart remembers."""

import json
import re
import signal
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zmq

from tests.conftest import PATIENCE, StartBroker, wait_for
from tests.integration.conftest import NetOf
from tests.integration.raw import Inbox, Line, unique


def read_until_bye(inbox: Inbox) -> list[Line]:
    """Return all that came before the broker's last word."""
    while not (inbox.lines and inbox.lines[-1]["type"] == "bye"):
        assert inbox.receive(PATIENCE), "no bye came, or something came after it"
    return inbox.take_all()[:-1]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_planned_stop_says_bye_and_ends_well(start_broker: StartBroker, net_of: NetOf, how: signal.Signals) -> None:
    broker = start_broker()
    net = net_of(broker)
    alice = net.session("alice", "den")
    feed = net.feed("broker/", "room/den/")
    broker.process.send_signal(how)
    bye = feed.expect("bye")
    assert (bye.topic, bye["reason"]) == ("broker/", "shutdown")
    assert alice.expect("bye")["reason"] == "shutdown"
    assert broker.process.wait(30) == 0
    assert [line["type"] for line in feed.take_all() if line["type"] in {"left", "joined"}] == []


def test_stop_takes_in_what_has_arrived(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    alice = net.session("alice")
    feed = net.feed("room/den/", "broker/")
    says = [{"type": "say", "n": n, "room": "den", "text": str(n)} for n in range(1, 5001)]
    for start in range(0, 5000, 500):
        alice.send(*says[start : start + 500])
    alice.expect("ack", n=1)
    assert broker.stop() == 0
    acks = read_until_bye(alice)
    assert [(ack["type"], ack["n"]) for ack in acks] == [("ack", n) for n in range(2, len(acks) + 2)]
    published = [line["text"] for line in read_until_bye(feed)]
    broker.restart()
    observer = net_of(broker).session(None)
    stored: list[str] = []
    upto, more = 0, True
    while more:
        page = observer.history(room="den", after=upto)
        stored += [event["text"] for event in page["events"]]
        upto, more = page["upto"], page["more"]
    assert stored == [str(n) for n in range(1, len(stored) + 1)]
    assert len(stored) == len(acks) + 1, "what was stored by a clean stop was acknowledged, and the other way round"
    assert published == stored


def test_log_keeps_its_id_over_a_restart_and_one_in_memory_does_not(start_broker: StartBroker, net_of: NetOf) -> None:
    for options, same in (((), True), (("--memory",), False)):
        broker = start_broker(*options)
        before = net_of(broker).session("alice").welcome["log"]
        broker.stop()
        broker.restart()
        assert (net_of(broker).session("alice").welcome["log"] == before) is same


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_restart_keeps_numbers_topics_keys_and_chains(start_broker: StartBroker, net_of: NetOf, end: str) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    alice = net.session("alice", "den")
    feed = net.feed("room/den/")
    first = alice.say("one", room="den", once="key")
    alice.ask("ack", type="topic", n=2, room="den", text="cats")
    alice.refused("bad_text", type="say", n=3, room="den", text="")
    lines = [feed.expect("message").raw, feed.expect("topic").raw]
    (broker.stop if end == "stop" else broker.kill)()
    broker.restart()

    net = net_of(broker)
    again = net.session("alice", client=alice.welcome["client"])
    assert (again.welcome["n"], again.sender, again.welcome["log"]) == (3, alice.sender, alice.welcome["log"])
    repeated = again.ask("ack", type="say", n=1, room="den", text="one", once="key")
    assert repeated.get("seq", first["seq"]) == first["seq"]
    assert again.ask("ack", type="topic", n=2, room="den", text="cats")["n"] == 2
    again.send({"type": "say", "n": 3, "room": "den", "text": ""})
    assert again.take()["n"] == 3
    duplicate = again.say("one", room="den", once="key")
    assert (duplicate["n"], duplicate["seq"], duplicate["duplicate"]) == (4, first["seq"], True)
    assert again.refused("out_of_order", type="say", n=6, room="den", text="x")["expected"] == 5
    five = again.say("five", room="den")["seq"]
    joined = again.join("den")
    assert (joined["topic"], joined["head"]) == ("cats", five)
    events = again.history(room="den", after=0)["events"]
    assert [event["text"] for event in events] == ["one", "cats", "five"]
    assert [event["prev"] for event in events] == [0, events[0]["seq"], events[1]["seq"]]
    frame = again.history(room="den", after=0).frame
    assert all(line in frame for line in lines)
    listed = {entry["room"]: entry for entry in again.ask("rooms", type="rooms")["rooms"]}
    assert (listed["den"]["topic"], listed["den"]["head"]) == ("cats", five)
    assert again.ask("found", type="search", text="five")["events"] == [events[2]]


def test_seq_is_never_used_again(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker()
    highest = 0
    for end in (broker.kill, broker.stop, broker.kill):
        alice = net_of(broker).session("alice")
        seqs = [alice.say("x", room=room)["seq"] for room in ("den", "hall", unique("any"))]
        seqs.append(alice.say("x", to="alice")["seq"])
        assert seqs == sorted(set(seqs))
        assert seqs[0] > highest
        highest = seqs[-1]
        end()
        broker.restart()
    assert net_of(broker).peer().ask("status", type="status")["head"] >= highest


def test_sessions_do_not_survive_a_restart_and_nicks_are_free(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker()
    old = net_of(broker).session("alice", "den")
    broker.restart()
    net = net_of(broker)
    bob = net.session("alice", "den")
    assert bob.sender != old.sender
    assert len(bob.ask("roster", type="who", room="den")["members"]) == 1


def test_dealer_that_libzmq_reconnects_is_told_to_say_hello(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker()
    alice = net_of(broker).session("alice")
    broker.restart()

    def told() -> bool:
        alice.send({"type": "ping"})
        alice.receive(0.1)
        return "no_session" in [line.get("code") for line in alice.take_all()]

    wait_for(told, "the broker to tell that it knows of no session")
    assert alice.hello("alice", client=alice.welcome["client"])["nick"] == "alice"


def test_ipc_endpoints_work_and_are_for_their_owner_only(start_broker: StartBroker, net_of: NetOf) -> None:
    with TemporaryDirectory() as folder:  # not tmp_path: the name of a socket has at most 107 bytes
        up, down = Path(folder, "up"), Path(folder, "down")
        broker = start_broker("--memory", listen=f"ipc://{up}", publish=f"ipc://{down}")
        assert [stat.S_IMODE(path.stat().st_mode) for path in (up, down)] == [0o666, 0o666]
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
        net = net_of(broker)
        feed = net.feed("room/den/")
        alice = net.session("alice", "den")
        assert alice.welcome["feed"] == f"ipc://{down}"
        seq = alice.say("over a file", room="den")["seq"]
        assert feed.expect("message")["seq"] == seq


def test_status_counts(start_broker: StartBroker, net_of: NetOf) -> None:
    net = net_of(start_broker("--rate", "0"))
    alice = net.session("alice", "den")
    seq = alice.say_all(["x"] * 100, room="den")[-1]["seq"]
    alice.say("x", room="hall")
    status = alice.ask("status", type="status")
    assert (status["sessions"], status["rooms"], status["head"]) == (1, 2, seq + 1)
    assert status["log_bytes"] > 0
    wait_for(lambda: alice.ask("status", type="status")["rate"] > 0, "the second in which a rate is counted")
    assert status["server"] == alice.welcome["server"]
    assert re.search(r"\d", status["server"])


def test_plain_subscriber_needs_nothing_but_the_feed(start_broker: StartBroker, net_of: NetOf) -> None:
    net = net_of(start_broker("--memory"))
    alice = net.session("alice")
    with net.context.socket(zmq.SUB) as plain:
        plain.linger = 0
        plain.subscribe("room/")
        plain.connect(alice.welcome["feed"])

        def heard() -> int:
            alice.say("anybody there?", room="den")
            return plain.poll(50)

        wait_for(heard, "the subscriber to hear something")
        topic, payload = plain.recv_multipart()
        assert topic == b"room/den/"
        assert json.loads(payload.splitlines()[0])["text"] == "anybody there?"
