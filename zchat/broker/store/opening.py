"""Opening the log: the lock on its folder, and the checks of a file before anything is written to it.

A file is inspected before it is opened for writing, so that a file of another program stays unchanged. A small log is
checked as a whole. For a large log that would take minutes: only its header, its schema and its last rows are checked,
and SQLite reports a damaged page when it reads it.

The journal of a broker that was killed has what the database has not yet: SQLite reads the one through the other, and
writes it back. It would do the same if a backup had been put in the place of the database, and so undo that. But each
backup has a log id of its own, and every journal has the page with the id. So the id in the database alone is compared
with the one that is read through the journal.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zchat import files
from zchat.errors import (
    DiskFullError,
    FolderError,
    ForeignJournalError,
    ForeignLogError,
    InUseError,
    NewerLogError,
    StorageError,
)

from . import schema
from .batch import recent
from .hold import JOURNAL_FULL, JOURNAL_KEPT

log = logging.getLogger(__name__)

LOG_FILE = "log.db"
CHECKED_WHOLE = 16 * 1024 * 1024  # bytes of a log: that much is checked in a tenth of a second


def lock(folder: Path) -> IO[str]:
    """Create the folder if it does not exist, and lock it against other brokers."""
    try:
        files.folder(folder)
        files.private(folder / "lock")
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise FolderError(folder, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        pid = file.read().strip()
        file.close()
        raise InUseError(folder, int(pid) if pid.isdigit() else 0) from None
    try:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        file.close()
        raise DiskFullError(folder) from error
    return file


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database, after checking that it is a zchat log. Any other file is not written to."""
    if path.exists() and path.stat().st_size:
        inspect(path)
    _keep_private(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        f"wal_autocheckpoint = {JOURNAL_FULL}",  # 128 MiB: `checkpoint` writes it back long before, every second
        f"journal_size_limit = {JOURNAL_KEPT}",
        "temp_store = MEMORY",
        "secure_delete = ON",  # what was deleted is in no byte of the file
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _keep_private(path: Path) -> None:
    """Make the log and the files beside it readable by their owner only: older versions left them open to all.

    SQLite creates a journal with the mode of its database.
    """
    if str(path) == ":memory:":
        return
    beside = [file for file in path.parent.glob("*.db*") if file.stem in (path.stem, "search")]
    loose = [file.name for file in beside if files.tighten(file)]
    files.private(path)
    if loose:
        log.warning("%s in %s could be read by others: now only by their owner", ", ".join(sorted(loose)), path.parent)


def inspect(path: Path) -> None:
    """Inspect a file without writing to it, and reject what is not a valid log of a known version."""
    _check_journal(path)
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = schema.version(connection)
        application: int = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != schema.APPLICATION_ID:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables or found or application:
                raise _unsound(path, "it is another program's SQLite database")
        if found > len(schema.MIGRATIONS):
            raise NewerLogError(path, found, len(schema.MIGRATIONS))
        if found:
            _check(path, connection, found)


def _check_journal(path: Path) -> None:
    """Reject a journal that belongs to another log. Raises ForeignJournalError.

    A backup is made while a broker may be writing to the database: so that is read twice.
    """
    if not _has_journal(path):
        return
    alone = {_id(path, "immutable=1&mode=ro") for _ in range(2)}  # SQLite looks for no journal of what is immutable
    if len(alone) == 1 and None not in alone and _id(path, "mode=ro") not in {None, *alone}:
        raise ForeignJournalError(path)


def _has_journal(path: Path) -> bool:
    real = path.resolve()
    try:
        return real.with_name(real.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def _id(path: Path, options: str) -> str | None:
    """Return the id of a log; None if none can be read: in a new log it is in the journal alone."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True)) as connection:
        try:
            row = connection.execute("SELECT id FROM log").fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else str(row[0])


def _unsound(path: Path, why: str) -> ForeignLogError:
    """Return the error for a file that is not to be opened, with what to do if its journal may be another log's."""
    return ForeignLogError(path, why, _has_journal(path))


def _check(path: Path, connection: sqlite3.Connection, found: int) -> None:
    """Reject a zchat log of version `found` that is damaged, as far as that can be checked quickly."""
    if strange := schema.strange(connection, found):
        raise _unsound(path, strange)
    if found == len(schema.MIGRATIONS):
        try:
            recent(connection)
        except (ValueError, TypeError) as error:  # a line is no event, or the numbers do not match the lines
            raise _unsound(path, f"its last events cannot be read: {error}") from None
        sql = "SELECT (SELECT first FROM chunk ORDER BY id DESC LIMIT 1), (SELECT head FROM log)"
        last, head = connection.execute(sql).fetchone()
        if last is not None and (head is None or last > head):
            raise _unsound(path, "its events go beyond its head")
    if path.stat().st_size <= CHECKED_WHOLE:
        problem: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise _unsound(path, problem)


@contextlib.contextmanager
def translated(path: Path, opening: bool = False) -> Iterator[None]:
    """Convert SQLite's exceptions to errors that tell a person what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_FULL"):
            raise DiskFullError(path) from error
        if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"} or name.startswith("SQLITE_CORRUPT"):
            raise (_unsound(path, str(error)) if opening else ForeignLogError(path, str(error))) from error
        if opening and name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            raise FolderError(path.parent, str(error)) from error
        if opening and type(error) is sqlite3.OperationalError and name == "SQLITE_ERROR":
            raise _unsound(path, str(error)) from error
        raise StorageError(f"The log {path} cannot be used: {error}.") from error
