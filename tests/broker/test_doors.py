"""The doors of a broker: which there are, who comes in by which, and as whom."""

import os
import socket
from pathlib import Path

import pytest
import zmq

from tests.broker.keyed import KEYED, Known, Peer, credential, key_of, keyed, proxy
from tests.client.real import ANY, on_loop, until
from zchat import ChatServer
from zchat.broker import doors, gate, keys, sockets
from zchat.broker.core.effects import Cut
from zchat.broker.doors import Door
from zchat.errors import BadEndpointError, UsageError

HELLO = {"type": "hello", "protocol": 1, "nick": "alice"}
STATUS = {"type": "status"}


@pytest.mark.parametrize(
    ("listen", "publish", "found"),
    [
        ("tcp://127.0.0.1:5555", None, Door("guest", "tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556")),
        ("tcp://[::1]:0", None, Door("guest", "tcp://[::1]:0", "tcp://[::1]:0")),
        ("tcp://*:5555", None, Door("key", "tcp://*:5555", "tcp://*:5556")),
        ("tcp://10.0.0.1:5555", "tcp://10.0.0.2:7", Door("key", "tcp://10.0.0.1:5555", "tcp://10.0.0.2:7")),
        ("zchat://127.0.0.1:7000", None, Door("key", "tcp://127.0.0.1:7000", "tcp://127.0.0.1:7001")),
        ("zchat://[::]", None, Door("key", "tcp://[::]:5555", "tcp://[::]:5556")),
        ("zchat://*", "tcp://127.0.0.1:0", Door("key", "tcp://*:5555", "tcp://127.0.0.1:0")),
        (
            "ipc:///run/z.d/zchat.sock",
            None,
            Door("user", "ipc:///run/z.d/zchat.sock", "ipc:///run/z.d/zchat-feed.sock"),
        ),
        ("ipc://@name", None, Door("user", "ipc://@name", "ipc://@name-feed")),
        ("ipc:///a/in", ANY, Door("user", "ipc:///a/in", ANY)),
        ("inproc://x/in", None, Door("guest", "inproc://x/in", "inproc://x/in-feed")),
    ],
)
def test_an_endpoint_says_who_comes_in_by_it_and_where_its_feed_is(
    listen: str, publish: str | None, found: Door
) -> None:
    assert doors.plan(listen, publish) == (found,)


@pytest.mark.parametrize(
    ("listen", "publish"),
    [
        ("tcp://127.0.0.1:5555", "tcp://*:5556"),
        ("tcp://127.0.0.1:5555", "zchat://127.0.0.1:5556"),
        ("tcp://*:5555", "ipc:///a/out"),
        ("tcp://127.0.0.1:65535", None),
        ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"),
        ("zchat://host/key", None),
        ((), None),
        ("tcp://127.0.0.1:1", ("tcp://127.0.0.1:2", "tcp://127.0.0.1:3")),
    ],
)
def test_what_can_be_no_door_is_told(listen: str, publish: str | None) -> None:
    with pytest.raises(UsageError):
        doors.plan(listen, publish)


def test_without_guests_there_is_no_door_for_them() -> None:
    with pytest.raises(UsageError, match="zchat://127"):
        ChatServer([KEYED, ANY], guests=False)


def test_a_link_names_the_hosts_that_are_advertised_else_where_the_doors_are() -> None:
    both = (Door("guest", ANY, ANY), Door("key", "tcp://0.0.0.0:7000", ANY), Door("key", "tcp://[::1]:7001", ANY))
    assert doors.link(both, bytes(32)).hosts == ((socket.gethostname(), 7000), ("::1", 7001))
    assert doors.link(both, bytes(32), ["a.example,b.example:1", "[::2]"]).hosts == (
        ("a.example", 7000),
        ("b.example", 1),
        ("::2", 7000),
    )
    with pytest.raises(BadEndpointError):
        doors.link(both, bytes(32), ["a b"])


@on_loop
async def test_each_door_has_its_way_to_come_in_and_no_other(tmp_path: Path) -> None:
    async with keyed(ANY, f"ipc://{tmp_path}/in", KEYED) as (server, _):
        for door in server.doors:
            for endpoint, type_ in ((door.listen, zmq.DEALER), (door.publish, zmq.SUB)):
                key = key_of(server) if door.kind == "key" else None
                wrong = None if key else key_of(server)
                stays_out = door.kind == "key" and type_ == zmq.SUB  # nobody knows that key
                with Peer(type_, endpoint, key) as right:
                    assert await right.outcome() == ("auth" if stays_out else "in")
                with Peer(type_, endpoint, wrong) as mistaken:
                    assert await mistaken.outcome() != "in"
        assert [door.kind for door in server.doors] == ["guest", "user", "key"]
        assert server.listen == server.doors[0].listen


