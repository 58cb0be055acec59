"""What one peer can make the broker do or keep: each bound, met from outside. (Sizes and counts; never times.)"""

import asyncio
import base64
import json
import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.broker.dialogue import Broker, codes
from zchat.broker import gathering, notes
from zchat.broker.core import budget, entrance, ledger, roster, sessions
from zchat.broker.core.effects import CONVERSATIONS_KEPT, Query
from zchat.broker.core.entries import Draft
from zchat.broker.core.ids import public_id
from zchat.broker.core.ledger import ANSWERS_KEPT, SEQS_KEPT
from zchat.broker.core.queries import WAITING_MAX
from zchat.broker.core.rows import Batch
from zchat.broker.log.local import LocalLog
from zchat.broker.reads import QueryService
from zchat.broker.store import SearchIndex, Store, backup
from zchat.errors import DiskFullError
from zchat.protocol import messages as m
from zchat.protocol import names


def fail_to_write(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(batch: Batch) -> None:
        raise DiskFullError(broker.store.path)

    monkeypatch.setattr(broker.store, "write", full)


def test_what_is_held_behind_a_query_is_bounded_and_ends_the_peer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "HELD_MAX", held := 1024 * 1024)
    monkeypatch.setattr(budget, "REFUSED_AT_ONCE", 1_000_000)
    logging.disable(logging.WARNING)
    broker = Broker(rate=1.0)
    alice = broker.hello("alice")
    flood = (alice.id, b"\n".join([b"1"] * 1_000))
    broker.pipeline.begin([(alice.id, alice.line("history", room="x")), *[flood] * 20], 0.0, 0.0)
    logging.disable(logging.NOTSET)
    assert broker.pipeline.slow == [alice.id]
    (query,) = broker.pipeline.queries
    broker.pipeline.answered(query, b"{}")
    assert sum(map(len, broker.pipeline.outgoing[alice.id])) < held + 10_000


def test_who_goes_on_sending_beyond_their_rate_is_sent_away_and_nobody_else_of_their_source() -> None:
    logging.disable(logging.WARNING)
    broker = Broker(rate=100.0)
    mallory, alice = broker.hello("mallory"), broker.hello("alice")
    flood = b"\n".join([b'{"type":"ping"}'] * 1_000)
    refused = frames = 0
    while not broker.pipeline.floods:
        broker.pipeline.begin([(mallory.id, flood), (alice.id, alice.line("ping"))], broker.now, 0.0)
        broker.carry()
        frames += 1
        refused += codes(mallory.read()).count("rate_limited")
        assert codes(alice.read()) == ["pong"]
    logging.disable(logging.NOTSET)
    assert broker.pipeline.floods == [mallory.id]
    assert budget.REFUSED_AT_ONCE / 2 < refused <= budget.REFUSED_AT_ONCE
    broker.pipeline.begin([(alice.id, alice.line("ping")) for _ in range(250 - frames)], broker.now, 0.0)
    broker.carry()
    assert codes(alice.read()).count("rate_limited") == 51  # one of them was hello
    assert broker.pipeline.floods == [mallory.id]


def test_a_peer_for_whom_the_broker_is_too_full_is_refused_no_more_than_others() -> None:
    logging.disable(logging.WARNING)
    broker = Broker(rate=100.0, capacity=1)
    broker.hello("alice")
    flood = (b"late", b"\n".join([b'{"type":"ping"}'] * 1_000))
    frames = 0
    while not broker.pipeline.floods:
        broker.pipeline.begin([flood], 0.0, 0.0)
        frames += 1
    logging.disable(logging.NOTSET)
    assert frames <= 1 + budget.REFUSED_AT_ONCE / 1_000


@pytest.mark.parametrize(
    "frame", [b"\n" * 500_000, b'{"type":"ping","x":"%s"}' % (b"x" * 500_000)], ids=["empty", "long"]
)
def test_lines_that_say_nothing_and_lines_that_are_too_long_count_by_their_bytes(frame: bytes) -> None:
    broker = Broker(rate=100.0)
    mallory = broker.hello("mallory")
    taken = 0
    while not broker.pipeline.floods:
        broker.pipeline.begin([(mallory.id, frame)], 0.0, 0.0)
        taken += 1
    assert taken < 60


