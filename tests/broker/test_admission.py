"""Who may open a connection: the decision, and the handler that libzmq asks."""

import asyncio
import select
import time
from contextlib import ExitStack

import pytest
import zmq

from tests.broker.keyed import KEYED, Known, Peer, credential, key_of, keyed, proxy
from tests.client.real import ANY, on_loop, until
from tests.integration.zmtp import RawPeer, frame
from zchat.broker import admission, sockets, strangers, subscribers
from zchat.broker.admission import Question, judge
from zchat.broker.core.entrance import Terms
from zchat.broker.doors import Kind
from zchat.broker.strangers import Strangers
from zchat.protocol import links

STATUS = {"type": "status"}
MEMBER, BANNED, UNKNOWN = "member", "banned", "unknown"


class Names:
    """A membership of which the test decides."""

    def __init__(self, *members: str) -> None:
        self.members, self.banned = set(members), set[str]()
        self.fails = False

    def is_member(self, credential: str, wall: float) -> bool:
        return credential in self.members

    def is_banned(self, credential: str, wall: float) -> bool:
        if self.fails:
            raise OSError("broken")
        return credential in self.banned


@pytest.mark.parametrize("kind", ["user", "key"])
@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("terms", [Terms(), Terms(open=True), Terms(guests=False)])
def test_members_come_in_everywhere_and_who_is_banned_nowhere(kind: Kind, feed: bool, terms: Terms) -> None:
    known = Names(MEMBER, BANNED)
    known.banned.add(BANNED)
    assert judge(Question(kind, feed, MEMBER, ""), known, terms, 0.0) == "in"
    assert judge(Question(kind, feed, BANNED, ""), known, terms, 0.0) == "no"


@pytest.mark.parametrize(
    ("kind", "feed", "terms", "verdict"),
    [
        ("key", False, Terms(), "stranger"),
        ("key", False, Terms(open=True), "stranger"),
        ("key", True, Terms(), "no"),
        ("key", True, Terms(guests=False), "no"),
        ("key", True, Terms(open=True), "in"),
        ("user", False, Terms(), "in"),
        ("user", False, Terms(guests=False), "in"),
        ("user", True, Terms(), "in"),
        ("user", True, Terms(guests=False), "later"),
    ],
)
def test_who_is_unknown_comes_in_where_the_policy_says(kind: Kind, feed: bool, terms: Terms, verdict: str) -> None:
    assert judge(Question(kind, feed, UNKNOWN, ""), Names(), terms, 0.0) == verdict


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"local"],
        [b"local", b"localhost:1:1:1", b""],
        [b"elsewhere", b"localhost:1:1:1", b"", b"NULL"],
        [b"local", b"localhost", b"", b"NULL"],
        [b"local", b"localhost:1:1:1x", b"", b"NULL"],
        [b"local", b"\xff", b"", b"NULL"],
        [b"local", b"127.0.0.1", b"", b"NULL"],
        [b"local", b"localhost:1:1:1", b"", b"CURVE", bytes(32)],
        [b"net", b"127.0.0.1", b"", b"NULL"],
        [b"net", b"127.0.0.1", b"", b"CURVE"],
        [b"net", b"127.0.0.1", b"", b"CURVE", bytes(31)],
        [b"net", b"nonsense", b"", b"CURVE", bytes(32)],
    ],
)
def test_a_request_that_is_not_understood_is_no_question(parts: list[bytes]) -> None:
    assert admission.read(parts, "host") is None


def test_a_question_has_the_credential_and_where_it_comes_from() -> None:
    user = admission.read([b"local-feed", b"localhost:1000:1001:77", b"", b"NULL"], "host")
    assert user == Question("user", True, "uid:1000@host", "uid 1000")
    keyed = admission.read([b"net", b"::ffff:10.0.0.1", b"", b"CURVE", bytes(32)], "host")
    assert keyed == Question("key", False, links.key_text(bytes(32)), "10.0.0.1")
    far = admission.read([b"net-feed", b"fe80::1%eth0", b"", b"CURVE", bytes(32)], "host")
    assert far is not None
    assert far.source == "fe80000000000000"


def test_who_never_says_anything_is_let_in_ever_more_seldom() -> None:
    bound = Strangers()
    bound.here = -1_000_000
    assert sum(bound.take("silent", float(second)) for second in range(1_000)) == strangers.AT_ONCE + 99
    for second in range(1_000):
        assert bound.take("heard", float(second))
        bound.heard("heard")
    bound.heard("nobody")


