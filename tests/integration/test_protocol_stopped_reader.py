"""A subscriber stopped with SIGSTOP while much passes: the broker stays small, the others notice nothing.

What the broker may hold for one that does not read is bounded by the high-water mark; the messages here are several
times that, so that a broker that kept them all would be caught. Once continued, the subscriber catches up completely.
"""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import PATIENCE, Broker, StartBroker
from tests.integration.conftest import NetOf, promptly
from tests.integration.raw import Peer
from tests.integration.reliable import digest_line

MESSAGES = 200_000
LINES = 500  # a frame, of about 550 KiB
TEXT = "x" * 1000
AHEAD = 6  # frames sent before the first is acknowledged
GROWTH = 160 * 1024 * 1024  # bytes: all that passes is 230 MB
ROOT = Path(__file__).parents[2]


class Watched:
    """A follower in a process of its own, whose reports go to a file."""

    def __init__(self, listen: str, room: str, out: Path) -> None:
        self.out = out
        with out.open("wb") as stream:
            command = (sys.executable, "-m", "tests.integration.reliable", listen, room)
            self.process = subprocess.Popen(command, stdout=stream, cwd=ROOT)

    def report(self) -> dict[str, int | str]:
        lines = self.out.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines[-2:] if line.endswith(b"\n")]
        return dict(json.loads(whole[-1])) if whole else {"count": -1}

    def wait(self, count: int, within: float = 8 * PATIENCE) -> dict[str, int | str]:
        deadline = time.monotonic() + within
        while (report := self.report())["count"] != count:
            assert time.monotonic() < deadline, f"it shows {report} after {within} s, not {count}"
            time.sleep(0.05)
        return report

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[list[Watched]]:
    watched: list[Watched] = []
    yield watched
    for follower in watched:
        follower.end()


def flood(alice: Peer, bob: Peer, broker: Broker) -> tuple[int, str]:
    """Say it all, and meanwhile have bob served; return the broker's largest size and the digest of what was said."""
    seen, largest = hashlib.sha256(), 0
    frames = 0
    for start in range(1, MESSAGES + AHEAD * LINES + 1, LINES):
        if start <= MESSAGES:
            alice.send(
                *(
                    b'{"type":"say","n":%d,"room":"den","text":"%d %s"}' % (n, n, TEXT.encode())
                    for n in range(start, start + LINES)
                )
            )
            frames += 1
        if start <= AHEAD * LINES:
            continue
        for _ in range(LINES):
            ack = alice.take()
            seen.update(digest_line(ack["seq"], f"{ack['n']} {TEXT}"))
        if frames % 20 == 0:
            largest = max(largest, psutil.Process(broker.pid).memory_info().rss)
            with promptly(broker):
                bob.ask("pong", type="ping")
    return largest, seen.hexdigest()


def test_stopped_subscriber_costs_the_others_nothing_and_catches_up_completely(
    start_broker: StartBroker, net_of: NetOf, watched: list[Watched], tmp_path: Path
) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    stopped, healthy = (Watched(broker.listen, "den", tmp_path / name) for name in ("stopped", "healthy"))
    watched += [stopped, healthy]
    alice, bob = net.session("alice"), net.session("bob")
    for follower in watched:
        follower.wait(0)
    before = psutil.Process(broker.pid).memory_info().rss
    stopped.process.send_signal(signal.SIGSTOP)
    largest, seen = flood(alice, bob, broker)
    assert healthy.wait(MESSAGES)["digest"] == seen
    assert stopped.report()["count"] == 0
    assert largest - before < GROWTH
    stopped.process.send_signal(signal.SIGCONT)
    assert stopped.wait(MESSAGES)["digest"] == seen
