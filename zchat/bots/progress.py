"""How a handler edits its own answers: as often as it likes, and the chat sees one edit a second of each.

Each edit is an event that is stored for ever and sent to everybody, and only the last one counts. So a text that is set
while the last one is on its way, or was sent within a second, waits, and another one takes its place. A handler is
finished when its last text is on the broker's disk.
"""

import asyncio
from collections.abc import Awaitable, Callable

EVERY = 1.0  # seconds between two edits of one message


class Progress:
    """The answers of one handler, by `seq`, and the texts that they are to have; `edit` sends one."""

    def __init__(self, edit: Callable[[int, str], Awaitable[object]]) -> None:
        self._edit = edit
        self._wanted: dict[int, str] = {}
        self._not_before: dict[int, float] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def set(self, seq: int, text: str) -> None:
        """Let a message have this text, soon. Raises what its last one could not be sent for."""
        self._wanted[seq] = text
        task = self._tasks.get(seq)
        if task is None or task.done():
            if task is not None:
                task.result()
            self._tasks[seq] = asyncio.create_task(self._send(seq))

    async def _send(self, seq: int) -> None:
        clock = asyncio.get_running_loop().time
        while seq in self._wanted:
            await asyncio.sleep(self._not_before.get(seq, 0.0) - clock())
            self._not_before[seq] = clock() + EVERY
            await self._edit(seq, self._wanted.pop(seq))

    async def finish(self) -> None:
        """Wait until each message has its last text. Raises what one could not be sent for."""
        await asyncio.gather(*self._tasks.values())

    async def stop(self) -> None:
        """Send nothing more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
