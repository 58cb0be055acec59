"""How a handler edits its own answers: as often as it likes, and the chat sees one edit a second of each.

Each edit is an event that is stored for ever and sent to everybody, and only the last one counts. So a text that is set
while the last one is on its way, or was sent within a second, waits, and another one takes its place. A handler is
finished when its last text is on the broker's disk.

A message has 1,000 edits at most. So the longer a handler is at work, the longer a text waits: a hundredth of the time
since its first edit. That makes 460 edits in an hour, 780 in a day and 1,000 in nine days. The last text does not wait.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

EVERY = 1.0  # seconds between two edits of one message …
PART = 0.01  # … or this part of the time since the first one, where that is longer


class Progress:
    """The answers of one handler, by `seq`, and the texts that they are to have; `edit` sends one."""

    def __init__(self, edit: Callable[[int, str], Awaitable[object]]) -> None:
        self._edit = edit
        self._wanted: dict[int, str] = {}
        self._began: dict[int, float] = {}
        self._sent: dict[int, float] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._finishing = asyncio.Event()

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
        began = self._began.setdefault(seq, clock())
        while seq in self._wanted:
            if (sent := self._sent.get(seq)) is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(sent + PART * (sent - began)):
                        await self._finishing.wait()
                await asyncio.sleep(sent + EVERY - clock())
            self._sent[seq] = clock()
            await self._edit(seq, self._wanted.pop(seq))

    async def finish(self) -> None:
        """Wait until each message has its last text. Raises what one could not be sent for."""
        self._finishing.set()
        await asyncio.gather(*self._tasks.values())

    async def stop(self) -> None:
        """Send nothing more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
