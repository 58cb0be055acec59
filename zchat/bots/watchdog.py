"""Logs which handler blocks a bot's event loop, before the broker takes the bot for dead.

A plain function runs in a thread and may take its time. A coroutine that computes for long, or calls `time.sleep`,
blocks everything, pings too, and in the end the bot loses its session. Its author sees nothing of that. So a thread
asks the loop for a sign of life now and then. When none comes, it looks at the stack of the loop's thread, and logs the
name of the handler and the line that it has reached.
"""

import asyncio
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

from .handlers import Handler

LOOK = 1.0  # seconds between two looks
PATIENCE = 2.0  # seconds that the loop may take to give a sign of life

log = logging.getLogger(__name__)


class Watchdog:
    """Watches the running loop as long as the `with` block goes on."""

    def __init__(self, handlers: Iterable[Handler]) -> None:
        self._names = {code: each.name for each in handlers if (code := code_of(each.function)) is not None}
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            alive = threading.Event()
            try:
                self._loop.call_soon_threadsafe(alive.set)
            except RuntimeError:  # the loop is closed
                return
            if not alive.wait(PATIENCE) and (found := self._at()):
                log.warning("%s holds up the whole bot (%s): let it await, or make it a plain function", *found)
            while not alive.wait(LOOK) and not self._over.is_set():
                pass  # told once

    def _at(self) -> tuple[str, str] | None:
        """Return the name of the handler that the loop is in, and its line."""
        frame = sys._current_frames().get(self._watched)
        return _handler(frame, self._names)


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a function, as its author wrote it."""
    return getattr(inspect.unwrap(function), "__code__", None)


def _handler(frame: FrameType | None, names: Mapping[CodeType, str]) -> tuple[str, str] | None:
    while frame is not None:
        if name := names.get(frame.f_code):
            return name, f"{frame.f_code.co_filename}, line {frame.f_lineno}"
        frame = frame.f_back
    return None
