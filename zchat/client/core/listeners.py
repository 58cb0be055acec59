"""What the loops over `ChatClient.listen()` have still to hear. Each hears all that came from its start on.

What came stands in one buffer, batch by batch, and each loop has a position in it, like the consumers of a log. A loop
that stops leaves its position behind, under the rooms that it listened to, and the next one for these goes on there: a
`break` loses nothing, whoever else listens. The buffer is bounded: a slow loop makes the others wait, and a position
without a loop is given up. What is discarded leaves GONE behind, so that all positions stay valid.
"""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from operator import length_hint
from typing import Any

from zchat.protocol import messages as m

from .notices import Removed

BUFFER_MAX = 8 * 2**20  # bytes of lines, and `EVENT` for each event
EVENT = 128  # bytes that an event counts beside its line
GONE = None  # where an event was that nobody is to hear any more

Rooms = frozenset[str]
Position = tuple[int, int]  # number of a batch, and index of the event in it that is heard next


class Listener:
    """One loop: the rooms that it listens to, its position, and the events that it is being given from there on."""

    def __init__(self, rooms: Rooms, position: Position) -> None:
        self.rooms, self.position = rooms, position
        self.events: Iterator[Any] | None = None


class Listeners:
    """The buffer, and how far each loop has come in it."""

    def __init__(self) -> None:
        self._buffer: deque[tuple[list[Any], list[bytes], int]] = deque()  # events, their lines, their size
        self._first = self._bytes = 0  # number of the oldest batch in the buffer
        self._furthest: Position = (0, 0)  # of all loops that ever were: from here on nobody has heard anything
        self._positions: dict[Rooms, Position] = {}  # of these rooms, whether or not there is a loop for them now
        self._loops: set[Listener] = set()

    def begin(self, rooms: Rooms) -> Listener:
        """Begin where the last loop for these rooms is, or with what nobody has heard."""
        for each in self._loops:  # one that was left by a `break` may not be closed yet
            self._advance(each)
        listener = Listener(rooms, self._positions.get(rooms, self._furthest))
        self._loops.add(listener)
        self._positions[rooms] = listener.position
        return listener

    def end(self, listener: Listener) -> None:
        self._advance(listener)
        self._loops.discard(listener)
        self._trim()

    def add(self, events: list[Any], lines: list[bytes]) -> None:
        """Append a batch."""
        size = _size(lines)
        self._buffer.append((events, lines, size))
        self._bytes += size

    def discard(self, room: str) -> None:
        """Let nobody hear what is in the buffer of a room."""
        buffer, self._buffer = self._buffer, deque()
        for events, lines, _ in buffer:
            for index, event in enumerate(events):
                if is_of_room(event, room):
                    events[index], lines[index] = GONE, b""  # in place: some loop may be in the middle of them
            self._buffer.append((events, lines, _size(lines) - EVENT * events.count(GONE)))
        self._bytes = sum(size for _, _, size in self._buffer)

    def is_behind(self, listener: Listener) -> bool:
        """Say whether there is something that it has not heard."""
        self._advance(listener)
        return listener.position[0] < self._first + len(self._buffer)

    def next_events(self, listener: Listener) -> Iterator[Any] | None:
        """Return some of what it hears next, to be used up before this is called again; None if it has heard all.

        What was discarded is GONE among them.
        """
        behind = self.is_behind(listener)
        self._trim()
        if not behind:
            return None
        number, index = listener.position
        events = self._buffer[number - self._first][0]
        listener.events = iter(events)
        next(islice(listener.events, index, index), None)  # over the buffer's own, which may yet be discarded
        return listener.events

    def _advance(self, listener: Listener) -> None:
        """Move a position behind what was used up; nothing is counted before, for there may be much."""
        if listener.events is None:
            return
        number, left = listener.position[0], length_hint(listener.events)
        if left:
            listener.position = (number, len(self._buffer[number - self._first][0]) - left)
        else:
            listener.position, listener.events = (number + 1, 0), None
        known = self._positions.get(listener.rooms, listener.position)
        self._positions[listener.rooms] = max(known, listener.position)
        self._furthest = max(self._furthest, listener.position)

    def is_full(self) -> bool:
        """Say whether nothing more should be added, because some loop has so much to hear still."""
        if self._bytes > BUFFER_MAX:
            slowest = min((each.position for each in self._loops), default=self._furthest)
            self._positions = {rooms: each for rooms, each in self._positions.items() if each >= slowest}
            self._trim()
        return self._bytes > BUFFER_MAX

    def take_rest(self) -> tuple[list[Any], list[bytes]]:
        """Take out what nobody has heard, with its lines."""
        for each in self._loops:
            self._advance(each)
        number, first = self._furthest
        events: list[Any] = []
        lines: list[bytes] = []
        for batch in list(self._buffer)[number - self._first :]:
            events += batch[0]
            lines += batch[1]
        self._furthest = (self._first + len(self._buffer), 0)
        self._positions.clear()
        self._trim()
        kept = [index for index in range(first, len(events)) if events[index] is not GONE]
        return [events[index] for index in kept], [lines[index] for index in kept]

    def _trim(self) -> None:
        """Drop what all have heard."""
        if not self._buffer:
            return
        oldest, _ = min([self._furthest, *self._positions.values(), *(each.position for each in self._loops)])
        while self._first < oldest:
            self._bytes -= self._buffer.popleft()[2]
            self._first += 1


def is_of_room(event: Any, room: str) -> bool:
    """Say whether an event is lost on who has left a room; what was done about the room or its members is not."""
    return getattr(event, "room", None) == room and not isinstance(event, m.Administrative | Removed)


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + EVENT * len(lines)
