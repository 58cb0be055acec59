"""Edits of one message that come soon after each other, as from a bot that tells how far it is: not a line for each.

The first is told at once. Of those that follow it soon, the last is told, a moment after it came; while there is no
such moment, the last one by then, from time to time.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from zchat.protocol import messages as m

from .target import Target

QUIET = 2.0  # seconds without another edit, after which the last one is told
APART = 15.0  # seconds between two that are told, where there is no such moment
REMEMBERED = 100  # messages of which it is known when an edit was told


class Waiting(NamedTuple):
    """An edit that is to be told."""

    edit: m.Edited
    target: Target
    timer: asyncio.TimerHandle


class Revising:
    """Says which edits are told at once. `on_ready` is called with each of the others that is told."""

    def __init__(self, on_ready: Callable[[m.Edited, Target], None]) -> None:
        self._on_ready = on_ready
        self._told: dict[int, float] = {}  # when an edit of a message was told
        self._waiting: dict[int, Waiting] = {}

    def admits(self, edit: m.Edited, target: Target) -> bool:
        """Say whether an edit is told at once; if not, it waits, in the place of one that does."""
        loop = asyncio.get_running_loop()
        self.drop(edit.target)
        told = self._told.get(edit.target, float("-inf"))
        if loop.time() >= told + APART:
            self._note(edit.target)
            return True
        when = min(loop.time() + QUIET, told + APART)
        timer = loop.call_at(when, self._ready, edit.target)
        self._waiting[edit.target] = Waiting(edit, target, timer)
        return False

    def drop(self, seq: int) -> None:
        """Forget what waits of a message: it was told otherwise, or has another text, or is gone."""
        if waiting := self._waiting.pop(seq, None):
            waiting.timer.cancel()

    def clear(self) -> None:
        """Forget all that waits."""
        for seq in tuple(self._waiting):
            self.drop(seq)

    def _ready(self, seq: int) -> None:
        waiting = self._waiting.pop(seq)
        self._note(seq)
        self._on_ready(waiting.edit, waiting.target)

    def _note(self, seq: int) -> None:
        self._told.pop(seq, None)
        self._told[seq] = asyncio.get_running_loop().time()
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
