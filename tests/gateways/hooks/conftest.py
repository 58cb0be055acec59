"""A real gateway in a process of its own beside a real broker, shared by the tests of a file: each has its own room."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import PATIENCE, Broker, folders_of, wait_for
from zchat.client.sync import SyncClient
from zchat.gateways.hooks.book import Book, Hook, new_token
from zchat.gateways.stored import digest

BRIEF = 2.0  # seconds that a delivery waits for a broker that does not answer
# nothing is encrypted here, and to load certificates takes long; no connection is kept, for nobody closes this
HTTP = httpx.Client(timeout=60, verify=False, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Gateway:
    """A gateway: where it is, and the ways it can end."""

    environment: dict[str, str]
    broker: Broker
    most: int = 10_000  # deliveries to one hook
    patience: float = BRIEF
    port: int = 0
    process: "subprocess.Popen[str]" = field(init=False)

    @property
    def folder(self) -> Path:
        return Path(self.environment["ZCHAT_DATA"]) / "web" / "hooks"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Gateway":
        """Start it, on the port that it had before, and wait until it listens."""
        options = (str(self.folder), str(self.port), str(self.patience), str(self.most))
        command = (sys.executable, "-m", "tests.gateways.hooks.serving", *options)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=self.environment, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        return self

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)

    def hook(self, room: str, nick: str = "", **fields: Any) -> str:
        """Write a hook down, as a command would, and return its address."""
        token = new_token()
        made = "2026-01-02T03:04:05+00:00"
        Book(self.folder).add(Hook(digest(token), self.broker.listen, nick or room, room, made, **fields))
        return f"{self.url}/hook/{token}"

    def log(self, room: str) -> list[tuple[str, str]]:
        """Return who said what in a room, as the broker has it."""
        with SyncClient(broker=self.broker.listen) as reader:
            return [(message.nick, message.text) for message in reader.history(room=room, limit=1000).messages]

    def said(self, room: str) -> list[str]:
        """Return what was said in a room, as the broker has it."""
        return [text for _, text in self.log(room)]


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """Return a room, and a nick, that no other test has."""
    name: str = request.node.name
    return re.sub(r"\W|_", "-", name)[-32:].strip("-")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, nobodys_home: Path) -> Iterator[Gateway]:
    """Return a running gateway beside a broker, both shared: no test ends them."""
    import os  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("gateway")
    environment = {**os.environ, "HOME": str(folder), "ZCHAT_DATA": str(folder / "data"), **folders_of(folder)}
    environment["ZCHAT_LOG_DIR"] = str(folder / "logs")
    broker = Broker(folder, (), environment)
    broker.start()
    gateway = Gateway(environment, broker, most=100, patience=PATIENCE).start()
    yield gateway
    gateway.stop()
    broker.stop()


@pytest.fixture
def own_gateway(environment: dict[str, str], broker: Broker) -> Iterator[Gateway]:
    """Return a running gateway beside a broker that the test may end."""
    gateway = Gateway(environment, broker).start()
    yield gateway
    if gateway.process.poll() is None:
        gateway.stop()


def post(address: str, body: Any = b"done", **headers: str) -> httpx.Response:
    """Post to a hook; names of headers with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTP.post(address, content=body, headers=named)


def deliver(address: str, body: Any = b"done", **headers: str) -> None:
    """Post as senders do: again, as long as they are told to try again."""

    def delivered() -> bool:
        answer = post(address, body, **headers)
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200

    wait_for(delivered, "it to be said")
