"""The loop of `zchat join` at a terminal: the editor and its keys, the conversation, and the measuring of the lag."""

import asyncio
import contextlib
import io
import time
from collections.abc import Callable, Iterator

import click

from zchat.errors import ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import keys
from .conversation import converse
from .editor import Editor, Interrupted

PATIENCE = 2.0  # seconds that leaving waits for what is not acknowledged; files here keep it
KEEP = 2.0  # seconds of reading that a kill may undo
PING = 5.0  # seconds between two measures of the lag


async def talk(editor: Editor, rooms: tuple[str, ...], keep: Callable[[], None]) -> None:
    """Enter the rooms and run the editor until the person leaves. Raises click.Abort after Ctrl-C.

    `keep` is called now and then, to write down how far everything was read.
    """
    editor.app.key_bindings = keys.bindings(editor)
    with _focus_reported(editor), contextlib.redirect_stderr(_Above(editor)):
        editing = asyncio.create_task(editor.app.run_async(handle_sigint=False, set_exception_handler=False))
        editing.add_done_callback(lambda _: editor.enter(None))  # nobody could type any more
        beside = [asyncio.create_task(_measure_lag(editor)), asyncio.create_task(_now_and_then(editor, keep))]
        try:
            for room in reversed(rooms):
                await editor.chat.enter(room)
            beside.append(asyncio.create_task(editor.view.conversations.catch_up()))
            editor.chat.asker.impatient = True  # from now on somebody sits and waits
            await converse(editor.chat, editor.typed(), PATIENCE)
        except Interrupted:
            raise click.Abort from None
        finally:
            await _tell_read(editor)
            for task in beside:
                task.cancel()
            editor.close()
            ended, *_ = await asyncio.gather(editing, *beside, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended


async def _tell_read(editor: Editor) -> None:
    """Tell one's other devices what was read last, however one leaves; a second signal cuts that short."""
    with contextlib.suppress(asyncio.CancelledError):
        await editor.view.reading.leave(editor.view.here if editor.view.focused else None, PATIENCE)


async def _now_and_then(editor: Editor, keep: Callable[[], None]) -> None:
    """Keep what would be lost if we were killed, and tell one's other devices what was read."""
    while True:
        await asyncio.sleep(KEEP)
        keep()
        if editor.view.focused:
            editor.view.reading.mark(editor.view.here)


async def _measure_lag(editor: Editor) -> None:
    """Measure, now and then, how long the broker takes to answer."""
    client = editor.chat.client
    while True:
        start, welcome = time.monotonic(), client.welcome
        with contextlib.suppress(ZchatError):
            await client.ask(m.Ping())
            if client.welcome is welcome:  # else it is the time that the broker was gone
                editor.view.lag = time.monotonic() - start
        await asyncio.sleep(PING)


class _Above(io.TextIOBase):
    """Standard error while the editor runs: what is written goes above it."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor

    def write(self, text: str) -> int:
        if text.strip():
            self._editor.show(escape_controls(text.rstrip("\n"), "\n"))
        return len(text)


@contextlib.contextmanager
def _focus_reported(editor: Editor) -> Iterator[None]:
    """Have the terminal report when it gets and loses the focus."""
    editor.report_focus(True)
    try:
        yield
    finally:
        editor.report_focus(False)
