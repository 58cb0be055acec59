"""The broker's key pair, by which clients know it again.

The secret key lies in the data folder, in a file that only its owner reads. It is made once. Whoever has it can pass
for this broker, so it is copied only if that is asked for. The public key follows from it.
"""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from zchat import files
from zchat.errors import FolderError, KeyFileError
from zchat.protocol import links

KEY_FILE = "broker.key"


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair, as libzmq's options take it."""

    public: bytes
    secret: bytes = field(repr=False)

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the public key."""
        return links.from_z85(self.public)


def fresh() -> KeyPair:
    """Return a new key pair."""
    return KeyPair(*zmq.curve_keypair())


def of_folder(data: Path) -> KeyPair:
    """Return the key pair of the broker whose data are there; make it if there is none. Raises StorageError."""
    path = data / KEY_FILE
    try:
        if not path.exists():
            _create(path, fresh().secret + b"\n")
    except OSError as error:
        raise FolderError(data, error) from error
    return read(data)


def read(data: Path) -> KeyPair:
    """Return the key pair of the broker whose data are there. Raises FolderError if there is none, KeyFileError."""
    path = data / KEY_FILE
    try:
        if not path.exists():
            raise FolderError(data, f"there is no {KEY_FILE} in it, which a broker makes that other machines can reach")
        files.tighten(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise FolderError(data, error) from error
    try:
        links.from_z85(secret)
        return KeyPair(zmq.curve_public(secret), secret)
    except (links.BadKeyError, zmq.ZMQError):
        raise KeyFileError(path) from None


def copy(data: Path, target: Path) -> None:
    """Copy the key of the broker whose data are there to a new file. Raises StorageError."""
    secret = read(data).secret
    try:
        _create(target, secret + b"\n")
        if target.read_bytes().strip() != secret:
            raise FolderError(target.parent, f"{target.name} is there already, and is not overwritten", "FILE")
    except OSError as error:
        raise FolderError(target.parent, error, "FILE") from error


def _create(path: Path, content: bytes) -> None:
    """Write the file, whole or not at all, unless somebody else does so at this moment. Raises OSError."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        files.rewrite(beside, content)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)  # unlike a rename, it replaces nothing
    finally:
        beside.unlink(missing_ok=True)
