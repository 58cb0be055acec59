"""People of a soak, several in one process: `python -m tests.soak.people '{"kind": "talkers", …}'`.

Talkers speak through a `ChatClient` with an outbox (`talker.py`), menders do things to what was said (`mender.py`),
followers look on through one that goes on from its own journal, bots are `Bot`s, nomads go from broker to broker
(`nomad.py`), pages and ircs come by a gateway (`page.py`, `irc.py`). Each has a journal, and takes up where it says it
was, so a process may be killed at any instant and started again. A line `hush` on standard input ends the talking, the
end of input ends the process; about twice a second the process prints how it goes.
"""

import asyncio
import os
import sys

import msgspec

from tests.soak.irc import Irc
from tests.soak.journal import Ran, Seen, checksum
from tests.soak.mender import Mender
from tests.soak.nomad import Nomad
from tests.soak.page import Page
from tests.soak.person import FIRST, Person, Task, follows, report
from tests.soak.talker import Talker
from tests.soak.visitor import Visitor
from zchat import Bot, ChatClient
from zchat.bots.context import Context
from zchat.protocol import messages as m

TELL = 0.4  # seconds between two reports


class Follower(Person):
    """Looks on in the rooms; every second one is a member of them."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        self.rooms = follows(number, task.rooms)
        self.cursors = dict.fromkeys(self.rooms, 0)
        for record in self.journal.before:
            if isinstance(record, Seen):
                self.cursors[record.room] = record.seq

    def connection(self) -> ChatClient:
        return ChatClient(
            self.name,
            self.broker,
            feed=self.task.feed,
            identity=self.identity,
            rooms=self.rooms,
            after=self.cursors,
            quiet=self.number % 2 == 1,
            timeout=FIRST,
        )

    async def listen(self, client: ChatClient) -> None:
        clock = asyncio.get_running_loop().time
        last: float | None = None
        async for batch in client.batches():
            shown = [
                Seen(event.room, event.seq, checksum(line))
                for event, line in zip(batch.events, batch.lines, strict=True)
                if isinstance(event, m.Durable) and event.room is not None
            ]
            self.journal.write(*shown)
            self.seen += len(shown)
            if shown:
                self.paused(clock() if last is None else last)
                last = clock()
            self.cursors |= {record.room: record.seq for record in shown}


class Servant(Person):
    """A bot with two commands: `tally` counts what it has done exactly once, `echo` at least once."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        self.bot = bot = Bot(
            self.name, rooms=task.rooms, broker=self.broker, feed=task.feed, data=self.folder, timeout=FIRST,
            identity=self.identity,
        )  # fmt: skip

        @bot.command(f"tally{number}")
        async def tally(ctx: Context, id_: str) -> None:
            ctx.once()
            ctx.store["count"] = count = ctx.store.get("count", 0) + 1
            await ctx.reply(f"tally {id_} {count}")

        @bot.command(f"echo{number}")
        async def echo(ctx: Context, id_: str) -> str:
            self.journal.write(Ran(id_, ctx.seq or 0))
            return f"echo {id_}"

    async def once(self, leave: asyncio.Event) -> None:
        serving, leaving = asyncio.create_task(self.bot.serve()), asyncio.create_task(leave.wait())
        watching = asyncio.create_task(self.watch())
        await asyncio.wait([serving, leaving], return_when=asyncio.FIRST_COMPLETED)
        self.bot.stop()
        leaving.cancel()
        watching.cancel()
        await serving

    async def watch(self) -> None:
        """Look how far it has come: it tells nobody by itself."""
        while True:
            await asyncio.sleep(TELL / 2)
            runner = self.bot.runner
            if runner is not None and runner.ready.is_set():
                self.client = runner.client
                self.cursors = {room: runner.consumer.cursor(room) or 0 for room in self.task.rooms}


KINDS: dict[str, type[Person]] = {
    "talkers": Talker,
    "followers": Follower,
    "bots": Servant,
    "nomads": Nomad,
    "menders": Mender,
    "pages": Page,
    "ircs": Irc,
}


async def run(task: Task) -> None:
    people = [KINDS[task.kind](task, task.first + k) for k in range(task.count)]
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        words = os.read(0, 100)
        for person in people:
            if isinstance(person, Talker | Nomad | Visitor):
                person.hush.set()
        if not words:
            loop.remove_reader(0)
            leave.set()

    loop.add_reader(0, told)
    living = asyncio.gather(*(person.live(leave) for person in people))
    while not living.done():
        sys.stdout.buffer.write(msgspec.json.encode(report(people)) + b"\n")
        sys.stdout.flush()
        await asyncio.wait([living], timeout=TELL)
    await living


if __name__ == "__main__":
    asyncio.run(run(msgspec.json.decode(sys.argv[1], type=Task)))