def test_long_texts_within_the_rate_are_no_flood() -> None:
    broker = Broker(rate=100.0)
    alice = broker.hello("alice")
    peer = broker.hub.roster.peers[alice.id]
    peer.source._refused.charge(budget.REFUSED_AT_ONCE)
    text = "x" * 16_000
    for n in range(1, 400, 20):
        lines = [alice.line("say", n=n + k, room="den", text=text) for k in range(20)]
        broker.pipeline.begin([(alice.id, b"\n".join(lines))], broker.now, 0.0)
        broker.carry()
        assert set(codes(alice.read())) == {"ack"}
        broker.now += 0.2
    assert not broker.pipeline.floods


def test_the_answer_to_an_old_query_does_not_reach_the_next_session_of_a_peer() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    broker.pipeline.begin([(alice.id, alice.line("history", room="a", ref="old"))], 0.0, 0.0)
    (old,), broker.pipeline.queries = broker.pipeline.queries, []
    broker.pipeline.remove(alice.id, "slow")
    broker.carry()
    alice.read()
    broker.pipeline.begin([(alice.id, alice.line("hello", protocol=1, nick="alice"))], 0.0, 0.0)
    broker.pipeline.begin([(alice.id, alice.line("history", room="b", ref="new"))], 0.0, 0.0)
    (new,), broker.pipeline.queries = broker.pipeline.queries, []
    broker.pipeline.answered(old, broker.read(old))
    broker.pipeline.answered(new, broker.read(new))
    broker.carry()
    assert [line.get("ref") for line in alice.read()] == [None, "new"]
    assert broker.hub.roster.peers[alice.id].queries == 0


def test_a_stop_answers_queries_and_lets_go_what_waits_behind_them() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    lines = [
        alice.line("history", room="x"),
        alice.line("say", n=1, room="x", text="hi"),
        alice.line("search", text="x"),
        alice.line("ping"),
    ]
    broker.pipeline.begin([(alice.id, b"\n".join(lines))], 0.0, 0.0)
    broker.pipeline.give_up()
    broker.carry()
    assert codes(alice.read()) == ["unavailable", "ack", "unavailable", "pong"]


def test_a_refusal_is_never_acknowledged_later_however_much_follows_it() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    lines = [alice.line("say", n=n, room="g", text="x" if n > 1 else "") for n in range(1, 2_502)]
    for _ in range(2):
        replies = [reply for i in range(0, 2_501, 500) for reply in alice.send(*lines[i : i + 500])]
        assert codes(replies) == ["bad_text"] + ["ack"] * 2_500
    assert broker.hub.ledger.get(alice.welcome["from"]).seqs[-1] == 2_500  # type: ignore[union-attr]


def test_conversations_are_bounded_and_the_latest_are_kept() -> None:
    broker = Broker()
    victim, eve = broker.hello("victim"), broker.peer()
    for i in range(CONVERSATIONS_KEPT + 50):
        hello = eve.line("hello", protocol=1, nick=f"eve{i}", client=f"{i + 10**12:032x}")
        eve.send(hello, eve.line("say", n=1, to="victim", text="x"))
    victim.read()
    (pong,) = victim.ask("ping")
    assert len(pong["heads"]) == CONVERSATIONS_KEPT
    assert f"@eve{CONVERSATIONS_KEPT + 49}" in pong["heads"]


def test_neither_a_duplicate_nor_a_failed_batch_makes_a_room(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.say("x", room="real", once="k")
    alice.say("x", room="phantom", once="k")
    fail_to_write(broker, monkeypatch)
    alice.say("x", room="phantom")
    assert list(broker.hub.roster.rooms) == ["real"]


def test_the_rooms_of_one_batch_are_bounded_too_and_what_makes_none_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "ROOMS_IN_ALL", 3)
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.say("x", room="real", once="k")
    alice.say("x", room="phantom", once="k")
    with monkeypatch.context() as patch:
        fail_to_write(broker, patch)
        alice.say("x", room="phantom")
    lines = [bob.line("say", n=n, room=f"r{n // 2}", text="x") for n in range(1, 8)]  # two in each room but the first
    assert codes(bob.send(*lines)) == ["ack"] * 3 + ["forbidden"] * 4
    assert sorted(broker.hub.roster.rooms) == ["r0", "r1", "real"]


