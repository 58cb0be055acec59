"""Who is asked something by a handler, and so whose next message is an answer.

A dialog is one person in one room (None: in direct messages). A message that was sent while the bot was away may be the
answer to a question that is not asked yet: the handler of the message before it has to ask it again. So an old message
waits for that handler, but not for long.
"""

import asyncio
import functools
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from zchat.protocol import messages as m

TURN = 2.0  # seconds that an old message waits for the handler of the one before it

Dialog = tuple[str | None, str]  # room, and the person's `from_`
Answer = tuple[m.Message, str]  # and the stream that it was in


class Dialogs:
    """The questions that wait for an answer, and the tasks that the last message of each person has begun."""

    def __init__(self) -> None:
        self._asking: dict[Dialog, asyncio.Future[Answer]] = {}
        self._tasks: dict[Dialog, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    @contextmanager
    def asking(self, dialog: Dialog) -> Iterator["asyncio.Future[Answer]"]:
        """Take what this person says next as an answer, instead of handling it."""
        if dialog in self._asking:
            raise RuntimeError("this person is being asked something else already")
        self._asking[dialog] = asyncio.get_running_loop().create_future()
        self._changed.set()
        try:
            yield self._asking[dialog]
        finally:
            del self._asking[dialog]

    def answer(self, message: m.Message, stream: str) -> bool:
        """Say whether this is the answer to a question; if so, whoever asked has it now."""
        waiting = self._asking.get((message.room, message.from_))
        if waiting is None or waiting.done():
            return False
        waiting.set_result((message, stream))
        return True

    def begun(self, dialog: Dialog, task: "asyncio.Task[None]") -> None:
        """Note the task that this person's last message has begun."""
        self._tasks[dialog] = task
        task.add_done_callback(functools.partial(self._ended, dialog))

    def _ended(self, dialog: Dialog, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(dialog) is task:
            del self._tasks[dialog]
        self._changed.set()

    async def wait_turn(self, dialog: Dialog) -> None:
        """Wait until what this person said before is finished, or asks: what comes now may be the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN):
                while dialog in self._tasks and dialog not in self._asking:
                    self._changed.clear()
                    await self._changed.wait()
