"""Real brokers and real commands for the tests, each in folders of its own.

`start_broker("--rate", "0")` starts a `zchat broker` on two free ports and returns once it has printed them, which it
does when it is ready; `broker` is one with a log on disk and nothing special. Both are stopped when the test ends.
`zchat("send", "hi")` runs a command to its end. Nothing here reads or writes what belongs to the person who runs
the tests: HOME, the data, the logs and every ZCHAT_ variable are the test's.
"""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from zchat import testing

PATIENCE = 30.0  # seconds until what is waited for will not come: the machine may be busy with other things
READY = 120.0  # … until a broker will not start
ZCHAT = (sys.executable, "-m", "zchat")
testing.PATIENCE = PATIENCE

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy one, too
settings.register_profile("found", settings.get_profile("any machine"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("any machine")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and all it starts, ignores it

Condition = Callable[[], Any]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let half as many processes more run tests than there are cores: half of the time a test waits for others."""
    return -(-3 * (os.cpu_count() or 1) // 2)


def pytest_collection_finish() -> None:
    """Keep what was collected out of the way of the garbage collection with which each test on a loop ends."""
    gc.collect()
    gc.freeze()


def folders_of(home: Path) -> dict[str, str]:
    """Return the variables that keep keys, known brokers and the local socket in folders of a test, which are made."""
    found = {"XDG_CONFIG_HOME": home / "config", "XDG_RUNTIME_DIR": home / "run"}
    for folder in found.values():
        folder.mkdir(mode=0o700, exist_ok=True)
    return {name: str(folder) for name, folder in found.items()}


@pytest.fixture(autouse=True, scope="session")
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what runs in this process away from the keys and the broker of the person who runs the tests."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("ZCHAT_", "XDG_"))]:
            patch.delenv(name)
        for name, folder in {"HOME": str(home), **folders_of(home)}.items():
            patch.setenv(name, folder)
        yield home


def wait_for(condition: Condition, what: str = "the condition", timeout: float = PATIENCE) -> Any:
    """Return what `condition` returns as soon as it is true; fail after `timeout` seconds."""
    began = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - began
        if waited > timeout:
            pytest.fail(f"waited {timeout:g} s for {what}")
        time.sleep(min(max(0.01, waited / 20), 0.05))  # who is waited for needs the machine, too
    return found


@dataclass
class Broker:
    """A broker in a process of its own: where it is, and the ways it can end."""

    folder: Path
    args: tuple[str, ...]
    env: dict[str, str]
    memory: bool = False
    listen: str = "tcp://127.0.0.1:0"
    publish: str = "tcp://127.0.0.1:0"
    process: "subprocess.Popen[bytes]" = field(init=False)
    runs: int = 0

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        return self.folder / "log" / "server.log"

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self, stream: str = "stdout") -> str:
        """Return what the present run has printed on `stdout` or `stderr`."""
        return (self.folder / f"{stream}.{self.runs}").read_text()

    def start(self) -> None:
        """Start it, on the addresses it had before if it ran before, and wait until it is ready."""
        self.runs += 1
        where = ("--memory",) if self.memory else ("--data", str(self.data))
        sockets = ("--listen", self.listen, "--publish", self.publish, "--log-dir", str(self.folder / "log"))
        with (
            (self.folder / f"stdout.{self.runs}").open("wb") as out,
            (self.folder / f"stderr.{self.runs}").open("wb") as err,
        ):
            command = (*ZCHAT, "broker", *sockets, *where, *self.args)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env)
        found = wait_for(self._endpoints, "the broker to print its endpoints", READY)
        self.listen, self.publish = found["listen"], found["publish"]

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self, timeout: float = PATIENCE) -> int:
        """Ask it to stop with SIGTERM and return its exit code."""
        return self._end(signal.SIGTERM, timeout)

    def restart(self) -> None:
        """Start it again on the same log and the same addresses; kill it first if it runs."""
        if self.process.poll() is None:
            self.kill()
        self.start()

    def _end(self, how: signal.Signals, timeout: float = PATIENCE) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def _endpoints(self) -> dict[str, str] | None:
        if self.process.poll() is not None:
            pytest.fail(f"the broker ended with {self.process.returncode}: {self.output('stderr')}")
        lines = self.output().splitlines(keepends=True)
        doors = [line.split() for line in lines if line.endswith("\n") and len(line.split()) == 2]
        found = dict(reversed(doors))  # those of the first door
        return found if {"listen", "publish"} <= found.keys() else None


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which every folder of zchat's is the test's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZCHAT_", "XDG_"))}
    home = tmp_path / "home"
    home.mkdir()
    ours = {"HOME": str(home), "ZCHAT_DATA": str(home / "data"), "ZCHAT_LOG_DIR": str(home / "log")}
    return kept | ours | folders_of(home) | {"LC_ALL": "C.UTF-8", "COLUMNS": "100"}


StartBroker = Callable[..., Broker]


@pytest.fixture
def start_broker(tmp_path: Path, environment: dict[str, str]) -> Iterator[StartBroker]:
    """Start brokers: `start_broker(*options, listen=…, publish=…)`; with `--memory` among them, without a folder."""
    running: list[Broker] = []

    def start(*args: str, listen: str = "tcp://127.0.0.1:0", publish: str = "tcp://127.0.0.1:0") -> Broker:
        folder = tmp_path / f"broker-{len(running)}"
        folder.mkdir()
        options = tuple(option for option in args if option != "--memory")
        broker = Broker(folder, options, environment, memory="--memory" in args, listen=listen, publish=publish)
        running.append(broker)
        broker.start()
        return broker

    yield start
    for broker in running:
        if hasattr(broker, "process") and broker.process.poll() is None:
            broker.process.send_signal(signal.SIGCONT)  # a test may have stopped it
            broker.stop()


@pytest.fixture
def broker(start_broker: StartBroker) -> Broker:
    """Return a running broker with a log on disk."""
    return start_broker()


@dataclass
class Result:
    """How a command ended: `out` and `err` as text, `raw` as the bytes of standard output."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()


RunZchat = Callable[..., Result]


@pytest.fixture
def zchat(environment: dict[str, str]) -> RunZchat:
    """Run `zchat` with the given arguments to its end: `zchat("send", "hi", broker=broker, input="…")`."""

    def run(
        *args: str,
        broker: Broker | None = None,
        input: str | bytes = b"",  # noqa: A002 — as subprocess calls it
        env: dict[str, str] | None = None,
        timeout: float = 3 * PATIENCE,
    ) -> Result:
        where = {"ZCHAT_BROKER": broker.listen} if broker else {}
        done = subprocess.run(
            (*ZCHAT, *args),
            input=input.encode() if isinstance(input, str) else input,
            capture_output=True,
            env=environment | where | (env or {}),
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    return run
