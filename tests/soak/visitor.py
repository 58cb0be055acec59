"""What those have in common who come by a gateway: they come again whenever they are sent away, and hold their cursors.

They know nothing of zchat's client: what they speak is written here anew, after the gateways' documentation.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import Iterable

from tests.soak.journal import Said, Seen
from tests.soak.person import Person, Task, follows

AGAIN = 0.5  # seconds until it comes again, and until it asks again
WAITING_MAX = 50  # of its own words without an answer: then it says nothing more
AWAY = (OSError, EOFError, TimeoutError)  # the gateway is not there, or no more


class Visitor(Person):
    """Somebody at a gateway; `said` counts what it has said, `here` is whether it has all that is said."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        self.rooms = follows(number, task.rooms)
        self.cursors = dict.fromkeys(self.rooms, 0)
        for record in self.journal.before:
            if isinstance(record, Seen):
                self.cursors[record.room] = max(record.seq, self.cursors.get(record.room, 0))
        self.said = sum(isinstance(record, Said) for record in self.journal.before)
        self.chance = random.Random(f"{task.seed} {self.name} {self.said}")
        self.hush = asyncio.Event()
        self.waiting: dict[str, float] = {}  # what it has said, and since when it waits for an answer
        self.here = False

    @property
    def unanswered(self) -> int:
        return len(self.waiting)

    @property
    def online(self) -> bool:
        return self.here

    async def live(self, leave: asyncio.Event) -> None:
        leaving = asyncio.create_task(leave.wait())
        background = asyncio.create_task(self.background())
        while not leave.is_set():
            visit = asyncio.create_task(self.visit())
            await asyncio.wait([visit, leaving], return_when=asyncio.FIRST_COMPLETED)
            visit.cancel()
            try:
                await visit
            except (*AWAY, asyncio.CancelledError):
                pass
            except ExceptionGroup as several:
                if lasting := several.split(AWAY)[1]:
                    raise lasting from None
            self.here = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(leaving), AGAIN)
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)
        self.journal.close()

    async def visit(self) -> None:
        """Come in and take part, as long as the gateway lets it. Raises OSError, EOFError, TimeoutError."""
        raise NotImplementedError

    async def background(self) -> None:
        """Do what one does also without a connection."""

    def sees(self, room: str, records: Iterable[Seen]) -> None:
        """Write down what is behind the cursor."""
        shown = []
        for record in records:
            if record.seq > self.cursors[room]:
                shown.append(record)
                self.cursors[room] = record.seq
        self.journal.write(*shown)
        self.seen += len(shown)

    def answered(self, id_: str) -> bool:
        """Something was answered; return whether that is news."""
        since = self.waiting.pop(id_, None)
        if since is not None:
            self.paused(since)
        return since is not None

    def complains(self, words: str) -> None:
        print(f"{self.name}: {words}", file=sys.stderr, flush=True)


class Ear:
    """What one connection hears: each room's events in order, held back while it is asked what was missed before them.

    An event that came by history may come once more; one that came as it happened may not.
    """

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._held: dict[str, list[Seen]] = {}
        self._last: dict[str, int] = {}

    def hold(self, room: str) -> None:
        """Keep what comes until `release`."""
        self._held.setdefault(room, [])

    def release(self, room: str) -> None:
        self._visitor.sees(room, self._held.pop(room))

    def anew(self) -> None:
        """From now on what came may come again."""
        self._last = {}

    def hear(self, seen: Seen) -> None:
        again, self._last[seen.room] = seen.seq <= self._last.get(seen.room, 0), seen.seq
        if again:
            self._visitor.journal.write(seen)  # the audit will complain of it
        elif seen.room in self._held:
            self._held[seen.room].append(seen)
        else:
            self._visitor.sees(seen.room, [seen])
