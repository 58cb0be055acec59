"""The broker of a soak: the real `zchat broker`, watched over by a supervisor that starts it again whenever it ends.

Its ports lie below those that the system gives to outgoing connections: a connection that tries a closed port of that
range may be given the very same port, meet itself, and keep the broker out for as long as it lives. What the process
takes (memory, descriptors) is sampled here, since only this file knows which process it is.
"""

import asyncio
import os
import random
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import psutil

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
SAMPLE = 0.5  # seconds between two looks at the process
AGAIN = 0.3  # seconds until a start that failed is tried again
STOPS_WITHIN = 20.0  # seconds after SIGTERM
HEARTBEAT = "1"  # seconds: faults are short here, and a client's patience must be shorter


class Broker:
    """`command` is what begins `zchat`; `excused` tells whether an end by itself has an excuse, such as a full disk."""

    def __init__(self, command: Sequence[str], folder: Path, data: Path, env: dict[str, str]) -> None:
        self.listen, self.publish = free_port(), free_port()
        self.log_folder, self.errors = folder / "log", folder / "broker.stderr"
        sockets = ("--listen", f"tcp://{HOST}:{self.listen}", "--publish", f"tcp://{HOST}:{self.publish}")
        folders = ("--data", str(data), "--log-dir", str(self.log_folder))
        self._command = (*command, "broker", *sockets, *folders, "--heartbeat", HEARTBEAT)
        self._env = env
        self._process: asyncio.subprocess.Process | None = None
        self._may_run, self.ready = asyncio.Event(), asyncio.Event()
        self._ended: asyncio.subprocess.Process | None = None  # the one that was told to end
        self.excused = False
        self.starts = self.memory = self.descriptors = self.descriptors_at_first = 0
        self.faults: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"tcp://{HOST}:{self.listen}"

    async def supervise(self) -> None:
        """Run it again and again, except while it is held down."""
        sampling = asyncio.create_task(self._sample())
        try:
            while True:
                await self._may_run.wait()
                await self._run_once()
                self.ready.clear()
                await asyncio.sleep(0 if self._process is self._ended else AGAIN)
        finally:
            sampling.cancel()
            self._signal(signal.SIGKILL)
            if self._process is not None:
                await self._process.wait()

    def release(self) -> None:
        """Let it be started."""
        self._may_run.set()

    async def end(self, how: signal.Signals) -> None:
        """End it, and keep it down until `release`."""
        was_ready, process = self.ready.is_set(), self._process
        self._may_run.clear()
        self.ready.clear()
        self._ended = process
        self._signal(how)
        if process is None:
            return
        try:
            code = await asyncio.wait_for(process.wait(), STOPS_WITHIN)
        except TimeoutError:
            self.faults.append(f"it was still there {STOPS_WITHIN:g} s after {how.name}")
            self._signal(signal.SIGKILL)
            return
        if how == signal.SIGTERM and code and was_ready:
            self.faults.append(f"it ended with {code} after SIGTERM")

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def _run_once(self) -> None:
        with self.errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._env,
            )
        if not self._may_run.is_set():  # it was to end while it was being started
            self._ended = self._process
            self._signal(signal.SIGKILL)
        self.starts += 1
        stdout = self._process.stdout
        while stdout and (line := await stdout.readline()):
            if line.startswith(b"publish"):
                self.ready.set()
                if not self.descriptors_at_first:
                    self.descriptors_at_first = self._look()
        code = await self._process.wait()
        if self._process is not self._ended and not self.excused:
            self.faults.append(f"it ended by itself, with {code}")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE)
            if self.ready.is_set():
                self._look()

    def _look(self) -> int:
        """Note what the process takes; return its open descriptors."""
        process = self._process
        try:
            if process is not None and process.returncode is None:
                seen = psutil.Process(process.pid)
                self.memory = max(self.memory, seen.memory_info().rss)
                self.descriptors = seen.num_fds()
        except psutil.Error:
            pass  # it has just ended
        return self.descriptors


def free_port() -> int:
    """Return a port that nobody listens on and that no outgoing connection gets."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
