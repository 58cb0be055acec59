"""People of a soak, several in one process: `python -m tests.soak.people '{"kind": "talkers", …}'`.

Talkers speak through a `ChatClient` with an outbox, followers look on through one that goes on from its own journal,
bots are `Bot`s, nomads go from broker to broker (`nomad.py`). Each has a journal, and takes up where it says it was, so
a process may be killed at any instant and started again. A line `hush` on standard input ends the talking, the end of
input ends the process; about twice a second the process prints how it goes.
"""

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable

import msgspec

from tests.soak.journal import Acked, Kept, Ran, Refused, Said, Seen, checksum, conversation
from tests.soak.nomad import Nomad
from tests.soak.person import FIRST, Person, Task, follows, report
from zchat import Bot, ChatClient
from zchat.bots.context import Context
from zchat.errors import RefusedError
from zchat.protocol import messages as m

TELL = 0.4  # seconds between two reports
BURST = 60  # messages said at once, now and then


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
                if isinstance(event, m.Message | m.Topic) and event.room is not None
            ]
            self.journal.write(*shown)
            self.seen += len(shown)
            if shown:
                self.paused(clock() if last is None else last)
                last = clock()
            self.cursors |= {record.room: record.seq for record in shown}


class Talker(Person):
    """Says something now and then, and writes down what becomes of it."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        self.said = sum(isinstance(record, Said) for record in self.journal.before)
        self.chance = random.Random(f"{task.seed} {number} {self.said}")
        self.hush = asyncio.Event()

    def connection(self) -> ChatClient:
        outbox = self.folder / f"{self.name}.outbox"
        return ChatClient(
            self.name, self.broker, feed=self.task.feed, outbox=outbox, timeout=FIRST, identity=self.identity
        )

    async def work(self, client: ChatClient) -> None:
        while not self.hush.is_set():
            await asyncio.sleep(self.chance.expovariate(self.task.rate))
            how = self.chance.choices(list(WAYS_TO_SPEAK), [weight for weight, _ in WAYS_TO_SPEAK.values()])[0]
            await WAYS_TO_SPEAK[how][1](self, client)
        await super().work(client)

    async def listen(self, client: ChatClient) -> None:
        async for batch in client.batches():
            self.journal.write(
                *(
                    Seen(conversation(event.nick, event.to), event.seq, checksum(line))
                    for event, line in zip(batch.events, batch.lines, strict=True)
                    if isinstance(event, m.Message) and event.to is not None
                )
            )

    async def say(
        self, client: ChatClient, text: str = "{}", refusal: str = "", topic: bool = False, to: str | None = None
    ) -> None:
        """Say one thing: intend it, hand it to the client, and note when its outbox has it."""
        answer: asyncio.Future[m.Ack]
        self.said += 1
        id_, room = f"{self.name}-{self.said}", self.chance.choice(self.task.rooms)
        text = text.format(id_)
        where = room if to is None else conversation(self.name, to)
        self.journal.write(Said(id_, where, checksum(text), topic, refusal))
        if to is not None:
            answer = await client.post(text, to=to)
        elif topic:
            answer = asyncio.ensure_future(client.set_topic(room, text))
            await asyncio.sleep(0)  # it is posted
        else:
            answer = await client.post(text, room=room)
        since = asyncio.get_running_loop().time()
        await asyncio.sleep(0)  # what was posted in one turn of the loop is in the outbox at the next
        self.journal.write(Kept(id_))
        answer.add_done_callback(lambda done: self.answered(id_, since, done))

    def answered(self, id_: str, since: float, done: "asyncio.Future[m.Ack]") -> None:
        error = None if done.cancelled() else done.exception()
        if not done.cancelled():
            self.paused(since)
        if isinstance(error, RefusedError) and error.code not in ("replaced", "kick"):
            self.journal.write(Refused(id_, error.code))
        elif error is None and not done.cancelled():
            self.acked += 1
            self.journal.write(Acked(id_, done.result().seq))

    async def command(self, client: ChatClient) -> None:
        bot = self.chance.randrange(self.task.bots) if self.task.bots else 0
        await self.say(client, f"!{self.chance.choice(('tally', 'echo'))}{bot} {{}}")

    async def whisper(self, client: ChatClient) -> None:
        await self.say(client, to=f"talker{self.chance.randrange(self.task.talkers)}")

    async def burst(self, client: ChatClient) -> None:
        for _ in range(BURST):
            await self.say(client)


Speaking = Callable[[Talker, ChatClient], Awaitable[None]]
WAYS_TO_SPEAK: dict[str, tuple[float, Speaking]] = {
    "plain": (80, Talker.say),
    "command": (8, Talker.command),
    "long": (2, lambda talker, client: talker.say(client, "{} " + "long " * 800)),
    "wide": (2, lambda talker, client: talker.say(client, "{} Grüße\n木\t👩‍👩‍👧")),
    "topic": (2, lambda talker, client: talker.say(client, "about {}", topic=True)),
    "empty": (1, lambda talker, client: talker.say(client, "", "bad_text")),
    "whisper": (8, Talker.whisper),
    "astray": (1, lambda talker, client: talker.say(client, "{}", "unknown_nick", to="nobody-at-all")),
    "burst": (0.5, Talker.burst),
}


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


KINDS: dict[str, type[Person]] = {"talkers": Talker, "followers": Follower, "bots": Servant, "nomads": Nomad}


async def run(task: Task) -> None:
    people = [KINDS[task.kind](task, task.first + k) for k in range(task.count)]
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        words = os.read(0, 100)
        for person in people:
            if isinstance(person, Talker | Nomad):
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
