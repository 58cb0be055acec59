"""A batch on its way to the disk, and the one that is decided meanwhile: real sockets and a real log."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import zmq

from zchat.broker import server as server_module
from zchat.broker.server import ChatServer
from zchat.broker.store import Batch, Store
from zchat.broker.writer import BESIDE

PATIENCE = 20_000  # ms
Json = dict[str, Any]


@contextmanager
def dealer(endpoint: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger, socket.rcvtimeo = 0, PATIENCE
        socket.connect(endpoint)
        yield socket


def say(first: int, last: int) -> bytes:
    lines = [{"type": "say", "n": n, "room": "general", "text": f"text {n}"} for n in range(first, last + 1)]
    return b"\n".join(json.dumps(line).encode() for line in lines)


def hear(socket: zmq.Socket[bytes], count: int) -> list[Json]:
    found: list[Json] = []
    while len(found) < count:
        found += [json.loads(line) for line in socket.recv().split(b"\n")]
    return found


def talk(folder: Path, conversation: Callable[[zmq.Socket[bytes]], None]) -> None:
    """Let a client that has said hello talk to a broker, each in a thread of its own."""

    async def serve() -> None:
        async with ChatServer("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", data=folder, rate=0) as server:
            serving = asyncio.create_task(server.receive_connections())
            try:
                await asyncio.to_thread(client, server.listen)
            finally:
                server.stop()
                await serving

    def client(endpoint: str) -> None:
        with dealer(endpoint) as socket:
            socket.send(b'{"type":"hello","protocol":1,"nick":"alice"}')
            hear(socket, 1)
            conversation(socket)

    asyncio.run(serve())


class Gate:
    """Holds the commits of large batches until it is opened; then they go on, or fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
        self.reached, self.opened, self.decided = Event(), Event(), Event()
        begin, commit, take = Store.begin, Store.commit, ChatServer._take
        large = False

        def noted(store: Store, batch: Batch) -> None:
            nonlocal large
            large = sum(len(run.lines) for run in batch.runs.values()) >= BESIDE
            begin(store, batch)

        def held(store: Store) -> None:
            if large and not self.opened.is_set():
                self.reached.set()
                assert self.opened.wait(PATIENCE / 1_000)
                if fails:
                    store.connection.execute("ROLLBACK")  # so that SQLite itself refuses the commit
            commit(store)

        def watched(server: ChatServer, batch: Any) -> None:
            if len(batch[0][1]) > BESIDE:  # the large one: by when it is decided, the one behind it has arrived
                assert server._router.poll(PATIENCE)
            take(server, batch)
            if server._writer.full:
                self.decided.set()

        monkeypatch.setattr(Store, "begin", noted)
        monkeypatch.setattr(Store, "commit", held)
        monkeypatch.setattr(ChatServer, "_take", watched)
        monkeypatch.setattr(server_module, "BATCH_FRAMES", 1)  # so that two frames are two batches


def two_batches(socket: zmq.Socket[bytes], gate: Gate) -> list[Json]:
    """Say a batch, another while the first one waits for the disk, and return what is answered to both."""
    for frame in (say(1, BESIDE), say(BESIDE + 1, BESIDE + 3), b'{"type":"ping"}'):
        socket.send(frame)
    assert gate.decided.wait(PATIENCE / 1_000), "the second batch is decided while the first one waits"
    with pytest.raises(zmq.Again):
        socket.recv(zmq.NOBLOCK)  # and nothing is answered
    gate.opened.set()
    return hear(socket, BESIDE + 4)


def stored(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "log.db")) as log:
        rows = log.execute("SELECT lines FROM chunk ORDER BY id").fetchall()
    return [json.loads(line)["text"] for (lines,) in rows for line in lines.split(b"\n")]


def test_a_batch_is_decided_while_the_one_before_it_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, fails=False)

    def conversation(socket: zmq.Socket[bytes]) -> None:
        *acks, pong = two_batches(socket, gate)
        assert [(ack["type"], ack["n"], ack["seq"]) for ack in acks] == [("ack", n, n) for n in range(1, BESIDE + 4)]
        assert (pong["type"], pong["n"]) == ("pong", BESIDE + 3)

    talk(tmp_path, conversation)
    assert stored(tmp_path) == [f"text {n}" for n in range(1, BESIDE + 4)]


def test_what_was_decided_behind_a_batch_that_failed_fails_with_it_and_can_be_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, fails=True)

    def conversation(socket: zmq.Socket[bytes]) -> None:
        *refused, pong = two_batches(socket, gate)
        assert {error.get("code") for error in refused} == {"unavailable"}
        assert [error["n"] for error in refused] == list(range(1, BESIDE + 4))
        assert pong["n"] == 0
        socket.send(say(1, 3))
        assert [ack["seq"] for ack in hear(socket, 3)] == [1, 2, 3]

    talk(tmp_path, conversation)
    assert stored(tmp_path) == ["text 1", "text 2", "text 3"]


def test_a_broker_that_stops_finishes_what_is_on_its_way_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, fails=False)

    async def serve(stack: ExitStack) -> zmq.Socket[bytes]:
        async with ChatServer("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", data=tmp_path, rate=0) as server:
            serving = asyncio.create_task(server.receive_connections())
            socket = stack.enter_context(dealer(server.listen))
            socket.send(b'{"type":"hello","protocol":1,"nick":"alice"}')
            await asyncio.to_thread(hear, socket, 1)
            socket.send(say(1, BESIDE))
            socket.send(say(BESIDE + 1, BESIDE + 3))
            assert await asyncio.to_thread(gate.decided.wait, PATIENCE / 1_000)
            server.stop()
            asyncio.get_running_loop().call_soon(gate.opened.set)
            await serving
        return socket

    with ExitStack() as stack:
        acks = hear(asyncio.run(serve(stack)), BESIDE + 3)
    assert [ack["n"] for ack in acks] == list(range(1, BESIDE + 4))
    assert len(stored(tmp_path)) == BESIDE + 3
