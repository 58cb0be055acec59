"""Tasks that belong to an open broker: none of them outlives it, and what one of them raises is logged."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

Work = Callable[..., Coroutine[Any, Any, None]]


class Tasks:
    """The tasks that were begun and have not ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Work, *args: Any) -> None:
        """Begin a task."""
        task = asyncio.get_running_loop().create_task(_logged(work, *args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        """Cancel all, and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _logged(work: Work, *args: Any) -> None:
    try:
        await work(*args)
    except Exception:
        log.exception("a task failed")