def test_who_has_left_or_never_came_gives_way_to_who_comes() -> None:
    broker = Broker(capacity=3)
    for k in range(10):
        broker.hello(f"nick{k}", client=f"{k:032x}").ask("bye")
        broker.hello("alice", client="a" * 32)  # over another connection each time
        broker.peer().ask("status")
    broker.hello("bob")
    broker.hello("carol")
    assert len(broker.hub.roster.peers) == 3
    assert codes(broker.peer().ask("hello", protocol=1, nick="dave", ref=1)) == ["server_full"]
    assert codes(broker.peer().ask("status")) == ["server_full"]
    for _ in range(4):
        broker.tick(5.0)
    assert not broker.hub.roster.peers
    assert not broker.hub.roster._bare


def test_who_left_and_came_back_is_remembered_however_many_leave_after_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "DEPARTED_KEPT", 10)
    broker = Broker()
    alice = broker.hello("alice", client="a" * 32)
    alice.ask("bye")
    alice.ask("hello", protocol=1, nick="alice", client="a" * 32)
    for k in range(11):
        broker.hello(f"nick{k}").ask("bye")
    assert codes(alice.say("still here")) == ["ack"]


def test_who_has_left_and_still_waits_for_an_answer_does_not_give_way() -> None:
    small = roster.Roster(1, 0.0)
    asking = small.admit(b"asking", 0.0)
    assert asking is not None
    asking.queries = 1
    assert small.admit(b"new", 0.0) is None
    asking.queries = 0
    assert small.admit(b"new", 0.0) is not None
    assert list(small.peers) == [b"new"]


def test_in_a_batch_that_fails_out_of_order_names_what_is_really_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    alice = broker.hello("alice")
    fail_to_write(broker, monkeypatch)
    lines = [alice.line("say", n=n, room="g", text="x") for n in (1, 3)]
    assert [reply.get("expected") for reply in alice.send(*lines)] == [None, 1]


def test_a_fresh_client_on_the_same_connection_keeps_its_nick() -> None:
    broker = Broker()
    alice = broker.hello("alice", client="a" * 32)
    assert codes(alice.ask("hello", protocol=1, nick="alice", client="b" * 32)) == ["welcome"]


def test_rooms_hear_that_a_slow_peer_timed_out() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.ask("join", room="g")
    broker.heard("g")
    broker.pipeline.remove(alice.id, "slow")
    broker.carry()
    assert [event["reason"] for event in broker.heard("g")] == ["timeout"]
    assert alice.read() == [{"type": "bye", "reason": "slow"}]


def test_a_pong_tells_the_rooms_of_its_own_time() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.ask("join", room="g")
    replies = alice.send(alice.line("ping"), alice.line("part", room="g"), alice.line("ping"))
    assert [reply["heads"] for reply in replies if reply["type"] == "pong"] == [{"g": 0}, {}]


def test_a_long_name_is_neither_prepared_nor_kept() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    before = names.nick_key.cache_info().currsize
    long = "\u0344" * 200_000
    replies = alice.send(
        alice.line("who", nick=long),
        alice.line("say", n=1, to=long, text="x"),
        alice.line("history", to="alice" + " " * 200_000),
        alice.line("search", text="x", nick=long),
    )
    assert codes(replies) == ["unknown_nick", "unknown_nick", "unknown_nick", "found"]
    assert names.nick_key.cache_info().currsize == before
    assert len(json.dumps(replies)) < 2_000


def test_long_lists_cost_more_than_one_line() -> None:
    broker = Broker(rate=100.0, capacity=3_000)
    for i in range(2_000):
        broker.hello(f"nick{i}")
    alice = broker.hello("alice")
    assert codes(alice.send(*[alice.line("who")] * 20)).count("roster") < 10


def test_a_slow_rate_still_lets_lines_through() -> None:
    broker = Broker(rate=0.1)
    alice = broker.hello("alice")
    assert codes(alice.ask("ping")) == ["rate_limited"]
    broker.now += 10
    assert codes(alice.ask("ping")) == ["pong"]


def test_a_backup_is_another_log(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "data", "0" * 32, 0)) as store:
        (tmp_path / "restored").mkdir()
        backup(tmp_path / "data", tmp_path / "restored" / "log.db", lambda done, total: None)
        with closing(Store(tmp_path / "restored", "1" * 32, 0)) as restored:
            assert restored.id != store.id


