"""What many peers of one source may do together, and what one line may make many rooms hear."""

import base64
import json
from typing import Any

import pytest

from tests.broker.dialogue import Broker, Json, Peer, codes
from tests.broker.team import Team
from zchat.broker.core import budget, files, roster


def says(peer: Peer, count: int, text: str = "hi") -> list[Json]:
    """Send so many numbered lines in one frame."""
    return peer.send(*[peer.line("say", n=n, room="general", text=text) for n in range(1, count + 1)])


def acks(replies: list[Json]) -> int:
    return codes(replies).count("ack")


def test_who_connects_again_and_again_has_one_rate_not_many() -> None:
    broker = Broker(rate=100.0)
    assert sum(acks(says(broker.hello(f"nick{k}"), 199)) for k in range(20)) == 199 + 1 + 18  # and the first of each
    heard, refused = says(broker.hello("late"), 2)
    assert codes([heard, refused]) == ["ack", "rate_limited"]
    assert 0 < refused["retry_after"] <= 0.02
    broker.now += 1
    assert sum(acks(says(broker.hello(f"more{k}"), 199)) for k in range(20)) == 100 + 19


def test_another_source_has_a_rate_of_its_own() -> None:
    broker = Broker(rate=100.0, source=lambda peer: peer[-1:].decode())
    assert [acks(says(broker.hello(f"nick{k}"), 150)) for k in range(3)] == [150, 150, 150]


def test_who_has_been_here_for_a_while_has_the_whole_rate_whoever_comes() -> None:
    broker = Broker(rate=100.0)
    alice, bob = broker.hello("alice"), broker.hello("bob")
    broker.now += 10
    assert acks(says(broker.hello("flood"), 200)) == 199  # its hello was a line, too
    assert acks(says(alice, 200)) == acks(says(bob, 200)) == 200


def test_who_spoke_before_is_no_newcomer() -> None:
    broker = Broker(rate=100.0)
    alice = broker.hello("alice", client="a" * 32)
    says(alice, 1)
    alice.ask("bye")
    broker.open()  # after a restart, too
    says(broker.hello("flood"), 200)
    again = broker.hello("alice", client="a" * 32)
    again.n = 1
    assert codes(again.say("back")) == ["ack"]


def test_a_thousand_connections_have_ten_rates_together_and_who_was_silent_is_heard() -> None:
    broker = Broker(rate=100.0)
    alice, crowd = broker.hello("alice"), [broker.hello(f"nick{k}") for k in range(30)]
    broker.now += 10
    assert sum(acks(says(peer, 200)) for peer in crowd) in range(2_000 - 20, 2_000 + 30)
    assert codes(alice.say("and I?")) == ["ack"]
    broker.now += 1
    assert codes(alice.say("and again?")) == ["ack"]


def test_long_texts_cost_all_of_a_source_more() -> None:
    broker = Broker(rate=100.0)
    crowd = [broker.hello(f"nick{k}") for k in range(10)]
    broker.now += 10
    assert sum(acks(says(peer, 200, "x" * 16_000)) for peer in crowd) < 700


def test_new_sessions_of_one_source_are_bounded_and_a_crowd_is_let_in() -> None:
    broker = Broker(rate=100.0, capacity=5_000)
    asked = broker.peer()
    line = asked.line("hello", protocol=1)
    crowd = [codes(broker.peer().send(line, asked.line("join", room="general")))[:2] for _ in range(2_000)]
    assert all(each == ["welcome", "joined"] for each in crowd)
    codes_: list[str] = []
    for _ in range(3_000):
        peer = broker.peer()
        codes_ += codes(peer.send(line, peer.line("bye")))
    assert codes_.count("welcome") == 2_000
    assert codes_[-1] == "rate_limited"
    broker.now += 1
    assert codes(broker.peer().send(line)) == ["welcome"]


def test_no_rate_is_no_bound() -> None:
    broker = Broker(rate=0.0)
    assert sum(acks(says(broker.hello(f"nick{k}"), 500)) for k in range(10)) == 5_000


def in_many_rooms(broker: Broker, nick: str) -> Peer:
    peer = broker.hello(nick)
    for k in range(256):
        broker.now += 0.02
        assert codes(peer.ask("join", room=f"{nick}-{k}")) == ["joined"]
    broker.now += 10
    broker.published.clear()
    return peer


def announced(broker: Broker) -> int:
    """Return how many bytes were published."""
    return sum(len(json.dumps(event)) for _, event in broker.published)


def test_a_line_that_many_rooms_hear_costs_more_than_one() -> None:
    for changes in (
        [{"type": "away", "text": f"{k}" * 1_000} for k in range(1, 10)] * 20,
        [{"type": "nick", "nick": f"nick{k}"} for k in range(200)],
    ):
        broker = Broker(rate=100.0)
        alice = in_many_rooms(broker, "alice")
        replies = codes(alice.send(*[json.dumps(change).encode() for change in changes]))
        assert 1 <= replies.count("ok") + replies.count("renamed") <= 7
        assert replies[-1] == "rate_limited"
        broker.now += 10
        assert codes(alice.ask("away", text="tea")) == ["ok"]


