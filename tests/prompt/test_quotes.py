"""What an answer quotes is looked up where nobody keeps it: once, as it is now, and never for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import structs

from tests.client.real import PATIENCE, on_loop, serving, until
from tests.prompt.test_view import Terminal, message, terminal
from zchat import ChatClient, ChatServer
from zchat.client.core.notices import Online
from zchat.prompt import quotes
from zchat.protocol import messages as m


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[tuple[ChatServer, ChatClient, Terminal]]:
    """Let bob say much, then alice sit down at a terminal in dev, where she has the last of it."""
    async with serving(**options) as server, ChatClient("bob", server.listen) as bob:
        await bob.say("shall we?", room="dev")
        for k in range(30):
            await bob.say(f"{k}", room="dev")
        async with ChatClient("alice", server.listen) as alice:
            at = terminal(alice)
            hearing = asyncio.create_task(at.chat.listen())
            await at.chat.enter("dev")
            await until(lambda: any("29" in line for line in at.shown))
            yield server, bob, at
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)


def asked(server: ChatServer) -> int:
    """Return how many questions to the log were answered."""
    counted = (server.status().numbers or {})["zchat_answer_seconds"]
    assert isinstance(counted, m.Histogram)
    return sum(counted.counts)


async def shows(at: Terminal, text: str) -> None:
    await until(lambda: any(text in line for line in at.shown))


@on_loop
async def test_an_answer_to_an_old_message_quotes_it_as_it_is_now() -> None:
    async with listening() as (server, bob, at):
        before = asked(server)
        await bob.say("yes", room="dev", reply_to=1)
        await shows(at, "[answers bob: shall we?]")
        await bob.say("no", room="dev", reply_to=1)
        await shows(at, "no")
        assert asked(server) == before + 1, "it is asked for once"
        await bob.messages.edit(1, "shall we not?")
        await bob.say("indeed", room="dev", reply_to=1)
        await shows(at, "[answers bob: shall we not?]")
        await bob.messages.delete(1)
        await shows(at, "deleted 1")
        await at.chat.view.prepare([])
        assert at.view.quote(structs.replace(message(99, "x", room="dev"), reply_to=1)) == "bob: (deleted)"
        at.chat.view.connection(Online(welcome=at.chat.client.welcome, again=True, shared=0))  # type: ignore[arg-type]
        assert at.view.quote(structs.replace(message(99, "x", room="dev"), reply_to=1)) == "1"


@on_loop
async def test_of_what_is_not_there_the_number_is_told_and_it_is_not_asked_again() -> None:
    async with listening() as (server, _, at):
        before = asked(server)
        answer = structs.replace(message(1_000, "x", room="dev"), reply_to=999)
        for _ in range(3):
            await at.view.prepare([answer])
        assert (at.view.quote(answer), asked(server)) == ("999", before + 1)


@on_loop
async def test_many_answers_at_once_ask_for_some_of_what_they_quote() -> None:
    async with listening() as (server, _, at):
        before = asked(server)
        answers = [structs.replace(message(1_000 + k, "x", room="dev"), reply_to=500 + k) for k in range(100)]
        for _ in range(20):
            await at.view.prepare(answers)
        assert quotes.AT_ONCE <= asked(server) - before < 60


@on_loop
async def test_where_the_broker_is_gone_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotes, "WAIT", 10 * PATIENCE)
    async with listening(heartbeat=0.2, grace=2.0) as (server, _, at):
        server.stop()
        await until(lambda: not at.chat.client.online)
        async with asyncio.timeout(PATIENCE):
            await at.view.prepare([structs.replace(message(1_000, "x", room="dev"), reply_to=1)])
