"""A process of a soak, watched over by a supervisor that starts it again whenever it ends, unless it is held down.

What the process takes (memory, descriptors) is sampled here, since only this file knows which process it is.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

SAMPLE = 0.5  # seconds between two looks at the process
AGAIN = 0.3  # seconds until a start that failed is tried again
STOPS_WITHIN = 20.0  # seconds after SIGTERM


class Process:
    """Runs `command`, which prints a line that begins with `ready_line` when it is ready ("": it is at once).

    `excused` tells how many excuses an end by itself has now, such as a full disk; `harmless` is an exit code that has.
    """

    def __init__(
        self, command: Sequence[str], errors: Path, env: dict[str, str], ready_line: str, harmless: int = 0
    ) -> None:
        self.command, self.errors, self.env = list(command), errors, env
        self._ready_line, self._harmless = ready_line.encode(), harmless
        self._process: asyncio.subprocess.Process | None = None
        self._may_run, self.ready = asyncio.Event(), asyncio.Event()
        self._ended: asyncio.subprocess.Process | None = None  # the one that was told to end
        self.excused = 0
        self.starts = self.memory = self.descriptors = self.descriptors_at_first = 0
        self.faults: list[str] = []

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

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

    def hold(self) -> None:
        """Do not start it again once it has ended; say nothing of its end."""
        self._may_run.clear()
        self._ended = self._process

    async def end(self, how: signal.Signals) -> None:
        """End it, and keep it down until `release`."""
        was_ready, process = self.ready.is_set(), self._process
        self.hold()
        self.ready.clear()
        self._signal(how)
        if process is None:
            return
        try:
            code = await asyncio.wait_for(process.wait(), STOPS_WITHIN)
        except TimeoutError:
            self.faults.append(f"it was still there {STOPS_WITHIN:g} s after {how.name}")
            self._signal(signal.SIGKILL)
            return
        if how == signal.SIGTERM and code and was_ready and not self.excused:  # it may have ended by itself just then
            self.faults.append(f"it ended with {code} after SIGTERM")

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def _run_once(self) -> None:
        with self.errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self.env,
            )
        if not self._may_run.is_set():  # it was to end while it was being started
            self._ended = self._process
            self._signal(signal.SIGKILL)
        self.starts += 1
        if not self._ready_line:
            self.ready.set()
        stdout = self._process.stdout
        while stdout and (line := await stdout.readline()):
            if line.startswith(self._ready_line):
                self.ready.set()
                if not self.descriptors_at_first:
                    self.descriptors_at_first = self._look()
        code = await self._process.wait()
        if self._process is not self._ended and not self.excused and (not code or code != self._harmless):
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


async def down(processes: Sequence[Process], how: signal.Signals, seconds: float) -> None:
    """End processes, and keep them down for so many seconds."""
    try:
        await asyncio.gather(*(process.end(how) for process in processes))
        await asyncio.sleep(seconds)
    finally:
        for process in processes:
            process.release()


async def paused(processes: Sequence[Process], seconds: float) -> None:
    try:
        for process in processes:
            process.pause()
        await asyncio.sleep(seconds)
    finally:
        for process in processes:
            process.go_on()
