"""`scripts/soak` as a person runs it: a short one for every day, a long one, and brokers broken on purpose."""

import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.soak.mutants import MUTANTS
from tests.soak.shim import can_be_built

ROOT = Path(__file__).parents[2]
SMALL = ("--talkers", "6", "--followers", "3", "--bots", "1", "--nomads", "1", "--rate", "10")


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


def test_a_short_soak_shows_what_happens_breaks_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    plan = ("--minutes", "0.12", "--seed", "9", "--faults", "kill,cut,stall")
    with pexpect.spawn(
        sys.executable, ["-m", "tests.soak", *plan, *SMALL], cwd=str(ROOT), env=environment(tmp_path), timeout=200
    ) as terminal:  # fmt: skip
        for seen in ("seed 9", "online 11 of 11", "fault: stall port=", "broker: down", "coming to rest"):
            terminal.expect_exact(seen)
        for verdict in ("1 × cut, 1 × kill, 1 × stall", "nothing was broken"):
            terminal.expect_exact(verdict.encode())
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 0
    assert list(tmp_path.iterdir()) == []


def test_a_soak_says_which_fault_it_does_not_know(tmp_path: Path) -> None:
    done = soak(tmp_path, "--faults", "kill,earthquake", timeout=60)
    assert done.returncode == 2
    assert "earthquake: there are kill, stop" in done.stderr


def test_a_soak_says_which_faults_cannot_be_had_here_and_goes_on_without(tmp_path: Path) -> None:
    few = ("--talkers", "1", "--followers", "1", "--bots", "0", "--nomads", "0")
    done = soak(tmp_path, "--minutes", "0.05", "--faults", "full,slow,clock", *few, timeout=200, PATH="/nowhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "full is left out: no small disk can be mounted here" in done.stdout
    assert "slow is left out: there is no gcc" in done.stdout
    assert "clock is left out: there is no gcc" in done.stdout
    assert "faults: none" in done.stdout


@pytest.mark.long
def test_a_soak_of_three_minutes_breaks_nothing(tmp_path: Path) -> None:
    done = soak(tmp_path, "--minutes", "3", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acked/s" in done.stderr
    if can_be_built():
        assert "× clock" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_a_soak_finds_a_broker_that_is_broken_on_purpose(tmp_path: Path, name: str) -> None:
    mutant = MUTANTS[name]
    plan = ("--minutes", "0.17", "--seed", "36", "--faults", mutant.faults)
    done = soak(tmp_path, *plan, "--mutant", name, *SMALL[:-1], "30", timeout=400)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"BROKEN  {mutant.sentence}" in done.stdout
