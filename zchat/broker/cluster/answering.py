"""What a broker answers to the others of its cluster, and to the commands: copies of its log, and a new stream."""

import logging
import secrets
from pathlib import Path

import msgspec

from zchat.broker.log import StreamLog
from zchat.errors import EngineError, LostStreamError

from .copying import Source
from .interface import Engine
from .requests import (
    Answer,
    CopyWanted,
    FileWanted,
    KeepFile,
    PieceWanted,
    Refused,
    Restored,
    RestoreWanted,
    UploadsWanted,
    decode_request,
    encode,
)
from .spreading import Spreading
from .terms import successor

log = logging.getLogger(__name__)


class Answering:
    """Answers questions about a log in the folder `data`."""

    def __init__(self, engine: Engine, stream_log: StreamLog, data: Path | None) -> None:
        self._engine, self._log = engine, stream_log
        self._source = None if data is None else Source(data)
        self.files: Spreading | None = None

    async def answer(self, question: bytes) -> bytes:
        return encode(await self._answered(question))

    def tick(self, now: float) -> None:
        """Let go what nobody has asked for lately."""
        if self._source is not None:
            self._source.tick(now)

    async def close(self) -> None:
        if self._source is not None:
            await self._source.close()

    async def _answered(self, question: bytes) -> Answer:
        try:
            request = decode_request(question)
        except msgspec.DecodeError:
            return Refused("This broker does not understand the question: it is of another version.")
        match request:
            case CopyWanted() if self._source is not None:
                return self._source.offer()
            case PieceWanted() if self._source is not None:
                return await self._source.piece(request)
            case RestoreWanted():
                return await self._restore(request)
            case FileWanted() | KeepFile() | UploadsWanted():
                return Refused("It begins or ends.") if self.files is None else await self.files.answer(request)
        return Refused("This broker has its log in memory.")

    async def _restore(self, wanted: RestoreWanted) -> Answer:
        """Make a new stream, which begins where this log ends."""
        applied = self._log.applied
        if not isinstance(self._log.broken, LostStreamError):
            return Refused("This broker believes the stream that is there: nothing was lost.")
        if applied.seq < wanted.applied:
            return Refused(f"This broker has applied {applied.seq} messages, and {wanted.applied} are to be kept.")
        term = secrets.token_hex(8)
        try:
            await self._engine.delete()
            await self._engine.create(successor(self._log.id, applied, term))
        except EngineError as error:
            return Refused(str(error))
        log.warning("a new stream was made, which begins after message %d", applied.seq)
        return Restored(term, applied.seq)
