"""The side-by-side benchmark measures what it says: each server through its real adapter, for a moment.

Figures are not looked at, only whether everybody heard everything, and whether a run in which somebody did not is void.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench"
PROGRAMS = {
    "zchat": None,
    "forwarder": None,
    "nats": "nats-server",
    "jetstream": "nats-server",
    "mosquitto0": "mosquitto",
    "mosquitto1": "mosquitto",
    "redis": "redis-server",
    "redis-streams": "redis-server",
    "ngircd": "ngircd",
    "inspircd": "inspircd",
    "zchat-curve": None,
    "zchat-private": None,
    "forwarder-curve": None,
    "nats-tls": "nats-server",
    "jetstream-tls": "nats-server",
    "mosquitto0-tls": "mosquitto",
    "mosquitto1-tls": "mosquitto",
    "ngircd-tls": "ngircd",
    "inspircd-tls": "inspircd",
}
WINDOWS = 4  # of time that is measured: a busy machine may do nothing of it in one
PLACES = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin"


def trial(folder: Path, peer: str, fault: str = "none") -> dict[str, Any]:
    """Run the benchmark's shortest workload, with two rooms of three receivers."""
    command = [sys.executable, str(BENCH / "trial.py"), peer, fault, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=8 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def need(peer: str) -> None:
    """Skip the test if something that the peer needs is not installed."""
    for program in (PROGRAMS[peer], "openssl" if peer.endswith("-tls") else None):
        if program and not shutil.which(program, path=PLACES):
            pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("peer", PROGRAMS)
def test_every_receiver_of_every_server_hears_everything(tmp_path: Path, peer: str) -> None:
    need(peer)
    for _ in range(WINDOWS):
        result = trial(tmp_path, peer)
        assert result.get("error") is None
        assert result["complete"]  # all of them were received, though on a busy machine not within the window
        if result["messages"]:
            break
    assert result["messages"] > 0
    assert list(tmp_path.iterdir()) == [], "the server's files are still there"


def test_a_run_in_which_a_receiver_missed_something_is_void(tmp_path: Path) -> None:
    result = trial(tmp_path, "zchat", "forgets")
    assert not result["complete"]
    assert result["lost"] > 0


def test_a_run_in_which_a_message_came_twice_is_void(tmp_path: Path) -> None:
    result = trial(tmp_path, "zchat", "repeats")
    assert not result["complete"]
    assert result["lost"] == 0


@pytest.mark.parametrize(
    "peer", ["zchat", "zchat-curve", "forwarder-curve", "nats-tls", "mosquitto0-tls", "ngircd-tls", "inspircd-tls"]
)
def test_all_clients_come_back_after_a_restart(tmp_path: Path, peer: str) -> None:
    need(peer)
    result = trial(tmp_path, peer, "restarts")
    assert result.get("error") is None
    assert (result["complete"], result["sessions"]) == (True, 20)
    assert result["handshakes_per_s"] > 0
    assert bool(result.get("cipher")) == (peer != "zchat")