def test_the_index_of_another_past_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / "data"

    def say(log: LocalLog, numbers: range, text: str) -> None:
        log.write([Draft("f" * 16, "alice", [m.Say(n=n, text=text)], "general") for n in numbers], 1.0)

    def count(index: SearchIndex, word: str) -> int:
        return index.search(Query(peer=b"", ref=None, text=word)).count

    with closing(Store(data, "0" * 32, 0)) as store:
        say(log := LocalLog(store), range(1, 6), "common")
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (tmp_path / "copy").write_bytes((data / "log.db").read_bytes())  # by hand: it keeps its id
        say(log, range(6, 11), "old")
        with closing(SearchIndex(data, store.path)) as index:
            while index.fill():
                pass
    for path in data.glob("log.db*"):
        path.unlink()
    (tmp_path / "copy").rename(data / "log.db")
    with closing(Store(data, "1" * 32, 0)) as store:
        say(LocalLog(store), range(6, 12), "new")
        with closing(SearchIndex(data, store.path)) as index:
            while index.fill():
                pass
            assert (count(index, "new"), count(index, "old"), count(index, "common")) == (6, 0, 5)


def test_filling_the_index_leaves_the_log_free_to_be_written(tmp_path: Path) -> None:
    with closing(Store(tmp_path, "0" * 32, 0)) as store:
        log = LocalLog(store)
        log.write([Draft("f", "alice", [m.Say(n=n, text="word " * 20)], "general") for n in range(1, 500)], 1.0)
        with closing(SearchIndex(tmp_path, store.path)) as index:
            statements: list[str] = []

            def written(statement: str) -> None:
                statements.append(statement)
                if statement.startswith("INSERT INTO words") and log.head < 500:
                    log.write([Draft("f", "alice", [m.Say(n=500, text="meanwhile")], "general")], 1.0)

            store.connection.execute("PRAGMA busy_timeout = 0")
            index.connection.set_trace_callback(written)
            index.fill()
            assert any(statement.startswith("INSERT INTO words") for statement in statements)
            assert log.trouble is None
            assert log.head == 500


def test_a_search_whose_index_cannot_be_made_is_answered(tmp_path: Path) -> None:
    async def ask(store: Store) -> bytes:
        library = QueryService(store)
        try:
            return await library.answer(Query(peer=b"", ref=1, asked=asyncio.get_running_loop().time(), text="x"))
        finally:
            library.close()

    (tmp_path / "search.db").mkdir()
    with closing(Store(tmp_path, "0" * 32, 0)) as store:
        assert json.loads(asyncio.run(ask(store)))["code"] == "unavailable"


def test_a_query_that_waited_too_long_is_not_run(tmp_path: Path) -> None:
    async def ask(store: Store) -> list[str]:
        library = QueryService(store)
        asked = asyncio.get_running_loop().time() - 2
        try:
            queries = [Query(peer=b"", ref=1, asked=asked, text="x"), Query(peer=b"", ref=1, asked=asked, room="x")]
            return [json.loads(await library.answer(query)).get("code", "answered") for query in queries]
        finally:
            library.close()

    with closing(Store(tmp_path, "0" * 32, 0)) as store:
        assert asyncio.run(ask(store)) == ["unavailable", "unavailable"]


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_the_ends_of_time_are_times(since: str) -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.say("x")
    assert codes(alice.ask("history", room="general", since=since)) == ["history"]


def test_a_refusal_that_memory_has_forgotten_is_told_again_from_the_log() -> None:
    broker = Broker()
    alice = broker.hello("alice", client="a" * 32)
    says = [alice.line("say", n=n, to="gone", text="important", ref=n) for n in range(1, ANSWERS_KEPT + 101)]
    first = alice.send(*says[:1_000]) + alice.send(*says[1_000:])
    assert set(codes(first)) == {"unknown_nick"}
    assert alice.send(*says[:1_000]) + alice.send(*says[1_000:]) == first
    broker.open()
    again = broker.hello("alice", client="a" * 32)
    assert again.send(*says[:1_000]) + again.send(*says[1_000:]) == first


def test_an_ack_whose_seq_is_forgotten_is_an_ack_without_a_seq() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    says = [alice.line("say", n=n, room="general", text="hi") for n in range(1, SEQS_KEPT + 501)]
    for start in range(0, len(says), 500):
        alice.send(*says[start : start + 500])
    assert alice.send(says[0], says[-1]) == [
        {"type": "ack", "n": 1},
        {"type": "ack", "n": len(says), "seq": len(says)},
    ]