def test_what_the_rooms_hear_of_one_batch_is_bounded_and_what_is_refused_changes_nothing() -> None:
    broker = Broker(rate=0.0)
    crowd = [in_many_rooms(broker, f"nick{k}") for k in range(5)]
    frames = [(peer.id, b"\n".join(peer.line("away", text=f"{k}" * 1_000) for k in range(10))) for peer in crowd]
    broker.take(*frames)
    assert announced(broker) < 2 * 1024 * 1024
    last = crowd[-1]
    refused = last.read()[-1]
    assert (refused["code"], refused["retry_after"]) == ("rate_limited", 0.1)
    assert last.ask("who", nick="nick4")[0]["members"][0]["away"] is None
    assert codes(last.ask("away", text="tea")) == ["ok"]


def test_who_leaves_few_rooms_or_changes_in_few_pays_one_line() -> None:
    broker = Broker(rate=100.0)
    alice = broker.hello("alice")
    for room in "abcde":
        alice.ask("join", room=room)
    broker.now += 10
    made: list[Any] = [alice.line("away", text=f"tea {k}") for k in range(200)]
    assert codes(alice.send(*made)).count("ok") == 200


PART = base64.b64encode(b"x" * 64 * 1024).decode()


def put(peer: Peer, times: int = 1, data: str = PART) -> list[str]:
    """Send so many parts of files; return the codes of those that are refused. The others wait for the disk."""
    found = []
    for number in range(times):
        found += codes(peer.ask("put", file=f"{number:064}", size=2**20, data=data))
        for transfer in peer.broker.pipeline.transfers:
            peer.broker.hub.transferred(transfer)
        peer.broker.pipeline.transfers.clear()
    return found


def test_parts_of_files_have_a_rate_of_each_session_and_one_of_a_whole_source() -> None:
    broker = Broker(rate=2.0)  # 256 KiB a second: four of these parts
    alice = broker.hello("alice")
    assert put(alice, 20) == ["rate_limited"] * 12
    broker.now += 1
    assert put(alice, 20) == ["rate_limited"] * 16
    assert [len(put(broker.hello(f"more{number}"), 20)) for number in range(5)] == [12, 12, 12, 16, 20]
    broker = Broker(rate=2.0)
    bob = broker.hello("bob")
    tiny = [codes(bob.ask("get", file="0" * 64, limit=1))[0] for _ in range(33)]
    assert tiny == ["bad_file"] * 32 + ["rate_limited"], "the smallest part counts as 16 KiB"


def test_what_waits_for_the_disk_is_bounded_for_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WAITING_MAX", 5 * 64 * 1024)
    broker = Broker(rate=0.0)
    alice, bob = broker.hello("alice"), broker.hello("bob")
    answers = [codes(peer.ask("put", file="0" * 64, size=2**20, data=PART)) for peer in (alice, bob) * 3]
    assert answers == [[]] * 5 + [["rate_limited"]]


@pytest.fixture
def megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "GUESTS_A_DAY", 2**20)


@pytest.mark.usefixtures("megabyte")
def test_all_guests_of_an_address_together_upload_so_much_a_day_and_no_more() -> None:
    broker = Broker(rate=1_000.0, source=lambda peer: "far" if peer[-1:] == b"4" else "here")
    assert put(broker.hello("one"), 10) == []
    assert put(broker.hello("two"), 6) == []
    three = broker.hello("three")
    assert put(three) == ["no_space"]
    (no,) = three.ask("put", file="0" * 64, size=2**20, data=PART)
    assert (no["limit"], no["message"][:24]) == (2**20, "guests may upload 1 MiB ")
    assert put(three, data="") == []  # it may ask how much is here
    assert put(broker.hello("elsewhere")) == []
    broker.now += 86_400 / 4
    assert put(three, 5) == ["no_space"]
    broker.now += 86_400
    assert put(three, 17) == ["no_space"]


@pytest.mark.usefixtures("megabyte")
def test_a_tiny_part_counts_as_more_and_members_have_their_quota_alone() -> None:
    team = Team(rate=1_000.0)
    guest = team.hello("guest")
    assert put(guest, 65, "eA==") == ["no_space"]
    assert put(team.member("ann"), 20) == []
    assert put(guest) == ["no_space"]


@pytest.mark.usefixtures("megabyte")
def test_what_an_address_has_uploaded_is_remembered_for_a_day_also_among_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "SOURCES_KEPT", 2)
    broker = Broker(rate=1_000.0, source=lambda peer: peer.decode())
    assert put(broker.hello("one"), 17) == ["no_space"]
    known = broker.hub.roster._sources
    for k in range(5):
        broker.hello(f"nick{k}")
    broker.now += 2 * roster.SOURCE_KEPT
    broker.hub.second(broker.now)
    assert list(known) != list(broker.hub.roster._sources)
    assert list(broker.hub.roster._sources) == ["\0peer1"]
    broker.now += 86_401
    for k in range(5, 10):
        broker.hello(f"nick{k}")
    broker.now += 2 * roster.SOURCE_KEPT
    broker.hub.second(broker.now)
    assert broker.hub.roster._sources == {}
