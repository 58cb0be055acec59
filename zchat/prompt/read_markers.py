"""How far each target was read, in a file that outlives the run: one for each broker and nick."""

import hashlib
import os
from pathlib import Path

import msgspec

from zchat import files
from zchat.protocol import messages as m


class ReadMarkers(msgspec.Struct):
    """The last message seen of each target, in which log, and in which history of it."""

    log: str = ""
    seen: dict[str, int] = {}
    epochs: m.Epochs = ()

    @property
    def through(self) -> int:
        """The latest message seen in any target."""
        return max(self.seen.values(), default=0)

    def within(self, log: str, shared: int | None = None) -> dict[str, int]:
        """Return the last message seen of each target in a log that is ours through `shared` (None: all of it)."""
        if self.log != log and not shared:
            return {}
        return self.seen if shared is None else {name: min(seen, shared) for name, seen in self.seen.items()}


def path(data: Path, broker: str, nick: str) -> Path:
    """Return the file for this broker and nick."""
    digest = hashlib.sha256(f"{broker}\0{nick}".encode()).hexdigest()[:16]
    return data / "seen" / f"{digest}.json"


def load(file: Path) -> ReadMarkers:
    """Read a file. One that is missing or damaged counts as empty."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=ReadMarkers)
    except (OSError, msgspec.MsgspecError):
        return ReadMarkers()


def save(file: Path, markers: ReadMarkers) -> None:
    """Write a file. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.rewrite(file, msgspec.json.encode(markers), f".{os.getpid()}")
