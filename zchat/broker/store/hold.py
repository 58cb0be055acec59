"""That the log is ours alone, and still where it was.

The folder has a lock file, but a log may be reached by other ways: a symbolic or a hard link, or a folder whose lock
file was deleted. So the database file itself is locked, too: its inode, whatever its name. And files can be removed or
replaced under a running program, which notices nothing: it goes on writing to what nobody will find. So what is open is
compared with what is at the path. (`flock` and the locks that SQLite takes with `fcntl` do not know each other.)
"""

import fcntl
import os
from pathlib import Path
from typing import NoReturn

from zchat import files
from zchat.errors import FolderError, InUseError, LostLogError


class Hold:
    """A lock on the database at `path`, made if need be. Raises FolderError, InUseError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lost: str | None = None  # why it is ours no more
        self._inodes: list[tuple[Path, int]] = []
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

    def check(self) -> None:
        """Raise LostLogError if a file was removed or replaced; once that is so it stays so."""
        for path, inode in self._inodes:
            try:
                found = os.stat(path).st_ino  # noqa: PTH116 — half of what Path.stat costs, in every batch
            except OSError as error:
                self.lose(f"{path.name} cannot be found ({(error.strerror or str(error)).lower()})")
            if found != inode:
                self.lose(f"{path.name} was replaced by another file")
        if self._lost is not None:
            self.lose(self._lost)

    def lose(self, why: str) -> NoReturn:
        """Note that the log is ours no more, for good. Raises LostLogError."""
        self._lost = self._lost or why
        raise LostLogError(self.path, self._lost)

    def close(self) -> None:
        os.close(self._descriptor)
