"""Which history a `seq` belongs to: the log of a broker may go back, or be another one, and then numbers anew.

A log goes back when an older copy of it is put back, or when its journal is lost. It then gives the same `seq` to other
events. An epoch names a stretch of one history; so two sides that compare their epochs know through which `seq` they
share it.
"""

from zchat.protocol import messages as m

from .cursors import continues


def epoch_of(epochs: m.Epochs, seq: int) -> str:
    """Return the id of the epoch in which a `seq` was given, "" for one from before all that are known.

    A log that goes back gives each `seq` again: with its epoch, a `seq` names one event for ever.
    """
    return next((id_ for id_, first in reversed(epochs) if first <= seq), "")


class KnownLog:
    """The log that all cursors and numbers of a client are of; `through` is the highest `seq` that its user has kept.

    `shared` is the seq through which what was known at the start is still in the log.
    """

    def __init__(self, epochs: m.Epochs, through: int) -> None:
        self.epochs = epochs
        self.shared: int | None = None
        self._through = through
        self._log = ""  # the id of the log of the last session

    def compare(self, welcome: m.Welcome) -> int | None:
        """Return the seq through which the broker's log is the one that we know; None: all of it, 0: it is another."""
        shared = welcome.shared if self.epochs and welcome.epochs else None
        if not self.is_same(welcome, shared):
            shared = 0
        if shared is not None:
            self.shared = shared if self.shared is None else min(shared, self.shared)
        return shared

    def is_same(self, welcome: m.Welcome, shared: int | None) -> bool:
        """Say whether the broker's log is the one that we know, even if it went back."""
        return continues(self._log, welcome.log, shared)

    def follow(self, welcome: m.Welcome, shared: int | None) -> bool:
        """From now on the broker's log is the one that we know; say if the user had kept more than is in it."""
        gone = shared is not None and self._through > shared
        self._through = 0  # from now on what the user knows comes from us
        self._log, self.epochs = welcome.log, welcome.epochs
        return gone