def test_a_session_may_come_back_to_all_its_rooms_at_once() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    joins = [alice.line("join", room=f"r{k}", after=0, ref=k) for k in range(m.ROOMS_MAX)]
    answers = alice.send(*joins)
    assert [(line["type"], line["ref"]) for line in answers] == [
        (type_, k) for k in range(m.ROOMS_MAX) for type_ in ("joined", "history")
    ]


def test_who_is_in_as_many_rooms_as_may_be_can_join_them_again_and_no_other() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.send(*[alice.line("join", room=f"r{k}") for k in range(m.ROOMS_MAX)])
    assert codes(alice.send(alice.line("join", room="r7", after=0))) == ["joined", "history"]
    assert codes(alice.ask("join", room="another")) == ["forbidden"]


def test_a_join_that_cannot_ask_takes_nothing() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    asks = [alice.line("history", room="x")] * WAITING_MAX
    answers = alice.send(*asks, alice.line("join", room="y", after=0, ref="late"), alice.line("who", nick="alice"))
    assert codes(answers) == [*["history"] * WAITING_MAX, "rate_limited", "roster"]
    assert answers[-1]["members"][0]["rooms"] == []


def test_lists_that_are_cut_say_so_and_cost_by_their_size() -> None:
    broker = Broker(rate=100.0)
    alice = broker.hello("alice")
    for n in range(1, 41):
        broker.now += 1
        alice.ask("topic", n=n, room=f"r{n}", text="x" * 16_000)
    broker.now += 10
    (cut,) = alice.ask("rooms")
    assert cut["more"] is True
    assert 10 < len(cut["rooms"]) < 20
    broker.now += 10
    assert codes(alice.send(*[alice.line("rooms")] * 200)).count("rooms") == 40, "five lines each, of 200"
    (whole,) = broker.hello("bob").ask("who")
    assert "more" not in whole


def test_who_says_goodbye_too_fast_is_gone_all_the_same() -> None:
    broker = Broker(rate=1.0)
    alice = broker.hello("alice")
    answers = alice.send(*[alice.line("ping")] * 10, alice.line("bye"))
    assert "rate_limited" in codes(answers)
    assert broker.hello("alice").welcome["nick"] == "alice"


def test_who_comes_under_another_client_in_place_of_their_own_session_finds_what_they_said_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "DEPARTED_KEPT", 2)
    broker = Broker()
    first = broker.hello("alice", client="a" * 32)
    first.say("hi")
    first.ask("bye")
    broker.hello("x1").ask("bye")
    later = broker.hello("bob", client="b" * 32)
    (welcome,) = later.ask("hello", protocol=1, nick="alice", client="a" * 32)  # ends bob's session, who departs
    assert welcome["n"] == 1
    assert later.ask("say", n=1, room="general", text="hi") == [{"type": "ack", "n": 1, "seq": 1}]
    assert broker.log.head == 1


def test_those_who_left_are_forgotten_between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "DEPARTED_KEPT", 2)
    broker = Broker()
    for k in range(9):
        broker.hello(f"nick{k}", client=f"{k:032x}").ask("bye")
    broker.hub.second(1.0)
    assert [k for k in range(9) if broker.hub.ledger.get(public_id(f"{k:032x}"))] == [7, 8]


def test_two_clients_of_the_same_public_id_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "public_id", lambda client: "f" * 16)
    broker = Broker()
    alice = broker.hello("alice", client="a" * 32)
    eve = broker.peer()
    (refused,) = eve.ask("hello", protocol=1, nick="eve", client="b" * 32)
    assert (refused["code"], "a" * 32 in str(refused)) == ("forbidden", False)
    assert codes(alice.say("still here")) == ["ack"]
    alice.ask("bye")
    assert codes(eve.ask("hello", protocol=1, nick="alice", client="b" * 32)) == ["forbidden"]
    assert codes(broker.peer().ask("hello", protocol=1, nick="alice", client="a" * 32)) == ["welcome"]


def test_a_crowd_that_joins_at_once_has_each_member_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    described, member = 0, sessions.Author.described

    def counted(author: sessions.Author, *args: Any) -> m.Member:
        nonlocal described
        described += 1
        return member(author, *args)

    monkeypatch.setattr(sessions.Author, "described", counted)
    broker = Broker()
    crowd = [broker.hello(f"nick{number}") for number in range(500)]
    broker.take(*((one.id, one.line("join", room="general")) for one in crowd))
    for number, one in enumerate(crowd):
        (joined,) = one.read()
        assert [each["nick"] for each in joined["members"]] == [f"nick{earlier}" for earlier in range(number + 1)]
    assert described <= 2 * len(crowd), "once in its `member_joined`, once for all lists"


