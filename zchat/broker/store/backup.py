"""Copies the log while the broker runs, with SQLite's backup function. The copy is one consistent state."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from zchat.errors import FolderError

from . import schema
from .opening import LOG_FILE, inspect, translated

PAGES = 2_000  # per step: 8 MiB; progress is reported after each step


def backup(data: Path, target: Path, progress: Callable[[int, int], None], *, same: bool = False) -> None:
    """Copy the log in the folder `data` to the new file `target`. `progress` is called with (pages done, pages in all).

    The copy is another log, of a broker alone. With `same` it is the same log, for another broker of the cluster.

    Raises FolderError if there is no log, or if `target` exists or cannot be created; DiskFullError;
    ForeignLogError; ForeignJournalError. An unfinished copy is deleted.
    """
    source = data / LOG_FILE
    if not source.exists():
        raise FolderError(data, "there is no log in it")
    if target.exists():
        raise FolderError(target.parent, f"{target.name} is there already, and is not overwritten", "FILE")
    with translated(source, opening=True):
        inspect(source)
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # it has private messages, too
    except OSError as error:
        raise FolderError(target.parent, error, "FILE") from error
    try:
        _copy(source, target, progress, same)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(source: Path, target: Path, progress: Callable[[int, int], None], same: bool) -> None:
    def tell(_: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with translated(target, opening=True), contextlib.ExitStack() as stack:
        reading = stack.enter_context(contextlib.closing(sqlite3.connect(source, isolation_level=None)))
        writing = stack.enter_context(contextlib.closing(sqlite3.connect(target, isolation_level=None)))
        # One snapshot for all steps: otherwise SQLite restarts whenever the broker writes, and never finishes.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM log").fetchone()
        reading.backup(writing, pages=PAGES, progress=tell)
        reading.execute("COMMIT")
        _forget(writing)
        if not same:
            _part(writing)
        writing.execute("PRAGMA journal_mode = DELETE")  # a single file, without a journal beside it


def _forget(copy: sqlite3.Connection) -> None:
    """Leave out what was deleted, and waits only for the search index to forget it: that of the copy is made anew."""
    copy.execute("PRAGMA secure_delete = ON")
    if schema.version(copy) >= schema.SCRUBBED:
        copy.execute("DELETE FROM scrub")


def _part(copy: sqlite3.Connection) -> None:
    """Make a copy another log, with another future. Clients must not use their cursors of one in the other."""
    copy.execute("UPDATE log SET id = lower(hex(randomblob(16)))")
    if schema.version(copy) >= schema.SHARED:
        copy.executescript("UPDATE applied SET term = '', seq = 0, hash = x''; DELETE FROM broker; DELETE FROM claim;")
