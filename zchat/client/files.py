"""Uploading and downloading the files of messages.

    report = await chat.files.upload("report.pdf")
    await chat.say("the report", room="general", files=[report])

    for one in message.files:
        await chat.files.download(one, "downloads/")

A file goes in parts, a few at a time, and goes on where it broke off: at the next try for an upload, which the broker
keeps for a day, and for a download, whose beginning is kept beside its place. How long the broker is away does not
matter, as with what one says. A download has its name only once its hash is right, so what has the name is whole.

What a message calls a file is only a word of somebody else: a name is made of it that leads into no other folder.
Nothing is opened or run.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import itertools
import os
import stat
import unicodedata
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, cast

import msgspec

from zchat import files
from zchat.errors import DamagedFileError, LocalFileError, RefusedError, TimedOutError
from zchat.protocol import messages as m

from .images import dimensions, media_type

T = TypeVar("T")
Ask = Callable[[m.Command, float], Awaitable[m.Reply]]
Progress = Callable[[int, int], None]  # (bytes done, bytes in all)

PART = 128 * 1024  # bytes: larger parts are no faster, and hold others up for longer
TOGETHER = 4  # parts on their way: half a megabyte, for connections with a long way
PATIENCE = 30.0  # s after which a part is asked for again: its broker may be gone for good
NAME_MOST = 200  # bytes of a name: file systems allow 255, and some is for a number or an ending
SUFFIX_MOST = 20
UNNAMED = "file"


def harmless(name: str) -> str:
    """Return a name for a file, made of what a message calls it: one without folders, which hides nothing."""
    base = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(char for char in base if unicodedata.category(char)[0] not in "CZ" or char == " ")
    plain = shown.strip().lstrip(".").strip()
    plain = f"_{plain}" if plain.startswith("-") else plain  # it is no option of a command
    if len(plain.encode()) > NAME_MOST:
        suffix = PurePosixPath(plain).suffix
        suffix = suffix if len(suffix.encode()) <= SUFFIX_MOST else ""
        plain = plain.encode()[: NAME_MOST - len(suffix.encode())].decode(errors="ignore").rstrip() + suffix
    return plain or UNNAMED


def apart(carried: Iterable[m.Attachment]) -> list[m.Attachment]:
    """Return the files of one message with harmless names, no two the same: `report.pdf`, `report (2).pdf`.

    So all of them can be saved in one folder, and none takes the place of another; also where case does not count.
    """
    taken: set[str] = set()
    found = []
    for one in carried:
        name = plain = PurePosixPath(harmless(one.name))
        numbers = itertools.count(2)
        while name.name.casefold() in taken:
            name = plain.with_stem(f"{plain.stem} ({next(numbers)})")
        taken.add(name.name.casefold())
        found.append(msgspec.structs.replace(one, name=name.name))
    return found


class Files:
    """The files of messages. See the top of this file."""

    def __init__(self, ask: Ask, limits: Callable[[], m.Limits | None]) -> None:
        self._ask, self._limits = ask, limits

    async def upload(self, path: str | os.PathLike[str], progress: Progress | None = None) -> m.Attachment:
        """Upload a file; return what a message says of it, for `say(files=[…])`.

        Of an image it has the width and height, where they can be read. It goes on where an upload of the same file
        broke off. `progress` is called with the bytes done and in all. It waits however long the broker is away; to
        wait for a time only, use `asyncio.timeout`.

        Raises LocalFileError, RefusedError (`too_long`, `no_space`, `forbidden` …), ClosedError.
        """
        path = Path(path)
        with _failing(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would have us wait
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise LocalFileError(path, "it is no file with a content that can be sent")
                size = os.fstat(descriptor).st_size
                self._check_size(path, size)
                file = await asyncio.to_thread(_hash, descriptor)
                name = harmless(path.name.encode(errors="replace").decode())
                type_ = media_type(name)
                width, height = await asyncio.to_thread(dimensions, descriptor, type_) or (None, None)
                await self._put(descriptor, file, size, progress)
            finally:
                os.close(descriptor)
        return m.Attachment(file=file, name=name, type=type_, size=size, width=width, height=height)

    async def download(
        self,
        attachment: m.Attachment | str,
        path: str | os.PathLike[str],
        progress: Progress | None = None,
        *,
        overwrite: bool = False,
    ) -> Path:
        """Download a file of a message, or the one with this id; return where it is.

        - `path`: where to save it. In a folder, which is made if `path` ends with a slash, it gets a harmless form of
          the name that the message gives it.
        - `progress`: called with the bytes done and in all.
        - `overwrite`: whether to put it in the place of another file.

        Raises LocalFileError, DamagedFileError, RefusedError (`bad_file` if one may not have it), ClosedError.
        """
        file = attachment if isinstance(attachment, str) else attachment.file
        name = file[:16] if isinstance(attachment, str) else harmless(attachment.name)
        with _failing(Path(path)):
            target = _target(files.meant(path), name, overwrite=overwrite)
        aside = target.with_name(f".{file[:32]}.zchat-part")
        with _failing(target), _opened_alone(aside) as descriptor:
            resumed = await self._get(descriptor, file, progress)
            right = await asyncio.to_thread(_hash, descriptor) == file
            if not right and resumed:  # perhaps only what was there before is damaged
                os.truncate(descriptor, 0)
                await self._get(descriptor, file, progress)
                right = await asyncio.to_thread(_hash, descriptor) == file
            if not right:
                aside.unlink(missing_ok=True)
                raise DamagedFileError(file)
            await asyncio.to_thread(os.fsync, descriptor)
            _put_in_place(aside, target, overwrite=overwrite)
        return target

    def _check_size(self, path: Path, size: int) -> None:
        limits = self._limits()
        most = 0 if limits is None else limits.file
        if not most:
            raise RefusedError("forbidden", "this broker keeps no files: it is an older version of zchat")
        if size > most:
            text = f"the file {path.name} has {size:,} bytes, and this broker takes {most:,} at most ({most >> 20} MiB)"
            raise RefusedError("too_long", text)

    async def _put(self, descriptor: int, file: str, size: int, progress: Progress | None) -> None:
        done = (await self._have(m.Put(file=file, size=size))).offset
        while True:
            if progress is not None:
                progress(done, size)
            if done == size:
                return
            offsets = range(done, size, PART)[:TOGETHER]
            parts = [await asyncio.to_thread(os.pread, descriptor, PART, offset) for offset in offsets]
            puts = [
                self._have(m.Put(file=file, size=size, offset=offset, data=part[: size - offset]))
                for offset, part in zip(offsets, parts, strict=True)
            ]
            done = (await _all(puts))[-1].offset  # a part that came too early was not taken: it is sent again

    async def _have(self, command: m.Put) -> m.Have:
        return cast(m.Have, await self._until_answered(command))

    async def _get(self, descriptor: int, file: str, progress: Progress | None) -> bool:
        """Download what is missing. Return whether something was there before."""
        done = begun = os.fstat(descriptor).st_size
        first = cast(m.FilePart, await self._until_answered(m.Get(file=file, offset=done, limit=1)))
        size = first.size
        if done > size:
            os.truncate(descriptor, 0)
            done = begun = 0
        while True:
            if progress is not None:
                progress(done, size)
            if done >= size:
                return begun > 0
            offsets = range(done, size, PART)[:TOGETHER]
            gets = [self._until_answered(m.Get(file=file, offset=offset, limit=PART)) for offset in offsets]
            for part in cast("list[m.FilePart]", await _all(gets)):
                if part.offset != done or not part.data:
                    break  # less than was asked for: what comes behind it is asked for again
                await asyncio.to_thread(os.pwrite, descriptor, part.data, done)
                done += len(part.data)

    async def _until_answered(self, command: m.Command) -> m.Reply:
        while True:
            with contextlib.suppress(TimedOutError):
                return await self._ask(command, PATIENCE)


async def _all(asking: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Return all answers, in order; if one fails, nobody waits for the others."""
    tasks = [asyncio.ensure_future(each) for each in asking]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _target(path: Path, name: str, *, overwrite: bool) -> Path:
    target = path / name if path.is_dir() else path
    if not overwrite and os.path.lexists(target):
        raise LocalFileError(target, "it is there already, and is not overwritten")
    return target


@contextlib.contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalFileError(path, error) from error


@contextlib.contextmanager
def _opened_alone(path: Path) -> Iterator[int]:
    """Open a file that is being downloaded, or the beginning of it, which must be one's own and nobody else's now."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
            raise LocalFileError(path, "it is in the way, and not this user's file alone: move it away")
        os.fchmod(descriptor, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalFileError(path, "another process is downloading it to the same place") from None
        if not path.exists() or not os.path.samestat(found, path.stat()):
            raise LocalFileError(path, "another process has just downloaded it")
        yield descriptor
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(aside: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        aside.replace(target)
        return
    try:
        os.link(aside, target)  # unlike a rename it never takes the place of what has come meanwhile
    except FileExistsError:
        raise LocalFileError(target, "it is there already, and is not overwritten") from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise LocalFileError(target, "it is there already, and is not overwritten") from None
        aside.rename(target)
        return
    aside.unlink()


def _hash(descriptor: int) -> str:
    sum_, offset = hashlib.sha256(), 0
    while data := os.pread(descriptor, 1024 * 1024, offset):
        sum_.update(data)
        offset += len(data)
    return sum_.hexdigest()
