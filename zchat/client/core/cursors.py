"""How far a program has come in a log: a cursor for each stream, and the history of the log that the cursors are of.

A stream is a room, or `DIRECT`: all direct messages together. Its cursor is a seq: everything through it is finished,
and a program that comes back asks for what is behind it.

A seq means something only in one history of one log. A log can go back (somebody puts an older copy in its place): the
broker then says through which seq it `shared` our history, and every cursor above that is cut. And it can be another
log: then its seqs have nothing to do with our cursors. Pure.
"""

from typing import Self

import msgspec

from zchat.protocol import messages as m

DIRECT = "@"  # the stream of all direct messages


def continues(known: str, log: str, shared: int | None) -> bool:
    """Say whether the broker's log goes on from the one that is known ("": none yet), also if it went back."""
    return known in ("", log) or bool(shared)


class Cursors(msgspec.Struct, frozen=True):
    """The cursors of one log, by stream, as they are kept on disk."""

    log: str = ""
    cursors: dict[str, int] = {}
    epochs: m.Epochs = ()

    @property
    def through(self) -> int:
        """The highest of the cursors."""
        return max(self.cursors.values(), default=0)

    def follow(self, log: str, epochs: m.Epochs, shared: int | None) -> Self:
        """Return what of this holds in the broker's log, which is ours through `shared` (None: all of it)."""
        kept = self.cursors if continues(self.log, log, shared) else {}
        if shared is not None:
            kept = {stream: min(seq, shared) for stream, seq in kept.items()}
        return msgspec.structs.replace(self, log=log, cursors=kept, epochs=epochs)


class Progress:
    """The events of one stream, as they begin and finish. They may finish in any order.

    The cursor stays before the first event that is not finished. So a program that is killed begins with it again.
    """

    def __init__(self, cursor: int) -> None:
        self.cursor = self._seen = cursor
        self._open: dict[int, None] = {}  # begun and not finished, in order

    def begin(self, seq: int) -> bool:
        """Note that an event begins; return False if it was seen before."""
        if seq <= self._seen:
            return False
        self._seen = seq
        self._open[seq] = None
        return True

    def finish(self, seq: int) -> None:
        """Note that an event is finished."""
        self._open.pop(seq, None)
        self.cursor = next(iter(self._open)) - 1 if self._open else self._seen

    def advance(self, seq: int) -> None:
        """Note an event that begins and is finished at once."""
        if seq > self._seen:
            self._seen = seq
            if not self._open:
                self.cursor = seq

    def go_back(self, shared: int) -> None:
        """The log went back: what is above `shared` is in it no more, and its seqs will be used again."""
        self.cursor, self._seen = min(self.cursor, shared), min(self._seen, shared)
        self._open = {seq: None for seq in self._open if seq <= shared}