@on_loop
async def test_the_broker_knows_who_came_in_and_tells_each_the_feed_of_their_door(tmp_path: Path) -> None:
    async with keyed(KEYED, f"ipc://{tmp_path}/in", ANY) as (server, _):
        expected = []
        for door in server.doors:
            with Peer(zmq.DEALER, door.listen, key_of(server) if door.kind == "key" else None) as peer:
                answer = await peer.ask(STATUS)
                if door.kind == "key":
                    assert answer["code"] == "not_member"
                else:
                    assert answer["feed"] == door.publish
                proven = {"key": credential(peer.pair), "user": f"uid:{os.getuid()}@{socket.gethostname()}"}
                expected.append(proven.get(door.kind, ""))
        known = [one.credential for one in server._connections._known.values()]
        assert known == expected
        assert server.listen.startswith(f"zchat://{server.doors[0].listen[len('tcp://') :]}/")


@on_loop
async def test_an_unknown_key_gets_no_line_of_the_feed_and_a_members_does() -> None:
    pair = zmq.curve_keypair()
    async with keyed(known=Known(credential(pair))) as (server, _):
        (door,), key = server.doors, key_of(server)
        with Peer(zmq.SUB, door.publish, key) as stranger, Peer(zmq.SUB, door.publish, key, pair) as member:
            assert await stranger.outcome() == "auth"
            assert await member.outcome() == "in"
            await until(lambda: list(server._gate.subscribers.connections))
            server.broadcast(b"room/den/", [b'{"type":"message"}'])
            assert await member.line() == {"type": "message"}
            assert not stranger.socket.poll(0)


@on_loop
async def test_who_is_banned_is_cut_on_both_sockets_within_a_second_and_does_not_come_back() -> None:
    assert gate.BEFORE_CUT < 1.0
    pair, other = zmq.curve_keypair(), zmq.curve_keypair()
    async with keyed(known=Known(credential(pair), credential(other))) as (server, known):
        (door,), key = server.doors, key_of(server)
        with (
            Peer(zmq.DEALER, door.listen, key, pair) as speaks,
            Peer(zmq.SUB, door.publish, key, pair) as reads,
            Peer(zmq.DEALER, door.listen, key, other) as bystander,
        ):
            for peer in (speaks, bystander):
                assert (await peer.ask(STATUS))["type"] == "status"
            await until(lambda: server._gate.subscribers.of(credential(pair)))
            known.ban(server, credential(pair))
            (routing,) = server._connections.of(credential(pair))
            server._outlet.send(routing, [b'{"type":"bye","reason":"banned"}'])
            server._pipeline.cuts.append(Cut(credential=credential(pair)))
            server._loop.flush()
            assert (await speaks.line())["reason"] == "banned"
            for peer in (speaks, reads):
                await peer.ended()
            assert [await peer.outcome() for peer in (speaks, reads)] == ["auth", "auth"]
            assert (await bystander.ask(STATUS))["type"] == "status"


@on_loop
async def test_without_an_answer_nobody_is_let_in(tmp_path: Path) -> None:
    pair, planned = keys.fresh(), doors.plan([KEYED, f"ipc://{tmp_path}/in"])
    with zmq.Context() as context:
        router, listens = sockets.router(context, planned, pair)
        feed, publishes = sockets.publisher(context, planned, pair)
        with router, feed:
            for endpoint, type_ in [(each, zmq.DEALER) for each in listens] + [(each, zmq.SUB) for each in publishes]:
                with Peer(type_, endpoint, pair.raw if endpoint.startswith("tcp") else None, patience=1.0) as peer:
                    assert await peer.outcome() != "in"


@on_loop
async def test_a_recorder_between_client_and_broker_sees_no_word() -> None:
    pair = zmq.curve_keypair()
    async with keyed(known=Known(credential(pair))) as (server, _):
        (door,), key = server.doors, key_of(server)
        with proxy(door.listen) as (listen, said), proxy(door.publish) as (publish, heard):
            with Peer(zmq.DEALER, listen, key, pair) as alice, Peer(zmq.SUB, publish, key, pair) as feed:
                assert await feed.outcome() == "in"
                await until(lambda: list(server._gate.subscribers.connections))
                line = {"type": "say", "n": 1, "room": "secret-room", "text": "words of ours"}
                assert (await alice.ask(HELLO))["nick"] == "m1"
                assert (await alice.ask(line))["type"] == "ack"
                assert (await feed.line())["text"] == "words of ours"
            assert len(said) > 500 < len(heard)
            for word in (b"alice", b"secret-room", b"words of ours", b"hello", b"message", b"room/"):
                assert word not in said + heard
