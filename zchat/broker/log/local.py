"""A log that a single broker orders, over one store. It answers at once.

It applies the drafts of a batch (`core/applying.py`) and writes them in one transaction. The state in memory changes
only after the transaction has succeeded, so a failed batch leaves no trace.
"""

import secrets
from collections.abc import Sequence

from zchat.broker.core.applying import Applying
from zchat.broker.core.entries import Entry, Failed, Outcome
from zchat.broker.store import Store
from zchat.errors import SharedLogError, StorageError

from .interface import Settled
from .stored import StoredLog, why


class LocalLog(StoredLog):
    """A log that a single broker orders. Each start begins an epoch."""

    def __init__(self, store: Store) -> None:
        """Raises SharedLogError."""
        if store.term:
            raise SharedLogError(store.path)
        super().__init__(store, secrets.token_hex(8))

    def append(self, drafts: list[Entry], wall: float, settled: Settled) -> Sequence[int]:
        settled(self.write(drafts, wall))
        return ()

    def write(self, drafts: list[Entry], wall: float) -> list[Outcome]:
        """Store the drafts and return their outcomes. Blocks until they are on disk."""
        try:
            entry = Applying(self, wall)
            outcomes = [entry.add(draft) for draft in drafts]
            self.finish(entry)
            self.store.write(entry.batch)
        except StorageError as error:
            self.trouble = error
            return [Failed(why(error))] * len(drafts)
        self.trouble = None
        self.adopt(entry)
        return outcomes
