"""One broker over a stream that is a list: what its clients notice while nothing is stored."""

import json
from itertools import count
from typing import Any

import pytest

from tests.broker.dialogue import NOON, codes
from zchat.broker.core import budget
from zchat.broker.core.hub import Hub
from zchat.broker.log import StreamLog
from zchat.broker.sharing import SharedPipeline
from zchat.broker.store import Store
from zchat.errors import StorageError

Json = dict[str, Any]


class Broker:
    """A broker that shares its log. What it publishes is stored by `store`. `proves`: what all connections prove."""

    def __init__(self, name: str = "a", stream: list[bytes] | None = None, proves: str = "", rate: float = 0.0) -> None:
        self.stream = [] if stream is None else stream
        self.published: list[bytes] = []
        self.now, self.said, self.cut = 0.0, dict[bytes, list[Json]](), list[bytes]()
        fresh = count(1)
        self.log = StreamLog(Store(None, "0" * 32, NOON), name, "one", name, self.published.append)
        self.hub = Hub(
            server="zchat/test",
            log=self.log,
            feed=lambda _: "tcp://127.0.0.1:5556",
            heartbeat=2.0,
            grace=6.0,
            rate=rate,
            capacity=1_000,
            fresh=lambda: f"{next(fresh):031x}{name}",
            name=name,
            credential=lambda _: proves,
        )
        self.pipeline = SharedPipeline(self.hub, self.log)
        self.log.observe = self.pipeline.observe
        self.log.start()
        self.store()

    def store(self) -> None:
        while self.published:
            self.stream += self.published
            self.published.clear()
            self.read()

    def read(self) -> None:
        self.log.receive(list(enumerate(self.stream, 1)))
        self.carry()

    def send(self, peer: bytes, *lines: Json) -> list[Json]:
        self.pipeline.begin(
            [(peer, b"\n".join(json.dumps(line).encode() for line in lines))], self.now, NOON + self.now
        )
        return self.carry(peer)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.pipeline.tick(self.now, NOON + self.now)
        for peer in self.hub.tick(self.now, self.now):
            self.pipeline.remove(peer, "timeout")
        self.carry()

    def carry(self, peer: bytes = b"") -> list[Json]:
        _, outgoing = self.pipeline.collect()
        for to, lines in outgoing.items():
            self.said.setdefault(to, []).extend(map(json.loads, lines))
        return self.heard(peer)

    def heard(self, peer: bytes) -> list[Json]:
        return self.said.pop(peer, [])

    @property
    def claimed(self) -> set[str]:
        return set(self.log.cluster.claims)


def hello(nick: str, client: str) -> Json:
    return {"type": "hello", "protocol": 1, "nick": nick, "client": client * 32}


def say(n: int) -> Json:
    return {"type": "say", "n": n, "room": "general", "text": f"{n}"}


def test_a_hello_is_answered_in_time_and_what_it_claimed_is_released() -> None:
    broker = Broker()
    assert broker.send(b"ann", hello("ann", "a"), {"type": "ping"}, {"type": "rooms", "ref": 1}) == []
    broker.wait(4.1)
    assert codes(broker.heard(b"ann")) == ["unavailable", "unavailable", "no_session"], "hello, rooms, and the ping"
    broker.store()
    assert broker.claimed == set(), "nobody is here"
    assert broker.heard(b"ann") == []
    broker.send(b"ann", hello("ann", "a"))
    broker.store()
    assert codes(broker.heard(b"ann")) == ["welcome"]


def test_who_says_hello_again_meanwhile_comes_in_once() -> None:
    broker = Broker()
    broker.send(b"ann", hello("ann", "a"))
    broker.wait(4.1)
    assert codes(broker.heard(b"ann")) == ["unavailable"]
    broker.send(b"ann2", hello("ann", "a"))
    broker.store()
    assert codes(broker.heard(b"ann2")) == ["welcome"]
    assert len(broker.claimed) == 1
    broker.send(b"ann2", say(1))
    broker.store()
    assert codes(broker.heard(b"ann2")) == ["ack"]


def test_no_session_ends_while_nothing_is_stored() -> None:
    broker = Broker()
    for name in ("ann", "bob", "cat"):
        broker.send(name.encode(), hello(name, name[0]))
    broker.store()
    broker.said.clear()
    broker.send(b"ann", say(1))
    broker.send(b"cat", say(1))
    for _ in range(20):
        broker.wait(1.0)
        assert codes(broker.send(b"ann", {"type": "ping"})) == ["pong"]
        assert codes(broker.send(b"bob", {"type": "typing", "room": "general"}, {"type": "ping"}))[-1] == "pong"
        broker.send(b"ann", say(2), {"type": "away", "text": "for good"})
        assert broker.send(b"cat", {"type": "away", "text": "held, and heard"}) == []
    broker.store()
    assert codes(broker.heard(b"ann"))[:3] == ["ack", "ack", "ok"]
    assert codes(broker.heard(b"cat")) == ["ack"] + ["ok"] * 20
    assert len(broker.claimed) == 3


def test_a_release_that_fails_is_made_later() -> None:
    broker = Broker()
    broker.send(b"ann", hello("ann", "a"))
    broker.store()
    broker.log.trouble = StorageError("The disk is full.")
    broker.send(b"ann", {"type": "bye"})
    assert broker.published == []
    assert len(broker.claimed) == 1
    broker.log.trouble = None
    broker.wait(0.1)
    broker.store()
    assert broker.claimed == set()


