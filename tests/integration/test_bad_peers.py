"""Peers that are no peers: bytes that are not ZMTP, frames without end, crowds, thieves, and one who never reads.

All that reaches libzmq before it reaches the broker. After each of these somebody else must be served at once, by the
same process, and it must not have grown by much.
"""

import os
import resource
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest
import zmq

from tests.conftest import PATIENCE, Broker, StartBroker
from tests.integration.conftest import NetOf, promptly
from tests.integration.raw import Net, Peer
from tests.integration.zmtp import COMMAND, GREETING, LONG, MORE, RawPeer, frame, ready

MIB = 1024 * 1024

GARBAGE: dict[str, bytes] = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 200,
    "nothing": b"",
    "zeros": bytes(10_000),
    "ones": b"\xff" * 10_000,
    "half a greeting": GREETING[:30],
    "another mechanism": GREETING[:12] + b"PLAIN".ljust(20, b"\0") + bytes(32),
    "no READY": GREETING + frame(b"x" * 100),
    "endless READY": GREETING + frame(b"\x05READY", COMMAND)[:1] + b"\xff" + b"\xff" * 100,
    "ERROR": GREETING + frame(b"\x05ERROR\x03bad", COMMAND),
    "empty command": GREETING + frame(b"", COMMAND),
    "bad metadata": GREETING + frame(b"\x05READY\xff\xff\xff\xff\xff\xff", COMMAND),
    "wrong socket type": GREETING + ready("PAIR"),
    "identity too long": GREETING + ready("DEALER", b"x" * 300),
    "a frame of 2^62 bytes": GREETING + ready("DEALER") + struct.pack(">BQ", LONG, 2**62) + b"x" * 1000,
    "a frame of 2^64-1 bytes": GREETING + ready("DEALER") + struct.pack(">BQ", LONG, 2**64 - 1) + b"x" * 1000,
    "a long empty frame": GREETING + ready("DEALER") + struct.pack(">BQ", LONG, 0),
    "reserved flags": GREETING + ready("DEALER") + b"\xf8\x01x",
    "short PING": GREETING + ready("DEALER") + frame(b"\x04PING", COMMAND),
    "message to the feed": GREETING + ready("SUB") + frame(b"room/x/", MORE) + frame(b"{}"),
    "subscription of 512 KiB": GREETING + ready("SUB") + frame(b"\x01" + b"x" * 512 * 1024),
    "subscription over 1 MiB": GREETING + ready("SUB") + frame(b"\x01" + b"x" * 2 * MIB),
    "more and more parts": GREETING + ready("DEALER") + frame(b"x", MORE) * 50_000,
}

HUGE = struct.pack(">BQ", LONG, 2**29)
ENDLESS = (
    b"",
    GREETING,
    GREETING + ready("DEALER"),
    GREETING + ready("SUB"),
    GREETING + ready("DEALER") + HUGE,
    GREETING + ready("SUB") + HUGE,
)


