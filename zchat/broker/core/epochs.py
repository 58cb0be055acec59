"""Where two histories part.

A log can go back: a copy of an hour ago is put in its place, or its journal is lost. What it gave out since then it
gives out again, for other events, and a place in it no longer says which of the two is meant. So each start of a
broker begins an epoch, a random id and the first `seq` of its own, and the log keeps all of them. Two logs that have
an epoch in common have all in common through where the first of them ended it: a copy that is opened begins an
epoch that is in no other.
"""

from collections.abc import Sequence

from zchat.protocol import messages as m


class Epochs:
    """The epochs of this broker's log, oldest first; the last one is this run's."""

    def __init__(self, epochs: Sequence[m.Epoch]) -> None:
        self._all = tuple(epochs)
        self._places = {epoch: place for place, epoch in enumerate(self._all)}
        self.latest = self._all[-m.EPOCHS_MAX :]

    def shared(self, chain: Sequence[m.Epoch]) -> int | None:
        """Return the `seq` through which the history that `chain` tells is this log's.

        None: it is this run's own, which goes on. 0: the two have nothing in common.
        """
        for place in range(len(chain) - 1, -1, -1):
            ours = self._places.get(chain[place])
            if ours is not None:
                followers = (*chain[place + 1 : place + 2], *self._all[ours + 1 : ours + 2])
                return min((first - 1 for _, first in followers), default=None)
        return 0 if chain else None
