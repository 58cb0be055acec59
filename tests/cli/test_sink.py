"""Where the events of a tail go, with a real broker that gets another log."""

import asyncio
from pathlib import Path

import pytest

from tests.client.real import on_loop, serving, until
from zchat import ChatClient
from zchat.broker.core.effects import Query
from zchat.broker.reads import QueryService
from zchat.cli.filters import Filter
from zchat.cli.sink import Printer, Sink
from zchat.cli.tail import _follow
from zchat.client.consumer import Consumer
from zchat.protocol import messages as m


@on_loop
async def test_in_another_log_what_was_there_is_left_out_and_what_comes_before_it_was_read_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, other, taken = (f"ipc://{tmp_path}/in", f"ipc://{tmp_path}/out"), tmp_path / "other", list[str]()
    other.mkdir()

    async def take(message: m.Message, _line: bytes) -> None:
        taken.append(message.text)

    async with serving(data=other) as elsewhere, ChatClient("bob", elsewhere.listen) as bob:
        await bob.say("old", room="general")
    client = ChatClient(None, where[0])
    async with serving(*where, heartbeat=0.2):
        await client.__aenter__()
        sink = Sink(Printer(False), Filter(None, None, None), Consumer(acts=True), ("general",))
        sink.hook, sink.joined_at = take, client.joined_at
        sink.resume(client.welcome.log if client.welcome else "", client.epochs, client.shared)
        joined = await client.join("general")
        sink.consumer.begin("general", joined.head)
        following = asyncio.create_task(_follow(client, None, sink))
        await asyncio.sleep(0)
    read, reading = QueryService.answer, asyncio.Event()

    async def answer(service: QueryService, query: Query) -> bytes:
        await reading.wait()
        return await read(service, query)

    monkeypatch.setattr(QueryService, "answer", answer)
    async with serving(*where, data=other, heartbeat=0.2) as again, ChatClient("alice", again.listen) as alice:
        await until(lambda: client.online and client.joined_at("general") == 1)
        await alice.say("new", room="general")
        reading.set()
        await until(lambda: taken)
        await alice.say("later", room="general")
        await until(lambda: len(taken) > 1)
        assert taken == ["new", "later"]
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await client.close()
