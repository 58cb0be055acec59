"""How far a bot has come in one room: through which event everything is finished.

Handlers run side by side, so a later event may be finished before an earlier one. What is kept on disk is the `place`:
all up to it is finished, and a bot that comes back asks for what lies behind it. So nothing that a killed bot had
begun is forgotten; what it had finished beyond the place is remembered one by one (`store`, table `done`).
"""


class Progress:
    """The events of one room (or of all conversations) as they begin and finish; `place` is a seq."""

    def __init__(self, place: int) -> None:
        self.place = self._seen = place
        self._open: dict[int, None] = {}  # begun and not finished, in order

    def begin(self, seq: int) -> bool:
        """Take note of an event; False if it was seen before."""
        if seq <= self._seen:
            return False
        self._seen = seq
        self._open[seq] = None
        return True

    def finish(self, seq: int) -> None:
        """An event is dealt with."""
        self._open.pop(seq, None)
        self.place = next(iter(self._open)) - 1 if self._open else self._seen

    def go_back(self, shared: int) -> None:
        """The log went back: what is above this place is in it no more, and its places are used again."""
        self.place, self._seen = min(self.place, shared), min(self._seen, shared)
        self._open = {seq: None for seq in self._open if seq <= shared}

    def idle(self, seq: int) -> bool:
        """Say whether all through `seq` is finished."""
        return self.place >= seq
