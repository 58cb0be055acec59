"""What is on disk of one person: a folder with `person.json`, the key of their device here, and an outbox.

The outbox keeps the id of their client over a restart of the gateway: a guest is known to the broker by nothing else.
"""

from pathlib import Path
from typing import Literal

import msgspec

from zchat import files
from zchat.errors import FolderError
from zchat.gateways import stored

Kind = Literal["member", "guest", "own"]  # by a key; by a nick alone; the user who runs the gateway, by the kernel


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a person comes in, and the rooms that they follow.

    `begun` has of rooms the `seq` behind which all is new to whoever has read nothing there: the broker keeps no mark
    of where nobody has read.
    """

    kind: Kind
    nick: str | None = None  # of a guest, or of a member who is new
    rooms: tuple[str, ...] = ()
    bot: bool = False
    begun: dict[str, int] = {}


class Folder:
    """The folder of one person, or of one who is coming in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity, self.outbox = path / "identity.key", path / "outbox"

    def read(self) -> Record | None:
        """Return what is known of the person; None if nobody is. Raises StorageError."""
        return stored.read(self.path / "person.json", Record)

    def make(self) -> None:
        """Make the folder. Raises FolderError."""
        try:
            files.folder(self.path)
        except OSError as error:
            raise FolderError(self.path, error) from error

    def write(self, record: Record) -> None:
        """Keep what is known of the person. Raises FolderError."""
        self.make()
        try:
            files.rewrite(self.path / "person.json", msgspec.json.encode(record))
        except OSError as error:
            raise FolderError(self.path, error) from error
