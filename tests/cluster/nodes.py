"""Nodes of NATS on loopback, for tests: real processes, each with a folder of its own."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PORTS = range(10_000, 20_000)  # below those that the system gives away, and those of other tests
WITHIN = 30.0  # s within which a node answers, also on a busy machine


def binary() -> str | None:
    """Return the program of a node; None if there is none here."""
    beside = Path(sys.executable).parent / "nats-server"
    return os.environ.get("ZCHAT_NATS_SERVER") or (str(beside) if beside.exists() else shutil.which("nats-server"))


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has now. None is one that the system gave to a broker which is killed and comes back."""
    sockets: list[socket.socket] = []
    while len(sockets) < count:
        with contextlib.suppress(OSError):
            sockets.append(socket.create_server(("127.0.0.1", random.choice(PORTS))))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Nodes:
    """A cluster of `count` nodes in a folder."""

    def __init__(self, folder: Path, count: int = 3, *, sync: str = "always") -> None:
        ports = free_ports(3 * count)
        self.folder, self.count, self._sync = folder, count, sync
        self.ports, self._routes, self._monitors = ports[:count], ports[count : 2 * count], ports[2 * count :]
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def servers(self) -> list[str]:
        return [f"nats://127.0.0.1:{port}" for port in self.ports]

    def store(self, number: int) -> Path:
        return self.folder / f"n{number}"

    def start(self, *numbers: int) -> None:
        """Start nodes (all, if none is named), and wait until each is ready."""
        for number in numbers or range(self.count):
            self._write(number)
            out = (self.folder / f"n{number}.log").open("ab")
            command = [str(binary()), "-c", str(self.folder / f"n{number}.conf")]
            self.running[number] = subprocess.Popen(command, stdout=out, stderr=out)
            out.close()
        for number in numbers or range(self.count):
            self._wait(number)

    def kill(self, number: int, how: signal.Signals = signal.SIGKILL) -> None:
        """End a node, and wait for its end."""
        node = self.running.pop(number)
        node.send_signal(how)
        node.wait(WITHIN)

    def pause(self, number: int) -> None:
        self.running[number].send_signal(signal.SIGSTOP)

    def go_on(self, number: int) -> None:
        self.running[number].send_signal(signal.SIGCONT)

    def close(self) -> None:
        for node in self.running.values():
            node.send_signal(signal.SIGKILL)
        for node in self.running.values():
            node.wait(WITHIN)
        self.running.clear()

    def ask(self, number: int, path: str) -> dict[str, object]:
        """Return what a node tells of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._monitors[number]}/{path}", timeout=2) as answer:
            found: dict[str, object] = json.load(answer)
        return found

    def _wait(self, number: int) -> None:
        ends = time.monotonic() + WITHIN
        path = "healthz?js-enabled-only=true"
        while True:
            try:
                return void(self.ask(number, path))
            except (OSError, urllib.error.URLError):
                if time.monotonic() > ends or self.running[number].poll() is not None:
                    raise
                time.sleep(0.02)  # between two looks at another process

    def _write(self, number: int) -> None:
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._routes)
        cluster = f'cluster {{ name: c, listen: "127.0.0.1:{self._routes[number]}", routes: [{routes}] }}'
        (self.folder / f"n{number}.conf").write_text(f"""
            server_name: n{number}
            listen: "127.0.0.1:{self.ports[number]}"
            http: "127.0.0.1:{self._monitors[number]}"
            jetstream {{ store_dir: "{self.store(number)}", sync_interval: {self._sync} }}
            {cluster if self.count > 1 else ""}
        """)


def void(_: object) -> None:
    pass
