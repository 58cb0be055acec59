"""How far a durable consumer has come, on disk, and what becomes of that when the broker has another log."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.bots.store import BotFile
from zchat.cli.cursors import CursorFile
from zchat.client.consumer import DIRECT, Change, Consumer, Store
from zchat.client.core.cursors import Progress
from zchat.client.core.notices import CaughtUp, Online
from zchat.protocol import messages as m

ONE, TWO = (("1" * 16, 1),), (("1" * 16, 1), ("2" * 16, 41))
STORES: dict[str, Callable[[Path], Any]] = {
    "a tail's": lambda folder: CursorFile(folder, "x"),
    "a bot's": lambda folder: BotFile(folder / "bot.db"),
}


@pytest.fixture(params=STORES)
def store_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Return what opens the store, as another run of the program does."""
    opened: list[Any] = []

    def reopen() -> Store:
        for each in opened:
            each.close()
        opened[:] = [STORES[request.param](tmp_path)]
        store: Store = opened[0]
        return store

    yield reopen
    for each in opened:
        each.close()


def message(seq: int, room: str | None = "dev") -> m.Message:
    return m.Message(
        seq=seq, prev=0, room=room, time="", from_="a" * 16, nick="bob", kind="message", text=f"text {seq}"
    )


def online(log: str, epochs: m.Epochs = (), shared: int | None = None) -> Online:
    welcome = m.Welcome(
        protocol=1,
        server="",
        log=log,
        session="",
        id="",
        client="",
        from_="a" * 16,
        feed="",
        heartbeat=1.0,
        grace=1.0,
        n=0,
        limits=m.Limits(),
        time="",
        epochs=epochs,
    )
    return Online(welcome, again=True, shared=shared)


def begun(store: Store | None, log: str, *, acts: bool, **cursors: int) -> Consumer:
    consumer = Consumer(store, acts=acts)
    consumer.begin_log(log, ONE, None)
    for room, cursor in cursors.items():
        consumer.begin(room, cursor)
    return consumer


@given(st.lists(st.integers(1, 12), min_size=1), st.randoms(use_true_random=False))
def test_everything_up_to_the_cursor_is_finished_and_nothing_unfinished_is_below_it(
    seqs: list[int], random: Any
) -> None:
    progress, seen, unfinished = Progress(0), list[int](), set[int]()
    for seq in seqs:
        fresh = seq > max(seen, default=0)
        assert progress.begin(seq) is fresh
        if fresh:
            seen.append(seq)
            unfinished.add(seq)
        if unfinished and random.random() < 0.5:
            done = random.choice(sorted(unfinished))
            unfinished.remove(done)
            progress.finish(done)
            assert progress.cursor == (min(unfinished) - 1 if unfinished else seen[-1])


def test_a_log_that_went_back_cuts_the_cursors_and_new_events_move_them_again(store_of: Callable[[], Store]) -> None:
    begun(store_of(), "log", acts=True, dev=50, ops=30)
    consumer = Consumer(store_of(), acts=True)
    assert (consumer.kept.epochs, consumer.kept.through) == (ONE, 50)
    assert consumer.begin_log("log", TWO, 40)
    assert (consumer.cursor("dev"), consumer.cursor("ops")) == (40, 30)
    for room in ("dev", "ops"):
        consumer.begin(room, consumer.cursor(room) or 0)
    consumer.finish_all([message(45)])
    assert consumer.notice(online("a backup of it", TWO, 42)) is Change.WENT_BACK
    consumer = Consumer(store_of(), acts=True)
    assert (consumer.kept.log, consumer.kept.epochs) == ("a backup of it", TWO)
    assert (consumer.cursor("dev"), consumer.cursor("ops")) == (42, 30)


def test_whoever_shows_takes_all_of_another_log(store_of: Callable[[], Store]) -> None:
    consumer = begun(store_of(), "one", acts=False, dev=50)
    assert consumer.notice(online("one")) is None
    assert consumer.cursor("dev") == 50
    assert consumer.notice(online("two")) is Change.OTHER_LOG
    assert not consumer.is_skipped("dev")
    assert Consumer(store_of(), acts=False).kept.cursors == {"dev": 0}


