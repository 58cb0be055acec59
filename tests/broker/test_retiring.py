"""Retention: what has been kept for long enough goes, and all else stays as it is."""

import asyncio
import json
import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.broker.dialogue import NOON, Broker, Json, Peer, codes
from tests.broker.several import Client, Several
from tests.broker.team import Team, do
from tests.client.real import on_loop
from zchat.broker.core.cluster import Post, decode
from zchat.broker.core.entries import Retire
from zchat.broker.core.members import DAY
from zchat.broker.retiring import PATIENCE, Retiring
from zchat.broker.server import ChatServer
from zchat.broker.store import SearchIndex, Store, due, last_before, next_step
from zchat.broker.store.retiring import STEP_BYTES, STEP_EVENTS
from zchat.broker.store.retiring import retire as delete
from zchat.client.client import ChatClient

HOUR = 3_600.0


def retire(broker: Broker, keep: float = HOUR) -> int:
    """Do what a broker does in the background, until nothing is due. Return in how many steps."""
    own = {name: one.keep * float(DAY) for name, one in broker.log.members.rooms.items() if one.keep is not None}
    steps = 0
    now = int((NOON + broker.now) * 1_000)
    for one in due(broker.store.connection, now, keep, own):
        while (upto := next_step(broker.store.connection, one)) is not None:
            broker.pipeline.change(Retire(one.place, upto, keep, one.room), NOON + broker.now)
            steps += 1
            assert steps < 1_000
    return steps


