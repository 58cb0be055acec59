"""Ensures that no other broker uses the log, and that its files are still in place.

The folder has a lock file, but another broker may reach the log in other ways: by a symbolic or hard link, or after the
lock file was deleted. So the database file itself is locked, too: its inode, whatever its name. (`flock` does not
interfere with the locks that SQLite takes with `fcntl`.)

Files can also be removed or replaced while the broker runs. The broker would not notice, and would go on writing to a
file that nobody can find. So the open files are compared with those at the path.

And a program can copy another file over one of them, which keeps the inode. Two facts reveal that. The database is
written to only when the journal is written back, which only we do: so its modification time must not change otherwise.
And the journal never becomes shorter than the size to which SQLite is told to truncate it, unless we empty it: so its
size must not shrink otherwise.
"""

import contextlib
import ctypes
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from zchat import files
from zchat.errors import FolderError, InUseError, LostLogError

JOURNAL_KEPT = 128 * 1024 * 1024  # bytes to which SQLite truncates a longer journal
JOURNAL_FULL = 32_000  # pages of the journal at which a commit writes it back
PAGE = 4_096  # bytes
LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, STATX_INO, STATX_SIZE = -100, 0x100, 0x200
STATX_BYTES, STATX_WHERE = 256, 32  # of `struct statx`, and where inode and size are in it


def identify(path: Path) -> tuple[int, int]:
    """Return the inode of a file, and its size in bytes, and ask for nothing else. Raises OSError.

    Newer kernels take note when somebody asks for the times of a file, and then write down the time of the next write
    exactly: a fifth of what a commit costs. Where there is no `statx`, they are asked for after all.
    """
    statx = getattr(LIBC, "statx", None)
    if statx is None:
        found = path.stat()
        return found.st_ino, found.st_size
    told = ctypes.create_string_buffer(STATX_BYTES)
    if statx(AT_FDCWD, os.fsencode(path), 0, STATX_INO | STATX_SIZE, told):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    inode, size = struct.unpack_from("QQ", told, STATX_WHERE)
    return int(inode), int(size)


class Hold:
    """A lock on the database at `path`, which is created if it does not exist. Raises FolderError, InUseError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lost: str | None = None  # why the log is lost, if so
        self._inodes: list[tuple[Path, int]] = []
        self._journal = 0  # bytes
        self._written = 0  # modification time of the database, in ns; 0 while we may be writing to it
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
        """Remember the inodes of the open files. To be called when SQLite has opened its journal."""
        real = self.path.resolve()
        journal = real.with_name(real.name + "-wal")
        self._inodes = [(self.path, os.fstat(self._descriptor).st_ino), (journal, journal.stat().st_ino)]
        self._written = os.fstat(self._descriptor).st_mtime_ns

    @contextlib.contextmanager
    def writing_back(self) -> Iterator[None]:
        """Within this context, the broker itself may write to the database."""
        self._written = 0
        try:
            yield
        finally:
            self._written = os.fstat(self._descriptor).st_mtime_ns

    def cut(self) -> None:
        """Note the size of the journal, which was just emptied."""
        if self._inodes:
            self._journal = self._inodes[1][0].stat().st_size

    def check(self) -> None:
        """Raise LostLogError if a file was removed, replaced or overwritten. From then on, every call raises it."""
        if self._lost is not None:
            self.lose(self._lost)
        if not self._inodes:
            return
        (database, database_inode), (journal, journal_inode) = self._inodes
        try:
            path = database
            found = os.stat(path)  # noqa: PTH116 — called in every batch, and twice as fast as Path.stat
            path = journal
            inode, size = identify(path)
        except OSError as error:
            self.lose(f"{path.name} cannot be found ({(error.strerror or str(error)).lower()})")
        for path, now, then in ((database, found.st_ino, database_inode), (journal, inode, journal_inode)):
            if now != then:
                self.lose(f"{path.name} was replaced by another file")
        self._compare(found.st_mtime_ns, size)

    def _compare(self, written: int, journal: int) -> None:
        if journal < min(self._journal, JOURNAL_KEPT):
            self.lose(f"{self.path.name}-wal was cut short")
        self._journal = journal
        if self._written and written != self._written:
            if journal < JOURNAL_FULL * PAGE:
                self.lose(f"another program has written over {self.path.name}")
            self._written = written  # otherwise a commit wrote the journal back

    def lose(self, why: str) -> NoReturn:
        """Mark the log as lost, for good. Raises LostLogError."""
        self._lost = self._lost or why
        raise LostLogError(self.path, self._lost)

    def close(self) -> None:
        os.close(self._descriptor)
