"""Carries out what people ask for about files, in threads beside the event loop.

Each session has a queue, whose work is done one after the other: so parts that were sent in a row are written in that
order. What a broker may have in its queues is bounded by the hub, which admits no more (`core/files.py`). An upload is
written where it broke off: what comes twice is not written again, what comes too early is not taken, and the answer
tells how much is there in any case.
"""

import asyncio
import errno
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from zchat.broker.core.effects import Transfer
from zchat.broker.core.files import no_file
from zchat.broker.notes import Notes
from zchat.broker.store import Attached, Store
from zchat.protocol import messages as m
from zchat.protocol import wire

from .folder import Folder
from .shelf import JUST_NOW, MEMORY_QUOTA, FileShelf, Upload

FOLDER = "files"
THREADS = 2
RETRY = 2.0  # s after which to come again if the disk could not be used
FULL = (errno.ENOSPC, errno.EDQUOT)
SWEEP = 3_600.0  # s between two looks for what has no name in the log

log = logging.getLogger(__name__)
T = TypeVar("T")


class _Refused(Exception):  # noqa: N818 — an answer, not a fault
    """The transfer is refused."""

    def __init__(self, code: str, message: str, limit: int | None = None, retry_after: float | None = None) -> None:
        self.code, self.message, self.limit, self.retry_after = code, message, limit, retry_after
        super().__init__(message)


