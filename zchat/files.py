"""Files that only their owner reads: what people say in private is in them, and the umask may be anybody's.

A file is private from its first byte on, since it is made with its mode and not changed afterwards. A looser one, of
before, is tightened where it is opened next. Folders are made private; one that was there is its owner's affair.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def private(path: Path) -> bool:
    """Make a file that only its owner reads and writes; return whether one that was there let others do so.

    It is never opened when it is there: to close it would drop the locks that SQLite holds on it. Raises OSError.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return tighten(path)
    return False


def new(path: Path) -> BinaryIO:
    """Open a new file that only its owner reads. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def folder(path: Path) -> None:
    """Make a folder, and those above it, that only their owner enters; those that were there stay. Raises OSError."""
    if not path.parent.exists():
        folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def meant(path: str | os.PathLike[str]) -> Path:
    """Return a path. One that ends with a slash is a folder, which is made if it is not there. Raises OSError."""
    if os.fspath(path).endswith("/"):
        folder(Path(path))
    return Path(path)


def tighten(path: Path) -> bool:
    """Take from others what they may do with a file; return whether they could do something."""
    with contextlib.suppress(FileNotFoundError, PermissionError):  # it is not there, or not ours
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            path.chmod(0o600)
            return True
    return False


def rewrite(path: Path, content: bytes, aside: str = ".new") -> None:
    """Write a private file anew, whole or not at all: beside it, under a name with `aside`, then over it.

    Raises OSError.
    """
    beside = path.with_name(path.name + aside)
    private(beside)
    beside.write_bytes(content)
    beside.replace(path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock `path`, in the folder that it guards, which is made; then hold it.

    It is for what takes milliseconds, as to read a file and to rewrite it. Raises OSError.
    """
    folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def local_socket(data: Path) -> Path:
    """Return where a user's broker listens for this machine: in the runtime folder, without one in the data folder."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    with contextlib.suppress(OSError):
        if runtime.is_dir() and runtime.stat().st_uid == os.geteuid():
            return runtime / "zchat.sock"
    return data / "zchat.sock"
