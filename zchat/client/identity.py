"""The key pair by which a device proves who it is, in a file of its own that nobody else reads.

It is made once, when it is first needed: written beside its place under a name that no other process has, and then
linked into its place, which fails if another process was faster. So two processes that start at the same time have the
same key, and a file that is there is whole. It is never written again: a damaged one is left for a person to look at,
since what it was may be all that makes somebody a member.
"""

import contextlib
import logging
import os
from pathlib import Path
from typing import NamedTuple

import msgspec
import zmq

from zchat import files
from zchat.errors import FolderError, StateFileError, StorageError
from zchat.protocol import links

log = logging.getLogger(__name__)

_HEAD = "# The key of this device for zchat. Whoever has this file is you there: give it to nobody.\n"


class Identity(NamedTuple):
    """A CURVE key pair, 32 bytes each."""

    public: bytes
    secret: bytes

    @property
    def credential(self) -> str:
        """The public key as brokers tell it: `key:…`."""
        return links.key_text(self.public)

    def __repr__(self) -> str:
        return f"Identity({self.credential})"  # the secret is in no traceback


class _Content(msgspec.Struct, frozen=True):
    public: str
    secret: str


def config_folder() -> Path:
    """Return the user's configuration folder."""
    from platformdirs import user_config_path  # noqa: PLC0415 — most commands do not need it

    return user_config_path("zchat", appauthor=False)


def default_path() -> Path:
    """Return where the key of this device is: ZCHAT_IDENTITY, or in the user's configuration folder."""
    return Path(os.environ.get("ZCHAT_IDENTITY") or config_folder() / "identity.key")


def load(path: Path) -> Identity:
    """Return the key pair in a file; without the file a new one, which is in the file then.

    Raises FolderError, and StorageError for a file that holds something else (left untouched).
    """
    if not path.exists():
        _make(path)
    elif files.tighten(path):
        log.warning("%s could be read by others, and cannot any more", path)
    try:
        return _read(path.read_text("utf-8"))
    except OSError as error:
        raise StateFileError(path, "read", error) from error
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"{path} is no key of zchat, or a damaged one ({error}). It was left untouched: move it away, and this "
            "device gets a new key, with which it has to be invited anew. ZCHAT_IDENTITY names another file."
        ) from None


def _make(path: Path) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    _, secret = zmq.curve_keypair()
    raw = links.from_z85(secret)
    content = _Content(links.key_text(links.from_z85(zmq.curve_public(secret))), links.key_text(raw)[len("key:") :])
    try:
        files.folder(path.parent)
        beside.unlink(missing_ok=True)  # of a process of this number that was killed
        files.private(beside)
        beside.write_text(_HEAD + msgspec.toml.encode(content).decode(), "utf-8")
        with contextlib.suppress(FileExistsError):  # another process was faster: its key is ours
            os.link(beside, path)
        beside.unlink()
    except OSError as error:
        raise FolderError(path.parent, error, "file with ZCHAT_IDENTITY") from error


def _read(text: str) -> Identity:
    """Read a file's content. Raises ValueError."""
    content = msgspec.toml.decode(text, type=_Content)
    public, secret = links.key_bytes(content.public), links.key_bytes(links.CREDENTIAL + content.secret)
    if links.from_z85(zmq.curve_public(links.z85(secret))) != public:
        raise ValueError("its two keys do not belong together")
    return Identity(public, secret)
