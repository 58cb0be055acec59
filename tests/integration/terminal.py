"""A terminal with a `zchat` command in it: a real pseudo-terminal (pexpect), and what it would show (pyte).

The screen answers the cursor position requests of the line editor, as terminals do, and keeps what scrolls away.
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import pexpect
import pyte
import pytest

from tests.conftest import PATIENCE, ZCHAT

Join = Callable[..., "Terminal"]
NEWS = "\x1ba"  # Alt-A turns to where there is news


class _Screen(pyte.HistoryScreen):
    """A screen that can answer the program in it."""

    child: Any

    def write_process_input(self, data: str) -> None:
        self.child.send(data.encode())


class Terminal:
    """A terminal of `columns` by `rows` in which a command runs."""

    def __init__(
        self,
        *args: str,
        env: dict[str, str],
        columns: int = 80,
        rows: int = 24,
        term: str = "xterm-256color",
        command: Sequence[str] = ZCHAT,
    ) -> None:
        self.columns = columns
        self.raw = self._unshown = b""
        self._screen = _Screen(columns, rows, history=5_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        plain = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
        self.child = pexpect.spawn(
            command[0], [*command[1:], *args], env=plain | {"TERM": term}, dimensions=(rows, columns), timeout=PATIENCE
        )
        self._screen.child = self.child
        self.child.delaybeforesend = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.child.close(force=True)
        except pexpect.ExceptionPexpect:  # it is killed by now, and pexpect does not wait long for that
            self.child.wait()

    def type(self, text: str) -> None:
        """Press the keys of `text`, without Enter."""
        self.child.send(text.encode())

    def enter(self, line: str = "") -> None:
        """Type a line and press Enter."""
        self.type(line + "\r")

    def resize(self, columns: int) -> None:
        """Make the window as wide as this; the screen cuts its rows, as old terminals do."""
        self.columns = columns
        self._screen.resize(24, columns)
        self.child.setwinsize(24, columns)

    @property
    def lines(self) -> list[str]:
        """What is shown, and above it what has scrolled away, without trailing blanks."""
        gone = ["".join(line[x].data for x in range(self.columns)) for line in self._screen.history.top]
        shown = [line.rstrip() for line in (*gone, *self._screen.display)]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def cells(self, row: int) -> list[Any]:
        """Return the characters of a row of the screen, with their styles."""
        return [self._screen.buffer[row][column] for column in range(self.columns)]

    @property
    def text(self) -> str:
        """What is shown as one text, with lines that the terminal wrapped put together again."""
        return "".join(line if len(line) == self.columns else line + "\n" for line in self.lines)

    def see(self, text: str, timeout: float = PATIENCE) -> str:
        """Wait until `text` is shown and return all that is."""
        deadline = time.monotonic() + timeout
        while text not in self.text:
            if time.monotonic() > deadline:
                pytest.fail(f"{text!r} was not shown in {timeout:g} s, but:\n" + "\n".join(self.lines))
            if not self.pump(0.1) and not self.child.isalive() and not self.pump(0.1) and text not in self.text:
                pytest.fail(f"the command ended without showing {text!r}, but:\n" + "\n".join(self.lines))
        return self.text

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
        """Take in what the command writes until `condition` holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout:g} s for {what}, but:\n" + "\n".join(self.lines))
            self.pump(0.1)

    def see_last(self, line: str, timeout: float = PATIENCE) -> None:
        """Wait until the last line shown is `line` (the prompt, that is, with what is being typed)."""
        deadline = time.monotonic() + timeout
        while (self.text.rstrip("\n").split("\n") or [""])[-1] != line:
            if time.monotonic() > deadline:
                pytest.fail(f"{line!r} was not the last line in {timeout:g} s, but:\n" + "\n".join(self.lines))
            self.pump(0.1)

    def turn(self, prompt: str, keys: str = NEWS) -> None:
        """Press keys that lead to another place, and wait for its prompt."""
        self.type(keys)
        self.see_last(prompt)

    def leave(self) -> None:
        """Leave, and wait for the end."""
        self.enter("exit")
        assert self.ends() == 0

    def ends(self, timeout: float = PATIENCE) -> int:
        """Wait until the command has ended and return its exit code."""
        deadline = time.monotonic() + timeout
        while self.child.isalive():
            if time.monotonic() > deadline:
                pytest.fail("the command did not end, but shows:\n" + "\n".join(self.lines))
            self.pump(0.1)
        while self.pump(0.1):
            pass
        self.child.close()
        status: int | None = self.child.exitstatus
        return -self.child.signalstatus if status is None else status

    def pump(self, timeout: float) -> bool:
        """Take in what the command writes within `timeout` seconds, show it, and say whether it was anything."""
        found = self.take_in(timeout)
        self._stream.feed(self._unshown)
        self._unshown = b""
        return found

    def take_in(self, timeout: float) -> bool:
        """Take in what the command writes within `timeout` seconds, but leave the screen as it is (that takes time)."""
        try:
            found: bytes = self.child.read_nonblocking(65_536, timeout)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        self.raw += found
        self._unshown += found
        return True
