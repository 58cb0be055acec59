"""The programs in the README and the pages behind it, run as they stand there (but for the ports)."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Broker, RunZchat, wait_for
from zchat.cli.broker import broker as broker_command

ROOT = Path(__file__).parents[2]
PAGES = "\n".join(page.read_text() for page in (ROOT / "README.md", *sorted((ROOT / "zchat" / "docs").glob("*.md"))))


def program(language: str, mark: str) -> str:
    """Return the one program in these pages that is in this language and holds `mark`."""
    (found,) = (each for each in re.findall(rf"```{language}\n(.*?)```", PAGES, re.DOTALL) if mark in each)
    return str(found)


LISTENER, SPEAKER, CLIENT = (
    program("python", mark) for mark in ("zmq.SUB", '"nick":"herald"', "async with ChatClient(")
)

PYTHON = (sys.executable, "-u", "-c")

Run = Callable[..., Path]


@pytest.fixture
def run(broker: Broker, tmp_path: Path, environment: dict[str, str]) -> Iterator[Run]:
    """Run a program until the test ends; return the file that its output goes to."""
    started: list[subprocess.Popen[bytes]] = []
    env = environment | {"ZCHAT_BROKER": broker.listen, "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}

    def start(program: str, *command: str) -> Path:
        program = program.replace("herald", f"herald{len(started)}")
        output = tmp_path / f"output.{len(started)}"
        with output.open("wb") as out:
            whole = (*(command or PYTHON), local(program, broker))
            started.append(subprocess.Popen(whole, stdout=out, stderr=out, env=env, start_new_session=True))
        return output

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def node() -> str:
    """Return the path of Node.js, if it has the package zeromq."""
    found = shutil.which("node")
    if found is None or subprocess.run([found, "-e", 'require("zeromq")'], capture_output=True, check=False).returncode:
        pytest.skip("needs node, and the npm package zeromq where it finds it (NODE_PATH)")
    return found


def compiled(source: str, folder: Path) -> Path:
    """Return the program that a compiler makes of a source in C, without a warning."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("needs a C compiler")
    (folder / "program.c").write_text(source)
    made = subprocess.run(
        [compiler, "-Wall", "-Wextra", "-o", folder / "program", folder / "program.c", "-lzmq"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "zmq.h: No such file" in made.stderr or "cannot find -lzmq" in made.stderr:
        pytest.skip("needs the headers of libzmq (Debian: libzmq3-dev)")
    assert (made.returncode, made.stderr) == (0, "")
    return folder / "program"


def local(program: str, broker: Broker) -> str:
    """Return a program with the test's ports in it."""
    return program.replace("tcp://127.0.0.1:5555", broker.listen).replace("tcp://127.0.0.1:5556", broker.publish)


def hears(run: Run, heard: Path) -> None:
    """Speak until a plain subscriber, which may start late, has heard it."""

    def spoken() -> bool:
        said = run(SPEAKER)
        wait_for(lambda: '"type":"ack"' in said.read_text(), "an ack")
        return "the build is green" in heard.read_text()

    wait_for(spoken, "the listener to hear")


def test_a_bot_of_five_lines_listens_and_another_speaks(run: Run) -> None:
    hears(run, run(LISTENER))


def test_a_client_in_python_hears_what_is_said(run: Run) -> None:
    heard = run(CLIENT.replace('"watcher"', '"watcher", "tcp://127.0.0.1:5555"'))
    wait_for(lambda: "Online" in heard.read_text() or "CaughtUp" in heard.read_text(), "it to be online")
    run(SPEAKER)
    wait_for(lambda: "the build is green" in heard.read_text(), "it to hear")


def test_a_listener_in_javascript_hears(run: Run) -> None:
    hears(run, run(program("js", "Subscriber"), node(), "-e"))


def test_a_listener_in_c_hears(run: Run, broker: Broker, tmp_path: Path) -> None:
    listen = compiled(local(program("c", "ZMQ_SUBSCRIBE"), broker), tmp_path)
    hears(run, run("", str(listen)))


def test_a_listener_in_a_shell_hears(run: Run) -> None:
    if shutil.which("jq") is None:
        pytest.skip("needs jq")
    hears(run, run(program("sh", "zchat tail"), "sh", "-c"))


def test_a_synchronous_listener_hears(run: Run) -> None:
    listener = program("python", "\nwith SyncClient(").replace('"watcher"', '"watcher", "tcp://127.0.0.1:5555"')
    hears(run, run(listener))


def test_the_bot_in_the_readme_answers(run: Run, broker: Broker, zchat: RunZchat) -> None:
    run(program("python", "bot.run()"))
    wait_for(lambda: "dicebot" in zchat("who", broker=broker).out, "the bot to be there")
    zchat("send", "--nick", "alice", "!roll 1 --times 3", broker=broker)
    zchat("send", "--nick", "alice", "zmq++", broker=broker)
    wait_for(lambda: "zmq has 1" in zchat("tail", broker=broker).out, "its answers")
    told = zchat("tail", broker=broker).out
    assert re.search(r"<dicebot> \[answers alice: !roll 1 --times 3\]\n +1 1 1$", told, re.MULTILINE), told


def test_the_test_in_the_readme_passes(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "dicebot.py").write_text(program("python", "bot.run()"))
    (tmp_path / "test_dicebot.py").write_text(program("python", "async def test_"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_dicebot.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_every_service_starts_a_broker_with_options_that_it_has() -> None:
    services = re.findall(r"^ExecStart=\S+/zchat broker (.*)$", PAGES, re.MULTILINE)
    assert len(services) == 2
    for options in services:
        assert broker_command.make_context("broker", shlex.split(options)).params["listen"]


def test_every_link_leads_to_a_file_or_to_a_heading_that_is_there() -> None:
    pages = [ROOT / "README.md", *(ROOT / ".github").glob("*.md"), *(ROOT / "zchat").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)|src=\"([^\"]+)\"", page.read_text()):
            file, _, heading = "".join(target).partition("#")
            linked = (page.parent / file).resolve() if file else page
            assert linked.exists(), f"{page}: {target}"
            if heading:
                titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
                assert heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles], target
