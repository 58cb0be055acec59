"""Somebody who speaks the protocol raw, and goes from broker to broker with lines on the way.

It says some lines, does not wait for their answers, and says hello at another broker at once: with the same `client`
and all that is unanswered. So it looks for the worst instant of a move, which a client that moves only when its broker
is lost seldom meets. What it is told of its numbers may never go back behind what was acknowledged to it. It keeps
nothing on disk, so it is never killed.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import zmq
import zmq.asyncio

from tests.soak.journal import Acked, Over, Refused, Said, checksum
from tests.soak.person import Person, Task
from zchat.client import identity
from zchat.protocol import links

STAYS = (0.2, 4.0)  # seconds at one broker
FAREWELL = 4  # lines said at most in the instant of leaving
HELLO, SILENCE = 6.0, 4.0  # seconds until it looks elsewhere: without a welcome, and without any answer
PING = 1.0  # seconds
AGAIN = 0.2  # seconds until it says again what was not taken
LINGER = 500  # ms in which what was said last still leaves
UNANSWERED_MAX = 50  # lines on their way: it waits for answers then
NOT_TAKEN = {"no_session", "out_of_order", "rate_limited", "unavailable", "internal", "server_full"}

Line = dict[str, Any]


class Nomad(Person):
    """It is `at` a broker, or on its way to one; `waiting` has what it has said, by number, and since when."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        self.chance = random.Random(f"{task.seed} nomad {number}")
        self.hush = asyncio.Event()
        self.context = zmq.asyncio.Context.instance()
        self.id: str | None = None  # its `client`
        self.said = self.sure = 0  # the last number that was said; until where all are answered
        self.waiting: dict[int, tuple[Line, float]] = {}
        self.at: str | None = None
        self.heard = self.again_at = 0.0
        self.over_there = False  # the session has ended
        first = links.parse(self.broker) if links.is_link(self.broker) else None
        self.key = first.key if first else None
        self.endpoints = list(first.endpoints if first else task.brokers)

    @property
    def unanswered(self) -> int:
        return len(self.waiting)

    @property
    def online(self) -> bool:
        return self.at is not None

    async def live(self, leave: asyncio.Event) -> None:
        while not leave.is_set():
            where = self.chance.choice([each for each in self.endpoints if each != self.at] or self.endpoints)
            self.at = None
            async with self.socket(where) as socket:
                if await self.comes_in(socket):
                    self.at = where
                    self.moves += 1
                    await self.stay(socket, leave)
            await asyncio.sleep(0)
        self.journal.close()

    @contextlib.asynccontextmanager
    async def socket(self, where: str) -> AsyncIterator["zmq.asyncio.Socket"]:
        socket = self.context.socket(zmq.DEALER)
        if self.key is not None:
            mine = identity.load(self.identity)
            for option, value in (
                (zmq.CURVE_SERVERKEY, self.key),
                (zmq.CURVE_PUBLICKEY, mine.public),
                (zmq.CURVE_SECRETKEY, mine.secret),
            ):
                socket.setsockopt(option, links.z85(value))
        socket.connect(where)
        try:
            yield socket
        finally:
            socket.close(LINGER)

    async def comes_in(self, socket: "zmq.asyncio.Socket") -> bool:
        """Say hello; return whether there was a welcome. Then say again what is unanswered."""
        hello: Line = {"type": "hello", "protocol": 1, "nick": self.name} | ({"client": self.id} if self.id else {})
        await self.send(socket, hello)
        ends = self.now + HELLO
        while (left := ends - self.now) > 0:
            for line in await self.lines(socket, left):
                if line["type"] == "welcome":
                    self.id = line["client"]
                    if not self.sure <= line["n"] <= self.said:
                        self.journal.write(Over(f"welcome.n is {line['n']}: {self.sure} of {self.said} were answered"))
                    await self.send(socket, *(each for each, _ in self.waiting.values()))
                    return True
                if line["type"] == "error":
                    await asyncio.sleep(AGAIN)
                    return False
        return False

    async def stay(self, socket: "zmq.asyncio.Socket", leave: asyncio.Event) -> None:
        """Speak and hear there for a while, or until it falls silent; and leave in the middle of what is said."""
        ends, says_at, pings_at = self.now + self.chance.uniform(*STAYS), self.now, self.now
        self.heard = self.now
        self.again_at, self.over_there = 0.0, False
        while not leave.is_set() and self.now < self.heard + SILENCE:
            if self.now >= ends and not self.hush.is_set():
                await self.send(socket, *(self.say() for _ in range(self.chance.randint(0, FAREWELL))))
                return
            if self.now >= says_at and not self.hush.is_set() and len(self.waiting) < UNANSWERED_MAX:
                says_at = self.now + self.chance.expovariate(self.task.rate)
                await self.send(socket, self.say())
            if self.now >= pings_at:
                pings_at = self.now + PING
                await self.send(socket, {"type": "ping"})
            if self.again_at and self.now >= self.again_at:
                self.again_at = 0.0
                await self.send(socket, *(each for each, _ in self.waiting.values()))
            for line in await self.lines(socket, 0.05):
                self.hears(line)
            if self.over_there:
                return

    def say(self) -> Line:
        """Write down what is said next, and return it."""
        self.said += 1
        id_ = f"{self.name}-{self.said}"
        room = self.chance.choice(self.task.rooms)
        self.journal.write(Said(id_, room, checksum(id_)))
        line = {"type": "say", "n": self.said, "room": room, "text": id_}
        self.waiting[self.said] = line, self.now
        return line

    def hears(self, line: Line) -> None:
        """Take a line in."""
        self.heard = self.now
        n = line.get("n", 0)
        if line["type"] == "ack" and n in self.waiting:
            self.acked += 1
            self.answered(n)
            self.journal.write(Acked(f"{self.name}-{n}", line.get("seq")))
        elif line["type"] == "error" and line["code"] not in NOT_TAKEN and n in self.waiting:
            self.answered(n)
            self.journal.write(Refused(f"{self.name}-{n}", line["code"]))
        elif line["type"] == "error" and not self.again_at:
            self.again_at = self.now + max(AGAIN, line.get("retry_after", 0))
        elif line["type"] == "pong" and line["n"] < self.sure:
            self.journal.write(Over(f"pong.n is {line['n']}, and {self.sure} were answered"))
        self.over_there |= line["type"] == "bye" or line.get("code") == "no_session"

    def answered(self, n: int) -> None:
        _, since = self.waiting.pop(n)
        self.paused(since)
        self.sure = min(self.waiting, default=self.said + 1) - 1

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def send(self, socket: "zmq.asyncio.Socket", *lines: Line) -> None:
        if lines:
            with contextlib.suppress(zmq.Again):
                await socket.send(b"\n".join(json.dumps(line).encode() for line in lines), zmq.DONTWAIT)

    async def lines(self, socket: "zmq.asyncio.Socket", within: float) -> list[Line]:
        """Return the lines of the next payload, none if none came in time."""
        if not await socket.poll(max(1, round(within * 1000))):
            return []
        return [json.loads(line) for line in (await socket.recv()).split(b"\n") if line]
