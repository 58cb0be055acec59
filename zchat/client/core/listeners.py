"""pure: what the loops over `ChatClient.listen()` have still to hear. Each hears all that came from its start on.

What came stands in one row, batch by batch; each loop has a place in it. A loop that stops leaves its place behind,
under the rooms that it listened to, so that the next one for these goes on there: a `break` loses nothing, whoever else
listens. The row is bounded: a loop that is slow makes the others wait, and a place without a loop is given up. What is
discarded leaves GONE behind, so that all places stay what they are.
"""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from operator import length_hint
from typing import Any

ROW_MAX = 8 * 2**20  # bytes of lines, and `EVENT` for each event
EVENT = 128  # bytes that an event counts beside its line
GONE = None  # where an event was that nobody is to hear any more

Rooms = frozenset[str]
Place = tuple[int, int]  # number of a batch, and of the event in it that is heard next


class Listener:
    """One loop: the rooms that it listens to, its place, and what it is being told from there on."""

    def __init__(self, rooms: Rooms, place: Place) -> None:
        self.rooms, self.place = rooms, place
        self.hearing: Iterator[Any] | None = None


class Listeners:
    """The row of batches, and who has come how far in it."""

    def __init__(self) -> None:
        self._row: deque[tuple[list[Any], list[bytes], int]] = deque()  # events, their lines, their size
        self._first = self._bytes = 0  # number of the oldest batch in the row
        self._heard: Place = (0, 0)  # what nobody has heard yet
        self._left: dict[Rooms, Place] = {}  # how far a loop for these has come, whether or not there is one now
        self._loops: set[Listener] = set()

    def begin(self, rooms: Rooms) -> Listener:
        """Begin where the last loop for these rooms is, or with what nobody has heard."""
        for each in self._loops:  # one that was left by a `break` may not be closed yet
            self._settle(each)
        listener = Listener(rooms, self._left.get(rooms, self._heard))
        self._loops.add(listener)
        self._left[rooms] = listener.place
        return listener

    def end(self, listener: Listener) -> None:
        self._settle(listener)
        self._loops.discard(listener)
        self._trim()

    def add(self, events: list[Any], lines: list[bytes]) -> None:
        """Put what came together at the end of the row."""
        size = _size(lines)
        self._row.append((events, lines, size))
        self._bytes += size

    def discard(self, room: str) -> None:
        """Let nobody hear what is in the row of a room."""
        row, self._row = self._row, deque()
        for events, lines, _ in row:
            for place, event in enumerate(events):
                if getattr(event, "room", None) == room:
                    events[place], lines[place] = GONE, b""  # in place: some loop may be in the middle of them
            self._row.append((events, lines, _size(lines) - EVENT * events.count(GONE)))
        self._bytes = sum(size for _, _, size in self._row)

    def behind(self, listener: Listener) -> bool:
        """Whether there is something that it has not heard."""
        self._settle(listener)
        return listener.place[0] < self._first + len(self._row)

    def ahead(self, listener: Listener) -> Iterator[Any] | None:
        """Return some of what it hears next, to be taken before this is called again; None if it has heard all.

        What was discarded is GONE among them.
        """
        behind = self.behind(listener)
        self._trim()
        if not behind:
            return None
        number, offset = listener.place
        events = self._row[number - self._first][0]
        listener.hearing = iter(events)
        next(islice(listener.hearing, offset, offset), None)  # over the row's own, which may yet be discarded
        return listener.hearing

    def _settle(self, listener: Listener) -> None:
        """Move a loop's place behind what it has taken; nothing is counted while it takes, for there may be much."""
        if listener.hearing is None:
            return
        number, left = listener.place[0], length_hint(listener.hearing)
        if left:
            listener.place = (number, len(self._row[number - self._first][0]) - left)
        else:
            listener.place, listener.hearing = (number + 1, 0), None
        self._left[listener.rooms] = max(self._left.get(listener.rooms, listener.place), listener.place)
        self._heard = max(self._heard, listener.place)

    def full(self) -> bool:
        """Whether nothing more should be added, because some loop has so much to hear still."""
        if self._bytes > ROW_MAX:
            slowest = min((each.place for each in self._loops), default=self._heard)
            self._left = {rooms: place for rooms, place in self._left.items() if place >= slowest}
            self._trim()
        return self._bytes > ROW_MAX

    def rest(self) -> tuple[list[Any], list[bytes]]:
        """Take what nobody has heard, with its lines."""
        for each in self._loops:
            self._settle(each)
        number, offset = self._heard
        events: list[Any] = []
        lines: list[bytes] = []
        for batch in list(self._row)[number - self._first :]:
            events += batch[0]
            lines += batch[1]
        self._heard = (self._first + len(self._row), 0)
        self._left.clear()
        self._trim()
        kept = [place for place in range(offset, len(events)) if events[place] is not GONE]
        return [events[place] for place in kept], [lines[place] for place in kept]

    def _trim(self) -> None:
        """Forget what all have heard."""
        if not self._row:
            return
        keep, _ = min([self._heard, *self._left.values(), *(each.place for each in self._loops)])
        while self._first < keep:
            self._bytes -= self._row.popleft()[2]
            self._first += 1


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + EVENT * len(lines)
