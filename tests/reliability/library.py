"""A broker in memory that keeps files, on a disk that may fail; and files that people upload to it."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.broker.dialogue import Broker
from zchat.broker.files import FileService, FileShelf, Folder
from zchat.broker.store import Attached
from zchat.protocol import messages as m

PART = 15  # bytes of a file that are sent at once: a third of it


class Upload:
    """A file that somebody uploads. If it is damaged, its last byte is another one than its hash tells."""

    def __init__(self, number: int, owner: str, *, damaged: bool) -> None:
        self.owner, self.damaged = owner, damaged
        self.content = f"the content of file {number:06}, and so on".encode().ljust(3 * PART, b".")
        self.file = hashlib.sha256(self.content).hexdigest()
        self.sent = self.content[:-1] + b"!" if damaged else self.content
        self.have = 0  # as the broker told last
        self.whole = False

    def answered(self, answer: m.Reply | None) -> None:
        if isinstance(answer, m.Have):
            self.have = answer.offset
            self.whole |= self.have == len(self.content)
            assert not (self.whole and self.damaged), "a file with another hash is taken"
        elif isinstance(answer, m.Error):
            assert answer.code in {"bad_file", "unavailable", "no_session"}, answer
            assert answer.code != "bad_file" or self.damaged, "a file is refused that is sound"
            self.have = 0


class FailingFolder(Folder):
    """A folder on a disk of which nothing more can be written after so many steps, until the broker is started anew."""

    left: int | None = None

    def _step(self) -> None:
        if self.left == 0:
            raise OSError(5, "the disk fails")
        self.left = None if self.left is None else self.left - 1

    def begin(self, part: Path) -> None:
        self._step()
        super().begin(part)

    def write(self, part: Path, offset: int, data: bytes) -> None:
        self._step()
        super().write(part, offset, data)

    def finish(self, part: Path, file: str) -> bool:
        self._step()
        return super().finish(part, file)

    def mark(self, file: str, from_: str) -> None:
        self._step()
        super().mark(file, from_)


async def _at_once(peer: bytes) -> None:
    """Whoever wants a part of a file has read what came before."""


async def _here(work: Callable[..., Any], *arguments: object) -> Any:
    """Work without a thread, so that a story goes the same way each time."""
    return work(*arguments)


class Library(Broker):
    """A broker in memory that keeps files, in a folder that outlives a crash."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, **settings: Any) -> None:
        self.path, self.loop = path, loop
        self.files: FileService | None = None
        super().__init__(**settings)

    def open(self) -> None:
        super().open()
        self.files = files = FileService(self.store)
        files._run = _here  # type: ignore[method-assign]
        files.folder = self.folder = FailingFolder(self.path)
        files.shelf = FileShelf(self.folder, Attached(self.store))
        files.ready = _at_once
        files.answered = self.pipeline.transferred
        self.hub.roster.shelf = files.shelf

    def transfer(self) -> None:
        """Carry out what is asked about files."""
        transfers, self.pipeline.transfers = self.pipeline.transfers, []
        if transfers and self.files is not None:
            self.loop.run_until_complete(self._transfer(self.files, transfers))

    async def _transfer(self, files: FileService, transfers: list[Any]) -> None:
        for transfer in transfers:
            files.take(transfer)
        while files._tasks:
            await asyncio.wait(list(files._tasks))

    def sweep(self, wall: float) -> None:
        """Remove the files that nobody wants."""
        assert self.files is not None
        files = self.files

        async def sweep() -> None:
            files.tick(0.0)
            await files.sweep(wall)

        self.loop.run_until_complete(sweep())
