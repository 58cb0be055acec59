"""The files of a cluster: each broker has all of them, in a folder of its own, and gives the others what they lack.

The stream has no files in it: it would have to keep them. Before a broker tells that an upload is whole, most brokers
that are there have it on disk, and know whose it is. Whichever is lost then, the others have what a message carries,
and its author may say the message at any of them. What a broker lacks nevertheless (it was away, it is new, its log is
a copy) it gets in the background, and at once if somebody asks for it.

A copy is had in pieces, by question and answer, and is checked by its hash as an upload is.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from zchat.broker.files import FileService
from zchat.errors import EngineError
from zchat.protocol import messages as m

from .interface import Engine
from .requests import (
    Answer,
    FilePiece,
    FileWanted,
    KeepFile,
    Kept,
    Preparing,
    Refused,
    Uploads,
    UploadsWanted,
    decode_answer,
    encode,
)

PIECE = 512 * 1024  # bytes
AGAIN = 0.1  # s between two questions for what is being done
BOUND, PACE = 10.0, 2 * 1024 * 1024  # s that copying takes at most, and a second more for so many bytes
STRAGGLERS = 2.0  # s for which the last ones are waited for, once most have a file
ASKED = 10.0  # s for which somebody waits for a file that is not here
LOOK = 5.0  # s between two tries to get what is missing
COMPARE = 3_600.0  # s between two looks at all files
NOBODY = "0" * 16  # whose a copy is while it comes

log = logging.getLogger(__name__)


class Spreading:
    """Copies files between this broker, `name`, and the others; `others` returns those that are there."""

    def __init__(self, engine: Engine, name: str, files: FileService, others: Callable[[], Sequence[str]]) -> None:
        self._engine, self._name, self._files, self._others = engine, name, files, others
        self._fetching: dict[str, asyncio.Task[bool]] = {}  # by file
        self._keeping: dict[tuple[str, str], asyncio.Task[bool]] = {}  # by file and `from`
        self._missing: dict[str, None] = {}
        self._compared = float("-inf")
        files.spread, files.fetch, files.shelf.on_attached = self.spread, self.fetch, self._attached
        self._background = asyncio.ensure_future(self._look_after())

    async def close(self) -> None:
        tasks = [self._background, *self._fetching.values(), *self._keeping.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what is asked of the others

    async def spread(self, file: str, size: int, from_: str) -> bool:
        """Have the other brokers copy a file that was uploaded here. Return whether most have it."""
        others = list(self._others())
        if not others:
            return True
        wanted = encode(KeepFile(file, size, from_, self._name))
        until = time.monotonic() + BOUND + size / PACE
        tasks = {asyncio.ensure_future(self._kept(name, wanted, until)) for name in others}
        pending, kept, most = set(tasks), 1, (len(others) + 1) // 2 + 1
        try:
            while pending and kept < most:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                kept += sum(task.result() for task in done)
            if pending and kept >= most:
                await asyncio.wait(pending, timeout=STRAGGLERS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return kept >= most

    async def _kept(self, name: str, wanted: bytes, until: float) -> bool:
        """Ask a broker to keep a file, until it does; return whether it does."""
        while time.monotonic() < until and name in self._others():
            answer = await self._ask(name, wanted)
            if isinstance(answer, Kept):
                return True
            if isinstance(answer, Refused):
                log.warning("broker %s does not keep a file: %s", name, answer.why)
                return False
            await asyncio.sleep(AGAIN)
        return False

    async def fetch(self, file: str) -> bool:
        """Get a file from another broker, if one has it; wait for it for a while. Return whether it is here."""
        done, _ = await asyncio.wait([self._fetch(file, self._others())], timeout=ASKED)
        return any(task.result() for task in done if not task.cancelled())

    def _fetch(self, file: str, brokers: Sequence[str]) -> "asyncio.Task[bool]":
        """Return the task that gets a file from one of these brokers."""
        if file not in self._fetching:
            self._fetching[file] = asyncio.ensure_future(self._fetch_from_any(file, brokers))
            self._fetching[file].add_done_callback(lambda _: self._fetching.pop(file, None))
        return self._fetching[file]

    async def _fetch_from_any(self, file: str, brokers: Sequence[str]) -> bool:
        for broker in brokers:
            try:
                if await self._fetch_from(broker, file):
                    return True
            except OSError as error:
                log.warning("a file of broker %s cannot be stored: %s", broker, error.strerror or error)
                return False
        return self._files.shelf.size(file) is not None

    async def _fetch_from(self, broker: str, file: str) -> bool:
        first = await self._ask(broker, encode(FileWanted(file, 0)))
        if not isinstance(first, FilePiece) or first.size > m.FILE_MAX:
            return False
        copy = await self._files.copying(file, NOBODY, first.size)
        offset, data = 0, first.data
        while data:
            await copy.add(offset, data)
            offset += len(data)
            piece = await self._ask(broker, encode(FileWanted(file, offset))) if offset < first.size else None
            data = piece.data if isinstance(piece, FilePiece) else b""
        return await copy.end(whole=offset == first.size)

    async def _ask(self, broker: str, question: bytes) -> Answer | None:
        try:
            return decode_answer(await self._engine.ask(broker, question))
        except (EngineError, msgspec.DecodeError):
            return None

    # -- what the others ask

    async def answer(self, request: FileWanted | KeepFile | UploadsWanted) -> Answer:
        match request:
            case FileWanted():
                found = await self._files.part(request.file, request.offset, PIECE)
                return Refused("It is not here.") if found is None else FilePiece(*found)
            case KeepFile():
                return self._keep(request)
            case UploadsWanted():
                return Uploads(self._files.shelf.uploads())

    def _keep(self, wanted: KeepFile) -> Answer:
        shelf, key = self._files.shelf, (wanted.file, wanted.from_)
        if shelf.size(wanted.file) == wanted.size and shelf.uploaded(wanted.file, wanted.from_):
            return Kept()
        task = self._keeping.get(key)
        if task is None:
            self._keeping[key] = asyncio.ensure_future(self._take(wanted.file, wanted.from_, [wanted.broker]))
            return Preparing()
        if not task.done():
            return Preparing()
        del self._keeping[key]
        if task.cancelled() or task.exception() is not None or not task.result():
            return Refused("It could not be copied.")
        return Kept()

    async def _take(self, file: str, from_: str, brokers: Sequence[str]) -> bool:
        if self._files.shelf.size(file) is None and not await self._fetch(file, brokers):
            return False
        await self._files.keep(file, from_)
        return True

    # -- in the background

    def _attached(self, file: str) -> None:
        if self._files.shelf.size(file) is None:
            self._missing[file] = None

    async def _look_after(self) -> None:
        while True:
            try:
                if time.monotonic() - self._compared >= COMPARE and self._others():
                    await self._compare()
                    self._compared = time.monotonic()
                for file in list(self._missing):
                    if not self._files.shelf.wanted(file) or await self._fetch(file, self._others()):
                        self._missing.pop(file, None)
            except Exception:
                log.exception("the files of the other brokers could not be looked after")
            await asyncio.sleep(LOOK)

    async def _compare(self) -> None:
        """Find out which files are missing here: of those that messages carry, and of those uploaded elsewhere."""
        for broker in self._others():
            answer = await self._ask(broker, encode(UploadsWanted()))
            for file, from_ in answer.files if isinstance(answer, Uploads) else ():
                if not self._files.shelf.uploaded(file, from_) and not self._files.shelf.wanted(file):
                    await self._take(file, from_, [broker])
        last = ""
        while page := self._files.shelf.attached_after(last):
            self._missing |= {file: None for file, _ in page if self._files.shelf.size(file) is None}
            last = page[-1][0]
            await asyncio.sleep(0)
