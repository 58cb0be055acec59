"""A loop for each test, real brokers in it, and one that is a script where a broker must err."""

import asyncio
import functools
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import msgspec
import pytest
import zmq

from tests.client.script import joined, payload, pong, welcome
from zchat.broker.server import ChatServer
from zchat.client.client import ChatClient
from zchat.protocol import messages as m

ANY = "tcp://127.0.0.1:0"
DEADLINE = 120.0  # seconds for a whole test, and …
PATIENCE = 30.0  # … for one condition: long, for the machine may be slow, and a test that passes does not wait for it


def on_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test in a loop of its own; fail on a task left behind."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def whole() -> None:
            await asyncio.wait_for(test(*args, **kwargs), DEADLINE)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(whole())
        gc.collect()  # a socket left open speaks up now

    return run


@asynccontextmanager
async def serving(
    listen: str | Sequence[str] = ANY, publish: str | None = ANY, **options: Any
) -> AsyncIterator[ChatServer]:
    """Run a broker in memory."""
    async with ChatServer(listen, publish, **{"rate": 0.0, **options}) as server:
        task = asyncio.create_task(server.receive_connections())
        try:
            yield server
        finally:
            server.stop()
            await task


async def until(condition: Callable[[], Any], what: str = "the condition") -> None:
    """Wait for a condition, with a deadline."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 — nothing tells
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"waited {PATIENCE:g} s for {what}")


class Watcher:
    """Collects what a client hears."""

    def __init__(self, client: ChatClient) -> None:
        self.events: list[Any] = []
        self.lines: list[bytes] = []
        self.ended: BaseException | None = None
        self._client = client
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async for batch in self._client.batches():
            self.events += batch.events
            self.lines += batch.lines

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def texts(self) -> list[str]:
        return [event.text for event in self.of(m.Message)]

    async def end(self) -> None:
        """Wait for the end of the iteration; raises what it raised."""
        await self._task


class Script:
    """A ROUTER and a PUB that answer a hello, pings and joins, unless told otherwise."""

    def __init__(self, **fields: Any) -> None:
        self.context = zmq.Context()
        self.router, self.pub = self.context.socket(zmq.ROUTER), self.context.socket(zmq.PUB)
        for socket in (self.router, self.pub):
            socket.linger = 0
            self.prepare(socket)
        self.pub.sndhwm = 10
        self.listen = f"tcp://127.0.0.1:{self.router.bind_to_random_port('tcp://127.0.0.1')}"
        self.fields = {"feed": f"tcp://*:{self.pub.bind_to_random_port('tcp://127.0.0.1')}", **fields}
        self.peer = b""
        self.asked: list[dict[str, Any]] = []
        self.silent: set[str] = set()
        self.heads: dict[str, int] = {}
        self.history: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}  # by the type of the command
        self._task = asyncio.create_task(self._serve())

    def prepare(self, socket: "zmq.Socket[bytes]") -> None:
        """Set options before a socket is bound."""

    async def _serve(self) -> None:
        while True:
            try:
                self.peer, frame = self.router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                await asyncio.sleep(0.002)
                continue
            for line in frame.split(b"\n"):
                self._take(msgspec.json.decode(line))

    def _take(self, line: dict[str, Any]) -> None:
        type_ = line["type"]
        self.asked.append(line)
        if type_ in self.silent:
            return
        if type_ in self.answers:
            self.reply(self.answers[type_](line))
        elif type_ == "hello":
            self.reply(welcome(ref=line["ref"], **self.fields))
        elif type_ == "ping":
            self.reply(pong(self.heads, ref=line.get("ref")))
            if line.get("feed"):
                self.publish("session/5e55/", {"type": "echo"})
        elif type_ == "join":
            self.reply(joined(line))
        elif type_ == "history" and self.history:
            self.reply(self.history(line))

    def reply(self, *lines: dict[str, Any]) -> None:
        self.router.send_multipart([self.peer, payload(*lines)])

    def publish(self, topic: str, *lines: dict[str, Any]) -> None:
        self.pub.send_multipart([topic.encode(), payload(*lines)])

    def count(self, type_: str) -> int:
        return sum(line["type"] == type_ for line in self.asked)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.context.destroy(linger=0)
