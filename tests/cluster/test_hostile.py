"""What one client sends does not hurt the others: it fits into the stream, it can be read there, it fails alone."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.broker.dialogue import NOON, codes
from tests.cluster.test_sharing import Broker
from zchat.broker import sharing
from zchat.broker.core.cluster import Cluster
from zchat.broker.core.entries import Change, Claim, Claimed, Declined
from zchat.broker.core.members import Members
from zchat.broker.log import stream
from zchat.errors import DivergedError
from zchat.protocol import links, names
from zchat.protocol import messages as m

Json = dict[str, Any]

HUGE = "x" * 1_000_000  # as much as a frame can have
MOST = 64 * 1024  # bytes of a post about one line
EVE = {"type": "hello", "protocol": 1, "nick": "eve", "client": "e" * 32}
BOB = {"type": "hello", "protocol": 1, "nick": "bob", "client": "b" * 32}
NEVER = "9999-12-31T23:59:59-12:00"  # it is in no calendar: in UTC it would be in the year 10000
INVITE = {"type": "invite", "hash": "a" * 64}


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"type": "say", "room": "general", "text": HUGE}, "too_long"),
        ({"type": "say", "room": HUGE, "text": "hi"}, "bad_room"),
        ({"type": "say", "to": HUGE, "text": "hi"}, "unknown_nick"),
        ({"type": "say", "room": "general", "text": "hi", "once": HUGE}, "too_long"),
        ({"type": "topic", "room": HUGE, "text": "hi"}, "bad_room"),
        ({"type": "mute", "from": "a" * 16, "room": HUGE}, "bad_room"),
        ({"type": "unmute", "from": "a" * 16, "room": HUGE}, "bad_room"),
        ({"type": "access", "room": HUGE, "mode": "private"}, "bad_room"),
        (INVITE | {"rooms": [HUGE]}, "bad_room"),
        (INVITE | {"expires": NEVER}, "forbidden"),
        ({"type": "ban", "from": "a" * 16, "until": NEVER}, "forbidden"),
        ({"type": "mute", "from": "a" * 16, "until": "0001-01-01T00:00:00+12:00"}, "forbidden"),
    ],
)
def test_a_line_that_is_wrong_takes_its_number_and_little_of_the_stream(broker: Broker, line: Json, code: str) -> None:
    other = Broker("b", broker.stream)
    other.read()
    broker.send(b"eve", EVE)
    broker.send(b"bob", BOB)
    broker.store()
    broker.said.clear()
    before = len(broker.stream)
    said = {"type": "say", "n": 1, "room": "a", "text": "hi"}
    broker.pipeline.begin([(b"eve", _encoded(line | {"n": 1})), (b"bob", _encoded(said))], 0.0, NOON)
    broker.store()
    assert [codes(broker.heard(peer)) for peer in (b"eve", b"bob")] == [[code], ["ack"]]
    assert max(map(len, broker.stream[before:])) < MOST
    other.read()
    assert "\n".join(broker.log.store.connection.iterdump()) == "\n".join(other.log.store.connection.iterdump())
    (again,) = broker.send(b"eve", line | {"n": 1, "ref": 7})
    assert (again["code"], again["ref"]) == (code, 7)


@pytest.mark.parametrize("line", [EVE | {"nick": HUGE}, EVE | {"nick": HUGE, "invite": "no"}])
def test_a_nick_that_is_none_takes_little_of_the_stream(broker: Broker, line: Json) -> None:
    said = broker.send(b"eve", line)
    broker.store()
    assert codes(said + broker.heard(b"eve")) == ["bad_nick" if "invite" not in line else "not_member"]
    assert max(map(len, broker.stream)) < MOST
    assert broker.claimed == set()


def test_a_guest_takes_no_nick_that_is_none(broker: Broker) -> None:
    broker.send(b"eve", EVE)
    broker.store()
    broker.said.clear()
    assert codes(broker.send(b"eve", {"type": "nick", "nick": HUGE})) == ["bad_nick"]
    assert max(map(len, broker.stream)) < MOST


def test_the_secrets_of_whoever_becomes_a_member_are_not_in_the_stream() -> None:
    broker, code = Broker(proves="key:" + "a" * 52), links.encode_code(bytes(16))
    invite = m.Invite(n=1, hash=links.invitation_hash(code), role="owner", expires=datetime(2130, 1, 1, tzinfo=UTC))
    broker.pipeline.change(Change("", "", [invite]), NOON)
    broker.store()
    secrets = {"client": "e" * 32, "resume": "f" * 32, "invite": code}
    broker.send(b"eve", EVE | secrets)
    broker.store()
    (welcome,) = broker.heard(b"eve")
    assert welcome["member"]["role"] == "owner"
    for secret in secrets.values():
        assert all(secret.encode() not in message for message in broker.stream)


def _encoded(line: Json) -> bytes:
    return msgspec.json.encode(line)


def test_a_nick_with_two_compared_forms_is_had_once_and_let_go(broker: Broker) -> None:
    lunate = "\u03f9"  # it is shown as Σ, of which the small letter is another one than its own
    assert names.nick_key(lunate) != names.nick_key(names.nick(lunate))
    broker.send(b"eve", EVE | {"nick": lunate})
    broker.store()
    assert codes(broker.heard(b"eve")) == ["welcome"]
    assert codes(broker.send(b"bob", BOB | {"nick": lunate})) == ["nick_taken"]
    for peer in (b"eve", b"bob"):
        broker.send(peer, {"type": "bye"})
        broker.store()
    assert (broker.claimed, broker.log.trouble) == (set(), None)


def test_nor_does_a_member_take_it_from_a_guest() -> None:
    claims, nobody = Cluster(), Members()
    assert claims.settle("a", Claim("e" * 16, "\u03a3"), 1, nobody, NOON, lambda _: 0) == Claimed()
    change = Change("a" * 16, "mia", [m.SetNick(nick="\u03f9")])
    outcome = claims.settle("a", change, 2, nobody, NOON, lambda _: 0)
    assert isinstance(outcome, Declined)
    assert outcome.answer.code == "nick_taken"


def test_nothing_in_memory_is_left_of_guests_who_came_spoke_and_went(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "RECENT", 2)
    for number in range(5):
        broker.send(b"eve", EVE | {"nick": f"eve{number}", "client": f"{number:032x}"})
        broker.store()
        broker.send(b"eve", {"type": "say", "n": 1, "room": "general", "text": "hi"})
        broker.store()
        broker.send(b"eve", {"type": "bye"})
        broker.store()
    cluster = broker.log.cluster
    assert (cluster.claims, cluster._by_nick, cluster._by_look) == ({}, {}, {})
    assert len(broker.log._recent) == 2


def test_that_the_same_message_became_something_else_at_another_broker_is_noticed(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Broker("b", broker.stream)
    broker.send(b"eve", EVE)
    broker.store()
    other.read()
    broker.send(b"eve", {"type": "say", "n": 1, "room": "general", "text": "hi", "once": "key"})
    broker.store()
    with monkeypatch.context() as patched:  # as by a mistake of ours, or by a table that has other characters in it
        patched.setattr(other.log, "once", lambda *_: 1)
        other.read()
    assert other.log.applied.seq == broker.log.applied.seq
    assert not other.log.agrees("a", broker.log.applied.seq, broker.log.applied.hash)
    assert isinstance(other.log.broken, DivergedError)


def test_many_peers_together_have_little_held_and_who_has_most_is_ended(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "HELD_IN_ALL", 100_000)
    for peer, hello in ((b"eve", EVE), (b"bob", BOB)):
        broker.send(peer, hello)
        broker.store()
        broker.heard(peer)
    for peer in (b"eve", b"bob"):
        broker.send(peer, {"type": "say", "n": 1, "room": "general", "text": "hi"})
    join = {"type": "join", "room": "x" * 1_000}
    broker.send(b"eve", *[join] * 60)
    broker.send(b"bob", {"type": "join", "room": "general"})
    assert broker.pipeline.slow == []
    broker.send(b"eve", *[{"type": "away", "text": "x"}] * 20)
    broker.send(b"bob", *[{"type": "part", "room": "general"}] * 20)
    assert broker.pipeline.slow == [b"eve"]
    broker.pipeline.remove(b"eve", "slow")
    broker.store()
    assert codes(broker.heard(b"bob"))[:3] == ["ack", "joined", "parted"]
    assert broker.pipeline._held == 0
