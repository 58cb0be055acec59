"""A copy of the log while the broker runs, by SQLite's own backup: it is one consistent state."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from zchat.errors import FolderError

from .store import LOG_FILE, inspect, translated

PAGES = 2_000  # a step: 8 MiB, after each of which the progress is told


def backup(data: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy the log in the folder `data` to the new file `target`; `progress` hears of pages done and of all.

    Raises FolderError when there is no log or `target` exists or cannot be made, DiskFullError, ForeignLogError. What
    was begun and not finished is deleted.
    """
    source = data / LOG_FILE
    if not source.exists():
        raise FolderError(data, "there is no log in it")
    if target.exists():
        raise FolderError(target.parent, f"{target.name} is there already, and is not overwritten", "FILE")
    with translated(source, opening=True):
        inspect(source)
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # private messages are in it, too
    except OSError as error:
        raise FolderError(target.parent, error, "FILE") from error
    try:
        _copy(source, target, progress)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    def tell(_: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with translated(target, opening=True), contextlib.ExitStack() as stack:
        reading = stack.enter_context(contextlib.closing(sqlite3.connect(source, isolation_level=None)))
        writing = stack.enter_context(contextlib.closing(sqlite3.connect(target, isolation_level=None)))
        # One snapshot through all steps: else SQLite starts anew whenever the broker writes, and never ends.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM log").fetchone()
        reading.backup(writing, pages=PAGES, progress=tell)
        reading.execute("COMMIT")
        # Its future is not this log's: clients must not take their places in one for places in the other.
        writing.execute("UPDATE log SET id = lower(hex(randomblob(16)))")
        writing.execute("PRAGMA journal_mode = DELETE")  # one file, complete in itself
