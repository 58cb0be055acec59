"""One log file per role, and the console.

The broker writes `server.log`. The servers that carry others write `web.log`, `irc.log` and `mcp.log`, lest what
strangers do there rotates away what a person's own clients had to tell; those append to one `client.log`. All rotate at
5 MiB and keep three old ones. Several clients at once share their file, so a writer looks before each record whether
another has rotated it away, and follows. The console shows the same records from a higher level up and without
tracebacks: those are for the file. Where no file can be written, as in a read-only container, that is said once and the
console has to do; a broker that has none either does not start. Nothing is logged in a way that lets a peer move a
cursor or forge a line.
"""

import logging
import os
import re
import stat
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from . import files
from .errors import LogFileError
from .escapes import escape_controls

FILE_MAX = 5 * 1024 * 1024  # bytes before the file is rotated
KEPT = 3  # old files beside it
FORMAT = "%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s"
OURS = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} [A-Z]+ \S+\[\d+\]: ")  # how each file begins

Role = Literal["server", "client", "web", "irc", "mcp"]  # whose log it is: `ROLE.log`
INDENT = "  "  # before each line of a traceback, so that none can pass for a record


def setup(role: Role, folder: Path, verbose: int = 0, console: int = logging.INFO) -> Path | None:
    """Send the log of this process to `folder` and to standard error; return the file's path, None if there is none.

    `console` is the lowest level shown on standard error, and each step of `verbose` lowers it by one; the file takes
    INFO and above, or what the console shows if that is more. Raises LogFileError if a server could log nowhere.
    """
    level = max(logging.DEBUG, console - 10 * verbose)
    path = folder / f"{role}.log"
    to_file, missing = None, None
    try:
        to_file = _open(path)
        to_file.setFormatter(_Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S%z"))
        to_file.setLevel(min(level, logging.INFO))
    except LogFileError as error:
        if role == "server" and sys.stderr is None:  # it was closed before the start
            raise
        missing = error
    to_console = _Console()
    to_console.setFormatter(_ConsoleFormatter("%(levelname)s: %(message)s"))
    to_console.setLevel(level)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, (_Console, _SharedFile)):
            root.removeHandler(handler)
            handler.close()
    if to_file is not None:
        root.addHandler(to_file)
    root.addHandler(to_console)
    root.setLevel(min(level, logging.INFO))
    logging.getLogger("asyncio").setLevel(max(level, logging.WARNING))
    if missing is not None:
        logging.getLogger(__name__).warning("%s There is no log file this time.", missing)
    return None if missing else path


def file() -> Path | None:
    """Return the file that the log of this process goes to, if `setup` was called."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _SharedFile):
            return Path(handler.baseFilename)
    return None


def guard_last_resort() -> None:
    """Let what goes to standard error because nobody has set up logging be as harmless as what goes to our files."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Formatter())


def silence_console() -> None:
    """Log to the file only, from now on."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Console):
            handler.setLevel(logging.CRITICAL + 1)


def _open(path: Path) -> "_SharedFile":
    try:
        files.folder(path.parent)
        _refuse_foreign(path)
        for number in range(1, KEPT + 1):
            files.tighten(path.with_name(f"{path.name}.{number}"))
        return _SharedFile(path, maxBytes=FILE_MAX, backupCount=KEPT, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise LogFileError(path, error) from None


def _refuse_foreign(path: Path) -> None:
    """Raise LogFileError unless `path` is absent, empty or a log of ours (opening a pipe would wait for ever)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise LogFileError(path, "it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise LogFileError(path, "it is not a regular file")
    if found.st_uid != os.geteuid():
        raise LogFileError(path, "it belongs to another user")
    with path.open("rb") as content:
        start = content.read(256)
    if start and not OURS.match(start):
        raise LogFileError(path, "it holds something else, not a log of zchat")


class _SharedFile(RotatingFileHandler):
    """A rotating file that several processes append to, and that only its owner reads."""

    def _open(self) -> TextIOWrapper:
        files.private(Path(self.baseFilename))
        return super()._open()

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 — the standard library's name
        if self.stream and self._moved(self.stream.fileno()):
            self.stream.close()
            self.stream = self._open()
        return bool(super().shouldRollover(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 — the standard library's name
        """Lose the record: a full disk must not print tracebacks into a chat, nor end a broker."""

    def _moved(self, descriptor: int) -> bool:
        try:
            here, there = os.fstat(descriptor), Path(self.baseFilename).stat()
        except OSError:
            return True
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)


class _Console(logging.Handler):
    """Standard error as it is now: the prompt puts its own in place while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):
            pass  # nobody is there to read it


class _Formatter(logging.Formatter):
    """One record a line, then its traceback under an indent; whatever could act on a terminal is shown as an escape."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 — the standard library's name
        return escape_controls(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        first, *trace = super().format(record).split("\n")
        return "\n".join([first, *(INDENT + escape_controls(line) for line in trace)])


class _ConsoleFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        return self.formatMessage(record)