class FileService:
    """The files of a broker, over its store. Whoever uses it sets `answered` and `ready`."""

    def __init__(self, store: Store, notes: Notes | None = None) -> None:
        self.answered: Callable[[Transfer, bytes], None]  # takes the line that answers a transfer
        self.ready: Callable[[bytes], Awaitable[None]]  # waits until a peer has read most of what was sent to it
        self.folder = Folder(None if store.folder is None else store.folder / FOLDER)
        self.shelf = FileShelf(self.folder, Attached(store))
        if store.folder is None:
            self.shelf.in_all = MEMORY_QUOTA
        self.spread: Callable[[str, int, str], Awaitable[bool]] = _alone  # to the other brokers of a cluster
        self.fetch: Callable[[str], Awaitable[bool]] = _nowhere  # from one of them
        self._notes = notes or Notes(log)
        self._threads = ThreadPoolExecutor(THREADS, "files")
        self._queues: dict[str, deque[Transfer]] = {}  # by session; one that is there is worked on
        self._tasks: set[asyncio.Task[None]] = set()
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._swept: float | None = None
        self.uploaded = self.downloaded = 0  # bytes since the start

    def take(self, transfer: Transfer) -> None:
        """Carry out a transfer, after those of its session before it."""
        queue = self._queues.get(transfer.session)
        if queue is not None:
            queue.append(transfer)
            return
        self._queues[transfer.session] = deque([transfer])
        self._start(self._work_off(transfer.session))

    @property
    def waiting(self) -> int:
        """The parts of files that wait for the disk."""
        return sum(map(len, self._queues.values()))

    async def _work_off(self, session: str) -> None:
        queue = self._queues[session]
        try:
            while queue:
                transfer = queue.popleft()
                self.answered(transfer, wire.encode(await self._answer(transfer)))
        finally:
            del self._queues[session]

    async def _answer(self, transfer: Transfer) -> m.Reply:
        command = transfer.command
        try:
            if isinstance(command, m.Get):
                await self.ready(transfer.peer)
                return await self._get(command)
            return m.Have(ref=command.ref, file=command.file, offset=await self._put(transfer, command))
        except _Refused as no:
            return m.Error(
                ref=command.ref, code=no.code, message=no.message, limit=no.limit, retry_after=no.retry_after
            )  # fmt: skip
        except OSError as error:
            self._notes.write(logging.WARNING, "a file could not be stored or read: %s", error.strerror or error)
            if error.errno in FULL:
                return m.Error(ref=command.ref, code="no_space", message="the broker's disk is full")
            text = f"the broker cannot use its files now: {error.strerror or 'see its log'}"
            return m.Error(ref=command.ref, code="unavailable", message=text, retry_after=RETRY)
        except Exception:  # noqa: BLE001 — it is logged
            self._notes.write(logging.ERROR, "a part of a file could not be processed", trace=True)
            text = "the broker made a mistake, which is in its log"
            return m.Error(ref=command.ref, code="internal", message=text)

    # -- downloads

    async def _get(self, command: m.Get) -> m.Reply:
        found = await self._run(self.folder.read, command.file, command.offset, command.limit)
        if found is None and await self.fetch(command.file):
            found = await self._run(self.folder.read, command.file, command.offset, command.limit)
        if found is None and self.fetch is not _nowhere and self.shelf.wanted(command.file):
            text = "no broker that has this file is there now: ask again in a moment"
            raise _Refused("unavailable", text, retry_after=RETRY)
        if found is None:
            raise _Refused(*no_file(command.file))
        size, data = found
        self.downloaded += len(data)
        return m.FilePart(ref=command.ref, file=command.file, offset=command.offset, size=size, data=data)

    # -- uploads

    async def _put(self, transfer: Transfer, command: m.Put) -> int:
        """Take a part of an upload. Return through where the file is here."""
        key = transfer.asker, command.file
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if transfer.readable or self.shelf.uploaded(command.file, transfer.asker):
                size = self.shelf.size(command.file)
                if size is not None and size != command.size:
                    raise _Refused("bad_file", f"the file with this hash has {size} bytes, and not {command.size}")
                if size is not None:
                    return size
            upload = self.shelf.unfinished.get(key)
            if upload is not None and upload.size != command.size:
                await self.drop(command.file, transfer.asker)
                upload = None
            if upload is None:
                if command.size and not command.data:
                    return 0
                upload = await self._begin(transfer, command)
            return await self._add(upload, transfer.asker, command)

    async def _begin(self, transfer: Transfer, command: m.Put) -> Upload:
        if no := self.shelf.refuses(transfer.asker, command.size, member=transfer.member):
            raise _Refused("no_space", no[0], no[1] or None)
        upload = Upload(command.size, 0, time.time())
        self.shelf.begun(command.file, transfer.asker, upload)
        try:
            await self._run(self.folder.begin, self.folder.part(command.file, transfer.asker, command.size))
        except BaseException:
            self.shelf.dropped(command.file, transfer.asker)
            raise
        return upload

    async def _add(self, upload: Upload, from_: str, command: m.Put) -> int:
        part = self.folder.part(command.file, from_, upload.size)
        new = command.data[upload.have - command.offset :] if command.offset <= upload.have else b""
        if new:
            if no := self.shelf.low(len(new)):
                raise _Refused("no_space", no[0])
            await self._run(self.folder.write, part, upload.have, new)
            upload.have += len(new)
            self.uploaded += len(new)
            upload.at = time.time()
        if upload.have == upload.size:
            await self._finish(part, command.file, from_, upload.size)
        return upload.have

    async def _finish(self, part: Path, file: str, from_: str, size: int) -> None:
        """Check what was uploaded, and put it in its place: here, then at the other brokers, then for its uploader."""
        if not await self._run(self.folder.finish, part, file):
            self.shelf.dropped(file, from_)
            raise _Refused("bad_file", "what was uploaded is not the file of this hash: it was dropped, send it anew")
        if not await self.spread(file, size, from_):
            text = "too few of the other brokers have taken the file: send it again in a moment"
            raise _Refused("unavailable", text, retry_after=RETRY)
        await self.keep(file, from_)
        await self._run(_unlink, part)

    async def keep(self, file: str, from_: str) -> None:
        """Note that somebody has uploaded a file, which is in its place."""
        await self._run(self.folder.mark, file, from_)
        self.shelf.finished(file, from_, time.time())

    async def part(self, file: str, offset: int, limit: int) -> tuple[int, bytes] | None:
        """Return the size of a file and a part of it; None if it is not here, or cannot be read."""
        try:
            return await self._run(self.folder.read, file, offset, limit)
        except OSError:
            return None

    async def copying(self, file: str, from_: str, size: int) -> "Copy":
        """Begin a copy of another broker's file. Raises OSError."""
        part = self.folder.part(file, from_, size)
        await self._run(_unlink, part)
        await self._run(self.folder.begin, part)
        return Copy(self.folder, part, file, self._run)

    async def drop(self, file: str, from_: str) -> None:
        """Remove an upload that is not finished."""
        upload = self.shelf.dropped(file, from_)
        if upload is not None:
            await self._run(_unlink, self.folder.part(file, from_, upload.size))

    # -- what goes

    def tick(self, now: float) -> None:
        """Remove what nobody wants any more. To be called every second; `now` is the monotonic clock."""
        last, gone = self.shelf.detached()
        if last:
            for file in gone:
                self._remove(file)
            self.shelf.forget_detached(last)
        if self._swept is None or now - self._swept >= SWEEP:
            self._swept = now
            self._start(self.sweep(time.time()))

    async def sweep(self, wall: float) -> None:
        """Remove the uploads that nobody goes on with, and the files that nobody has."""
        for file, from_ in self.shelf.expired(wall):
            await self.drop(file, from_)
        for file, at in await self._run(lambda: list(self.folder.all())):
            if wall - at > JUST_NOW and self.shelf.is_loose(file):
                self._remove(file)

    def _remove(self, file: str) -> None:
        self.folder.remove(file)
        self.shelf.removed(file)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)
        self.folder.close()

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Copy:
    """A copy of another broker's file, on its way. All methods raise OSError."""

    def __init__(self, folder: Folder, part: Path, file: str, run: Callable[..., Awaitable[Any]]) -> None:
        self._folder, self._part, self._file, self._run = folder, part, file, run

    async def add(self, offset: int, data: bytes) -> None:
        await self._run(self._folder.write, self._part, offset, data)

    async def end(self, *, whole: bool) -> bool:
        """Put the copy in its place, if all of it has come and its hash is right. Return whether it is there."""
        right: bool = whole and await self._run(self._folder.finish, self._part, self._file)
        await self._run(_unlink, self._part)
        return right


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        log.exception("the files could not be looked after")


async def _alone(file: str, size: int, from_: str) -> bool:
    return True


async def _nowhere(file: str) -> bool:
    return False
