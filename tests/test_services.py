"""The units for systemd and the compose file: what reads them can read them, and their commands are ours."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from zchat.cli import zchat

SCRIPTS = Path(__file__).parent.parent / "scripts"
UNITS = sorted((SCRIPTS / "systemd").glob("*.service"))


def check(words: list[str]) -> None:
    """Parse a command line of ours without running it; files of certificates are there where it runs."""
    words = [__file__ if word.startswith("%d/") or word.endswith((".pem", ".key")) else word for word in words]
    command: click.Command = zchat
    while isinstance(command, click.Group) and not (command.invoke_without_command and words[0].startswith("-")):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    command.make_context("zchat", words)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_a_command_of_ours(unit: Path) -> None:
    (line,) = (line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    program, *words = shlex.split(line.removeprefix("ExecStart="))
    assert program == "/usr/local/bin/zchat"
    check(words)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    assert len(UNITS) == 4
    for unit in UNITS:
        text = unit.read_text().replace("/usr/local/bin/zchat", sys.executable)  # which has to be there
        (tmp_path / unit.name.replace("@", "@a")).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    told = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_the_compose_file_runs_commands_of_ours() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = yaml.safe_load((SCRIPTS / "compose.yaml").read_text())
    assert set(found["services"]) == {"node", "broker", "web", "irc"}
    for service in found["services"].values():
        assert service["network_mode"] == "host"
        check(service["command"])
