"""A gateway in a process of its own, and browsers without a page: HTTP with a cookie, and tabs over a WebSocket."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.conftest import PATIENCE, READY, ZCHAT, Broker, wait_for

Frame = dict[str, Any]


@dataclass
class Gateway:
    """A `zchat web` at a broker."""

    folder: Path
    env: dict[str, str]
    broker: str
    args: tuple[str, ...] = ()
    listen: str = "127.0.0.1:0"
    program: tuple[str, ...] = ZCHAT
    process: "subprocess.Popen[bytes]" = field(init=False)
    url: str = ""
    runs: int = 0

    def output(self, stream: str = "stdout") -> str:
        return (self.folder / f"{stream}.{self.runs}").read_text()

    def start(self) -> None:
        """Start it, at the address that it had before if it ran before, and wait until it is ready."""
        self.runs += 1
        self.folder.mkdir(exist_ok=True)
        command = (*self.program, "web", "--listen", self.listen, "--data", str(self.folder / "data"), *self.args)
        where = {"ZCHAT_BROKER": self.broker, "ZCHAT_LOG_DIR": str(self.folder / "log")}
        with (
            (self.folder / f"stdout.{self.runs}").open("wb") as out,
            (self.folder / f"stderr.{self.runs}").open("wb") as err,
        ):
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env | where
            )
        wait_for(self._is_ready, "the gateway to be ready", READY)
        self.url = self.output().split()[1]
        self.listen = f"127.0.0.1:{self.url.rpartition(':')[2]}"

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.output("stderr")
        return self.output().startswith("page ") and "\n" in self.output()

    @property
    def own_code(self) -> str:
        """The code with which who runs it comes in."""
        return str(wait_for(self._own_code, "the link"))

    def _own_code(self) -> str:
        return self.output().partition("#in=")[2].strip()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def gateway(
    folder: Path, env: dict[str, str], broker: Broker | str, *args: str, program: tuple[str, ...] = ZCHAT
) -> Iterator[Gateway]:
    """Run a gateway."""
    where = broker if isinstance(broker, str) else broker.listen
    running = Gateway(folder / "web", env, where, args, program=program)
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Browser:
    """A browser that has come to a page, and keeps its cookie."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=PATIENCE, **settings)
        self.ours = {"Origin": url, "X-Zchat": "1"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, path: str, body: Any = None, **settings: Any) -> httpx.Response:
        return self.http.post(path, json=body or {}, **{"headers": self.ours} | settings)

    def come_in(self, **how: str) -> httpx.Response:
        """Come in with a `code`, or as a guest with a `nick`."""
        return self.post("/in", how)

    @property
    def cookie(self) -> str:
        return "; ".join(f"{each.name}={each.value}" for each in self.http.cookies.jar)

    def tab(self, **settings: Any) -> "Tab":
        """Return a tab, open while it is used as `with browser.tab() as tab:`."""
        headers = {"Cookie": self.cookie} if self.cookie else {}
        where = self.url.replace("http", "ws", 1) + "/ws"
        options: dict[str, Any] = {"origin": self.url, "additional_headers": headers, "max_size": None}
        return Tab(lambda: connect(where, open_timeout=PATIENCE, **options | settings))


class Tab:
    """A tab: what it was sent, in order, and what it asks."""

    def __init__(self, opening: Callable[[], AbstractContextManager[ClientConnection]]) -> None:
        self._opening = opening
        self.frames: list[Frame] = []
        self._id = 0
        self._read = 0

    def __enter__(self) -> Self:
        self._open = self._opening()
        self.socket = self._open.__enter__()
        return self

    def __exit__(self, *how: Any) -> None:
        self._open.__exit__(*how)

    def next(self) -> Frame:
        """Return the next frame that was not looked at."""
        if self._read == len(self.frames):
            self.frames.append(json.loads(self.socket.recv(timeout=PATIENCE)))
        self._read += 1
        return self.frames[self._read - 1]

    def until(self, condition: Callable[[Frame], Any]) -> Frame:
        """Return the next frame of which this is true."""
        while not condition(frame := self.next()):
            pass
        return frame

    def of(self, type_: str) -> Frame:
        """Return the next frame of this type."""
        return self.until(lambda frame: frame["type"] == type_)

    def send(self, command: Frame) -> None:
        self.socket.send(json.dumps(command))

    def ask(self, type_: str, **fields: Any) -> Frame:
        """Ask, and return the broker's reply, or the frame that refuses it. What comes before it can be read later."""
        self._id += 1
        id_ = self._id
        self.send({"type": type_, "id": id_, **fields})
        place = self._read
        frame = self.until(lambda frame: frame["type"] in ("reply", "refused") and frame["id"] == id_)
        self.frames.remove(frame)
        self._read = place
        answer: Frame = frame["reply"] if frame["type"] == "reply" else frame
        return answer

    def event(self, type_: str = "message", **fields: Any) -> Frame:
        """Return the next event with these fields."""
        while True:
            events: list[Frame] = self.of("events")["events"]
            for event in events:
                if event["type"] == type_ and fields.items() <= event.items():
                    return event


def ipc_of(env: dict[str, str]) -> str:
    """Return the broker's door for the users of this machine."""
    return f"ipc://{env['XDG_RUNTIME_DIR']}/zchat.sock"


def pid_is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
