"""What happens often and matters little, folded into one line: who comes and goes, who reacts to what one has said.

The first of such events waits a moment for others.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from zchat.protocol import messages as m

WAIT = 1.0  # seconds that an event waits for others

T = TypeVar("T")


class Folding(Generic[T]):
    """Collects events. `on_ready` is called when the first one has waited long enough."""

    def __init__(self, on_ready: Callable[[], None], wait: float = WAIT) -> None:
        self._on_ready, self._wait = on_ready, wait
        self._events: list[T] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._timer is not None

    def add(self, event: T) -> None:
        self._events.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait, self._on_ready)

    def take(self) -> list[T]:
        """Return the events collected, and begin anew."""
        events, self._events = self._events, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return events


Given = dict[str, list[str]]  # the nicks of those who have reacted, by emoji


def folded(reactions: Iterable[m.Reacted]) -> dict[int, Given]:
    """Return who has reacted to which messages; what was taken back within the moment never was."""
    last = {(one.target, one.emoji, one.from_): one for one in reactions}
    found: dict[int, Given] = {}
    for one in last.values():
        if not one.off:
            found.setdefault(one.target, {}).setdefault(one.emoji, []).append(one.nick)
    return found
