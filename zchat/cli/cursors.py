"""The cursors of `zchat tail --resume NAME`, in one small file.

The file is replaced as a whole after each message that is done with: printed, its command ended, its POST taken or
given up. So a tail that is killed at any instant does its last message again, and misses nothing. One process at a time
holds a name, by a lock beside the file. Nothing is forced to the disk (fsync): this is about a process that dies.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from zchat import files
from zchat.client.core.cursors import Cursors
from zchat.client.outbox import lock, told
from zchat.errors import FolderError, InUseError, StorageError
from zchat.protocol import messages as m


class _Content(Cursors, frozen=True):
    cursors: dict[str, int] = msgspec.field(default_factory=dict, name="rooms")
    zchat: str = "places"  # tells whoever finds the file what it is


class CursorFile:
    """The cursors of `name`, kept in `folder`: a `Store` for a consumer.

    Raises InUseError, FolderError, and StorageError for a file that holds something else (left untouched).
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / "tail" / f"{name}.json"
        self.outbox = self._path.with_suffix(".outbox")  # of a tail that answers
        self._lock = -1
        try:
            files.folder(self._path.parent)
            self._lock = lock(self._path)
            content = self._path.read_bytes() if self._path.exists() else b""
        except InUseError as error:
            raise InUseError(error.path, error.pid, "--resume NAME") from None
        except OSError as error:
            self.close()
            raise FolderError(self._path.parent, error) from error
        try:
            self._content = msgspec.json.decode(content, type=_Content) if content else _Content()
        except (msgspec.MsgspecError, RecursionError) as error:
            self.close()
            raise StorageError(f"{self._path} holds no cursors of zchat ({error}): move it away.") from None
        self._written = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the name."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def load(self, log: str = "") -> Cursors:
        """Return the cursors of this log; without a name, of the log that was followed last."""
        return self._content if log in ("", self._content.log) else Cursors(log)

    def follow(self, log: str, epochs: m.Epochs, shared: int | None, known_as: str) -> None:
        """Go on with a log as `Cursors.follow` does; it is written by the next `move`."""
        known = self._content if self._content.log == known_as else _Content(log)
        self._content, self._written = known.follow(log, epochs, shared), False

    def move(self, log: str, cursors: Mapping[str, int]) -> None:
        """Set these cursors, and write down what is not written yet. Raises DiskFullError, StorageError."""
        if cursors:
            moved = {**self._content.cursors, **cursors}
            self._content, self._written = msgspec.structs.replace(self._content, cursors=moved), False
        if self._written:
            return
        with told(self._path):
            files.rewrite(self._path, msgspec.json.encode(self._content))
        self._written = True