def test_strangers_come_at_a_rate_for_each_source_and_in_a_number() -> None:
    bound = Strangers()
    assert sum(bound.take("a", 0.0) for _ in range(1_000)) == strangers.AT_ONCE
    for _ in range(strangers.AT_ONCE):
        bound.heard("a")
    assert sum(bound.take("a", 10.0) for _ in range(1_000)) == min(strangers.AT_ONCE, 10 * strangers.A_SECOND)
    came = sum(bound.take(f"source {k}", 10.0) for k in range(20_000))
    assert bound.here == strangers.HERE
    assert came < strangers.HERE
    assert bound.take("somebody", 10.0, unbounded=True)
    assert len(bound._sources) <= strangers.SOURCES


@on_loop
async def test_what_is_no_request_does_not_end_the_handler() -> None:
    pair = zmq.curve_keypair()
    async with keyed(known=Known(credential(pair))) as (server, _):
        context = server._router.context
        with context.socket(zmq.DEALER) as odd, context.socket(zmq.REQ) as asks:
            for one in (odd, asks):
                one.linger = 0
                one.connect(admission.ZAP)
            for parts in ([b""], [b"", b"1.0"], [b"x"] * 9, [b"", b"2.0", b"1", b"net"], [b"", b"1.0", b"1"]):
                odd.send_multipart(parts)
            asks.send_multipart([b"1.0", b"7", b"net", b"127.0.0.1", b"", b"CURVE", b"short"])
            assert await asyncio.to_thread(asks.recv_multipart) == [b"1.0", b"7", b"400", b"not understood", b"", b""]
        with Peer(zmq.DEALER, server.doors[0].listen, key_of(server), pair) as member:
            assert (await member.ask(STATUS))["type"] == "status"


@on_loop
async def test_a_membership_that_fails_lets_nobody_in_for_now_and_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "SHAKE_HANDS", 1_000)

    pair = zmq.curve_keypair()
    names = Names(credential(pair))
    names.fails = True
    async with keyed(known=Known(credential(pair))) as (server, _):
        server._admission.members = names
        with Peer(zmq.DEALER, server.doors[0].listen, key_of(server), pair) as peer:
            assert await peer.outcome() != "in"
            names.fails = False
            while await peer.outcome() != "in":
                pass
            assert (await peer.ask(STATUS))["type"] == "status"


@on_loop
async def test_another_connection_with_the_same_routing_id_has_not_the_session() -> None:
    first, second = zmq.curve_keypair(), zmq.curve_keypair()
    async with keyed(known=Known(credential(first), credential(second)), rate=100.0) as (server, _):
        (door,), key = server.doors, key_of(server)
        with Peer(zmq.DEALER, door.listen, key, first, identity=b"same") as alice:
            hello = {"type": "hello", "protocol": 1, "nick": "alice"}
            assert (await alice.ask(hello))["type"] == "welcome"
            assert (await alice.ask({"type": "join", "room": "den"}))["type"] == "joined"
        with Peer(zmq.DEALER, door.listen, key, second, identity=b"same") as mallory:
            assert await mallory.outcome() == "in"
            mallory.socket.send(b'{"type":"say","n":1,"room":"den","text":"I am alice"}')
            assert await mallory.codes(2) == ["bye", "no_session"]
            assert [*server._hub.roster.all()] == []


@on_loop
async def test_another_connection_with_the_same_routing_id_is_not_told_what_was_for_the_one_before() -> None:
    pair = zmq.curve_keypair()
    async with keyed(known=Known(credential(pair)), rate=100.0) as (server, _):
        (door,), key = server.doors, key_of(server)
        with Peer(zmq.DEALER, door.listen, key, pair, identity=b"same") as alice:
            assert (await alice.ask({"type": "hello", "protocol": 1, "nick": "alice"}))["type"] == "welcome"
            before = server._connections.get(b"same")
            assert before is not None
        await until(lambda: not before.alive)
        with Peer(zmq.DEALER, door.listen, key, identity=b"same") as silent:
            assert await silent.outcome() == "in"
            server._outlet.send(b"same", [b'{"type":"message","text":"for alice alone"}'])
            silent.socket.send(b'{"type":"status"}')
            assert (await silent.codes(1))[0] != "message"


