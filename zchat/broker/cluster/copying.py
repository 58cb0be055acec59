"""Copies of the log from one broker to another: for a new one, or one that was away for longer than the stream keeps.

The source makes a consistent copy with SQLite's backup, beside its log, and gives it away in pieces, by question and
answer, to whoever asks: nothing waits for whoever takes it. After a minute in which nobody has asked it is deleted. Who
takes it checks the whole, and that what it has itself is a beginning of it, before it puts it in the place of its own
log. If the source dies meanwhile, what came is dropped, and another source is asked from the beginning.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from zchat import files
from zchat.broker.store import LOG_FILE, Store, backup, standing
from zchat.errors import ClusterError, EngineError, FolderError, StorageError

from .interface import Engine, Position
from .requests import Answer, CopyWanted, Offer, Piece, PieceWanted, Preparing, Refused, decode_answer, encode
from .terms import Own

PIECE = 512 * 1024  # bytes
KEPT = 60.0  # s after the last question for which a copy is kept
ATTEMPTS = 3  # at a piece, until another source is asked
AGAIN = 0.2  # s between two questions for a copy that is being made
GIVEN, TAKEN = "copy-out", "copy-in"  # folders within that of the log

log = logging.getLogger(__name__)


class CopyError(ClusterError):
    """No copy of the log can be had from `broker`."""

    def __init__(self, broker: str, why: str) -> None:
        self.broker, self.why = broker, why
        super().__init__(
            f"There is no copy of the log to be had from {broker}: {why}. Start a broker that has all of the log."
        )


class Source:
    """Gives copies of the log in the folder `data`."""

    def __init__(self, data: Path) -> None:
        self._data, self._folder = data, data / GIVEN
        self._offer: Offer | None = None
        self._making: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        _remove(self._folder)

    def offer(self) -> Answer:
        """Return a copy, or begin to make one."""
        self._asked_at = time.monotonic()
        if self._offer is not None:
            return self._offer
        if self._making is not None and self._making.done():
            making, self._making = self._making, None
            if (error := making.exception()) is not None:
                return Refused(f"A copy cannot be made: {error}")
        if self._making is None:
            self._making = asyncio.get_running_loop().create_task(self._make())
        return Preparing()

    async def piece(self, wanted: PieceWanted) -> Answer:
        """Return a piece of the copy."""
        self._asked_at = time.monotonic()
        if self._offer is None or self._offer.copy != wanted.copy:
            return Refused("This copy is not here any more: ask for another one.")
        try:
            return Piece(await asyncio.to_thread(_read, self._folder / LOG_FILE, wanted.offset))
        except OSError as error:
            return Refused(f"The copy cannot be read: {error.strerror}.")

    def tick(self, now: float) -> None:
        """Delete a copy that nobody has asked for lately."""
        if self._offer is not None and now - self._asked_at > KEPT:
            self._offer = None
            _remove(self._folder)

    async def close(self) -> None:
        if self._making is not None:
            await asyncio.gather(self._making, return_exceptions=True)
        _remove(self._folder)

    async def _make(self) -> None:
        _remove(self._folder)
        files.folder(self._folder)
        path = self._folder / LOG_FILE
        await asyncio.to_thread(backup, self._data, path, lambda done, total: None, same=True)
        found = standing(self._folder)
        if found is None:
            raise CopyError("this broker", "it is empty")
        sum_ = await asyncio.to_thread(_sha256, path)
        applied = found.applied
        size = path.stat().st_size
        self._offer = Offer(secrets.token_hex(8), size, sum_, found.id, applied.term, applied.seq)


async def take(engine: Engine, brokers: Sequence[str], data: Path, own: Own, stream: Position) -> str:
    """Replace the log in `data` by a copy from one of these brokers. Return from which.

    Raises CopyError if none of them has given one; a StorageError.
    """
    why = "there is no other broker that has it"
    for broker in brokers:
        folder = data / TAKEN
        _remove(folder)
        try:
            files.folder(folder)
            await _fetch(engine, broker, folder / LOG_FILE, stream)
            await asyncio.to_thread(_install, broker, folder, data, own)
        except (EngineError, CopyError) as error:
            why = f"broker {broker}: {error.why}"
            log.warning("no copy of the log from broker %s: %s", broker, error.why)
        except OSError as error:
            raise FolderError(data, error, "--cluster") from error
        else:
            return broker
        finally:
            _remove(folder)
    raise CopyError("the other brokers", why)


async def _fetch(engine: Engine, broker: str, path: Path, stream: Position) -> None:
    offer = await _offer(engine, broker)
    if offer.log != stream.log or offer.term != stream.term or offer.applied < stream.first - 1:
        raise CopyError(broker, "its log is none from which the stream could be applied")
    log.info("copying the log of broker %s: %.1f MiB", broker, offer.size / 2**20)
    files.private(path)
    sum_, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        while size < offer.size:
            data = await _piece(engine, broker, PieceWanted(offer.copy, size))
            await asyncio.to_thread(file.write, data)
            sum_.update(data)
            size += len(data)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    if (size, sum_.digest()) != (offer.size, offer.sha256):
        raise CopyError(broker, "its copy was damaged on its way")


async def _offer(engine: Engine, broker: str) -> Offer:
    while True:
        answer = _understood(broker, await engine.ask(broker, encode(CopyWanted())))
        if isinstance(answer, Offer):
            return answer
        if not isinstance(answer, Preparing):
            raise CopyError(broker, answer.why if isinstance(answer, Refused) else "its answer makes no sense")
        await asyncio.sleep(AGAIN)


async def _piece(engine: Engine, broker: str, wanted: PieceWanted) -> bytes:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = _understood(broker, await engine.ask(broker, encode(wanted)))
        except EngineError:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(AGAIN)
            continue
        if isinstance(answer, Piece) and answer.data:
            return answer.data
        raise CopyError(broker, answer.why if isinstance(answer, Refused) else "its copy is shorter than it said")
    raise AssertionError


def _understood(broker: str, answer: bytes) -> Answer:
    try:
        return decode_answer(answer)
    except msgspec.DecodeError:
        raise CopyError(broker, "its answer makes no sense") from None


def _install(broker: str, folder: Path, data: Path, own: Own) -> None:
    """Put a copy in the place of the log, if that is a beginning of it."""
    mine = None
    if own.id:
        with contextlib.closing(Store(data, own.id, 0)) as store:  # what its journal has is written back
            mine = _stamp(store.event(own.head))
    with contextlib.closing(Store(folder, "", 0)) as copy:
        if mine is not None and _stamp(copy.event(own.head)) != mine:
            raise FolderError(data, f"its event {own.head} is not the one that broker {broker} has. Move it aside")
    for suffix in ("-wal", "-shm"):  # of a log with the same id: SQLite would take it for the copy's
        (data / (LOG_FILE + suffix)).unlink(missing_ok=True)
        if (folder / (LOG_FILE + suffix)).exists():
            raise StorageError(f"The copy in {folder} was not closed.")
    (folder / LOG_FILE).replace(data / LOG_FILE)
    descriptor = os.open(data, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Stamp(msgspec.Struct, rename={"from_": "from"}):
    """What no event loses, also when it was deleted."""

    seq: int
    prev: int
    time: str
    from_: str = ""


def _stamp(line: bytes | None) -> _Stamp | None:
    return None if line is None else msgspec.json.decode(line, type=_Stamp)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
