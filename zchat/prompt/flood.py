"""What to do when more is said than anybody can read: count lines instead of showing them, while the flood lasts.

A token bucket fills at the speed of a fast reader, and each line shown takes one token. Once it is empty, a flood has
begun: for a second lines are only counted. Then `on_end` is told how many, and the bucket starts half empty.
"""

import asyncio
import time
from collections.abc import Callable

READ = 60.0  # lines a second that somebody could still skim
BURST = 200.0  # lines that may come at once: what was missed in a lunch break
LENGTH = 1.0  # seconds until a flood ends, or the next one begins


class Flood:
    """Says which lines can be shown. `on_end` gets the number of lines that were not, and what was shown meanwhile."""

    def __init__(self, on_end: Callable[[int, set[int]], None]) -> None:
        self._on_end = on_end
        self._tokens, self._filled = BURST, time.monotonic()
        self._skipped = 0
        self._shown: set[int] = set()  # seqs of messages that were too important to skip
        self._timer: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._timer is not None

    def admits(self) -> bool:
        """Say whether one more line can be read. If not, it is counted."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled) * READ)
        self._filled = now
        if self._tokens >= 1 and not self._skipped:
            self._tokens -= 1
            return True
        self._skipped += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LENGTH, self.end)
        return False

    def note_shown(self, seq: int) -> None:
        """Note a message that is shown whether or not there is a flood."""
        if self._skipped:
            self._shown.add(seq)

    def end(self) -> None:
        """End the flood now, if there is one."""
        if self._timer is None:
            return
        skipped, shown = self._skipped, self._shown
        self.forget()
        self._tokens = min(self._tokens, READ / 2)
        self._on_end(skipped, shown)

    def forget(self) -> None:
        """End the flood without a word: what was counted is of no interest any more."""
        self._skipped, self._shown = 0, set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
