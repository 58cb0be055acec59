"""The loop of `zchat join` at a terminal: one line editor that stays, and the scrollback above it.

The editor is one prompt_toolkit application for the whole session, so an entered line does not end it and there is no
moment in which a key could get lost. What is shown is collected and printed above it: at once when all is quiet, at
most every FLUSH seconds in a flood, each time by erasing the few rows of the editor, printing, and drawing them anew.
It needs no answer from the terminal (no cursor position requests), so a slow link costs one way, not two.
"""

import asyncio
import contextlib
import io
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import click
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input.defaults import create_input
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import BeforeInput, HighlightIncrementalSearchProcessor
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from zchat import files
from zchat.errors import ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import keys, render, status
from .chat import converse, nick_of
from .completion import Completions
from .places import Place
from .view import Seat

PATIENCE = 2.0  # seconds that leaving waits for what is unacknowledged; the outbox keeps it
FLUSH = 0.05  # seconds between two prints at least
CLOCK = 0.5  # seconds between two looks at what changes by itself: typing, the time without a broker
PING = 5.0  # seconds between two measures of the lag
SIGN = 3.0  # seconds between two signs that one types
HISTORY_MAX = 1024 * 1024  # bytes of typed lines

STYLE = {
    "status": "reverse",
    "pending": "dim",
    "question": "bold",
    "alarm": "bold",
    "called": "bold",
    "place": "ansicyan",
    "offline": "ansired",
}


class Interrupted(Exception):  # noqa: N818 — what a person did, not an error
    """Ctrl-C was the answer to the question whether to leave."""


class Prompt:
    """The editor, the rows above it, and what is waiting to be printed."""

    def __init__(self, seat: Seat, broker: str, history: Path) -> None:
        self.seat, self.broker = seat, broker
        self.entered: asyncio.Queue[str | None] = asyncio.Queue()
        self.question: keys.Question | None = None
        self.interrupted = False
        self._lines: list[str] = []
        self._flushing: asyncio.TimerHandle | None = None
        self._flushed = 0.0
        self.signed = 0.0
        self._signing: asyncio.Task[None] | None = None
        self.buffer = Buffer(
            multiline=True,
            history=FileHistory(_trimmed(history)),
            completer=Completions(seat),
            on_text_changed=lambda _: self._typing(),
        )
        self.app = self._application()

    def _application(self) -> Application[None]:
        search = SearchToolbar()
        line = BufferControl(
            self.buffer,
            input_processors=[HighlightIncrementalSearchProcessor(), BeforeInput(self._prompt)],
            search_buffer_control=search.control,
            preview_search=True,
        )
        editor = Window(line, wrap_lines=True, dont_extend_height=True)
        seat = self.seat
        rows = [
            _row(lambda: status.pending(seat), lambda: bool(seat.pending)),
            _row(lambda: status.status(seat, self.broker, _columns()), lambda: True, wraps=False),
            _row(self._asked, lambda: self.question is not None),
        ]
        menu = CompletionsMenu(max_height=8, scroll_offset=1, extra_filter=has_completions)
        return Application(
            layout=Layout(HSplit([*rows, editor, search, menu, Window()]), focused_element=editor),
            key_bindings=keys.bindings(self),
            style=Style.from_dict(STYLE if seat.style.colour else {"status": "reverse"}),
            color_depth=None if seat.style.colour else ColorDepth.MONOCHROME,
            input=create_input(),
            output=_output(),
            max_render_postpone_time=None,
            refresh_interval=CLOCK,
            erase_when_done=True,
        )

    def _prompt(self) -> StyleAndTextTuples:
        """Return who and where one is: `alice #general › `."""
        seat = self.seat
        sign = f"#{seat.room}" if seat.room else f"@{seat.partner}" if seat.partner else ""
        where = f" {escape_controls(sign)}" if sign else ""
        offline = "" if seat.client.online else " (no broker)"
        nick = escape_controls(seat.client.nick or "")
        return [("bold", nick), ("class:place", where), ("class:offline", offline), ("", " › ")]

    def _asked(self) -> StyleAndTextTuples:
        return [("class:question", self.question.text if self.question else "")]

    # -- printing

    def show(self, text: str) -> None:
        """Print above the editor, now or very soon."""
        self._lines.append(text)
        if self._flushing is None:
            loop = asyncio.get_running_loop()
            wait = max(0.0, self._flushed + FLUSH - loop.time())
            self._flushing = loop.call_later(wait, self.flush)

    def flush(self) -> None:
        """Print what was collected."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if not self._lines:
            return
        columns = _columns()
        lines = [render.wrap(line, columns) for text in self._lines for line in text.split("\n")]
        self._lines.clear()
        self._write("\n".join(lines).replace("\n", "\r\n") + "\r\n")
        self._flushed = asyncio.get_running_loop().time()

    def _write(self, text: str) -> None:
        if self.app.is_running:
            self.app.renderer.erase()
        self.app.output.write_raw(text)
        if self.app.is_running:
            self.app.invalidate()  # draws the rows anew, and flushes both
        else:
            self.app.output.flush()

    def clear(self) -> None:
        """Clear the screen."""
        self.app.renderer.clear()
        self.app.invalidate()

    def bell(self) -> None:
        """Ring."""
        self.app.output.write_raw("\a")
        self.app.output.flush()

    def notify(self, text: str) -> None:
        """Tell the desktop, through the terminal."""
        body = f"zchat: {text}" if self.seat.preferences.notify == "osc9" else text.replace(";", ",")
        code = "9;" if self.seat.preferences.notify == "osc9" else "777;notify;zchat;"
        self.app.output.write_raw(f"\x1b]{code}{body}\x1b\\")
        self.app.output.flush()

    # -- what is being typed belongs to the place that it is typed in

    def look_at(self, place: Place | None) -> None:
        """Turn to another place by a key: what stands in the editor stays behind, and is there when one comes back."""
        here = self.seat.places.here
        if place is None or place is here:
            return
        if here is not None:
            here.draft = self.buffer.text
            self.buffer.reset()
        self.seat.look_at(place)

    def turned(self) -> None:
        """Go on with what one was typing here; what is typed behind a command that led here is meant for here."""
        here = self.seat.places.here
        if here is not None and here.draft and not self.buffer.text:
            text, here.draft = here.draft, ""
            self.buffer.reset(Document(text))

    def close(self) -> None:
        """Print what is left, and take the rows away; what is typed and not sent goes to the history."""
        self.flush()
        for text in (*(place.draft for place in self.seat.places.all.values()), self.buffer.text):
            if text.strip():
                self.buffer.reset(Document(text), append_to_history=False)
                self.buffer.append_to_history()
        self.buffer.reset()
        if self.app.is_running:
            self.app.exit()

    def report_focus(self, wanted: bool) -> None:
        """Have the terminal tell when it gets and loses the focus, or no more: the one mode that is ours to undo."""
        self.app.output.write_raw("\x1b[?1004h" if wanted else "\x1b[?1004l")
        self.app.output.flush()

    def stop(self) -> None:
        """Stop until the shell goes on with us (Ctrl-Z); the terminal is the shell's meanwhile."""
        self.report_focus(False)
        os.kill(0, signal.SIGTSTP)
        self.report_focus(True)

    # -- what is typed

    async def typed(self) -> AsyncIterator[str]:
        """Yield each line that is entered, until the person leaves. Raises Interrupted."""
        while (line := await self.entered.get()) is not None:
            yield line
        if self.interrupted:
            raise Interrupted

    def _typing(self) -> None:
        """Tell others, now and then, that one types; commands are nobody's business."""
        now, text = time.monotonic(), self.buffer.text
        seat = self.seat
        wanted = seat.preferences.typing and seat.client.online and text and not text.startswith("/")
        if not wanted or now - self.signed < SIGN or (seat.room is None and seat.partner is None):
            return
        self.signed = now
        self._signing = asyncio.get_running_loop().create_task(self._sign())

    async def _sign(self) -> None:
        with contextlib.suppress(ZchatError):
            seat = self.seat
            to = None if seat.partner is None else nick_of(seat.partner)
            await seat.client.send_typing(seat.room, to=to, with_=seat.with_)

    async def measure(self) -> None:
        """Measure, now and then, how long the broker takes to answer."""
        while True:
            start, welcome = time.monotonic(), self.seat.client.welcome
            with contextlib.suppress(ZchatError):
                await self.seat.client.ask(m.Ping())
                if self.seat.client.welcome is welcome:  # else it is the time that the broker was gone
                    self.seat.lag = time.monotonic() - start
            await asyncio.sleep(PING)


