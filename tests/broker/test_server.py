"""The server around the pipeline: real sockets, in this process, so that a test decides when the broker reads."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest
import zmq

from zchat.broker import inlet
from zchat.broker.core.entries import Draft
from zchat.broker.server import ChatServer
from zchat.broker.store.batch import RECENT
from zchat.protocol import messages as m

PATIENCE = 10_000  # ms
NAMES = count(1)

Client = zmq.Socket[bytes]


def run(story: Callable[[ChatServer, Client], Awaitable[None]]) -> list[dict[str, Any]]:
    """Let a story happen between a broker and a client that has said hello; stop, and return what the client heard.

    Over `inproc` what is sent has arrived, so the broker reads it in its next turn and not before.
    """

    async def serve() -> None:
        name = f"inproc://test-server-{next(NAMES)}"
        async with ChatServer(name, f"{name}-feed") as server:
            serving = asyncio.create_task(server.receive_connections())
            client.connect(server.listen)
            client.send(b'{"type":"hello","protocol":1,"nick":"alice"}')
            await asyncio.to_thread(client.recv)
            try:
                await story(server, client)
            finally:
                server.stop()
                await serving

    heard: list[dict[str, Any]] = []
    context: zmq.Context[Client] = zmq.Context.instance()
    with context.socket(zmq.DEALER) as client:
        client.linger, client.rcvtimeo = 0, PATIENCE
        asyncio.run(serve())
        while not heard or heard[-1]["type"] != "bye":
            heard += [json.loads(line) for line in client.recv().splitlines()]
    return heard


def test_a_broker_that_stops_takes_in_what_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlet, "BATCH_FRAMES", 1)  # so that one turn of the loop does not read all

    async def story(server: ChatServer, client: Client) -> None:
        for n in (1, 2, 3):
            client.send(json.dumps({"type": "say", "n": n, "room": "general", "text": "hi"}).encode())

    assert [(line["type"], line.get("n")) for line in run(story)] == [("ack", 1), ("ack", 2), ("ack", 3), ("bye", None)]


def test_a_broker_that_stops_answers_what_still_waits_behind_a_question() -> None:
    async def story(server: ChatServer, client: Client) -> None:
        server._reads._readers.get_nowait()  # the only one: the question waits
        client.send(b'{"type":"history","room":"general"}\n{"type":"ping"}')

    assert [line.get("code", line["type"]) for line in run(story)] == ["unavailable", "pong", "bye"]


def do_chores(server: ChatServer, seconds: float) -> None:
    """Do what is to be done from time to time, as if so many seconds had passed since it was done last."""
    clock = server._clock
    clock.do_chores()
    clock._done = dict.fromkeys(clock._done, time.monotonic() - seconds)
    clock.do_chores()


def store(server: ChatServer, text: str) -> None:
    """Have something in the log, written in 1970."""
    server._log.append([Draft("f", "alice", [m.Say(n=1, text=text)], "general")], 0.0, lambda _: None)


def test_the_size_of_the_log_is_looked_at_each_second() -> None:
    async def story(server: ChatServer, client: Client) -> None:
        before = server._hub.log_bytes
        store(server, "x" * 100_000)
        do_chores(server, 1.0)
        assert before < server._hub.log_bytes == server._store.size()

    run(story)


def test_what_is_old_is_forgotten_each_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zchat.broker.store.store.LATEST_KEPT", 0)

    async def story(server: ChatServer, client: Client) -> None:
        store(server, "hi")
        do_chores(server, 3_000.0)
        assert server._log.past("f", "f").n == 1
        do_chores(server, 3_600.0)
        assert server._log.past("f", "f").n == 0

    run(story)


def test_all_that_a_batch_can_hold_unanswered_is_remembered_over_a_restart() -> None:
    last_frame = m.LINES_MAX - 1
    assert inlet.BATCH_FRAMES + inlet.BATCH_LINES + last_frame <= RECENT
