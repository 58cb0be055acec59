"""Connections that are wrong from the first byte on, or from some later one, to both ports of a broker that runs.

Each begins as a sound ZMTP conversation (greeting, READY, then frames of commands or subscriptions), of which a few
bytes are turned over, cut or doubled. Two hundred are open at a time, so that the broker has read each before it is
closed, mostly by a reset. Beside them one client says something again and again, and must be answered and heard.

libzmq has holes that nothing can be done about from here, and they are left alone: a peer that takes the next of the
routing ids that others are given (no identity here is a zero byte and four more), a message of endless parts (a
connection here is of some kilobytes), and a peer that takes an id that is in use (each has its own): libzmq keeps 5 to
11 KB of such a connection for good. Now and then what is done to a connection makes it one of those.
"""

import os
import socket
import struct
import tempfile
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from tests.conftest import Broker
from tests.fuzz import inputs
from tests.integration.raw import Feed, Net, Peer
from tests.integration.zmtp import COMMAND, GREETING, MORE, frame, ready

OPEN = 200  # connections at a time
EACH = 100  # connections between two messages of the client beside them
PROMPT = 10.0  # seconds in which it must be served: everything shares two cores here
SETTLED = 30.0  # seconds in which all connections must be forgotten
GROWTH, EACH_KEEPS = 32.0, 40.0  # MiB in all, and bytes of each connection: see above
MIB = 2**20
KINDS = ("DEALER", "DEALER", "REQ", "SUB", "SUB", "XSUB", "PAIR", "ROUTER")
TOPICS = (b"room/", b"room/den/", b"session/", b"", b"broker/", b"x" * 300)
COMMANDS = (b"\x04PING\0\0", b"\x04PONG", b"\x09SUBSCRIBEroom/", b"\x06CANCEL", b"\x05ERROR\x03bad", b"\x05READY", b"")


@dataclass
class Served:
    """What a run came to; memory in MiB, the longest wait of the client beside it in seconds."""

    inputs: int
    rss: tuple[float, float]
    files: tuple[int, int]
    said: int
    slowest: float

    def __str__(self) -> str:
        files = f"{self.files[0]} files open before, {self.files[1]} after"
        return f"{files}; {self.said} messages beside it, the slowest {self.slowest:.3f} s"


def conversation(rng: Random, number: int) -> bytes:
    """Return what the connection of a number sends: sound, but for what was done to it in at most three places."""
    own = b"%d" % number
    parts = [GREETING, ready(rng.choice(KINDS), rng.choice((b"", b"", own, own.rjust(255, b"x"))))]
    for _ in range(rng.choice((0, 1, 2, 5, 20))):
        match rng.randrange(4):
            case 0:
                parts.append(frame(rng.choice((b"\0", b"\1")) + rng.choice(TOPICS)))
            case 1:
                parts.append(frame(rng.choice(COMMANDS), COMMAND))
            case _:
                parts.append(frame(inputs.frame(rng), rng.choice((0, 0, 0, MORE))))
    data = b"".join(parts)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        data = inputs.splice(rng, data)
    return data if b"Identity\0\0\0\5\0" not in data else b""


def run(most: int, ends: float, seed: int) -> Served:
    """Send so many conversations, or until the monotonic clock says `ends`; raise AssertionError if anybody noticed."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZCHAT_", "XDG_"))}
        broker = Broker(Path(folder), ("--rate", "0", "--heartbeat", "1"), environment | {"HOME": folder})
        broker.start()
        try:
            with closing(Net(broker.listen, broker.publish)) as net:
                served = _besiege(broker, net, most, ends, Random(seed))
        finally:
            code = broker.stop()
        assert code == 0, f"the broker ended with {code}: {broker.output('stderr')[-2000:]}"
        for log in broker.log_file.parent.glob("server.log*"):
            assert "Traceback" not in log.read_text(), log.read_text()[-4000:]
        return served


def _besiege(broker: Broker, net: Net, most: int, ends: float, rng: Random) -> Served:
    warden, feed = net.session("warden", "tower"), net.feed("room/tower/")
    process = psutil.Process(broker.pid)
    for _ in range(4):  # so that every file is open that the log and its index will ever need
        warden.say("is anybody there?", room="tower")
        warden.history(room="tower", after=0)
        warden.ask("found", type="search", text="anybody")
    files, warm, slowest, sent, said = process.num_fds(), 0.0, 0.0, 0, 0
    connections: deque[socket.socket] = deque()
    while sent < most and time.monotonic() < ends:
        connections.append(
            _connect(rng.choice((broker.listen, broker.listen, broker.publish)), conversation(rng, sent))
        )
        sent += 1
        if len(connections) > OPEN:
            _close(connections.popleft(), rng)
        if sent % EACH == 0:
            said, slowest = said + 1, max(slowest, _serve(broker, warden, feed))
        if sent == 20 * EACH:
            warm = process.memory_info().rss / MIB
    while connections:
        _close(connections.popleft(), rng)
    slowest = max(slowest, _serve(broker, warden, feed))
    after = _settle(broker, warden, process, files)
    now = process.memory_info().rss / MIB
    allowed = GROWTH + sent * EACH_KEEPS / MIB
    assert not warm or now - warm < allowed, f"the broker grew from {warm:.0f} to {now:.0f} MiB"
    return Served(sent, (warm or now, now), (files, after), said + 1, slowest)


def _connect(endpoint: str, data: bytes) -> socket.socket:
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=PROMPT)
    with suppress(OSError):  # it may have had enough of us already
        connection.sendall(data)
    return connection


def _close(connection: socket.socket, rng: Random) -> None:
    if rng.random() < 0.95:  # the others would each keep a local port for a minute
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _serve(broker: Broker, warden: Peer, feed: Feed) -> float:
    """Say something, see it acknowledged and published, and return how long that took."""
    assert broker.process.poll() is None, f"the broker is gone: {broker.output('stderr')[-2000:]}"
    started = time.monotonic()
    seq = warden.say("all is well", room="tower")["seq"]
    feed.expect("message", seq=seq, within=PROMPT)
    took = time.monotonic() - started
    assert took < PROMPT, f"the warden waited {took:.1f} s"
    warden.lines.clear()
    feed.lines.clear()
    return took


def _settle(broker: Broker, warden: Peer, process: psutil.Process, files: int) -> int:
    """Wait until every connection is forgotten; return how many files the broker has open then."""
    deadline = time.monotonic() + SETTLED
    while process.num_fds() > files and time.monotonic() < deadline:
        warden.ask("pong", type="ping")
        warden.receive(0.1)
    after = process.num_fds()
    sockets = [(one.fd, one.raddr, one.status) for one in process.net_connections("inet")]
    assert after <= files, f"the broker had {files} files open, and has {after}, of them as sockets {sockets}"
    assert not warden.net.faults, warden.net.faults[:3]
    return after
