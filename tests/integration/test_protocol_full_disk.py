"""A log that cannot be written: numbered commands are put off, nothing is half done, and it goes on by itself.

The disk is full in two ways. Either the broker's process may not make any file larger than it is: that can be lifted
from outside and needs no rights. Or its folder is a small file system in memory that somebody else has filled, which is
what SQLite knows as a full disk; that one has to be mounted, and is left out where it may not be.
"""

import contextlib
import re
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import PATIENCE, Broker, StartBroker, wait_for
from tests.integration.conftest import NetOf
from tests.integration.raw import Net, Peer
from tests.integration.reliable import (
    Follower,
    LostError,
    Sender,
    Wire,
    audit_chain,
    audit_sender,
    wait_for_acks,
    wait_for_view,
    whole_log,
)

SIZE = 64 * 1024 * 1024  # bytes of the file system


class Limited:
    """A disk on which no file may grow."""

    def __init__(self, folder: Path) -> None:
        self.data = folder

    def fill(self, broker: Broker, more: int) -> None:
        """Let no file of the broker grow beyond its largest one and `more` bytes."""
        largest = max(path.stat().st_size for path in self.data.iterdir())
        psutil.Process(broker.pid).rlimit(psutil.RLIMIT_FSIZE, (largest + more, resource.RLIM_INFINITY))

    def empty(self, broker: Broker) -> None:
        psutil.Process(broker.pid).rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Small(Limited):
    """A file system of its own, which others fill."""

    def fill(self, broker: Broker, more: int) -> None:
        free = psutil.disk_usage(str(self.data)).free
        with contextlib.suppress(OSError):  # the broker was faster: so much the fuller
            (self.data / "ballast").write_bytes(bytes(max(0, free - more)))

    def empty(self, broker: Broker) -> None:
        (self.data / "ballast").unlink()


@pytest.fixture(params=["no file may grow", "a small file system"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Limited]:
    """Return a disk that can be filled and emptied; the broker's data is in its `data`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "no file may grow":
        if not hasattr(psutil.Process, "rlimit"):
            pytest.skip("no limits for other processes here")
        yield Limited(folder)
        return
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system may be mounted here: {error}")
    yield Small(folder)
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def say_until_unavailable(peer: Peer) -> tuple[int, float]:
    """Return the first number that was put off, and for how many seconds. Not even a short text has room then."""
    say_long_until_unavailable(peer, 5000)
    peer.n -= 1
    return say_long_until_unavailable(peer, 1)


def say_long_until_unavailable(peer: Peer, size: int) -> tuple[int, float]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        peer.send({"type": "say", "n": peer.number(), "room": "den", "text": f"{peer.n} " + "x" * size})
        answer = peer.find(lambda line: line["type"] in {"ack", "error"}, "answer")
        assert answer["n"] == peer.n
        if answer["type"] == "error":
            assert answer["code"] == "unavailable"
            assert re.search("disk full|disk is full", answer["message"]), "a person is told what may be the matter"
            assert "/" not in answer["message"].replace("I/O", ""), "but not where the broker has it"
            return peer.n, answer["retry_after"]
    pytest.fail("the disk is never full")


def test_full_disk_puts_numbered_commands_off_and_service_resumes_by_itself(
    start_broker: StartBroker, net_of: NetOf, disk: Limited
) -> None:
    broker = start_broker("--rate", "0", "--data", str(disk.data))
    net = net_of(broker)
    alice, bob = net.session("alice", "den"), net.session("bob")
    feed = net.feed("room/den/")
    alice.say("before", room="den", once="key")
    disk.fill(broker, 50_000)
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

    disk.empty(broker)
    time.sleep(min(retry_after, 5))
    deadline = time.monotonic() + PATIENCE
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


class Patient(Sender):
    """A sender that notes how often it was put off."""

    put_off = 0

    def live(self, wire: Wire) -> None:
        try:
            super().live(wire)
        except LostError as lost:
            self.put_off += str(lost) == "unavailable"
            raise


def stands_still(senders: list[Patient]) -> Callable[[], bool]:
    """Return what tells whether every sender was put off again, some times, with nothing taken in between."""
    since = [(len(sender.acked), sender.put_off) for sender in senders]

    def check() -> bool:
        for k, sender in enumerate(senders):
            if len(sender.acked) != since[k][0]:
                since[k] = len(sender.acked), sender.put_off
        return all(sender.put_off > put_off + 2 for sender, (_, put_off) in zip(senders, since, strict=True))

    return check


def audit(net: Net, senders: list[Patient], follower: Follower, rooms: list[str]) -> None:
    """Check that the log has all that was acknowledged, once, and that the follower shows it so."""
    log = {room: whole_log(net, room) for room in rooms}
    for room, events in log.items():
        audit_chain(events)
        wait_for_view(follower, room, len(events))
        assert follower.view[room] == events, "the follower shows something else than the log"
    for sender in senders:
        audit_sender(log, sender)


def test_several_who_talk_on_through_two_full_disks_lose_nothing_and_double_nothing(
    start_broker: StartBroker, net_of: NetOf, disk: Limited
) -> None:
    broker = start_broker("--rate", "0", "--data", str(disk.data))
    rooms = ["den", "hall"]
    senders = [Patient(broker.listen, f"sender{k}", rooms, window) for k, window in enumerate((1, 16, 100))]
    follower = Follower(broker.listen, rooms)
    for thread in (*senders, follower):
        thread.start()
    for _ in range(2):
        wait_for_acks(senders)
        disk.fill(broker, 100_000)
        wait_for(stands_still(senders), "every sender to be put off, and the log to stand still", 60)
        assert net_of(broker).session(None).ask("status", type="status")["sessions"] >= 4, "all else goes on"
        disk.empty(broker)
    wait_for_acks(senders)
    for sender in senders:
        sender.end(30)
    audit(net_of(broker), senders, follower, rooms)
    follower.end(10)
    log = broker.log_file.read_text()
    assert "can be written again" in log
    assert "Traceback" not in log, "a full disk is no mistake of the broker's"
    broker.stop()
    with contextlib.closing(sqlite3.connect(disk.data / "log.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