def texts(peer: Peer, **fields: object) -> list[str]:
    (page,) = peer.ask("history", **({"room": "general"} | fields))
    return [event.get("text", event["type"]) for event in page["events"]]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_what_is_older_goes_and_what_is_not_stays(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("old")
    alice.say("old, too", room=None, to="alice")
    broker.now += HOUR
    alice.say("new")
    assert retire(broker) == 0
    broker.now += 1
    assert retire(broker) == 2
    assert (texts(alice), texts(alice, room=None, to="alice")) == (["new"], [])
    assert retire(broker) == 0
    assert retire(broker, keep=0) == 0


def test_heads_cursors_and_numbers_are_those_of_before_also_after_a_restart(broker: Broker) -> None:
    alice = broker.hello("alice")
    client = alice.welcome["client"]
    for text in ("one", "two", "three"):
        alice.say(text)
    broker.now += 2 * HOUR
    retire(broker)
    (page,) = alice.ask("history", room="general", after=1)
    assert (page["events"], page["upto"], page["more"]) == ([], 3, False)
    broker.open()
    alice = broker.hello("alice", client=client)
    assert alice.welcome["n"] == 3
    assert alice.ask("join", room="general", after=1)[0]["head"] == 3
    alice.n = 3
    assert alice.say("four")[0]["seq"] == 4
    (page,) = alice.ask("history", room="general", after=1)
    assert [(event["seq"], event["prev"]) for event in page["events"]] == [(4, 3)]
    again = alice.ask("say", n=2, room="general", text="two")
    assert codes(again) == ["ack"]  # and it is not said twice
    assert texts(alice) == ["four"]


def test_what_is_gone_is_no_target_and_its_answers_keep_their_thread(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("root")
    alice.say("gone, too")
    for command in ({"type_": "react", "emoji": "👍"}, {"type_": "pin"}):
        alice.n += 1
        assert codes(alice.ask(command.pop("type_"), n=alice.n, seq=1, **command)) == ["ack"]
    broker.now += 2 * HOUR
    alice.say("answer", reply_to=1)
    retire(broker)
    for type_, fields in (("edit", {"text": "x"}), ("delete", {}), ("pin", {"off": True})):
        alice.n += 1
        assert codes(alice.ask(type_, n=alice.n, seq=1, **fields)) == ["bad_target"]
    assert codes(alice.say("too late", reply_to=2)) == ["bad_reply"]
    (page,) = alice.ask("history", room="general")
    assert [(event["text"], event["thread"]) for event in page["events"]] == [("answer", 1)]
    assert broker.store.connection.execute("SELECT * FROM mark").fetchall() == []
    alice.say("beside", reply_to=5)
    assert json.loads(broker.lines[-1])["thread"] == 1


def test_a_room_says_for_itself_for_how_long_and_the_newest_word_counts() -> None:
    team = Team()
    ann = team.member("ann")
    for room in ("general", "long", "ever"):
        do(ann, "say", room=room, text=f"old in {room}")
    assert do(team.olga, "access", room="long", keep=2)["type"] == "ack"
    assert do(team.olga, "access", room="ever", keep=0)["type"] == "ack"
    team.now += 1.5 * DAY
    retire(team, keep=DAY)
    assert [texts(ann, room=room) for room in ("general", "long", "ever")] == [[], ["old in long"], ["old in ever"]]
    team.now += DAY
    found = due(team.store.connection, int((NOON + team.now) * 1_000), 0, {"long": DAY})
    assert [one.room for one in found] == ["long"]
    asked = [Retire(one.place, 10**6, 0.0, one.room, before) for one in found for before in (None, one.before)]
    assert do(team.olga, "access", room="long", keep=9)["type"] == "ack"  # before the entry that was on its way
    for entry in asked:
        team.pipeline.change(entry, NOON + team.now)
    assert texts(ann, room="long") == ["old in long"]
    do(team.olga, "access", room="long", keep=2)
    retire(team, keep=0)
    assert texts(ann, room="long") == []
    assert do(team.olga, "access", room="ever", keep="default")["type"] == "ack"
    retire(team, keep=9 * DAY)
    assert texts(ann, room="ever") == ["old in ever"]
    retire(team, keep=DAY)
    assert texts(ann, room="ever") == []
    (audit,) = team.olga.ask("audit", limit=1_000)  # the chain of members is kept for ever
    assert audit["events"][0]["change"] == "joined"
    assert [event.get("keep", "none") for event in audit["events"] if event["type"] == "access"] == [2, 0, 9, 2, "none"]


def test_a_message_takes_the_texts_of_its_later_edits_with_it(tmp_path: Path) -> None:
    with closing(Store(tmp_path, "0" * 32, NOON)) as store:
        broker = Broker(store)
        alice = broker.hello("alice")
        alice.say("old")
        broker.now += 2 * HOUR
        alice.say("new")
        for text in ("nobody keeps this", "nobody keeps that"):
            do(alice, "edit", seq=1, text=text)
        assert len(alice.ask("search", text="nobody")[0]["events"]) == 1
        retire(broker)
        (page,) = alice.ask("history", room="general")
        from_ = alice.welcome["from"]
        told = [(event["seq"], event["prev"], event["type"], event.get("by")) for event in page["events"]]
        assert told == [(2, 1, "message", None), (3, 2, "tombstone", from_), (4, 3, "tombstone", from_)]
        assert store.connection.execute("SELECT * FROM mark").fetchall() == []
        assert alice.ask("search", text="nobody")[0]["events"] == []
        store.connection.execute("DELETE FROM scrub")  # as the index does when it has forgotten it
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"nobody keeps" not in store.path.read_bytes()


def test_edits_count_for_the_size_of_a_step(broker: Broker) -> None:
    alice = broker.hello("alice")
    for text in "abc":
        alice.say(text)
    broker.now += 2 * HOUR
    for seq in (1, 2, 3):
        alice.send(*(alice.line("edit", n=alice.n + n, seq=seq, text="x") for n in range(1, 301)))
        alice.n += 300
    assert retire(broker) == 3


def test_a_message_that_has_more_edits_than_a_step_goes_alone(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("old")
    broker.now += 2 * HOUR
    alice.send(*(alice.line("edit", n=alice.n + n, seq=1, text="x") for n in range(1, STEP_EVENTS + 1)))
    assert retire(broker) == 1


def test_what_stays_of_a_room_costs_a_step_nothing(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("old")
    broker.now += 2 * HOUR
    alice.say("new")
    run, worked = broker.store.connection, 0

    def work() -> None:
        nonlocal worked
        worked += 1

    rows = [(target, "reaction", "x", 1, target, "") for target in range(2, 10_000)]
    run.executemany("INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?)", rows)
    run.set_progress_handler(work, 1_000)  # steps of SQLite's machine
    assert retire(broker) == 1
    run.set_progress_handler(None, 0)
    assert worked < 10
    assert run.execute("SELECT count(*) FROM mark").fetchone() == (len(rows),)


def test_a_step_is_bounded_and_the_index_goes_on(broker: Broker) -> None:
    alice = broker.hello("alice")
    for i in range(1_200):
        alice.say(f"word{i}")
    assert codes(alice.ask("search", text="word7")) == ["found"]
    broker.now += 2 * HOUR
    assert retire(broker) == 3
    alice.say("another word7")  # whose chunk comes after all that the index has seen
    (found,) = alice.ask("search", text="word7")
    assert [event["text"] for event in found["events"]] == ["another word7"]
    (ids,) = broker.store.connection.execute("SELECT min(id) FROM chunk").fetchall()
    assert ids == (1_201,)


def test_a_step_has_few_events_also_where_many_were_said_at_once(broker: Broker) -> None:
    alice = broker.hello("alice")
    for first in (1, 301, 601):
        alice.send(*(alice.line("say", n=n, room="general", text="x") for n in range(first, first + 300)))
    broker.now += 2 * HOUR
    assert retire(broker) == 3


def test_since_and_pages_go_on_over_what_is_gone(broker: Broker) -> None:
    alice = broker.hello("alice")
    for i in range(10):
        alice.say(str(i), room="general" if i % 2 else "dev")
        broker.now += HOUR
    retire(broker, keep=4.5 * HOUR)
    assert texts(alice) == ["7", "9"]
    assert texts(alice, room="dev") == ["6", "8"]
    assert texts(alice, after=0, limit=1) == ["7"]
    assert texts(alice, before=9) == ["7"]
    assert texts(alice, since="2026-11-22T05:30:00Z") == ["7", "9"]
    assert texts(alice, since="2026-11-22T13:00:00Z") == ["9"]


def test_all_logs_of_a_cluster_stay_the_same_whoever_retires() -> None:
    several = Several()
    ann = several.hello("a", "ann")
    for i in range(5):
        ann.ask("say", n=i + 1, room="general", text=f"old {i}")
    several.wait(10)
    (one,) = due(several.brokers["b"].store.connection, int((NOON + several.now) * 1_000), 5.0, {})
    for name in "bca":
        broker = several.brokers[name]
        upto = next_step(broker.store.connection, one) or 5
        broker.pipeline.change(Retire(one.place, upto, 5.0, one.room), NOON + several.now)
    several.calm()
    ann.ask("say", n=6, room="general", text="new")
    several.calm()
    logs = [_rows(broker.store) for broker in several.brokers.values()]
    assert logs[0] == logs[1] == logs[2]
    assert [text for _, text in logs[0]] == ["new"]
    assert len({broker.log.applied.hash for broker in several.brokers.values()}) == 1


TABLES = ("chunk", "mark", "scrub", "attached", "detached", "room", "conversation", "log", "epoch", "once", "answer")


@pytest.mark.parametrize("seed", range(12))
def test_logs_stay_the_same_in_every_table_whatever_is_said_and_whoever_dies(seed: int) -> None:
    rng, several = random.Random(seed), Several(seed=seed)
    people = [several.member(name, number) for number, name in enumerate("abc")]
    for _ in range(60):
        match rng.randrange(8):
            case 0:
                several.wait(rng.choice([1, 5, 20]))
            case 1 | 2:
                _retire_at(several, rng.choice("abc"), rng.choice([4.0, 30.0, 0.0]))
            case 3:
                people[0].do("access", room="dev", keep=rng.choice([0, 1, "default"]))
            case 4:
                broker = several.brokers[rng.choice("abc")]
                if not any(person.broker == broker.name for person in people) or rng.random() < 0.2:
                    broker.open()
                    several.gone(broker.name)
                    several.wait(2)
                    for person in people:
                        person.go(rng.choice("abc"))
            case _:
                _say_something(rng, rng.choice(people))
    people[1].do("say", room="general", text="the last word")
    several.wait(10)
    _retire_at(several, "b", 4.0)
    several.wait(2)
    for broker in several.brokers.values():
        assert broker.log.applied.seq == len(several.stream)
    for table in TABLES:
        first, *others = [
            broker.store.connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for broker in several.brokers.values()
        ]
        assert all(other == first for other in others), table
    assert len({broker.log.applied.hash for broker in several.brokers.values()}) == 1
    assert [entry for payload in several.stream for entry in _retired(payload)], "nothing was to go"


def _retire_at(several: Several, name: str, keep: float) -> None:
    """Have a broker draft what is due for it, perhaps more often than is needed."""
    broker = several.brokers[name]
    own = {room: float(one.keep * DAY) for room, one in broker.log.members.rooms.items() if one.keep is not None}
    for one in due(broker.store.connection, int((NOON + several.now) * 1_000), keep, own):
        upto = next_step(broker.store.connection, one)
        if upto is not None:
            broker.pipeline.change(Retire(one.place, upto, keep, one.room), NOON + several.now)
    if several.rng.random() < 0.5:
        several.calm()


def _say_something(rng: random.Random, one: Client) -> None:
    """Say something, or do something to what was said; in the middle of what others do, perhaps."""
    target = rng.randrange(1, 60)
    room = rng.choice(["general", "dev"])
    done: list[tuple[str, Json]] = [
        ("say", {"room": room, "text": "hello"}),
        ("say", {"room": room, "text": "hello again", "reply_to": target}),
        ("say", {"to": "m1", "text": "psst"}),
        ("edit", {"seq": target, "text": "hello all"}),
        ("react", {"seq": target, "emoji": "x"}),
        ("pin", {"seq": target, "off": rng.random() < 0.3}),
        ("delete", {"seq": target}),
    ]
    type_, fields = rng.choice(done)
    one.do(type_, **fields)


def _retired(payload: bytes) -> list[Retire]:
    message = decode(payload)
    return [entry for entry in message.drafts if isinstance(entry, Retire)] if isinstance(message, Post) else []


def _rows(store: Store) -> list[tuple[int, str]]:
    rows = store.connection.execute("SELECT id, lines FROM chunk WHERE room != 0 ORDER BY id").fetchall()
    return [(id_, json.loads(lines)["text"]) for id_, lines in rows]


def test_what_is_retired_is_in_no_byte_of_the_log(tmp_path: Path) -> None:
    with closing(Store(tmp_path, "0" * 32, NOON)) as store:
        broker = Broker(store)
        alice: Peer = broker.hello("alice")
        alice.say("a secret nobody keeps")
        broker.now += 2 * HOUR
        retire(broker)
        store.connection.execute("DELETE FROM scrub")  # as the index does when it has forgotten it
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path for path in files if b"nobody keeps" in path.read_bytes()] == []


@on_loop
async def test_a_broker_does_so_by_itself_while_people_talk(tmp_path: Path) -> None:
    async with ChatServer("tcp://127.0.0.1:0", data=tmp_path, keep=0.4) as server:
        serving = asyncio.create_task(server.receive_connections())
        async with ChatClient("alice", server.listen) as client:
            await client.join("general")
            assert client.welcome is not None
            assert client.welcome.limits.keep == 0.4 / DAY
            last = await client.say("soon gone", room="general")
            async with asyncio.timeout(30):
                while (page := await client.history(room="general")).events:  # noqa: ASYNC110 — polls
                    await asyncio.sleep(0.05)
            assert (page.upto, page.more) == (last.seq, False)
            assert (await client.say("new", room="general")).seq == (last.seq or 0) + 1
        server.stop()
        await serving


def test_answers_to_what_was_gone_before_leave_nothing_behind(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("root")
    broker.now += 2 * HOUR
    alice.say("answer", reply_to=1)
    assert retire(broker) == 1
    alice.say("another", reply_to=2)
    broker.now += 2 * HOUR
    assert retire(broker) > 0
    assert broker.store.connection.execute("SELECT * FROM mark").fetchall() == []


def test_to_look_for_what_is_gone_no_other_chunk_is_read(broker: Broker) -> None:
    alice, looked = broker.hello("alice"), []
    for number in range(20):
        broker.now += 1
        alice.say("hi", room="general" if number != 15 else "scratch")
    broker.store.connection.execute("DELETE FROM chunk WHERE first = 16")

    def instr(text: bytes, part: bytes) -> int:
        looked.append(part)
        return text.find(part) + 1

    broker.store.connection.create_function("instr", 2, instr)
    assert broker.store.where(16) is None
    assert len(looked) <= 1
    assert broker.store.where(17) is not None


def test_what_is_retired_leaves_an_index_that_had_it(tmp_path: Path) -> None:
    with closing(Store(tmp_path, "0" * 32, NOON)) as store, closing(SearchIndex(tmp_path, store.path)) as index:
        broker = Broker(store)
        alice = broker.hello("alice")
        for left in (1, 0):
            if left:
                alice.say("a word")
            else:
                broker.now += 2 * HOUR
                retire(broker)
            while index.fill():
                pass
            assert index.connection.execute("SELECT count(*) FROM place").fetchone() == (left,)


def test_a_step_has_few_bytes_also_where_much_was_said_at_once(broker: Broker) -> None:
    alice = broker.hello("alice")
    for _ in range(14):
        assert codes(alice.say("x" * (STEP_BYTES // 8))) == ["ack"]
    broker.now += 2 * HOUR
    assert retire(broker) == 2  # seven in each: with what stands around the texts, eight would be too much


def test_what_is_exactly_as_old_stays_and_so_does_what_is_younger(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("old")
    broker.now += 0.001
    alice.say("as old")
    now = int((NOON + broker.now) * 1_000)
    (one,) = due(broker.store.connection, now + 1_000, 1.0, {})
    assert next_step(broker.store.connection, one) == 1
    delete(broker.store.connection, one.place, 2, now)
    assert texts(alice) == ["as old"]
    assert due(broker.store.connection, now + 1_000, 1.0, {}) == []
    assert next_step(broker.store.connection, one) is None


def test_a_step_that_names_no_place_or_no_time_takes_nothing(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("old")
    team = Team()
    chain = team.store.connection.execute("SELECT count(*) FROM chunk").fetchone()
    team.now = broker.now = 10 * HOUR
    for entry in (Retire(0, 10**6, HOUR), Retire(0, 10**6, HOUR, "nowhere")):
        team.pipeline.change(entry, NOON + team.now)  # the chain of members, in which all of this is old
    assert team.store.connection.execute("SELECT count(*) FROM chunk").fetchone() == chain
    for entry in (Retire(1, 10**6, 0.0), Retire(1, 10**6, 0.0, "general"), Retire(1, 10**6, -HOUR)):
        broker.pipeline.change(entry, NOON + broker.now)
    assert texts(alice) == ["old"]


def test_what_is_attached_goes_with_its_message_and_nothing_else(broker: Broker) -> None:
    alice = broker.hello("alice")
    for text in ("old", "new"):
        alice.say(text)
        broker.now += HOUR
    run = broker.store.connection.execute
    for seq, room in ((1, 1), (2, 1), (1, -7)):
        run("INSERT INTO attached VALUES (?, ?, ?, 'a', 1)", (f"{seq}", room, seq))
    retire(broker, keep=1.5 * HOUR)
    assert run("SELECT seq, room FROM attached ORDER BY room").fetchall() == [(1, -7), (2, 1)]
    assert run("SELECT file FROM detached").fetchall() == [("1",)]


class Clocks:
    """The two clocks of a broker's machine, in seconds since the noon of these tests."""

    def __init__(self) -> None:
        self.passed, self.wrong = 0.0, 0.0

    def wall(self) -> float:
        return NOON + self.passed + self.wrong

    def now(self) -> float:
        return 1_000.0 + self.passed


def looks(broker: Broker, keep: float, clocks: Clocks) -> Retiring:
    """Return what looks for what is due, as in a broker that starts now."""

    def hand_in(entry: Retire) -> None:
        broker.pipeline.change(entry, clocks.wall())

    return Retiring(broker.store, keep, lambda: broker.log.members, hand_in, clocks.wall, clocks.now)


def test_a_clock_that_leaps_ahead_deletes_nothing_until_it_was_steady_for_long(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    alice, clocks = broker.hello("alice"), Clocks()
    for day in range(40):
        broker.now = clocks.passed = day * float(DAY)
        alice.say(f"day {day}")
    retiring = looks(broker, 30.0 * DAY, clocks)

    def look(text: str) -> list[str]:
        asyncio.run(retiring.look())
        broker.now = clocks.wall() - NOON
        alice.say(text)
        return texts(alice)

    assert look("right")[0] == "day 9"
    clocks.wrong = 1_000.0 * DAY
    assert look("wrong")[0] == "day 9"
    assert caplog.text.count("is its date right?") == 1
    clocks.passed += 6.0 * DAY
    assert look("still wrong")[0] == "day 9"
    retiring = looks(broker, 30.0 * DAY, clocks)  # the broker is started anew
    assert look("still")[0] == "day 9"
    assert caplog.text.count("is its date right?") == 2
    clocks.passed += 7.0 * DAY
    assert look("right, perhaps")[0] == "wrong"


def test_a_clock_that_is_ahead_by_some_days_deletes_nothing_sooner_until_it_was_steady(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    alice, clocks = broker.hello("alice"), Clocks()
    for day in range(40):
        broker.now = clocks.passed = day * float(DAY)
        alice.say(f"day {day}")
    clocks.passed += 2.0 * DAY  # a quiet weekend, and a start
    retiring = looks(broker, 30.0 * DAY, clocks)

    def first(passed: float) -> str:
        clocks.passed += passed
        asyncio.run(retiring.look())
        return texts(alice)[0]

    assert first(1.0) == "day 10"
    clocks.wrong = 3.0 * DAY
    assert first(1.0) == "day 10"
    assert first(float(DAY)) == "day 11"
    assert caplog.text.count("has leapt ahead") == 1
    assert first(6.0 * DAY + 1) == "day 22"


def test_a_broker_that_has_run_for_long_deletes_also_where_nobody_talks(broker: Broker) -> None:
    alice, clocks = broker.hello("alice"), Clocks()
    alice.say("old")
    retiring = looks(broker, 30.0 * DAY, clocks)
    clocks.passed = 31.0 * DAY
    asyncio.run(retiring.look())
    assert texts(alice) == []


def test_nothing_goes_that_was_not_due_by_the_clock_of_the_broker_that_looked(broker: Broker) -> None:
    alice = broker.hello("alice")
    alice.say("old")
    broker.now += HOUR
    alice.say("new")
    before = int((NOON + HOUR / 2) * 1_000)
    broker.now += 1_000 * HOUR  # another broker has dragged the log's clock
    broker.pipeline.change(Retire(1, 2, HOUR, "general", before), NOON + broker.now)
    assert texts(alice) == ["new"]


@pytest.mark.parametrize("time", range(0, 26))
def test_the_last_that_is_older_than_a_time_is_found(broker: Broker, time: int) -> None:
    run = broker.store.connection.execute
    times = [2, 2, 3, 7, 7, 11, 24]
    for id_, at in zip([1, 2, 3, 5, 9, 10, 20], times, strict=True):
        run("INSERT INTO chunk VALUES (?, 1, ?, 1, ?, '[1]', '{}', NULL)", (id_, id_, at))
    assert last_before(broker.store.connection, time) == max((at for at in times if at < time), default=None)
    run("DELETE FROM chunk")
    assert last_before(broker.store.connection, time) is None


def test_a_step_that_is_not_taken_is_left_for_a_later_look(broker: Broker) -> None:
    alice, clocks, asked = broker.hello("alice"), Clocks(), []
    alice.say("old")

    def hand_in(entry: Retire) -> None:
        asked.append(clocks.passed)
        clocks.passed += PATIENCE + 1

    retiring = Retiring(broker.store, HOUR, lambda: broker.log.members, hand_in, clocks.wall, clocks.now)
    clocks.passed = 2 * HOUR
    for times in (1, 2):
        clocks.passed += 10
        asyncio.run(asyncio.wait_for(retiring.look(), 60))
        assert len(asked) == times


def test_a_step_that_takes_a_while_is_waited_for(broker: Broker) -> None:
    alice, clocks, waiting = broker.hello("alice"), Clocks(), list[Retire]()
    for _ in range(600):
        alice.say("old")
    looked = 0

    def now() -> float:
        nonlocal looked
        looked += 1
        if waiting and looked % 3 == 0:
            broker.pipeline.change(waiting.pop(), clocks.wall())
        return clocks.now()

    retiring = Retiring(broker.store, HOUR, lambda: broker.log.members, waiting.append, clocks.wall, now)
    clocks.passed = 2 * HOUR
    asyncio.run(asyncio.wait_for(retiring.look(), 60))
    assert texts(alice) == []


def test_a_log_that_cannot_be_read_is_looked_at_again(
    tmp_path: Path, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    alice, clocks = broker.hello("alice"), Clocks()
    alice.say("old")
    retiring = looks(broker, HOUR, clocks)
    clocks.passed = 2 * HOUR
    run = broker.store.connection.execute
    run("ALTER TABLE chunk RENAME TO away")
    asyncio.run(retiring.look())
    assert "cannot be found: " in caplog.text
    run("ALTER TABLE away RENAME TO chunk")
    asyncio.run(retiring.look())
    assert texts(alice) == []
