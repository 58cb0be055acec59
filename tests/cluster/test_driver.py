"""Brokers of a cluster, joined to an engine: what is acknowledged, what is not, and who stops when."""

import asyncio
import errno
import os
import re
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.broker.dialogue import NOON
from tests.cluster.brokers import QUICK, Broker, run, same, until, world
from tests.cluster.conftest import Engines, MakeNodes
from tests.cluster.memory import MemoryEngine
from tests.cluster.nodes import Nodes
from tests.conftest import PATIENCE
from zchat.broker.cluster import copying, joining, reading, requests, tables
from zchat.broker.cluster.interface import ANSWER, Node, Position
from zchat.broker.core import bus, clocks
from zchat.broker.core.entries import Draft, Failed, Stored
from zchat.broker.log import LocalLog
from zchat.broker.store import Store
from zchat.errors import (
    DiskFullError,
    DivergedError,
    EngineError,
    FolderError,
    LostStreamError,
    NamesakeError,
    NewerMessageError,
    NoStreamError,
    OtherLogError,
    OtherTablesError,
    RestartError,
    WrongClockError,
)
from zchat.protocol import messages as m


def memory(broker: Broker) -> MemoryEngine:
    assert isinstance(broker.engine, MemoryEngine)
    return broker.engine


def test_brokers_make_the_same_log(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        async with world(tmp_path, engines()) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1", "2")
            b = await w.broker("b")
            assert b.store.id == a.store.id
            for turn in range(20):
                a.say(f"a{turn}")
                b.say(f"b{turn}")
            await a.tell()
            await b.tell()
            await same(a, b)
            assert len(b.texts()) == 42
            assert a.troubles == b.troubles == []
            assert a.ended == b.ended == []

    run(story())


def test_a_broker_that_starts_again_goes_on_where_it_was(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        async with world(tmp_path, engines()) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await b.tell("1")
            await b.leave()
            await until(lambda: not a.log.cluster.epochs["b"].open, "a clean end is told at once")
            await a.tell("2")
            b = await w.broker("b")
            await b.tell("3")
            await same(a, b)
            assert b.texts() == ["1", "2", "3"]
            assert b.log.cluster.epochs["b"].epoch == 2

    run(story())


def test_a_broker_that_is_silent_is_given_up(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        async with world(tmp_path, engines()) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await until(lambda: "b" in a.driver.heard, "a heartbeat")
            await b.die()
            await until(lambda: not a.log.cluster.epochs["b"].open, "given up")
            assert time.monotonic() - a.driver.heard["b"][1] >= QUICK.lease, "since it was heard last"
            assert a.log.epoch, "and this one goes on"

    run(story())


def test_while_nothing_is_stored_a_silent_broker_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await until(lambda: "b" in a.driver.heard, "a heartbeat")
            w.sea.leads = False
            await b.die()
            await until(lambda: "is silent" in caplog.text, "told")
            beats: list[bytes] = []
            a.driver.on_told = beats.append
            await until(lambda: len(beats) > 3, "heartbeats")
            w.sea.leads = True
            await until(lambda: not a.log.cluster.epochs["b"].open, "given up")
            assert caplog.text.count("broker b is silent") == 1
            b = await w.broker("b")
            await until(lambda: a.log.cluster.epochs["b"].open, "it is back")
            await b.die()
            await until(lambda: caplog.text.count("broker b is silent") > 1, "told again")

    run(story())


@pytest.mark.parametrize(("sure", "told"), [(True, True), (False, False)])
def test_a_node_that_is_away_is_told_of_once_by_who_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sure: bool, told: bool
) -> None:
    def nodes(*here: str) -> tuple[Node, ...]:
        return tuple(Node(name, leads=name == "x", here=name in here) for name in "xyz")

    seen = iter([nodes("x", "y", "z"), nodes("x", "y"), nodes("x", "y"), nodes("x", "z"), nodes("x", "y", "z")])

    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            position, looks = a.engine.position, 0

            async def scripted() -> Position | None:
                nonlocal looks
                found, looks = await position(), looks + 1
                return found and replace(found, nodes=next(seen, nodes("x", "y", "z")), sure=sure)

            a.engine.position = scripted  # type: ignore[method-assign]
            await until(lambda: looks > 7, "looked again and again")
            assert ("node z of the cluster is away" in caplog.text) == told
            assert ("node z of the cluster is back" in caplog.text) == told
            assert "node y" not in caplog.text, "which a new leader has not heard for a moment"

    run(story())


def test_a_node_that_has_left_is_not_said_to_be_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    x, y = Node("x", leads=True, here=True), Node("y", leads=False, here=False)

    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            assert w.sea.stream is not None
            w.sea.stream = replace(w.sea.stream, nodes=(x, y))
            await until(lambda: "node y of the cluster is away" in caplog.text, "told")
            w.sea.stream = replace(w.sea.stream, nodes=(x,))
            await until(lambda: "node y of the cluster keeps the stream no more" in caplog.text, "told")
            assert "back" not in caplog.text
            assert not a.ended

    run(story())


def test_why_a_start_waits_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "QUIET", 0.0)
    tries: list[Position] = []

    async def story() -> None:
        async with world(tmp_path) as w:
            a = w.prepare("a", founds=True, pace=replace(QUICK, patience=PATIENCE))
            create = a.engine.create

            async def refused(position: Position) -> None:
                tries.append(position)
                if len(tries) < 4:
                    raise EngineError("memory", "no suitable peers")
                await create(position)

            a.engine.create = refused  # type: ignore[method-assign]
            with caplog.at_level("INFO"):
                await a.open()
            assert caplog.text.count("waiting until most of the nodes are there (no suitable peers)") == 1

    run(story())


def test_nobody_makes_a_stream_unless_told_to(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            b = w.prepare("b")
            starting = asyncio.ensure_future(b.open())
            a = await w.broker("a", founds=True)
            await starting
            await b.tell("1")
            await same(a, b)
            assert w.sea.made == 1
        async with world(tmp_path) as w:
            impatient = w.prepare("c", pace=replace(QUICK, patience=0.1))
            with pytest.raises(NoStreamError, match="no stream"):
                await impatient.open()

    run(story())


def test_nobody_makes_a_stream_where_others_have_a_log(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1")
            w.sea.delete()
            new = w.prepare("b", founds=True, pace=replace(QUICK, heartbeat=0.5, patience=0.5))
            with pytest.raises(NoStreamError, match=r"broker a has a log .* restore"):
                await new.open()

    run(story())


def test_what_a_broker_alone_has_made_becomes_the_beginning_of_a_cluster(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        store = Store(tmp_path / "a", "c0ffee" * 5 + "00", NOON)
        alone = LocalLog(store)
        for n in range(1, 4):
            say = m.Say(n=n, text=f"alone {n}", room="general")
            alone.append([Draft("x" * 16, "x", [say], "general")], NOON, lambda _: None)
        store.close()
        async with world(tmp_path, engines()) as w:
            a = await w.broker("a", founds=True)
            await a.tell("together")
            b = await w.broker("b")
            await b.tell("here, too")
            await same(a, b)
            assert b.store.id == "c0ffee" * 5 + "00"
            assert b.texts() == ["alone 1", "alone 2", "alone 3", "together", "here, too"]
            await a.leave()
            a = await w.broker("a", founds=True)
            await same(a, b)

    run(story())


def test_the_log_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path / "b", "c0ffee" * 5 + "00", NOON)
        say = m.Say(n=1, text="alone", room="general")
        LocalLog(store).append([Draft("x" * 16, "x", [say], "general")], NOON, lambda _: None)
        store.close()
        async with world(tmp_path) as w:
            await w.broker("a", founds=True)
            with pytest.raises(OtherLogError, match="c0ffeec0…, and that of the cluster is"):
                await w.broker("b")

    run(story())


def test_a_log_in_which_nothing_ever_happened_is_no_obstacle(tmp_path: Path) -> None:
    async def story() -> None:
        Store(tmp_path / "b", "c0ffee" * 5 + "00", NOON).close()
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await b.tell("1")
            await same(a, b)

    run(story())


# -- what gets lost, and comes twice -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lose", "hide", "double"])
def test_what_is_published_counts_once_whatever_becomes_of_it(tmp_path: Path, fault: str) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            for turn in range(10):
                setattr(w.sea, fault, 2)
                a.say(f"a{turn}")
                b.say(f"b{turn}")
                await a.tell()
                await b.tell()
            await same(a, b)
            assert sorted(a.texts()) == sorted([f"a{turn}" for turn in range(10)] + [f"b{turn}" for turn in range(10)])
            assert all(isinstance(each, Stored) for each in a.outcomes)

    run(story())


def test_holes_and_silence_are_filled_by_reading(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            memory(b).holes = 1
            await a.tell("1")
            await a.tell("2")
            await same(a, b)
            memory(b).deaf = memory(a).deaf = True
            await b.tell("3")
            await same(a, b)
            memory(b).reads_at_once = 2
            await a.tell(*[str(number) for number in range(4, 30)])
            await same(a, b)
            assert b.texts() == [str(number) for number in range(1, 30)]

    run(story())


def test_while_nobody_leads_little_is_tried_and_then_all(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            w.sea.leads = False
            a.say(*[str(number) for number in range(100)])
            await until(lambda: a.troubles, "told that nothing is written")
            assert "choose a leader" in a.troubles[0]
            before = w.sea.published
            await asyncio.sleep(0.2)  # how much is tried meanwhile
            assert w.sea.published - before <= 0.2 / QUICK.retry + 3
            w.sea.leads = True
            await a.tell()
            await until(lambda: a.flowing == 1, "told that it flows again")
            assert a.texts() == [str(number) for number in range(100)]
            assert a.driver.trouble is None

    run(story())


def test_a_connection_that_comes_back_is_used_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            slow = replace(QUICK, again=PATIENCE, silence=PATIENCE, look=PATIENCE)
            a, b = await w.broker("a", founds=True, pace=slow), await w.broker("b", pace=slow)
            memory(a).disconnect()
            a.say("lost on its way")
            await b.tell("not heard")
            memory(a).reconnect()
            await a.tell()
            await same(a, b)
            assert a.texts() == ["not heard", "lost on its way"]

    run(story())


def test_a_position_that_cannot_be_had_stops_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            w.sea.answers = False
            await a.tell("1")
            await asyncio.sleep(3 * QUICK.look)  # for as many looks
            await a.tell("2")
            assert not a.troubles

    run(story())


def test_the_event_loop_goes_on_while_much_is_applied(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell(*["x" * 1_000] * 3_000)
            b = w.prepare("b")
            memory(b).reads_at_once = 100_000
            turns = 0

            async def count() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.ensure_future(count())
            portions = w.sea.last // reading.TOGETHER
            await b.open()
            counting.cancel()
            await same(a, b)
            assert turns > portions

    run(story())


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            with pytest.MonkeyPatch.context() as patch:

                def full() -> None:
                    raise DiskFullError(tmp_path)

                patch.setattr(b.store, "writing", full)
                await a.tell("1")
                await until(lambda: b.troubles, "told")
                assert "is full" in b.troubles[0]
            await until(lambda: b.flowing, "over")
            await b.tell("2")
            await same(a, b)

    run(story())


def test_a_message_that_cannot_be_applied_is_told_and_tried_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            with pytest.MonkeyPatch.context() as patch:

                def broken(*_: object) -> None:
                    raise ZeroDivisionError

                patch.setattr(b.log, "_apply_all", broken)
                await a.tell("1")
                await until(lambda: b.troubles, "told")
                assert "cannot be applied" in b.troubles[0]
            await until(lambda: b.flowing, "over")
            await same(a, b)

    run(story())


def test_two_processes_with_one_name_do_not_fight(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1")
            with pytest.raises(NamesakeError):
                await w.broker("a", place="copied", pace=replace(QUICK, heartbeat=0.5))
            await a.die()
            a = await w.broker("a")
            memory(a).tell = lambda payload: None  # type: ignore[method-assign]
            second = w.prepare("a", place="again", pace=replace(QUICK, lease=0.01))
            await second.open()
            await until(lambda: a.ended, "the first one ends")
            assert isinstance(a.ended[0], NamesakeError)
            await second.tell("2")

    run(story())


def test_brokers_that_judge_names_by_other_tables_do_not_run_beside_each_other(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            newer = w.prepare("b")
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(joining, "tables", lambda: "Unicode 99.0")
                with pytest.raises(OtherTablesError, match="stop all first"):
                    await newer.open()
            b = w.prepare("c")
            b.driver._tables = "Unicode 99.0"  # as if it had heard nobody at its start
            await b.open()
            await until(lambda: b.ended, "the one with newer tables ends")
            assert isinstance(b.ended[0], OtherTablesError)
            assert not a.ended

    run(story())


def test_a_broker_whose_clock_is_far_from_those_of_two_others_does_not_start(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            await w.broker("a", founds=True)
            alone = w.prepare("b")
            alone.driver.wall = lambda: time.time() + 366 * 86_400
            await alone.open()
            await alone.leave()
            b = await w.broker("b")
            c = w.prepare("c")
            c.driver.wall = lambda: time.time() - 2 * clocks.WRONG
            with pytest.raises(WrongClockError, match=r"2\.0 hours behind those of most other brokers"):
                await c.open()
            await (d := w.prepare("d")).open()
            assert not b.ended + d.ended

    run(story())


def test_a_broker_whose_clock_jumps_stops_and_the_others_go_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b, c = await w.broker("a", founds=True), await w.broker("b"), await w.broker("c")
            b.driver.wall = lambda: time.time() + 0.9 * clocks.WRONG
            c.driver.wall = lambda: time.time() + 6 * 86_400
            await until(lambda: c.ended, "stopped")
            (error,) = c.ended
            assert isinstance(error, WrongClockError)
            assert -6 * 86_400 <= error.ahead < -5.9 * 86_400
            await a.tell("we go on")
            assert not a.ended + b.ended

    run(story())


def test_the_tables_are_told_by_their_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"Unicode [0-9.]+, precis-i18n [0-9.]+, confusable-homoglyphs [0-9.]+", tables.tables())
    monkeypatch.setattr(tables, "LIBRARIES", ("none-of-this-name",))
    assert tables.tables().endswith(", none-of-this-name")


def test_a_broker_that_is_far_behind_takes_its_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            for number in range(60):
                await a.tell(str(number))
            b = w.prepare("b", pace=replace(QUICK, patience=0.8))
            memory(b).reads_at_once = 1
            w.sea.delay = 0.03
            await b.open()
            assert memory(b).reads >= 50
            await same(a, b)

    run(story())


# -- copies ------------------------------------------------------------------------------------------------------


def test_a_broker_that_the_stream_has_left_behind_takes_a_copy(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await b.tell("1")
            await b.leave()
            await a.tell(*["x" * 1_000] * 1_500)
            w.sea.kept_from = w.sea.last - 3
            b, c = await w.broker("b"), await w.broker("c")
            await b.tell("2")
            await c.tell("3")
            await same(a, b, c)
            assert not (tmp_path / "b" / copying.TAKEN).exists()
            assert (tmp_path / "b" / "log.db").stat().st_mode & 0o077 == 0

    run(story())


def test_a_copy_is_begun_at_another_broker_if_its_source_dies(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await a.tell(*["x" * 1_000] * 3_000)
            await same(a, b)
            w.sea.kept_from = w.sea.last
            c = w.prepare("c")
            asked: list[str] = []
            ask = memory(c).ask

            async def ask_or_die(broker: str, payload: bytes, within: float = ANSWER) -> bytes:
                if isinstance(requests.decode_request(payload), requests.PieceWanted):
                    asked.append(broker)
                    if len(asked) == 3:
                        memory(a if broker == "a" else b).disconnect()
                return await ask(broker, payload, within)

            memory(c).ask = ask_or_die  # type: ignore[method-assign]
            await c.open()
            assert set(asked) == {"a", "b"}
            assert c.texts() == ["x" * 1_000] * 3_000

    run(story())


def test_a_damaged_copy_is_not_taken(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1", "2")
            w.sea.kept_from = w.sea.last
            c = w.prepare("c", pace=replace(QUICK, patience=1.0))
            answer = memory(a).on_asked

            async def damaged(question: bytes) -> bytes:
                given = requests.decode_answer(await answer(question))
                if isinstance(given, requests.Piece):
                    given = requests.Piece(given.data[:-1] + b"!")
                return requests.encode(given)

            memory(a).on_asked = damaged
            with pytest.raises(copying.CopyError, match="damaged on its way"):
                await c.open()
            memory(a).on_asked = answer
            c = await w.broker("c")
            await same(a, c)

    run(story())


def test_a_copy_for_which_there_is_no_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1")
            await a.tell("2")
            w.sea.kept_from = w.sea.last
            monkeypatch.setattr(os, "fsync", full)
            with pytest.raises(FolderError, match="no space left"):
                await w.broker("c")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run(story())


def test_a_log_that_is_no_beginning_of_the_copy_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await b.tell("1")
            b.store.connection.execute(
                "UPDATE chunk SET lines = CAST(replace(lines, '\"prev\":0', '\"prev\":7') AS BLOB)"
            )
            await b.leave()
            await a.tell("3")
            await a.tell("4")
            w.sea.kept_from = w.sea.last
            with pytest.raises(FolderError, match="is not the one that broker a has"):
                await w.broker("b")

    run(story())


# -- a stream that is not what it was ------------------------------------------------------------------------------


async def restore(*brokers: Broker) -> None:
    """Let the broker that has applied most make a new stream, as `zchat cluster restore` does."""
    most = max(brokers, key=lambda each: each.log.applied.seq)
    wanted = requests.encode(requests.RestoreWanted(most.log.applied.seq))
    answer = requests.decode_answer(await brokers[0].engine.ask(most.name, wanted))
    assert isinstance(answer, requests.Restored), answer


@pytest.mark.parametrize("how", ["deleted", "rolled back", "rolled back, and longer before anybody has looked"])
def test_a_stream_that_is_lost_is_not_written_to_and_can_be_made_again(tmp_path: Path, how: str) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await a.tell("1", "2")
            await b.tell("3")
            await same(a, b)
            if how == "deleted":
                w.sea.delete()
            else:
                w.sea.roll_back(w.sea.last - 2)
            if "longer" in how:
                w.sea.sure = False
                a.say("in the place of another")
            await until(lambda: a.log.broken and b.log.broken, "both notice")
            w.sea.sure = True
            assert isinstance(a.log.broken, LostStreamError)
            assert not a.ended, "it goes on showing what it has"
            assert "cluster restore" in a.troubles[-1]
            published = w.sea.published
            a.say("not stored")
            assert isinstance(a.outcomes[-1], Failed)
            await asyncio.sleep(2 * QUICK.again)  # in which it would be published again
            assert w.sea.published == published
            await restore(a, b)
            await until(lambda: a.ended and b.ended, "both have to start again")
            assert isinstance(a.ended[0], RestartError)
            await a.leave()
            await b.leave()
            a, b = await w.broker("a"), await w.broker("b")
            await a.tell("4")
            await same(a, b)
            assert a.texts() == ["1", "2", "3", "4"]

    run(story())


def test_a_real_stream_that_is_deleted_can_be_made_again(tmp_path: Path, make_nodes: MakeNodes) -> None:
    async def story() -> None:
        async with world(tmp_path, make_nodes(1)) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await a.tell("1")
            await same(a, b)
            await b.engine.delete()
            await until(lambda: a.log.broken and b.log.broken, "both notice")
            await restore(a, b)
            await until(lambda: a.ended and b.ended, "both have to start again")
            await a.leave()
            await b.leave()
            a, b = await w.broker("a"), await w.broker("b")
            await b.tell("2")
            await same(a, b)
            assert a.texts() == ["1", "2"]

    run(story())


def test_who_had_applied_less_takes_a_copy_after_a_restore(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await b.tell("1")
            await b.leave()
            await a.tell("2")
            w.sea.roll_back(w.sea.last - 1)
            await until(lambda: a.log.broken, "noticed")
            behind = await w.broker("b", pace=replace(QUICK, heartbeat=0.5))  # so it listens for long
            assert isinstance(behind.log.broken, LostStreamError), (
                "it has all that the stream has, but broker a has more"
            )
            await restore(a, behind)
            await until(lambda: a.ended and behind.ended, "a new term")
            await a.leave()
            await behind.leave()
            a = await w.broker("a")
            b = await w.broker("b")
            await b.tell("3")
            await same(a, b)
            assert b.texts() == ["1", "2", "3"]

    run(story())


def test_a_broker_that_starts_without_its_stream_shows_what_it_has(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1")
            await a.leave()
            w.sea.delete()
            a = await w.broker("a")
            assert isinstance(a.log.broken, LostStreamError)
            assert a.texts() == ["1"]
            a.say("2")
            assert isinstance(a.outcomes[-1], Failed)
            await until(lambda: a.troubles, "told")
            await restore(a)
            await until(lambda: a.ended, "a new term")

    run(story())


def test_restoring_is_refused_where_nothing_is_lost_or_more_was_applied(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1")
            wanted = requests.encode(requests.RestoreWanted(1))
            answer = requests.decode_answer(await a.engine.ask("a", wanted))
            assert isinstance(answer, requests.Refused)
            assert "nothing was lost" in answer.why
            w.sea.delete()
            await until(lambda: a.log.broken, "noticed")
            wanted = requests.encode(requests.RestoreWanted(1_000))
            answer = requests.decode_answer(await a.engine.ask("a", wanted))
            assert isinstance(answer, requests.Refused)
            assert "1000 are to be kept" in answer.why

    run(story())


def test_a_broker_that_has_doubted_the_stream_goes_on_while_others_talk(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b", pace=replace(QUICK, look=0.05))
            for doubt in ({"sure": False}, {}):
                stream = w.sea.stream
                kept, w.sea.messages = w.sea.messages, w.sea.messages[:-1] if doubt else []
                w.sea.sure = not doubt
                if not doubt:
                    w.sea.stream = None
                memory(b).on_connected()
                await until(lambda: not b.driver._looking.looks, "it has looked")
                w.sea.stream, w.sea.messages, w.sea.sure = stream, kept, True

                async def talk() -> None:
                    while True:
                        await a.tell("a")

                talking = asyncio.ensure_future(talk())
                async with asyncio.timeout(PATIENCE / 2):  # by chance it goes on much later
                    await b.tell("b")
                talking.cancel()
            await same(a, b)

    run(story())


def test_who_may_have_been_overtaken_is_not_believed(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a = await w.broker("a", founds=True)
            await a.tell("1", "2")
            forgotten, w.sea.sure = w.sea.messages[-1], False
            w.sea.roll_back(w.sea.last - 1)
            await asyncio.sleep(5 * QUICK.look)  # for as many looks
            published = w.sea.published
            a.say("3")
            await asyncio.sleep(2 * QUICK.again)  # in which it would be published again
            assert a.log.broken is None
            assert w.sea.published == published, "nothing is published meanwhile"
            w.sea.messages.append(forgotten)
            w.sea.sure = True
            await a.tell()
            assert a.texts() == ["1", "2", "3"]

    run(story())


def test_a_newer_message_and_another_log_end_the_broker(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            a, b = await w.broker("a", founds=True), await w.broker("b")
            await a.tell("1")
            await same(a, b)
            other = bus.Heartbeat("c", 1, a.log.applied.seq, b"another hash", term=a.log.applied.term)
            memory(a).sea.engines["a"]._hear(bus.encode(other))
            await until(lambda: a.ended, "stopped")
            assert isinstance(a.ended[0], DivergedError)
            w.sea.add(b"\xff of the next version")
            await until(lambda: b.ended, "stopped")
            assert isinstance(b.ended[0], NewerMessageError)

    run(story())


def test_without_nodes_a_start_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        nodes = Nodes(tmp_path, 1)
        async with world(tmp_path, nodes) as w:
            with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+ does not answer"):
                await w.broker("a", pace=replace(QUICK, patience=0.3))

    run(story())