def test_many_lines_that_fail_at_once_are_each_answered() -> None:
    broker = Broker()
    broker.send(b"ann", hello("ann", "a"))
    broker.store()
    broker.said.clear()
    broker.log.stop()
    lines: list[Json] = []
    for n in range(1, 400):
        lines += [say(n), {"type": "join", "room": "general"}]
    answers = codes(broker.send(b"ann", *lines))
    assert answers.count("joined") == 399
    assert len(answers) == 798
    assert set(answers) == {"joined", "unavailable", "out_of_order"}


@pytest.mark.parametrize(
    ("said", "code"),
    [({"protocol": 7}, "protocol_version"), ({"nick": "Ann"}, "nick_taken"), ({"nick": ""}, "bad_nick")],
)
def test_a_hello_that_is_refused_anyhow_writes_nothing_to_the_stream(said: Json, code: str) -> None:
    broker = Broker()
    broker.send(b"ann", hello("ann", "a"))
    broker.store()
    assert codes(broker.send(b"bob", hello("bob", "b") | said)) == [code]
    assert broker.published == []
    broker.store()
    assert broker.send(b"ann2", hello("ann", "a")) == [], "who has the nick may come again"
    broker.store()
    assert codes(broker.heard(b"ann2")) == ["welcome"]


def test_a_broker_that_may_be_behind_does_not_say_that_a_nick_is_taken() -> None:
    broker = Broker()
    broker.send(b"ann", hello("ann", "a"))
    broker.store()
    broker.hub.roster.stalled = "no node of the cluster answers"
    assert broker.send(b"bob", hello("ann", "b")) == []
    broker.wait(4.1)
    assert codes(broker.heard(b"bob")) == ["unavailable"]


def test_one_source_writes_only_so_many_hellos_to_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SESSIONS_AT_ONCE", 3)
    broker = Broker(rate=0.1)
    answers = [broker.send(b"%d" % number, hello("ann", "a")) for number in range(5)]
    assert [codes(each) for each in answers] == [[], [], [], ["rate_limited"], ["rate_limited"]]
    assert answers[-1][0]["retry_after"] == 1.0
    assert len(broker.published) == 3
    broker.store()
    broker.now += 1.0
    broker.send(b"6", hello("ann", "a"))
    broker.store()
    assert codes(broker.heard(b"6")) == ["welcome"]


def test_who_floods_while_nothing_is_stored_leaves_room_for_others() -> None:
    broker = Broker()
    broker.log.source = lambda peer: "bob" if peer == b"bob" else "one and the same address"
    for name in ("ann", "bob", "cat"):
        broker.send(name.encode(), hello(name, name[0]))
    broker.store()
    broker.said.clear()
    long = [say(n) | {"text": "x" * 8_000} for n in range(1, 700)]
    assert [codes(broker.send(flooder, *long))[:1] for flooder in (b"ann", b"cat")] == [[], ["unavailable"]]
    assert broker.send(b"bob", say(1)) == [], "it is on its way"
    broker.store()
    assert codes(broker.heard(b"bob")) == ["ack"]
    (flooded, others) = codes(broker.heard(b"ann")), codes(broker.heard(b"cat"))
    assert set(flooded + others) == {"ack", "unavailable"}
    assert 400 < (flooded + others).count("ack") < 600, "half of what may be on its way"
    broker.send(b"cat", say(1 + others.count("ack")))
    broker.store()
    assert codes(broker.heard(b"cat")) == ["ack"], "there is room again"


def test_what_is_said_together_is_refused_only_to_whom_there_is_no_room_for() -> None:
    broker = Broker()
    for name in ("ann", "bob"):
        broker.send(name.encode(), hello(name, name[0]))
    broker.store()
    broker.said.clear()
    frames = [(b"ann", json.dumps(say(n) | {"text": "x" * 8_000}).encode()) for n in range(1, 700)]
    frames.insert(600, (b"bob", json.dumps(say(1)).encode()))
    broker.pipeline.begin(frames, 0.0, NOON)
    broker.store()
    assert codes(broker.heard(b"bob")) == ["ack"]
    flooded = codes(broker.heard(b"ann"))
    assert flooded.index("unavailable") == flooded.count("ack"), "each answer in its turn"


def test_a_hello_that_was_given_up_does_not_end_the_session_at_the_broker_to_which_its_client_went_on() -> None:
    one = Broker("a")
    other = Broker("b", one.stream)
    one.send(b"ann", hello("ann", "a"))
    late = list(one.published)
    one.published.clear()
    one.wait(4.1)
    assert codes(one.heard(b"ann")) == ["unavailable"]
    other.send(b"ann", hello("ann", "a"))
    other.store()
    assert codes(other.heard(b"ann")) == ["welcome"]
    one.stream += late
    for broker in (one, other):
        broker.read()
    assert other.heard(b"ann") == []
    assert {held.broker for held in other.log.cluster.claims.values()} == {"b"}
    one.send(b"ann2", hello("ann", "a"))
    one.store()
    other.read()
    assert codes(one.heard(b"ann2")) == ["welcome"], "but a hello that is newer does"
    assert codes(other.heard(b"ann")) == ["bye"]
