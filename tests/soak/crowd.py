"""A process full of people, from outside: started, listened to, killed, and started again."""

import asyncio
import contextlib
import sys
from pathlib import Path

import msgspec
from msgspec import structs

from tests.soak.person import Report, Task

ROOT = Path(__file__).parents[2]
LEAVES_WITHIN = 30.0  # seconds


class Crowd:
    """`task` in a process of its own; `report` is what it told last, summed over its lives where it counts."""

    def __init__(self, task: Task, env: dict[str, str]) -> None:
        self.task, self.report, self.faults = task, Report(), list[str]()
        self.errors = Path(task.folder) / f"{task.kind}{task.first}.stderr"
        self._env = env
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._before = Report()
        self._hushed = self._leaving = False

    def __str__(self) -> str:
        return f"{self.task.count} {self.task.kind} from {self.task.first}"

    async def start(self) -> None:
        with self.errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.soak.people",
                msgspec.json.encode(self.task).decode(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._env,
                cwd=ROOT,
            )
        self._reading = asyncio.create_task(self._read(self._process))
        if self._hushed:
            self.hush()

    async def kill(self) -> None:
        """End it with SIGKILL; `start` starts it again."""
        self._leaving = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._reading is not None:
            await self._reading
        self._leaving = False
        self._before = structs.replace(self.report, online=0, unanswered=self.task.count, cursors={})
        self.report = self._before

    def hush(self) -> None:
        """Let talkers be silent from now on."""
        self._hushed = True
        self._write(b"hush\n")

    async def leave(self) -> None:
        """Let all of them go home, and see that they do."""
        self._leaving = True
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            code = await asyncio.wait_for(self._process.wait(), LEAVES_WITHIN)
        except TimeoutError:
            self.faults.append(f"{self} did not leave within {LEAVES_WITHIN:g} s")
            await self.kill()
        else:
            if code:
                self.faults.append(f"{self} ended with {code}, see {self.errors.name}")

    def _write(self, words: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(words)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        before = self._before
        while process.stdout and (line := await process.stdout.readline()):
            told = msgspec.json.decode(line, type=Report)
            self.report = structs.replace(
                told,
                acked=before.acked + told.acked,
                seen=before.seen + told.seen,
                over=before.over + told.over,
                moves=before.moves + told.moves,
                pause=max(before.pause, told.pause),
            )
        code = await process.wait()
        if not self._leaving:
            self.faults.append(f"{self} ended by itself with {code}, see {self.errors.name}")