def test_whoever_acts_skips_what_another_log_holds_and_saves_no_cursor_before_it_has_caught_up(
    store_of: Callable[[], Store],
) -> None:
    consumer = begun(store_of(), "one", acts=True, dev=50, ops=50)
    assert consumer.notice(online("two", shared=0)) is Change.OTHER_LOG
    consumer.finish_all([message(3), message(4, "ops")])
    assert consumer.is_skipped("dev")
    assert Consumer(store_of(), acts=True).kept.cursors.get("dev") in (None, 50)  # of the log before, or none

    consumer = begun(store_of(), "one", acts=True, dev=50, ops=50)
    consumer.notice(online("two", shared=0))
    consumer.finish_all([message(3), message(4, "ops")])
    consumer.notice(CaughtUp("dev"))
    assert (consumer.is_skipped("dev"), consumer.is_skipped("ops")) == (False, True)
    kept = Consumer(store_of(), acts=True).kept
    assert (kept.log, kept.cursors) == ("two", {"dev": 3})


def test_what_is_said_in_another_log_since_one_has_joined_is_not_skipped_though_one_history_brings_both(
    store_of: Callable[[], Store],
) -> None:
    consumer = begun(store_of(), "one", acts=True, dev=50, ops=50)
    consumer.notice(online("two", shared=0))
    for seq in (3, 4):
        consumer.reach("dev", seq, 4)
        consumer.reach("ops", seq, 4)
        assert consumer.is_skipped("dev")
    consumer.reach("dev", 6, 4)
    assert (consumer.is_skipped("dev"), consumer.is_skipped("ops")) == (False, True)
    assert Consumer(store_of(), acts=True).kept.cursors["dev"] == 4, "what is old is over, what is new is to be done"


def test_an_event_is_taken_once_and_direct_messages_of_another_log_are_not_skipped() -> None:
    consumer = begun(None, "one", acts=True, dev=5)
    consumer.begin(DIRECT, 5)
    assert [consumer.take("dev", seq) for seq in (5, 6, 6, 7)] == [False, True, False, True]
    assert not consumer.take("elsewhere", 9)
    consumer.finish("dev", 7)
    assert not consumer.is_finished("dev", 6)
    consumer.finish("dev", 6)
    assert consumer.is_finished("dev", 7)
    consumer.notice(online("two"))
    assert (consumer.is_skipped(DIRECT), consumer.is_skipped("dev")) == (False, True)
    assert consumer.take(DIRECT, 1)


def test_a_bot_remembers_the_other_log_in_which_it_was_and_a_tail_only_its_last(tmp_path: Path) -> None:
    for name, remembers in (("a tail's", False), ("a bot's", True)):
        store = STORES[name](tmp_path)
        begun(store, "one", acts=True, dev=50)
        begun(store, "two", acts=True, dev=7)
        consumer = Consumer(store, acts=True)
        assert (consumer.kept.log, consumer.kept.cursors) == ("two", {"dev": 7})
        assert not consumer.remembers("two", None)
        assert not consumer.remembers("one", 3)  # it goes on from ours
        assert consumer.remembers("one", None) is remembers
        assert consumer.kept.cursors == ({"dev": 50} if remembers else {"dev": 7})
        store.close()


def test_a_bots_file_of_an_older_version_is_taken_over(tmp_path: Path) -> None:
    BotFile(tmp_path / "bot.db").close()
    with sqlite3.connect(tmp_path / "bot.db") as sql:
        sql.executescript("drop table cursor; alter table handled rename to done;")
        sql.executescript("create table place (log, room, seq); insert into place values ('log', 'dev', 50);")
        sql.execute("insert into done values ('log', 51, 'roll', 'dev')")
        sql.execute("insert into history values ('log', '[]')")
    sql.close()
    file = BotFile(tmp_path / "bot.db")
    assert (file.load().cursors, file.handled("log")) == ({"dev": 50}, {(51, "roll")})
    file.close()
