"""What a gateway keeps in small files: read whole and checked, written whole or not at all, for their owner alone."""

import hashlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from zchat import files
from zchat.errors import StateFileError, StorageError

T = TypeVar("T")


def digest(secret: str) -> str:
    """Return what a file has of a token or a code: who reads it cannot come in with that.

    They are random and long, or codes of the broker. There is nothing to guess, so a plain hash is enough.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read(path: Path, kind: type[T], advice: str = "move it away") -> T | None:
    """Return what is in a file of JSON, or of TOML if it is called so; None if there is none.

    Raises StorageError, with the advice, for a file that cannot be read or holds something else; it is left untouched.
    """
    decode: Any = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
    try:
        files.tighten(path)
        found: T = decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateFileError(path, "read", error) from error
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path} is damaged ({error}). It was left untouched: {advice}.") from None
    return found


def write(path: Path, value: Any) -> None:
    """Write a file of JSON anew. Raises StorageError."""
    try:
        files.rewrite(path, msgspec.json.encode(value))
    except OSError as error:
        raise StateFileError(path, "written", error) from error
