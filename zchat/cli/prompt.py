"""The line editor of `zchat join`: what is typed stays whole while others speak.

What is printed goes through prompt_toolkit's `patch_stdout`, which lifts the line being typed, prints above it into
the terminal's own scrollback, and puts the line back. A line that was entered is erased: it comes back as a message,
with its time, when the broker has it.
"""

from collections.abc import AsyncIterator
from contextlib import nullcontext

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.patch_stdout import patch_stdout

from .chat import Chat, converse
from .render import visible

PATIENCE = 2.0  # seconds that leaving waits for what is unacknowledged; the outbox keeps it


class Interrupted(Exception):  # noqa: N818 — what a person did, not an error
    """Ctrl-C was pressed on an empty line."""


async def talk(chat: Chat) -> None:
    """Run the prompt until the person leaves."""
    session: PromptSession[str] = PromptSession(erase_when_done=True)
    keyboard = session.app.input
    # Raw also between two prompts and while others' lines are printed, for which prompt_toolkit would leave raw mode:
    # else the terminal itself would echo what is typed in these moments.
    keyboard.cooked_mode = nullcontext  # type: ignore[method-assign]
    with patch_stdout(raw=True), keyboard.raw_mode():
        try:
            await converse(chat, _typed(chat, session), PATIENCE)
        except Interrupted:
            raise click.Abort from None


async def _typed(chat: Chat, session: "PromptSession[str]") -> AsyncIterator[str]:
    """Yield each line that is entered, until Ctrl-D; Ctrl-C drops the line, or leaves if it is empty."""
    while True:
        try:
            yield await session.prompt_async(lambda: _prompt(chat), refresh_interval=0.5)
        except EOFError:
            return
        except KeyboardInterrupt:
            if not session.default_buffer.text:
                raise Interrupted from None


def _prompt(chat: Chat) -> StyleAndTextTuples:
    """Return who and where one is: `alice #general › `."""
    where = f" #{visible(chat.room)}" if chat.room else ""
    offline = "" if chat.client.online else " (no broker)"
    return [("bold", visible(chat.client.nick or "")), ("ansicyan", where), ("ansired", offline), ("", " › ")]
