"""When memory grows quickly, look for connections that send messages without an end, and end them.

A look asks the kernel about every descriptor of the process. With thousands of sessions that takes long enough for
others to notice, and a crowd that comes back makes memory grow, too. So looks take a bounded share of the time.
"""

import logging
import time
from collections.abc import Iterable

from .connections import BEHIND, Connections
from .doors import Door
from .kernel import memory
from .notes import Notes
from .subscribers import Subscribers

OFTEN = 0.1  # s between checks …
MAKE_SURE = 0.02  # … and while connections are suspected of sending a message without an end
GROWN = 16 * 1024 * 1024  # bytes by which memory has to grow between two checks for a look at the connections
SHARE = 5  # a look is followed by a pause so many times as long


class EndlessWatch:
    """Checks memory, and looks at the connections when it has grown. `pause`: the seconds until the next check."""

    def __init__(
        self, connections: Connections, subscribers: Subscribers, doors: Iterable[Door], notes: Notes
    ) -> None:  # fmt: skip
        self._connections, self._subscribers, self._notes = connections, subscribers, notes
        ends = [end for door in doors for end in (door.listen, door.publish)]
        self._ports = frozenset(int(port) for end in ends if (port := end.rpartition(":")[2]).isdigit())
        self._used, self._took = memory(), 0.0

    @property
    def pause(self) -> float:
        return max(MAKE_SURE if self._connections.suspects else OFTEN, SHARE * self._took)

    def check(self, read_by: float) -> int:
        """Return how many connections were ended. All that had arrived by `read_by` was received."""
        using, now, cut = memory(), time.monotonic(), 0
        grown = using - self._used
        self._took = 0.0
        if (grown > GROWN or self._connections.suspects) and now - read_by < BEHIND:
            feeds = self._subscribers.connections
            cut = self._connections.cut_endless(self._ports, read_by, now, grown, feeds)
            if cut:
                self._notes.write(logging.WARNING, "ended for sending messages without an end: %d connections", cut)
            self._used, self._took = using, time.monotonic() - now
        self._used = min(self._used, using)
        return cut
