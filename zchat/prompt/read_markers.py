"""How far each target was read, in a file that outlives the run: one for each broker and nick."""

import hashlib
import os
from pathlib import Path

import msgspec

from zchat import files
from zchat.client.core.cursors import Cursors


class ReadMarkers(Cursors, frozen=True):
    """The last message seen of each target, as cursors; the file calls them `seen`."""

    cursors: dict[str, int] = msgspec.field(default_factory=dict, name="seen")


def path(data: Path, broker: str, nick: str) -> Path:
    """Return the file for this broker and nick."""
    digest = hashlib.sha256(f"{broker}\0{nick}".encode()).hexdigest()[:16]
    return data / "seen" / f"{digest}.json"


def load(file: Path) -> ReadMarkers:
    """Read a file. One that is missing or damaged counts as empty."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=ReadMarkers)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return ReadMarkers()


def save(file: Path, markers: ReadMarkers) -> None:
    """Write a file. Raises OSError."""
    files.folder(file.parent)
    files.rewrite(file, msgspec.json.encode(markers), f".{os.getpid()}")
