"""The file of the hooks: which bot says in which room what is posted to which address.

Of a token only its hash is here, so whoever reads the file cannot post. (The secret of a sender has to be here as it
is: an HMAC is made with it.) The commands change the file under a lock; the gateway reads it again whenever it has
changed, so a hook works at once and is gone at once. Once a file is damaged, that is told, and the hooks known before
count.
"""

import contextlib
import logging
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from zchat import files
from zchat.errors import FolderError, StorageError, UsageError
from zchat.gateways import stored
from zchat.gateways.stored import digest

from .payloads import AUTO, KINDS

TOKEN = 24  # random bytes
ID = 8  # digits of the hash by which people name a hook

log = logging.getLogger(__name__)


class Hook(msgspec.Struct, frozen=True, omit_defaults=True):
    """One hook. `token` is the hash of its token, `broker` a link without a code or an endpoint."""

    token: str
    broker: str
    nick: str
    room: str
    made: str
    kind: str = AUTO
    secret: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind} is no kind of sender")

    @property
    def id(self) -> str:
        """What people call it by."""
        return self.token[:ID]

    def __repr__(self) -> str:
        return f"Hook({self.id}, {self.nick} in {self.room})"  # the secret is in no traceback


class _Content(msgspec.Struct):
    hooks: list[Hook] = []


class Book:
    """The file `hooks.toml` in a folder, which is made when it is first written to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "hooks.toml"
        self._seen: tuple[int, ...] | None = None
        self._hooks: dict[str, Hook] = {}

    def read(self) -> tuple[Hook, ...]:
        """Return all hooks, oldest first. Raises StorageError."""
        found = stored.read(self.path, _Content, "correct it, or move it away and make the hooks anew")
        return tuple(found.hooks) if found else ()

    def refresh(self) -> bool:
        """Read the file if it has changed; return whether it had. Never raises."""
        seen = _state(self.path)
        if seen == self._seen:
            return False
        try:
            self._hooks = {hook.token: hook for hook in self.read()}
        except StorageError as error:
            log.error("the hooks stay as they were: %s", error)
        self._seen = seen
        return True

    @property
    def hooks(self) -> Iterable[Hook]:
        """The hooks as of the last `refresh`."""
        return self._hooks.values()

    def find(self, token: str) -> Hook | None:
        """Return the hook of a token, as of the last `refresh`; it takes as long whether there is one or not."""
        return self._hooks.get(digest(token))

    def add(self, hook: Hook) -> None:
        """Write a hook down. Raises StorageError."""
        with self._changed() as hooks:
            hooks.append(hook)

    def remove(self, name: str) -> Hook:
        """Forget the hook of this id, and return it. Raises UsageError, StorageError."""
        with self._changed() as hooks:
            found = next((hook for hook in hooks if name in (hook.id, hook.token)), None)
            if found is None:
                raise UsageError(f"No hook has the id {name}. `zchat hook list` shows those that there are.")
            hooks.remove(found)
        return found

    @contextlib.contextmanager
    def _changed(self) -> Iterator[list[Hook]]:
        """Give the hooks, and write them down afterwards; no other process does so meanwhile."""
        try:
            with files.locked(self.folder / "hooks.lock"):
                hooks = list(self.read())
                yield hooks
                files.rewrite(self.path, msgspec.toml.encode(_Content(hooks)))
        except OSError as error:
            raise FolderError(self.folder, error) from error


def hooks_of(data: Path) -> Path:
    """Return the folder of the hooks of a user's data; each hook tells its own broker."""
    return data / "web" / "hooks"


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(TOKEN)


def _state(path: Path) -> tuple[int, ...]:
    """Return what tells a file from the one that was there before."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)