@pytest.mark.parametrize("port", ["listen", "publish"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_bytes_that_are_not_our_protocol_harm_nobody(
    net: Net, shared: Broker, room: str, bob: Peer, port: str, garbage: bytes
) -> None:
    feed = net.feed(f"room/{room}/")
    for ending in ("reset", "close"):
        with RawPeer(getattr(shared, port), hands=False) as raw:
            with suppress(ConnectionError):  # it may have had enough of us already
                raw.write(garbage)
            bob.say("hi", room=room)
            feed.expect("message")
            if ending == "reset":
                raw.reset()


@pytest.mark.parametrize("port", ["listen", "publish"])
@pytest.mark.parametrize("start", ENDLESS, ids=range(len(ENDLESS)))
def test_endless_garbage_does_not_grow_the_broker(net: Net, shared: Broker, bob: Peer, port: str, start: bytes) -> None:
    before = psutil.Process(shared.pid).memory_info().rss
    chunk = os.urandom(MIB)
    with RawPeer(getattr(shared, port), hands=False) as raw:
        with suppress(OSError):
            raw.write(start)
            for _ in range(64):
                raw.write(chunk)
        bob.ask("pong", type="ping")
        # A peer must not grow the broker: this one may send 64 MiB, of which hardly anything stays.
        assert psutil.Process(shared.pid).memory_info().rss - before < 24 * MIB


# -- crowds and thieves ----------------------------------------------------------------------------------------


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Return what closes the connections of a test at its end, however that comes."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def many_files() -> Iterator[None]:
    """Raise this process's own limit of open files while a test plays a crowd."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_two_thousand_who_say_nothing_harm_nobody(start_broker: StartBroker, net_of: NetOf, opened: ExitStack) -> None:
    broker = start_broker("--memory", "--rate", "0")
    net = net_of(broker)
    alice = net.session("alice", "den")
    feed = net.feed("room/den/")
    for k in range(2000):
        raw = opened.enter_context(RawPeer((broker.listen, broker.publish)[k % 2], hands=False))
        if k % 4 < 2:
            raw.write(GREETING + ready(("DEALER", "SUB")[k % 2]))
        if k % 100 == 0:
            with promptly(broker):
                seq = alice.say("is it crowded here?", room="den")["seq"]
                feed.expect("message", seq=seq)
    assert net.session("bob", "den").welcome["nick"] == "bob"
    # A crowd must not grow the broker: these take 64 MiB, and 100 KiB for each of them would be too much.
    assert psutil.Process(broker.pid).memory_info().rss < 300 * MIB
    opened.close()
    assert alice.say("they are gone", room="den")["n"] == alice.n


def test_peer_that_steals_the_next_routing_ids_does_not_abort_the_broker(
    start_broker: StartBroker, net_of: NetOf, opened: ExitStack
) -> None:
    broker = start_broker("--memory")
    first = 0x6B8B4567  # what libzmq's unseeded generator begins with, everywhere
    for k in range(51):
        opened.enter_context(RawPeer(broker.listen, identity=b"\0" + struct.pack(">I", first + k)))
    net = net_of(broker)
    peers = [net.session(f"peer{k}") for k in range(60)]
    assert all(peer.ask("pong", type="ping") for peer in peers)
    assert broker.process.poll() is None


def test_who_says_hello_again_and_again_washes_nothing_out_of_the_log(
    start_broker: StartBroker, opened: ExitStack
) -> None:
    broker = start_broker("--memory", "--rate", "0")
    context = opened.enter_context(zmq.Context())
    peers = [opened.enter_context(context.socket(zmq.DEALER)) for _ in range(20)]
    for number, peer in enumerate(peers):
        peer.connect(broker.listen)
        hello = b'{"type":"hello","protocol":1,"nick":"eve%d"}\n{"type":"bye"}\n{"type":"nonsense"}' % number
        for _ in range(100):
            peer.send(hello)
    for peer in peers:
        welcomes = 0
        while welcomes < 100:
            assert peer.poll(10_000), f"after {welcomes} there is no welcome"
            welcomes += peer.recv().count(b'{"type":"welcome"')
    assert broker.stop() == 0
    log = (broker.folder / "log" / "server.log").read_text()
    assert len(log.splitlines()) < 500, "20 connections in a second wrote more than 4,000"
    assert "ready, for up to" in log
    assert "1,900 × client came" in log
    assert log.splitlines()[-1].endswith("stopping")


def test_two_peers_of_one_routing_id_do_not_get_each_others_replies(net: Net, shared: Broker, bob: Peer) -> None:
    with RawPeer(shared.listen, identity=b"same") as one, RawPeer(shared.listen, identity=b"same") as other:
        one.send(b'{"type":"hello","protocol":1,"nick":"mallory"}')
        assert one.read().startswith(b'{"type":"welcome"')
        other.send(b'{"type":"nick","nick":"eve"}')
        one.send(b'{"type":"who","nick":"mallory"}')
        assert b'"nick":"mallory"' in one.read()


def test_peer_that_does_not_read_its_answers_is_ended_and_does_not_grow_the_broker(
    start_broker: StartBroker, net_of: NetOf, opened: ExitStack
) -> None:
    broker = start_broker("--memory", "--rate", "0")
    net = net_of(broker)
    alice = net.session("alice")
    before = psutil.Process(broker.pid).memory_info().rss
    deaf = opened.enter_context(RawPeer(broker.listen, buffer=4096))
    deaf.send(b'{"type":"hello","protocol":1,"nick":"deaf"}')
    assert deaf.read().startswith(b'{"type":"welcome"')
    text, start = "x" * 8000, time.monotonic()
    while alice.n < 20_000:  # what the pipes and the kernel hold for a peer that never reads is some megabytes
        alice.send({"type": "say", "n": alice.number(), "to": "deaf", "text": text})
        answer = alice.find(lambda line: (line.get("n") == alice.n and "seq" in line) or "code" in line, "answer")
        if answer.get("code") == "unknown_nick":
            break
        alice.lines.clear()
        with suppress(ConnectionError):  # it may have been ended just now, which alice is told next
            deaf.send(b'{"type":"typing","room":"den"}')  # so that it does not count as silent
        assert time.monotonic() - start < 4 * PATIENCE, "it is still here"
    assert answer.get("code") == "unknown_nick"
    # What waits for one peer is bounded: some 10 MiB until it is ended, far below the 160 MB that it might be sent.
    assert psutil.Process(broker.pid).memory_info().rss - before < 128 * MIB


def test_subscriber_that_does_not_read_cannot_keep_the_broker_from_stopping(
    start_broker: StartBroker, net_of: NetOf, opened: ExitStack
) -> None:
    broker = start_broker("--memory", "--rate", "0")
    deaf = opened.enter_context(RawPeer(broker.publish, "SUB", buffer=4096))
    deaf.send(b"\x01")
    net = net_of(broker)
    feed, alice = net.feed("room/den/"), net.session("alice")
    for _ in range(10):
        alice.say_all(["x" * 8000] * 100, room="den")
    assert len(feed.settled()) == 1000
    assert broker.stop() == 0


def test_router_and_feed_survive_peers_of_other_kinds(net: Net, room: str, bob: Peer) -> None:
    feed = net.feed(f"room/{room}/")
    strangers = []
    for kind, endpoint in [(zmq.REQ, net.listen), (zmq.ROUTER, net.listen), (zmq.XSUB, net.publish)]:
        stranger = net.context.socket(kind)
        stranger.linger = 0
        stranger.connect(endpoint)
        strangers.append(stranger)
    strangers[0].send(b'{"type":"status"}')
    strangers[2].send_multipart([b"room/x/", b'{"type":"message"}'])
    strangers[2].send(b"\x01" + b"x" * 100_000)
    bob.say("hi", room=room)
    feed.expect("message")
    for stranger in strangers:
        stranger.close()
