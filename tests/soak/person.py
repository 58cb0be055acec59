"""What all people of a soak have in common: a task, a journal, counters, and a client that is started again if it ends.

Whoever watches from outside knows a process by its `Task` and its last `Report`.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.soak.journal import Journal, Life, Over
from zchat import ChatClient
from zchat.errors import ClosedError, ZchatError

FIRST = 20.0  # seconds to wait for the first connection, before a new try
RETRY = 0.5  # seconds between two tries
LONG = 15.0  # seconds of waiting that are written down


class Task(msgspec.Struct, frozen=True):
    """What one process is to be: `count` people of a kind, numbered from `first`."""

    kind: str
    first: int
    count: int
    folder: str
    brokers: tuple[str, ...]  # one, or links that begin with another each
    feed: str | None
    rooms: tuple[str, ...]
    seed: int
    rate: float = 2.0  # messages a second of each talker
    bots: int = 0  # to whom talkers give commands
    talkers: int = 0  # to whom talkers whisper
    nomads: int = 0
    menders: int = 0  # to whom menders whisper
    gateway: int = 0  # the port of the one by which they come, if they do


class Report(msgspec.Struct, frozen=True):
    """How it goes with all of one process; `cursors` tells for each room how far the last of them has come."""

    acked: int = 0
    seen: int = 0
    online: int = 0
    unanswered: int = 0
    over: int = 0
    moves: int = 0
    pause: float = 0.0  # s: the longest that one waited for an answer, or saw nothing
    cursors: dict[str, int] = {}


class Person:
    """One of them: counters for the report, a journal, and a client that is started again if it ends."""

    def __init__(self, task: Task, number: int) -> None:
        self.task, self.number = task, number
        self.name = f"{task.kind.removesuffix('s')}{number}"
        self.folder = Path(task.folder)
        self.journal = Journal(self.folder / f"{self.name}.journal")
        self.acked = self.seen = self.over = self.moves = 0
        self.pause = 0.0
        self.cursors: dict[str, int] = {}
        self.client: ChatClient | None = None

    @property
    def broker(self) -> str:
        """The address to come by: in each life another broker is the first of it."""
        lives = sum(isinstance(record, Life) for record in self.journal.before)
        return self.task.brokers[(self.number + lives) % len(self.task.brokers)]

    @property
    def identity(self) -> Path:
        """The file of its key pair, which it needs where brokers have keys."""
        return self.folder / f"{self.name}.identity"

    @property
    def unanswered(self) -> int:
        return self.client.unanswered if self.client else 1

    @property
    def online(self) -> bool:
        return self.client is not None and self.client.online

    def paused(self, since: float) -> None:
        """Note that it has waited since then (of the loop's time)."""
        pause = asyncio.get_running_loop().time() - since
        self.pause = max(self.pause, pause)
        if pause > LONG:
            print(f"{self.name} has waited {pause:.1f} s until {datetime.now():%H:%M:%S}", file=sys.stderr, flush=True)

    async def live(self, leave: asyncio.Event) -> None:
        """Be there until it is time to leave, whatever happens."""
        while not leave.is_set():
            try:
                await self.once(leave)
            except ZchatError as error:
                if self.client is not None and self.client.over:
                    self.over += 1
                    self.journal.write(Over(str(error)))
                print(f"{self.name}: {error}", file=sys.stderr, flush=True)
                await asyncio.sleep(RETRY)
        self.journal.close()

    async def once(self, leave: asyncio.Event) -> None:
        """Connect, and take part until it is time to leave. Raises ZchatError."""
        self.client = None
        async with self.connection() as client:
            self.client = client
            listening: asyncio.Task[Any] = asyncio.create_task(self.listen(client))
            leaving: asyncio.Task[Any] = asyncio.create_task(leave.wait())
            work: asyncio.Task[Any] = asyncio.create_task(self.work(client))
            try:
                await asyncio.wait([listening, leaving, work], return_when=asyncio.FIRST_COMPLETED)
                for each in (listening, work):
                    if each.done():
                        each.result()
                if listening.done():
                    raise ClosedError
            finally:
                for each in (listening, leaving, work):
                    each.cancel()
                await asyncio.gather(listening, leaving, work, return_exceptions=True)

    def connection(self) -> ChatClient:
        raise NotImplementedError

    async def listen(self, client: ChatClient) -> None:
        async for _ in client.batches():
            pass

    async def work(self, client: ChatClient) -> None:
        await asyncio.Event().wait()


def follows(number: int, rooms: Sequence[str]) -> tuple[str, ...]:
    """Return the rooms of a follower: half of them, the first follows all."""
    return (
        tuple(rooms) if number == 0 else tuple(rooms[(number + k) % len(rooms)] for k in range((len(rooms) + 1) // 2))
    )


def report(people: list[Person]) -> Report:
    """Sum up how it goes with all of a process."""
    cursors: dict[str, int] = {}
    for person in people:
        for room, seq in person.cursors.items():
            cursors[room] = min(seq, cursors.get(room, seq))
    return Report(
        acked=sum(person.acked for person in people),
        seen=sum(person.seen for person in people),
        online=sum(person.online for person in people),
        unanswered=sum(person.unanswered for person in people),
        over=sum(person.over for person in people),
        moves=sum(person.moves for person in people),
        pause=max(person.pause for person in people),
        cursors=cursors,
    )
