"""Who comes and goes, folded into one line: a change waits a moment for others."""

import asyncio
from collections.abc import Callable

from .render import PresenceChange

WAIT = 1.0  # seconds that a change waits for others


class Folding:
    """Collects changes of presence. `on_ready` is called when the first one has waited long enough."""

    def __init__(self, on_ready: Callable[[], None]) -> None:
        self._on_ready = on_ready
        self._changes: list[PresenceChange] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._timer is not None

    def add(self, change: PresenceChange) -> None:
        self._changes.append(change)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WAIT, self._on_ready)

    def take(self) -> list[PresenceChange]:
        """Return the changes collected, and begin anew."""
        changes, self._changes = self._changes, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return changes
