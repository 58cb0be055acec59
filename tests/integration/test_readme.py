"""The programs in the README, run as they stand there (but for the ports)."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Broker, wait_for

README = (Path(__file__).parents[2] / "README.md").read_text()
LISTENER, SPEAKER, CLIENT = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

Run = Callable[[str], Path]


@pytest.fixture
def run(broker: Broker, tmp_path: Path) -> Iterator[Run]:
    """Run a program until the test ends; return the file that its output goes to."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str) -> Path:
        program = program.replace("tcp://127.0.0.1:5555", broker.listen).replace("tcp://127.0.0.1:5556", broker.publish)
        program = program.replace("herald", f"herald{len(started)}")
        output = tmp_path / f"output.{len(started)}"
        with output.open("wb") as out:
            started.append(subprocess.Popen([sys.executable, "-u", "-c", program], stdout=out, stderr=out))
        return output

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_bot_of_five_lines_listens_and_another_speaks(run: Run) -> None:
    heard = run(LISTENER)

    def spoken() -> bool:  # a plain subscriber may start late: speak until it has heard
        wait_for((said := run(SPEAKER)).read_text, "an answer")
        assert '"type":"ack"' in said.read_text()
        return "the build is green" in heard.read_text()

    wait_for(spoken, "the listener to hear")


def test_a_client_in_python_hears_what_is_said(run: Run) -> None:
    lines = CLIENT.strip().replace('"watcher"', '"watcher", "tcp://127.0.0.1:5555"').splitlines()
    body = textwrap.indent("\n".join(lines[1:]), "    ")
    heard = run(f"import asyncio\n{lines[0]}\nasync def main():\n{body}\nasyncio.run(main())")
    wait_for(lambda: "Online" in heard.read_text() or "CaughtUp" in heard.read_text(), "it to be online")
    run(SPEAKER)
    wait_for(lambda: "the build is green" in heard.read_text(), "it to hear")
