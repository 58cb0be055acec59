"""How far `zchat tail --resume NAME` has come: a cursor for each room, in one small file.

It is replaced as a whole after each message that is done with: printed, its command ended, its POST taken or given up.
So a tail that is killed at any instant does again, when it is back, what it was at, and misses nothing. The file is of
one history of a log: one that went back cuts the cursors, and with another log there is none to go on from. One process
at a time holds a name, by a lock beside the file. Nothing is forced to the disk (fsync): this is about a process that
dies.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from zchat import files
from zchat.client.outbox import lock, told
from zchat.errors import FolderError, InUseError, StorageError
from zchat.protocol import messages as m


class _Kept(msgspec.Struct, frozen=True):
    log: str
    rooms: dict[str, int]
    epochs: m.Epochs = ()
    zchat: str = "places"  # what the file is, for who finds it


class Cursors:
    """The cursors of `name`, by room, kept in `folder`. Raises InUseError, FolderError, StorageError."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / "tail" / f"{name}.json"
        self.outbox = self._path.with_suffix(".outbox")  # of a tail that answers
        self._lock = -1
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock(self._path)
            content = self._path.read_bytes() if self._path.exists() else b""
        except InUseError as error:
            raise InUseError(error.path, error.pid, "--resume NAME") from None
        except OSError as error:
            self.close()
            raise FolderError(self._path.parent, error) from error
        try:
            kept = msgspec.json.decode(content, type=_Kept) if content else _Kept("", {})
        except msgspec.MsgspecError as error:
            self.close()
            raise StorageError(f"{self._path} holds no cursors of zchat ({error}): move it away.") from None
        self._log, self._rooms, self.epochs, self._saved = kept.log, dict(kept.rooms), kept.epochs, True

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

    @property
    def through(self) -> int:
        """The highest of the cursors."""
        return max(self._rooms.values(), default=0)

    def begin(self, log: str, epochs: m.Epochs = (), shared: int | None = None) -> bool:
        """The broker has this log, ours through `shared` (None: all of it); False if we were in another one."""
        same = self._log in ("", log) or bool(shared)
        self._rooms = {room: _cut(cursor, shared) for room, cursor in self._rooms.items()} if same else {}
        self._log, self.epochs, self._saved = log, epochs, False
        return same

    def connected(self, log: str, epochs: m.Epochs = (), shared: int | None = None) -> None:
        """Connected again, as `begin`; what is not in our history is new to us, and so is all of another log."""
        rooms = self._rooms
        if not self.begin(log, epochs, shared):
            self._rooms = dict.fromkeys(rooms, 0)

    def of(self, room: str) -> int | None:
        """Return the seq through which all in a room is done with, None for a room that is new to this name."""
        return self._rooms.get(room)

    def move(self, room: str, seq: int) -> None:
        """All in a room through `seq` is done with; `save` writes it down."""
        if self._rooms.get(room) != seq:
            self._rooms[room], self._saved = seq, False

    def passed(self, events: Iterable[Any]) -> None:
        """These events are done with; what is not in a room, or not durable, moves none."""
        for event in events:
            room, seq = getattr(event, "room", None), getattr(event, "seq", None)
            if room in self._rooms and seq is not None:
                self.move(room, max(seq, self._rooms[room]))

    def save(self) -> None:
        """Put what has changed on the disk. Raises DiskFullError, StorageError."""
        if self._saved:
            return
        with told(self._path):
            files.rewrite(self._path, msgspec.json.encode(_Kept(self._log, self._rooms, self.epochs)))
        self._saved = True


def _cut(cursor: int, shared: int | None) -> int:
    return cursor if shared is None else min(cursor, shared)
