"""The line editor of `zchat join` at a terminal, the rows above it, and the printing above those.

The editor is one prompt_toolkit application for the whole session. An entered line does not end it, so there is no
moment in which a key could get lost. What is to be printed is collected, and printed at most every FLUSH seconds: the
rows of the editor are erased, the lines printed, and the rows drawn again. The terminal is asked nothing (no cursor
position requests), so a slow link costs one way, not two.

`keys.py` says what each key does, and `terminal.py` runs the whole.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input.defaults import create_input
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.layout.controls import BufferControl
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import BeforeInput, HighlightIncrementalSearchProcessor
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from zchat.errors import ZchatError
from zchat.escapes import escape_controls

from . import render, status
from .about import About, about, as_typed
from .chat import Chat
from .completion import Completions
from .screen import STYLE, columns, open_output, row, trimmed
from .target import Target, nick_of
from .view import TerminalView

FLUSH = 0.05  # seconds between two prints at least
CLOCK = 0.5  # seconds after which the rows are drawn again, for what changes by itself
TYPING_NOTICE = 3.0  # seconds between two notices that one types
ESC = 0.25  # seconds until Esc is a key of its own, and not the beginning of what another key sends


class Interrupted(Exception):  # noqa: N818 — what a person did, not an error
    """Ctrl-C was the answer to the question whether to leave."""


@dataclass
class Question:
    """A question above the line; `answers` says what each key does that is an answer."""

    text: str
    answers: dict[str, Callable[[], None]] = field(default_factory=dict)


class Editor:
    """The line being typed, the rows above it, and what waits to be printed."""

    def __init__(self, chat: Chat, view: TerminalView, broker: str, history: Path) -> None:
        self.chat, self.view, self.broker = chat, view, broker
        self.entered: asyncio.Queue[str | None] = asyncio.Queue()
        self.question: Question | None = None
        self.about: About | None = None  # what the line is about, if it is not simply to be said
        self.interrupted = False
        self._lines: list[str] = []
        self._flushing: asyncio.TimerHandle | None = None
        self._flushed = 0.0
        self.notified_typing = 0.0
        self._notifying: asyncio.Task[None] | None = None
        self.buffer = Buffer(
            multiline=True,
            history=FileHistory(trimmed(history)),
            completer=Completions(view),
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
        chat, view = self.chat, self.view
        rows = [
            row(lambda: status.pending(chat), lambda: bool(chat.sending.pending)),
            row(lambda: status.status(chat, view, self.broker, columns()), lambda: True, wraps=False),
            row(self._regarded, lambda: self.about is not None, wraps=False),
            row(self._asked, lambda: self.question is not None),
        ]
        menu = CompletionsMenu(max_height=8, scroll_offset=1, extra_filter=has_completions)
        app: Application[None] = Application(
            layout=Layout(HSplit([*rows, editor, search, menu, Window()]), focused_element=editor),
            style=Style.from_dict(STYLE if chat.style.colour else {"status": "reverse"}),
            color_depth=None if chat.style.colour else ColorDepth.MONOCHROME,
            input=create_input(),
            output=open_output(),
            max_render_postpone_time=None,
            refresh_interval=CLOCK,
            erase_when_done=True,
        )
        app.ttimeoutlen = app.timeoutlen = ESC
        return app

    def _prompt(self) -> StyleAndTextTuples:
        """Return what stands before the line: `alice #general › `."""
        client, here = self.chat.client, self.chat.here
        where = f" {self.chat.style.place(here.name)}" if here is not None else ""
        offline = "" if client.online or client.moving else " (no broker)"
        nick = escape_controls(client.nick or "")
        return [("bold", nick), ("class:target", where), ("class:offline", offline), ("", " › ")]

    def _asked(self) -> StyleAndTextTuples:
        return [("class:question", self.question.text if self.question else "")]

    def _regarded(self) -> StyleAndTextTuples:
        return [("class:pending", self.about.row(columns()) if self.about else "")]

    # -- what the line is about

    def begin(self, about: About) -> bool:
        """Have a line typed that is about a message; one that edits it begins with its text."""
        if about.how == "edit":
            self.buffer.reset(Document(as_typed(about.text)))
        self.about = about
        return True

    def recalled(self) -> None:
        """A line was brought back. If it is what one said last here, it is that message that is edited."""
        here, text = self.view.here, self.buffer.text
        last = here.last_of(self.chat.client.from_) if here is not None else None
        if last is not None and text == f"/reply {last.reply_to} {last.text}":
            text = as_typed(last.text)
            self.buffer.document = Document(text)
        if last is not None and text == as_typed(last.text):
            self.about = about("edit", last)
        elif self.about is not None and self.about.how == "edit":
            self.about = None

    def drop_about(self) -> None:
        """Let the line be about nothing; the text of a message that was to be edited goes, too."""
        if self.about is not None and self.about.how == "edit":
            self.buffer.reset()
        self.about = None

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
        wide = columns()
        lines = [render.wrap(line, wide) for text in self._lines for line in text.split("\n")]
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
        """Have the terminal send a notification to the desktop."""
        body = f"zchat: {text}" if self.chat.preferences.notify == "osc9" else text.replace(";", ",")
        code = "9;" if self.chat.preferences.notify == "osc9" else "777;notify;zchat;"
        self.app.output.write_raw(f"\x1b]{code}{body}\x1b\\")
        self.app.output.flush()

    # -- each target has its own draft

    def look_at(self, target: Target | None) -> None:
        """Turn to another target by a key. What is in the editor stays behind, until one comes back."""
        here = self.view.here
        if target is None or target is here:
            return
        if here is not None:
            here.draft, here.about = self.buffer.text, self.about
            self.buffer.reset()
            self.about = None
        self.view.turn_to(target.name)

    def turned(self) -> None:
        """Bring back the draft of this target, unless one has typed on after the command that led here."""
        here = self.view.here
        if here is not None and here.draft and not self.buffer.text:
            text, here.draft = here.draft, ""
            self.buffer.reset(Document(text))
            self.about, here.about = here.about, None

    def close(self) -> None:
        """Print what is left, and remove the rows. What was typed and not sent goes to the history."""
        self.flush()
        for text in (*(target.draft for target in self.view.targets.all.values()), self.buffer.text):
            if text.strip():
                self.buffer.reset(Document(text), append_to_history=False)
                self.buffer.append_to_history()
        self.buffer.reset()
        if self.app.is_running:
            self.app.exit()

    def report_focus(self, wanted: bool) -> None:
        """Have the terminal report when it gets and loses the focus, or no more. No other mode is ours to undo."""
        self.app.output.write_raw("\x1b[?1004h" if wanted else "\x1b[?1004l")
        self.app.output.flush()

    def stop(self) -> None:
        """Stop until the shell continues us (Ctrl-Z). Meanwhile the terminal belongs to the shell."""
        self.report_focus(False)
        os.kill(0, signal.SIGTSTP)
        self.report_focus(True)

    # -- what is typed

    def enter(self, line: str | None) -> None:
        """Take a line as entered; None is the wish to leave."""
        self.entered.put_nowait(line)

    async def typed(self) -> AsyncIterator[str]:
        """Yield each line that is entered, until the person leaves. Raises Interrupted."""
        while (line := await self.entered.get()) is not None:
            yield line
        if self.interrupted:
            raise Interrupted

    def _typing(self) -> None:
        """Tell others, now and then, that one types a message. That one types a command is nobody's business."""
        now, text = time.monotonic(), self.buffer.text
        wanted = self.chat.preferences.typing and self.chat.client.online and text and not text.startswith("/")
        if not wanted or now - self.notified_typing < TYPING_NOTICE or self.chat.here is None:
            return
        self.notified_typing = now
        self._notifying = asyncio.get_running_loop().create_task(self._notify_typing())

    async def _notify_typing(self) -> None:
        with contextlib.suppress(ZchatError):
            chat = self.chat
            to = None if chat.partner is None else nick_of(chat.partner)
            await chat.client.send_typing(chat.room, to=to, with_=chat.with_)
