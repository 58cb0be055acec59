"""Epochs: through which `seq` two histories are the same.

A log can go back: a copy of an hour ago is put in its place, or its journal is lost. The broker then gives the same
`seq`s again, to other events, and a `seq` alone no longer says which event is meant. So each start of a broker begins
an epoch, (random id, first `seq`), and the log keeps all its epochs. When a broker opens a copy of a log, it begins an
epoch that is in no other copy. So two logs that have an epoch in common are the same up to where the first of them
ended it.
"""

from collections.abc import Sequence

from zchat.protocol import messages as m


class Epochs:
    """The epochs of this broker's log, oldest first. The last one is that of the running broker."""

    def __init__(self, epochs: Sequence[m.Epoch]) -> None:
        self._all = tuple(epochs)
        self._indexes = {epoch: index for index, epoch in enumerate(self._all)}
        self.latest = self._all[-m.EPOCHS_MAX :]

    def shared(self, chain: Sequence[m.Epoch]) -> int | None:
        """Return the `seq` through which this log and the history with the epochs `chain` are the same.

        None: the history is that of the running broker, or no epochs were given. 0: the two have no epoch in common.
        """
        for index in range(len(chain) - 1, -1, -1):
            ours = self._indexes.get(chain[index])
            if ours is not None:
                followers = (*chain[index + 1 : index + 2], *self._all[ours + 1 : ours + 2])
                return min((first - 1 for _, first in followers), default=None)
        return 0 if chain else None