@on_loop
async def test_a_thousand_unknown_keys_a_second_do_not_stop_a_members_chat() -> None:
    pair = zmq.curve_keypair()
    async with keyed(known=Known(credential(pair))) as (server, _):
        (door,), key = server.doors, key_of(server)
        stop, knocks = asyncio.Event(), 0

        def knock() -> None:
            nonlocal knocks
            while not stop.is_set() and knocks < 3_000:
                with ExitStack() as crowd:
                    context = crowd.enter_context(zmq.Context())
                    for _ in range(200):
                        one = crowd.enter_context(context.socket(zmq.DEALER))
                        one.linger = 0
                        one.curve_publickey, one.curve_secretkey = zmq.curve_keypair()
                        one.curve_serverkey = links.z85(key)
                        one.connect(door.listen)
                        knocks += 1
                    time.sleep(0.1)

        with Peer(zmq.DEALER, door.listen, key, pair) as member:
            assert (await member.ask(STATUS))["type"] == "status"
            knocking = asyncio.create_task(asyncio.to_thread(knock))
            asked = 0
            while asked < 50 or (knocks < 200 and not knocking.done()):
                assert (await member.ask(STATUS))["type"] == "status"  # and not never; a machine may be slow
                asked += 1
                await asyncio.sleep(0.02)
            stop.set()
            await knocking
            assert server._admission.strangers.here <= strangers.HERE


@on_loop
async def test_an_unknown_key_that_says_nothing_is_sent_away_and_a_member_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(strangers, "SILENT", 1.0)
    pair = zmq.curve_keypair()
    async with keyed(ANY, KEYED, known=Known(credential(pair))) as (server, _):
        guests, door = server.doors
        with (
            Peer(zmq.DEALER, guests.listen) as guest,
            Peer(zmq.DEALER, door.listen, key_of(server), pair) as member,
            Peer(zmq.DEALER, door.listen, key_of(server)) as stranger,
        ):
            assert await guest.outcome() == "in"  # and says nothing: that is no matter at its door
            assert (await member.ask(STATUS))["type"] == "status"
            assert await stranger.outcome() == "in"
            assert server._admission.strangers.here == 1
            await stranger.ended()
            for peer in (guest, member):
                assert (await peer.ask(STATUS))["type"] == "status"
                assert not peer.monitor.poll(0) or peer is member


@on_loop
async def test_a_message_without_an_end_ends_its_connection_also_when_it_is_encrypted() -> None:
    pair = zmq.curve_keypair()
    async with keyed(known=Known(credential(pair))) as (server, _):
        (door,), key = server.doors, key_of(server)
        with (
            proxy(door.listen, most=40 * 1024 * 1024) as (listen, _said),
            Peer(zmq.DEALER, listen, key, pair) as endless,
            Peer(zmq.DEALER, door.listen, key, pair) as member,
        ):
            assert await endless.outcome() == "in"
            endless.socket.send_multipart([b"x" * 60_000] * 1_000)
            await endless.ended()
            assert (await member.ask(STATUS))["type"] == "status"


@pytest.mark.parametrize("how", ["many", "long", "fast"])
@on_loop
async def test_who_subscribes_without_an_end_is_cut_and_who_does_so_within_bounds_is_not(how: str) -> None:
    async with keyed(ANY) as (server, _):
        (door,) = server.doors
        topics = {
            "many": [b"\x01%d" % k for k in range(subscribers.SUBSCRIPTIONS + 1)],
            "long": [b"\x01%d" % k + b"x" * 1_000 for k in range(subscribers.TOPICS // 1_000 + 1)],
            "fast": [b"\x01a", b"\x00a"] * (subscribers.CHANGES + 1),
        }[how]
        with RawPeer(door.publish, hands=False) as greedy, RawPeer(door.publish, hands=False) as modest:
            for peer in (greedy, modest):
                await asyncio.to_thread(peer.shake_hands, "SUB", b"")
            await asyncio.to_thread(modest.write, b"".join(map(frame, topics[: len(topics) // 3])))
            await until(lambda: list(server._gate.subscribers.connections))
            await asyncio.to_thread(greedy.write, b"".join(map(frame, topics)))
            assert await asyncio.to_thread(greedy.ended)
            await asyncio.to_thread(modest.write, frame(b"\x01room/den/"))

            def heard() -> bool:
                server.broadcast(b"room/den/", [b"{}"])  # again and again: nothing tells when a subscription has come
                return bool(select.select([modest.socket], [], [], 0)[0])

            await until(heard)
            assert await asyncio.to_thread(modest.read) == b"room/den/"