async def talk(prompt: Prompt, rooms: tuple[str, ...]) -> None:
    """Enter the rooms and run the prompt until the person leaves; what is typed and not sent is in the history then."""
    with _focus_reported(prompt), contextlib.redirect_stderr(_Above(prompt)):
        editing = asyncio.create_task(prompt.app.run_async(handle_sigint=False, set_exception_handler=False))
        editing.add_done_callback(lambda _: prompt.entered.put_nowait(None))  # nobody could type any more
        beside = [asyncio.create_task(prompt.measure())]
        try:
            for room in reversed(rooms):
                await prompt.seat.enter(room)
            beside.append(asyncio.create_task(prompt.seat.catch_up()))
            await converse(prompt.seat, prompt.typed(), PATIENCE)
        except Interrupted:
            raise click.Abort from None
        finally:
            for task in beside:
                task.cancel()
            prompt.close()
            ended, *_ = await asyncio.gather(editing, *beside, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended


class _Above(io.TextIOBase):
    """Standard error while the prompt is there: what is written goes above it."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt

    def write(self, text: str) -> int:
        if text.strip():
            self._prompt.show(escape_controls(text.rstrip("\n"), "\n"))
        return len(text)


def _row(
    text: Callable[[], StyleAndTextTuples], wanted: Callable[[], bool], wraps: bool = True
) -> ConditionalContainer:
    window = Window(FormattedTextControl(text), dont_extend_height=True, wrap_lines=wraps)
    return ConditionalContainer(window, Condition(wanted))


def _output() -> Vt100_Output:
    output = Vt100_Output.from_pty(sys.stdout)
    output.enable_cpr = False
    return output


def _columns() -> int:
    return shutil.get_terminal_size().columns


@contextlib.contextmanager
def _focus_reported(prompt: Prompt) -> Iterator[None]:
    """Have the terminal tell when it gets and loses the focus."""
    prompt.report_focus(True)
    try:
        yield
    finally:
        prompt.report_focus(False)


def _trimmed(path: Path) -> str:
    """Return the path of the history; a file that has grown loses its older half."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > HISTORY_MAX:
        half = path.read_bytes()[-HISTORY_MAX // 2 :]
        files.rewrite(path, half[half.find(b"\n# ") + 1 :])
    files.private(path)
    return str(path)
