"""That the log is ours alone, and still where it was.

The folder has a lock file, but a log may be reached by other ways: a symbolic or a hard link, or a folder whose lock
file was deleted. So the database file itself is locked, too: its inode, whatever its name. And files can be removed or
replaced under a running program, which notices nothing: it goes on writing to what nobody will find. So what is open is
compared with what is at the path. Who copies a file over one of them keeps its inode. But the database is written to
only when the journal is written back, which is our own doing, and the journal never gets shorter than SQLite is told to
leave it: so the time of the one and the size of the other tell. (`flock` and the locks that SQLite takes with `fcntl`
do not know each other.)
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from zchat import files
from zchat.errors import FolderError, InUseError, LostLogError

JOURNAL_KEPT = 128 * 1024 * 1024  # bytes that SQLite leaves of a longer journal
JOURNAL_FULL = 32_000  # pages of the journal with which a commit writes it back
PAGE = 4_096  # bytes


class Hold:
    """A lock on the database at `path`, made if need be. Raises FolderError, InUseError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lost: str | None = None  # why it is ours no more
        self._inodes: list[tuple[Path, int]] = []
        self._journal = 0  # bytes
        self._written = 0  # when the database was written to last, in ns; 0 while we may be at it
        try:
            if not path.exists():
                files.private(path)
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise FolderError(path.parent, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise InUseError(path, 0) from None

    def begin(self) -> None:
        """Note what is open, now that SQLite has its journal."""
        real = self.path.resolve()
        journal = real.with_name(real.name + "-wal")
        self._inodes = [(self.path, os.fstat(self._descriptor).st_ino), (journal, journal.stat().st_ino)]
        self._written = os.fstat(self._descriptor).st_mtime_ns

    @contextlib.contextmanager
    def writing_back(self) -> Iterator[None]:
        """While this lasts, what is written to the database is ours."""
        self._written = 0
        try:
            yield
        finally:
            self._written = os.fstat(self._descriptor).st_mtime_ns

    def check(self) -> None:
        """Raise LostLogError if a file was removed, replaced or written over; once that is so it stays so."""
        found = []
        for path, inode in self._inodes:
            try:
                found.append(os.stat(path))  # noqa: PTH116 — half of what Path.stat costs, in every batch
            except OSError as error:
                self.lose(f"{path.name} cannot be found ({(error.strerror or str(error)).lower()})")
            if found[-1].st_ino != inode:
                self.lose(f"{path.name} was replaced by another file")
        if found:
            self._compare(*found)
        if self._lost is not None:
            self.lose(self._lost)

    def _compare(self, database: os.stat_result, journal: os.stat_result) -> None:
        if journal.st_size < min(self._journal, JOURNAL_KEPT):
            self.lose(f"{self.path.name}-wal was cut short")
        self._journal = journal.st_size
        if self._written and database.st_mtime_ns != self._written:
            if journal.st_size < JOURNAL_FULL * PAGE:
                self.lose(f"another program has written over {self.path.name}")
            self._written = database.st_mtime_ns  # else a commit wrote the journal back

    def lose(self, why: str) -> NoReturn:
        """Note that the log is ours no more, for good. Raises LostLogError."""
        self._lost = self._lost or why
        raise LostLogError(self.path, self._lost)

    def close(self) -> None:
        os.close(self._descriptor)
