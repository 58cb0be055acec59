"""The files on disk, by their content: `ab/cdef…` is the file whose SHA-256 begins with `ab`.

What is being uploaded is in `unfinished`, one file for each upload, and its length tells how much of it is there. It is
on disk, and its hash is checked, before the whole gets its name: so what has a name is whole, also after a crash. Who
has uploaded it stands in `uploads`, as an empty file, until a message carries it. What has no such name in these two is
not ours, and is let alone.

All functions here wait for the disk: they are called in a thread, but for those that only look.
"""

import contextlib
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zchat import files

SYNC = 4 * 1024 * 1024  # bytes of an upload after which they are written to disk: the log waits for less at a time
UNFINISHED, UPLOADS = "unfinished", "uploads"
PART = re.compile(r"([0-9a-f]{16})-(\d{1,19})-([0-9a-f]{64})")  # of an unfinished file: of whom, its size, its hash
PREFIX, REST = re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{62}")  # of a file's name: its folder, and the rest
UPLOADED = re.compile(r"([0-9a-f]{16})-([0-9a-f]{64})")

log = logging.getLogger(__name__)


class Folder:
    """The folder of files; with None a temporary one, which is made when it is needed and removed by `close`."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._temporary = path, path is None
        self.count = self.bytes = 0  # of whole files: as `all` has counted them last, and what came and went since

    @property
    def path(self) -> Path:
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix="zchat-files-"))
        return self._path

    @property
    def is_there(self) -> bool:
        return self._path is not None and self._path.exists()

    def place(self, file: str) -> Path:
        """Return where a file is, or would be."""
        return self.path / file[:2] / file[2:]

    def size(self, file: str) -> int | None:
        """Return the bytes of a whole file; None if it is not here."""
        try:
            return self.place(file).stat().st_size if self.is_there else None
        except OSError:
            return None

    def free(self) -> int:
        """Return how many bytes are free on its disk."""
        there = next((each for each in (self.path, *self.path.parents) if each.exists()), self.path)
        return shutil.disk_usage(there).free

    # -- uploads

    def part(self, file: str, from_: str, size: int) -> Path:
        """Return where an unfinished file is, or would be."""
        return self.path / UNFINISHED / f"{from_}-{size}-{file}"

    def begin(self, part: Path) -> None:
        """Make an unfinished file. Raises OSError."""
        files.folder(part.parent)
        files.private(part)

    def write(self, part: Path, offset: int, data: bytes) -> None:
        """Write a part of an unfinished file. Raises OSError."""
        descriptor = os.open(part, os.O_WRONLY | os.O_CLOEXEC)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], offset + written)
            if offset // SYNC != (offset + len(data)) // SYNC:
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def finish(self, part: Path, file: str) -> bool:
        """Put what was uploaded in its place, if its hash is right; else remove it. Raises OSError."""
        with part.open("rb") as content:
            os.fsync(content.fileno())
            right = hashlib.file_digest(content, "sha256").hexdigest() == file
        if not right:
            part.unlink(missing_ok=True)
            return False
        place = self.place(file)
        files.folder(place.parent)
        with contextlib.suppress(FileExistsError):
            os.link(part, place)
            self.count, self.bytes = self.count + 1, self.bytes + place.stat().st_size
        for folder in (place.parent, self.path):
            _sync(folder)
        return True

    def mark(self, file: str, from_: str) -> None:
        """Note on disk who has uploaded a file. Raises OSError."""
        mark = self.path / UPLOADS / f"{from_}-{file}"
        files.folder(mark.parent)
        files.private(mark)
        os.utime(mark)
        _sync(mark.parent)

    def unmark(self, file: str, from_: str) -> None:
        """Forget that somebody has uploaded a file. It is a moment's work."""
        (self.path / UPLOADS / f"{from_}-{file}").unlink(missing_ok=True)

    # -- what is here

    def read(self, file: str, offset: int, limit: int) -> tuple[int, bytes] | None:
        """Return the size of a file and a part of it; None if it is not here. Raises OSError."""
        try:
            with self.place(file).open("rb") as content:
                size = os.fstat(content.fileno()).st_size
                return size, os.pread(content.fileno(), limit, offset) if offset < size else b""
        except FileNotFoundError:
            return None

    def remove(self, file: str) -> None:
        size = self.size(file)
        if size is not None:
            self.place(file).unlink(missing_ok=True)
            self.count, self.bytes = self.count - 1, self.bytes - size

    def all(self) -> Iterator[tuple[str, float]]:
        """Yield each whole file, and when it came. What is called otherwise is not ours."""
        for folder in self._listed(self.path):
            if PREFIX.fullmatch(folder.name) and folder.is_dir(follow_symlinks=False):
                for each in self._listed(Path(folder.path)):
                    if REST.fullmatch(each.name) and each.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
                            yield folder.name + each.name, each.stat().st_mtime

    def unfinished(self) -> Iterator[tuple[str, str, int, int, float]]:
        """Yield each unfinished file: its name, of whom, its size, how much is there, and when it was written last."""
        for each, (from_, size, file) in self._named(UNFINISHED, PART):
            found = each.stat()
            yield file, from_, int(size), found.st_size, found.st_mtime

    def uploads(self) -> Iterator[tuple[str, str, float]]:
        """Yield who has uploaded which file, and when, where no message carried it yet."""
        for each, (from_, file) in self._named(UPLOADS, UPLOADED):
            yield file, from_, each.stat().st_mtime

    def _named(self, folder: str, pattern: re.Pattern[str]) -> Iterator[tuple[os.DirEntry[str], tuple[str, ...]]]:
        """Yield the files of a folder whose names are of a pattern, with the parts of the names."""
        for each in self._listed(self.path / folder):
            if (found := pattern.fullmatch(each.name)) and each.is_file():
                yield each, found.groups()
            else:
                log.warning("%s is no upload of zchat's: it is let alone, and may be moved away", each.path)

    def _listed(self, path: Path) -> list[os.DirEntry[str]]:
        if not self.is_there:
            return []
        with contextlib.suppress(FileNotFoundError), os.scandir(path) as found:
            return list(found)
        return []

    def close(self) -> None:
        if self._temporary and self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
