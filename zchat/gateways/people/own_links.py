"""One-time codes of the gateway itself, made by the user who runs it; all others are the broker's.

At a broker's `ipc://` nobody needs an invitation: the kernel proves who runs the gateway. A code of this file proves to
the gateway that one is this user, for nobody else can write into its folder. It may also lead to somebody else whom the
gateway carries, and who has lost their cookie: whoever runs it has their keys anyhow. Another process makes the codes,
`zchat web link`. So their hashes are in a file, under a lock.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from zchat import files
from zchat.errors import FolderError
from zchat.gateways.stored import digest
from zchat.protocol import links

EXPIRE = 86_400.0  # seconds, unless something else is wanted
AT_MOST = 20

Known = dict[str, tuple[float, str]]  # by the hash of a code: until when it counts, and for whom


class OwnLinks:
    """The file at `path`. All raise FolderError."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock

    def make(self, person: str = "", code: str | None = None, until: float | None = None) -> str:
        """Return a new code for a person (a `from_`), or for who runs the gateway.

        It counts once, and `until` then, or for a day. With a `code` that was taken in vain, it is this one.
        """
        code = code or links.encode_code(secrets.token_bytes(links.CODE_BYTES))
        with self._changed() as known:
            known[digest(code)] = (self._clock() + EXPIRE if until is None else until, person)
        return code

    def take(self, code: str) -> str | None:
        """Return whom a code is for, "" for who runs the gateway, None if it does not count. It counts no more then."""
        with self._changed() as known:
            return known.pop(digest(code), (0.0, None))[1]

    def knows(self, code: str) -> bool:
        """Say whether a code is one of these, and counts."""
        with self._changed() as known:
            return digest(code) in known

    @contextlib.contextmanager
    def _changed(self) -> Iterator[Known]:
        """Give what counts now, and write it down as it is afterwards; no other process does so meanwhile."""
        try:
            with files.locked(self._path.with_name(self._path.name + ".lock")):
                before = _read(self._path)
                known = {hash_: each for hash_, each in before.items() if each[0] > self._clock()}
                yield known
                if known != before:
                    files.rewrite(self._path, msgspec.json.encode(dict(list(known.items())[-AT_MOST:])))
        except OSError as error:
            raise FolderError(self._path.parent, error) from error


def _read(path: Path) -> Known:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Known)
    except (FileNotFoundError, ValueError, RecursionError):  # a damaged file lets nobody in, and is written anew
        return {}
