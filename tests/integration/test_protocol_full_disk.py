"""A log that cannot be written: numbered commands are put off, nothing is half done, and it goes on by itself.

The disk is full because the broker's process may not make any file larger than it is: the limit can be lifted again
from outside, and no file system has to be mounted for it.
"""

import resource
import time

import psutil
import pytest

from tests.conftest import Broker, StartBroker
from tests.integration.conftest import NetOf
from tests.integration.raw import Peer

pytestmark = pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="no limits for other processes here")


def fill(broker: Broker, more: int) -> None:
    """Let no file of the broker grow beyond its largest one and `more` bytes."""
    largest = max(path.stat().st_size for path in broker.folder.rglob("*") if path.is_file())
    psutil.Process(broker.pid).rlimit(psutil.RLIMIT_FSIZE, (largest + more, resource.RLIM_INFINITY))


def empty(broker: Broker) -> None:
    psutil.Process(broker.pid).rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def say_until_unavailable(peer: Peer) -> tuple[int, float]:
    """Return the first number that was put off, and for how many seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        peer.send({"type": "say", "n": peer.number(), "room": "den", "text": f"{peer.n} " + "x" * 5000})
        answer = peer.find(lambda line: line["type"] in {"ack", "error"}, "answer")
        assert answer["n"] == peer.n
        if answer["type"] == "error":
            assert answer["code"] == "unavailable"
            return peer.n, answer["retry_after"]
    pytest.fail("the disk is never full")


def test_full_disk_puts_numbered_commands_off_and_service_resumes_by_itself(
    start_broker: StartBroker, net_of: NetOf
) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    alice, bob = net.session("alice", "den"), net.session("bob")
    feed = net.feed("room/den/")
    alice.say("before", room="den", once="key")
    fill(broker, 50_000)
    n, retry_after = say_until_unavailable(alice)
    assert retry_after > 0
    for _ in range(3):
        says = [{"type": "say", "n": n + k, "room": "den", "text": f"{n + k}"} for k in range(20)]
        alice.send(*says, {"type": "topic", "n": n + 20, "room": "den", "text": "full"})
        answers = [alice.take() for _ in range(21)]
        assert {answer.get("code") for answer in answers} <= {"unavailable", "out_of_order"}
    bob.refused("unavailable", type="say", n=1, to="alice", text="psst")
    assert alice.ask("pong", type="ping")["n"] == n - 1
    stored = [event["text"].split(maxsplit=1)[0] for event in bob.history(room="den", after=0)["events"]]
    assert stored == ["before", *(str(k) for k in range(2, n))]
    assert bob.join("hall")["head"] == 0  # what needs no log goes on

    empty(broker)
    time.sleep(min(retry_after, 5))
    deadline = time.monotonic() + 15
    while True:
        alice.send({"type": "say", "n": n, "room": "den", "text": f"{n}"})
        answer = alice.find(lambda line: line["type"] in {"ack", "error"}, "answer")
        if answer["type"] == "ack":
            break
        assert answer["code"] == "unavailable"
        assert time.monotonic() < deadline, "service does not resume"
        time.sleep(0.1)  # a client's patience
    alice.n = n
    assert alice.say("key", room="den", once="key")["duplicate"] is True
    assert bob.say("psst", to="alice")["n"] == 1
    published = [line for line in feed.settled() if line["type"] == "message"]
    logged = bob.history(room="den", after=0)["events"]
    assert published == logged
    assert [event["prev"] for event in logged] == [0, *(event["seq"] for event in logged)][: len(logged)]
    broker.kill()
    broker.restart()
    assert net_of(broker).session("alice", client=alice.welcome["client"]).welcome["n"] == n + 1
