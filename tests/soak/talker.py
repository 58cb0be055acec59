"""Somebody who says something now and then, and writes down what becomes of it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests.soak.journal import Acked, Kept, Refused, Said, Seen, checksum, conversation
from tests.soak.person import FIRST, Person, Task
from zchat import ChatClient
from zchat.errors import RefusedError
from zchat.protocol import messages as m

BURST = 60  # messages said at once, now and then


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
        ways = list(self.ways().values())
        while not self.hush.is_set():
            await asyncio.sleep(self.chance.expovariate(self.task.rate))
            _, way = self.chance.choices(ways, [weight for weight, _ in ways])[0]
            await way(self, client)
        await super().work(client)

    def ways(self) -> "dict[str, tuple[float, Speaking]]":
        """Return what it does, and how often."""
        return WAYS_TO_SPEAK

    async def listen(self, client: ChatClient) -> None:
        async for batch in client.batches():
            self.journal.write(
                *(
                    Seen(conversation(event.nick, getattr(event, "to", "")), event.seq, checksum(line))
                    for event, line in zip(batch.events, batch.lines, strict=True)
                    if isinstance(event, m.Durable) and getattr(event, "to", None) is not None
                )
            )

    async def say(
        self, client: ChatClient, text: str = "{}", refusal: str = "", topic: bool = False, to: str | None = None
    ) -> None:
        """Say one thing: intend it, hand it to the client, and note when its outbox has it."""
        answer: asyncio.Future[m.Ack]
        id_, room = self.next_id(), self.chance.choice(self.task.rooms)
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
        await self.handed(id_, answer)

    def next_id(self) -> str:
        """Return the id of what is said next."""
        self.said += 1
        return f"{self.name}-{self.said}"

    async def handed(self, id_: str, answer: "asyncio.Future[m.Ack]") -> None:
        """Note that the client's outbox has it, and what becomes of it."""
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
            self.acknowledged(id_, done.result())

    def acknowledged(self, id_: str, ack: m.Ack) -> None:
        self.journal.write(Acked(id_, ack.seq))

    async def command(self, client: ChatClient) -> None:
        bot = self.chance.randrange(self.task.bots) if self.task.bots else 0
        await self.say(client, f"!{self.chance.choice(('tally', 'echo'))}{bot} {{}}")

    async def whisper(self, client: ChatClient) -> None:
        await self.say(client, to=f"talker{self.chance.randrange(self.task.talkers)}")

    async def burst(self, client: ChatClient) -> None:
        for _ in range(BURST):
            await self.say(client)


Speaking = Callable[[Any, ChatClient], Awaitable[None]]
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
