"""What the IRC gateway has on disk beside its people: names that IRC cannot carry, and how far each client has come.

How far a client has come changes with every message, and what it is worth shows when the gateway is killed: what was
sent and not noted comes again, what was noted and not sent is missed. So it is noted right after what was sent has left
for the network, by one short write to the end of a file. A file that has grown is written anew when it is opened.
"""

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import msgspec

from zchat import files
from zchat.errors import FolderError
from zchat.gateways import stored

from .core.names import NICKS, ROOMS, NameMap
from .core.scene import World

log = logging.getLogger(__name__)


class _Names(msgspec.Struct, omit_defaults=True):
    nicks: dict[str, str] = {}
    rooms: dict[str, str] = {}


class NamesFile:
    """The aliases of names, at `path`. Raises StorageError for a file that cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = stored.read(path, _Names) or _Names()
        self.world = World(NameMap(NICKS, kept.nicks), NameMap(ROOMS, kept.rooms))

    def write(self) -> None:
        """Write down what is new, before anybody is told of it. Raises FolderError."""
        nicks, rooms = self.world.nicks, self.world.rooms
        if not (nicks.fresh or rooms.fresh):
            return
        try:
            files.rewrite(self._path, msgspec.json.encode(_Names(nicks.kept, rooms.kept)))
        except OSError as error:
            raise FolderError(self._path.parent, error) from error
        nicks.fresh = rooms.fresh = False


class Places(msgspec.Struct, omit_defaults=True):
    """How far a client has come in a log: the seq by place, a room or `@` for all conversations."""

    log: str = ""
    through: dict[str, int] = {}


class PlacesFile:
    """How far the client with this login has come. Several connections of one login share it."""

    def __init__(self, folder: Path, login: str) -> None:
        self._path = folder / hashlib.sha256(login.encode()).hexdigest()[:32]
        self.places = Places()
        for each in _lines(self._path):
            same = each.log in ("", self.places.log)
            self.places = Places(self.places.log, self.places.through | each.through) if same else each
        self._file = -1

    def open(self) -> None:
        """Begin to write. Raises FolderError."""
        try:
            files.rewrite(self._path, msgspec.json.encode(self.places) + b"\n")
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise FolderError(self._path.parent, error) from error

    def begin(self, log_id: str) -> None:
        """Follow this log. What is known of another one counts no more."""
        if self.places.log != log_id:
            self.places = Places(log_id)
            self._append(self.places)

    def note(self, through: dict[str, int]) -> None:
        """The client has all through these."""
        if through:
            self.places.through.update(through)
            self._append(Places("", through))

    def cut(self, shared: int) -> None:
        """The log went back: what is above is used again."""
        self.note({place: shared for place, seq in self.places.through.items() if seq > shared})

    def close(self) -> None:
        """Write no more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _append(self, places: Places) -> None:
        if self._file < 0:
            return
        try:
            os.write(self._file, msgspec.json.encode(places) + b"\n")
        except OSError as error:  # the client will be told some of it twice, and that is all
            log.warning("%s cannot be written: %s", self._path, error.strerror)


def _lines(path: Path) -> list[Places]:
    """Return what is in a file of places; the last line may be cut short."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for text in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                found.append(msgspec.json.decode(text, type=Places))
    return found
