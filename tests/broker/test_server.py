"""The server around the desk: real sockets, in this process, so that a test decides when the broker reads."""

import asyncio
import json

import pytest
import zmq

from zchat.broker import server as server_module
from zchat.broker.server import ChatServer
from zchat.broker.store.store import RECENT
from zchat.protocol import messages as m

PATIENCE = 10_000  # ms


def test_a_broker_that_stops_takes_in_what_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BATCH_FRAMES", 1)  # so that one turn of the loop does not read all

    async def serve(socket: zmq.Socket[bytes]) -> None:
        async with ChatServer("tcp://127.0.0.1:0", "tcp://127.0.0.1:0") as server:
            serving = asyncio.create_task(server.receive_connections())
            socket.connect(server.listen)
            socket.send(b'{"type":"hello","protocol":1,"nick":"alice"}')
            await asyncio.to_thread(socket.recv)
            for n in (1, 2, 3):
                socket.send(json.dumps({"type": "say", "n": n, "room": "general", "text": "hi"}).encode())
            assert server._router.poll(PATIENCE)  # which keeps the loop from reading meanwhile
            server.stop()
            await serving

    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger, socket.rcvtimeo = 0, PATIENCE
        asyncio.run(serve(socket))
        assert [json.loads(socket.recv())["n"] for _ in range(3)] == [1, 2, 3]


def test_all_that_a_batch_can_hold_unanswered_is_remembered_over_a_restart() -> None:
    last_frame = m.LINES_MAX - 1
    assert server_module.BATCH_FRAMES + server_module.BATCH_LINES + last_frame <= RECENT
