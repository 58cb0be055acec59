"""Peers with a key or without one, of nothing but a ZeroMQ binding, and a proxy that keeps what is on the wire."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Self

import zmq
from zmq.utils.monitor import parse_monitor_message

from tests.client.real import ANY, PATIENCE, serving
from zchat import ChatServer
from zchat.protocol import links
from zchat.protocol import messages as m

KEYED = "zchat://127.0.0.1:0"
OUTCOMES: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "no detail",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "protocol",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "auth",
    zmq.EVENT_DISCONNECTED: "ended",
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "in",
}
NOON = "2026-11-22T12:00:00.000Z"
KeyPair = tuple[bytes, bytes]


class Known:
    """Members as a test wants them: their credentials. `ban` bans one in a broker."""

    def __init__(self, *members: str) -> None:
        self.members = members

    def enter(self, server: ChatServer) -> None:
        """Make members of them, in memory only."""
        for number, each in enumerate(self.members, 1):
            event = m.MemberChanged(
                seq=number,
                prev=0,
                time=NOON,
                change="joined",
                from_=f"{number:016x}",
                nick=f"m{number}",
                credential=each,
            )
            server._hub.members.apply(event)

    def ban(self, server: ChatServer, credential: str) -> None:
        server._hub.members.apply(m.MemberChanged(seq=99, prev=0, time=NOON, change="banned", credential=credential))


def credential(pair: KeyPair) -> str:
    return links.key_text(links.from_z85(pair[0]))


class Peer:
    """A socket at an endpoint; `server` is the broker's key, if there is to be encryption."""

    def __init__(
        self,
        type_: int,
        endpoint: str,
        server: bytes | None = None,
        pair: KeyPair | None = None,
        patience: float = PATIENCE,  # seconds that a handshake may take
        identity: bytes = b"",
    ) -> None:
        self.pair = pair or zmq.curve_keypair()
        self.context = zmq.Context()
        self.socket = self.context.socket(type_)
        self.socket.linger = 0
        self.socket.handshake_ivl = int(1_000 * patience)
        if identity:
            self.socket.routing_id = identity
        if server is not None:
            self.socket.curve_publickey, self.socket.curve_secretkey = self.pair
            self.socket.curve_serverkey = links.z85(server)
        if type_ == zmq.SUB:
            self.socket.subscribe(b"")
        self.monitor = self.socket.get_monitor_socket()
        self.socket.connect(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.context.destroy(linger=0)

    async def outcome(self) -> str:
        """Wait until its handshake ends: `in`, or why not."""
        return await asyncio.to_thread(self._event, OUTCOMES)

    async def ended(self) -> None:
        """Wait until its connection ends."""
        await asyncio.to_thread(self._event, {zmq.EVENT_DISCONNECTED: "ended"})

    async def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        """Send a line; return the first line of what comes back."""
        await asyncio.to_thread(self.socket.send, json.dumps(line).encode())
        return await self.line()

    async def line(self) -> dict[str, Any]:
        assert await asyncio.to_thread(self.socket.poll, int(1_000 * PATIENCE)), "nothing came"
        found: dict[str, Any] = json.loads(self.socket.recv_multipart()[-1].splitlines()[0])
        return found

    async def codes(self, count: int) -> list[str]:
        """Return of what type so many lines are that come, or which error each is."""
        found: list[str] = []
        while len(found) < count:
            assert await asyncio.to_thread(self.socket.poll, int(1_000 * PATIENCE)), f"only {found} came"
            lines = [json.loads(line) for line in self.socket.recv().splitlines()]
            found += [line.get("code", line["type"]) for line in lines]
        return found

    def _event(self, wanted: dict[int, str]) -> str:
        while self.monitor.poll(int(1_000 * PATIENCE)):
            event = parse_monitor_message(self.monitor.recv_multipart())["event"]
            if event in wanted:
                return wanted[event]
        raise AssertionError(f"none of {list(wanted.values())} happened")


@asynccontextmanager
async def keyed(*listen: str, known: Known | None = None, **options: Any) -> AsyncIterator[tuple[ChatServer, Known]]:
    """Run a broker with doors for keys, and with these members."""
    known = known or Known()
    async with serving(listen or (KEYED,), None, **options) as server:
        known.enter(server)
        yield server, known


def key_of(server: ChatServer) -> bytes:
    assert server.link is not None
    return server.link.key


@contextmanager
def proxy(endpoint: str, most: int | None = None) -> Iterator[tuple[str, bytearray]]:
    """Stand between clients and an endpoint. Yield where, and what has gone through, both ways.

    Beyond `most` bytes it passes nothing on to the endpoint, and holds the connection.
    """
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    seen = bytearray()
    open_ones: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65_536):
                seen.extend(data)
                passed += len(data)
                if limit is not None and passed > limit:
                    return
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((host, int(port)))
                open_ones.extend((client, server))
                for args in ((client, server, most), (server, client, None)):
                    threading.Thread(target=pump, args=args, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"tcp://127.0.0.1:{listener.getsockname()[1]}", seen
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for one in open_ones:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()


__all__ = ["ANY", "KEYED", "Known", "Peer", "credential", "key_of", "keyed", "proxy"]