# -- what is written down --------------------------------------------------------------------------------------


def test_who_says_hello_again_and_again_washes_nothing_out_of_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    broker = Broker()
    alice = broker.hello("alice")
    peers = [broker.peer() for _ in range(20)]
    for _ in range(100):
        for number, peer in enumerate(peers):
            assert codes(peer.ask("hello", protocol=1, nick=f"eve{number}")) == ["welcome"]
            peer.ask("nonsense")
            peer.ask("bye")
    flood = len(caplog.records)
    assert notes.BURST <= flood <= 3 * notes.BURST
    fail_to_write(broker, monkeypatch)
    alice.say("hi", room="general")
    assert any("Messages are refused until" in record.getMessage() for record in caplog.records[flood:])
    broker.pipeline.report()
    assert "1,901 × client came" in caplog.records[-1].getMessage()
    assert len(caplog.records) <= flood + 2 + notes.BURST + 1  # how often each repeated its mistake


def test_what_was_left_out_is_told_once_and_then_some_more_may_be_written(caplog: pytest.LogCaptureFixture) -> None:
    kept = notes.Notes(logging.getLogger("zchat.x"))

    def written(count: int) -> list[str]:
        caplog.clear()
        for number in range(count):
            kept.write(logging.WARNING, "peer %d: did it", number)
        kept.write(logging.WARNING, "something else")
        kept.report()
        return [record.getMessage() for record in caplog.records]

    assert len(written(notes.BURST)) == notes.BURST + 1
    first = written(notes.BURST + 5)
    assert len(first) == notes.EACH + 2
    assert first[0] == "peer 0: did it"
    assert first[-1] == f"left out, being too many: {notes.BURST + 5 - notes.EACH} × peer"
    assert written(0) == ["something else"]
    assert len(written(2 * notes.EACH)) == 2 * notes.EACH + 1, "who was quiet may write more at once"


def test_a_mistake_that_is_no_more_counted_is_left_out_like_the_others(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MISTAKES_NOTED", 2)
    monkeypatch.setattr(notes, "BURST", 3)
    broker = Broker()
    peers = [broker.peer() for _ in range(9)]
    for peer in peers * 2:
        peer.ask("nonsense")
    assert len(caplog.records) == 3
    broker.pipeline.report()
    told = [record.getMessage() for record in caplog.records[3:]]
    assert [line.endswith("2 times in all") for line in told] == [True, True, False]
    assert told[-1] == "left out, being too many: 13 × error to peer"


def test_who_floods_with_parts_of_files_fills_no_memory_and_is_sent_away() -> None:
    broker = Broker(rate=100.0)
    mallory = broker.hello("mallory")
    data = base64.b64encode(b"x" * m.PART_MAX).decode()
    frame = mallory.line("put", file="a" * 64, size=m.FILE_MAX, data=data)
    taken = 0
    while not broker.pipeline.floods:
        broker.pipeline.begin([(mallory.id, frame)], 0.0, 0.0)
        taken += 1
    assert len(broker.pipeline.transfers) == 8
    assert broker.hub.roster.transferring == 8 * m.PART_MAX
    assert taken < 100


def test_parts_of_files_within_the_rate_are_no_flood_and_cost_no_line() -> None:
    broker = Broker(rate=100.0)
    alice = broker.hello("alice")
    data = base64.b64encode(b"x" * m.PART_MAX).decode()
    frame = alice.line("put", file="a" * 64, size=m.FILE_MAX, data=data)
    for _ in range(400):  # 100 MiB, at 12.5 MiB a second
        broker.pipeline.begin([(alice.id, frame)], broker.now, 0.0)
        for transfer in broker.pipeline.transfers:
            broker.pipeline.transferred(transfer, b'{"type":"have"}')
        broker.pipeline.transfers.clear()
        broker.carry()
        assert codes(alice.read()) == ["have"]
        broker.now += 0.02
    assert not broker.pipeline.floods
    assert broker.hub.roster.peers[alice.id].bucket.tokens == 200
