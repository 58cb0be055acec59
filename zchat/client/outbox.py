"""The file that keeps a client's id and its unanswered commands over a crash of the process.

It is a journal of JSON lines: a header (`client`, `n`, through which all is answered, the `epochs` of the history in
which that is so, and the `since` of `numbered.py`), the numbered commands as they are sent, and now and then
`{"answered": n}`, with the `seq` that the commands of a member got (`own.py`). A command is written before it is sent,
so after a crash whatever may have reached the broker is here, and sending it again under the same `client` and `n`
stores nothing twice. A last line cut short was never sent. Once the file has grown it is written anew beside the old
one and put in its place.

One process at a time: a lock file beside the journal is locked for as long as it is open, and holds its owner's pid.
Nothing is forced to the disk (fsync): this is about a process that dies, not a machine.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec

from zchat import files
from zchat.errors import DiskFullError, FolderError, InUseError, StateFileError, StorageError
from zchat.protocol import messages as m
from zchat.protocol import wire

from .core.own import KEPT

COMPACT_AT = 1024 * 1024  # bytes
TIDY_AT = 16 * 1024  # bytes, when nothing is unanswered


class _Header(msgspec.Struct, frozen=True):
    client: m.Hex32
    n: m.Seq
    zchat: str = "outbox"
    epochs: m.Epochs = ()
    since: int = 0
    own: tuple[int, ...] = ()


class _Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    answered: m.Seq
    own: tuple[int, ...] = ()


class Outbox:
    """The journal at `path`, open and locked: what its header says, and the unanswered `commands`.

    Raises InUseError, FolderError, DiskFullError, and StorageError for a file that is no outbox (left untouched).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = self._lock = -1
        try:
            files.folder(path.parent)
            self._lock = lock(path)
            found = path.read_bytes() if path.exists() else b""
        except OSError as error:
            self.close()
            raise FolderError(path.parent, error) from error
        try:
            header, self.n, self.commands, self.own = _read(path, found)
            self.client, self.epochs, self.since = header.client, header.epochs, header.since
            self._kept = {command.n: wire.encode(command) for command in self.commands}
            self._write_anew()
        except BaseException:
            self.close()
            raise

    def keep(self, lines: list[bytes]) -> None:
        """Write down commands about to be sent, in the order of their numbers."""
        last = max(self._kept, default=self.n)
        self._kept.update(enumerate(lines, last + 1))
        self._append(b"\n".join(lines) + b"\n")

    def settle(self, n: int, own: tuple[int, ...] = ()) -> None:
        """All through `n` is answered, some of it with these `seq`."""
        self.own = (*self.own, *own)[-KEPT:]
        for each in range(self.n + 1, n + 1):
            self._kept.pop(each, None)
        self.n = n
        if self._size > COMPACT_AT or (self._size > TIDY_AT and not self._kept):
            self._write_anew()
        else:
            self._append(msgspec.json.encode(_Answered(n, own)) + b"\n")

    def keep_epochs(self, epochs: m.Epochs) -> None:
        """All numbers belong to this history from now on."""
        self.epochs = epochs
        self._write_anew()

    def rewrite(self, client: str, n: int, lines: list[bytes], since: int = 0, own: tuple[int, ...] = ()) -> None:
        """Keep this and nothing else."""
        self.client, self.n, self.since, self.own = client, n, since, own
        self._kept = {msgspec.json.decode(line, type=_Numbered).n: line for line in lines}
        self._write_anew()

    def close(self) -> None:
        """Close the file and let others have it; what is unanswered stays in it."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _append(self, content: bytes) -> None:
        with told(self.path):
            _write(self._file, content)
        self._size += len(content)

    def _write_anew(self) -> None:
        header = msgspec.json.encode(_Header(self.client, self.n, epochs=self.epochs, since=self.since, own=self.own))
        content = b"\n".join([header, *self._kept.values()]) + b"\n"
        with told(self.path):
            files.rewrite(self.path, content)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = descriptor, len(content)


class _Numbered(msgspec.Struct, frozen=True):
    n: m.Positive


def choose(folder: Path, broker: str, nick: str) -> Path:
    """Return the first outbox of this nick at this broker that no process has open. Raises FolderError."""
    digest = hashlib.sha256(f"{broker}\0{nick}".encode()).hexdigest()[:8]
    name = re.sub(r"[^\w.-]", "_", nick) or "_"
    try:
        files.folder(folder)
        for number in count(1):
            path = folder / f"{name}-{digest}-{number}.outbox"
            try:
                os.close(lock(path))
            except InUseError:
                continue
            return path
    except OSError as error:
        raise FolderError(folder, error) from error
    raise AssertionError("counting ends nowhere")


def lock(path: Path) -> int:
    """Lock the file beside `path`, and write our pid into it; raises InUseError with the owner's."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 20).strip()
        os.close(descriptor)
        raise InUseError(path, int(pid) if pid.isdigit() else 0) from None
    except BaseException:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"%d\n" % os.getpid())
    return descriptor


def _read(path: Path, content: bytes) -> tuple[_Header, int, list[m.NumberedCommand], tuple[int, ...]]:
    """Return the header, the number through which all is answered, the commands above it, and one's own events."""
    if not content:
        return _Header(secrets.token_hex(16), 0), 0, [], ()
    head, *lines = content.split(b"\n")[:-1] or [b""]  # what has no newline was cut short
    try:
        header = msgspec.json.decode(head, type=_Header)
        if header.zchat != "outbox":
            raise msgspec.ValidationError("another kind of file")
        n, own = header.n, list(header.own)
        commands: dict[int, m.NumberedCommand] = {}
        for line in lines:
            if line.startswith(b'{"answered"'):
                answered = msgspec.json.decode(line, type=_Answered)
                n = answered.answered
                own += answered.own
            else:
                command = msgspec.json.decode(line, type=m.NumberedCommand)
                commands[command.n] = command
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StorageError(
            f"{path} is no outbox of zchat, or a damaged one ({error}). "
            "It was left untouched: move it away and try again."
        ) from None
    return header, n, [commands[each] for each in sorted(commands) if each > n], tuple(own[-KEPT:])


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Tell a person what a failing write means."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(path) from error
        raise StateFileError(path, "written", error) from error
