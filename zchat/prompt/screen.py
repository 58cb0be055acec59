"""The screen of the editor: its rows, its colours, its size, and the file of what was typed."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout import ConditionalContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output.vt100 import Vt100_Output

from zchat import files

HISTORY_MAX = 1024 * 1024  # bytes of typed lines

STYLE = {
    "status": "reverse",
    "pending": "dim",
    "question": "bold",
    "alarm": "bold",
    "mentioned": "bold",
    "target": "ansicyan",
    "offline": "ansired",
}


def row(text: Callable[[], StyleAndTextTuples], wanted: Callable[[], bool], wraps: bool = True) -> ConditionalContainer:
    """Return a row above the line, shown while it is wanted."""
    window = Window(FormattedTextControl(text), dont_extend_height=True, wrap_lines=wraps)
    return ConditionalContainer(window, Condition(wanted))


def open_output() -> Vt100_Output:
    """Return the output to the terminal, which is asked nothing."""
    output = Vt100_Output.from_pty(sys.stdout)
    output.enable_cpr = False
    return output


def columns() -> int:
    """Return how many columns the terminal has."""
    return shutil.get_terminal_size().columns


def trimmed(path: Path) -> str:
    """Return the path of the history. A file that has grown too long loses its older half first."""
    files.folder(path.parent)
    if path.exists() and path.stat().st_size > HISTORY_MAX:
        half = path.read_bytes()[-HISTORY_MAX // 2 :]
        files.rewrite(path, half[half.find(b"\n# ") + 1 :])
    files.private(path)
    return str(path)
