"""Reading beside the loop: who shares a page with whom."""

import asyncio
import gc
import resource
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec
import pytest

from zchat.broker.core.effects import Query
from zchat.broker.core.entries import Draft
from zchat.broker.log.local import LocalLog
from zchat.broker.reads import QueryService
from zchat.broker.store import Reader, Store
from zchat.protocol import messages as m


def ask(after: int, ref: int) -> Query:
    asked = asyncio.get_running_loop().time()
    return Query(peer=b"%d" % ref, ref=ref, asked=asked, room="general", after=after)


def run(folder: Path, story: Callable[[LocalLog, QueryService, list[Reader], list[str]], Awaitable[None]]) -> None:
    """Let a story happen over a log of three messages; both readers are busy until it gives them back."""

    async def tell(store: Store) -> None:
        log = LocalLog(store)
        log.write([Draft("f", "alice", [m.Say(n=n, text=f"text {n}")], "general") for n in (1, 2, 3)], 1.0)
        library, reads = QueryService(store), list[str]()
        busy = [await library._readers.get() for _ in range(library._readers.qsize())]
        for reader in busy:
            reader.connection.set_trace_callback(lambda sql: reads.append(sql) if sql == "BEGIN" else None)
        try:
            await story(log, library, busy, reads)
        finally:
            library.close()

    with closing(Store(folder, "0" * 32, 0)) as store:
        asyncio.run(tell(store))


async def answers(tasks: list[asyncio.Task[bytes]]) -> list[tuple[object, list[int]]]:
    found = [msgspec.json.decode(await task, type=m.History | m.Error) for task in tasks]
    return [
        (one.ref, [msgspec.json.decode(e)["seq"] for e in one.events]) for one in found if isinstance(one, m.History)
    ]


def test_who_waits_for_the_same_page_shares_one_reading_of_it(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        tasks = [asyncio.create_task(library.answer(ask(after=ref // 9, ref=ref))) for ref in range(10)]
        await asyncio.sleep(0)
        library._readers.put_nowait(busy[0])
        assert await answers(tasks) == [*((ref, [1, 2, 3]) for ref in range(9)), (9, [2, 3])]
        assert len(reads) == 2, "one for each page"

    run(tmp_path, story)


def test_a_page_that_is_asked_for_again_later_is_read_anew(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        library._readers.put_nowait(busy[0])
        for n in (4, 5):
            log.write([Draft("f", "alice", [m.Say(n=n, text="more")], "general")], 1.0)
            (found,) = await answers([asyncio.create_task(library.answer(ask(after=2, ref=n)))])
            assert found == (n, list(range(3, n + 1)))

    run(tmp_path, story)


def test_a_page_whose_readers_stay_busy_is_refused_to_all_who_share_it(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        tasks = [asyncio.create_task(library.answer(ask(after=0, ref=ref))) for ref in range(3)]
        refused = [msgspec.json.decode(await task, type=m.Error) for task in tasks]
        assert [(one.code, one.ref) for one in refused] == [("unavailable", 0), ("unavailable", 1), ("unavailable", 2)]
        assert reads == []
        library._readers.put_nowait(busy[0])
        assert await answers([asyncio.create_task(library.answer(ask(after=0, ref=9)))]) == [(9, [1, 2, 3])]

    run(tmp_path, story)


def test_a_reader_that_was_interrupted_answers_the_next_question(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        for reader in busy:
            reader.connection.set_progress_handler(lambda: 1, 1)  # SQLite interrupts whatever it does
            library._readers.put_nowait(reader)
        for ref in range(len(busy)):
            refused = msgspec.json.decode(await library.answer(ask(after=0, ref=ref)), type=m.Error)
            assert (refused.code, refused.ref) == ("unavailable", ref)
        for reader in busy:
            reader.connection.set_progress_handler(None, 0)
        assert await answers([asyncio.create_task(library.answer(ask(after=0, ref=9)))]) == [(9, [1, 2, 3])]

    run(tmp_path, story)


def test_a_question_that_meets_damaged_pages_is_told_so(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        log.write([Draft("f", "alice", [m.Say(n=n, text="x" * 10_000)], "general") for n in range(4, 100)], 1.0)
        log.store.checkpoint()
        with (tmp_path / "log.db").open("r+b") as file:
            file.seek(4_096 * 30)
            file.write(b"\xa5" * 4_096 * 100)
        library._readers.put_nowait(busy[0])
        query = Query(peer=b"1", ref=1, asked=asyncio.get_running_loop().time() + 1_000, room="general", after=0)
        refused = msgspec.json.decode(await library.answer(query), type=m.Error)
        assert refused.code == "unavailable"
        assert refused.message.startswith("the log cannot be read: ")
        assert "malformed" in refused.message

    run(tmp_path, story)


def test_a_search_for_which_the_disk_is_too_full_is_told_so(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        assert library._index is not None
        pages = library._index.connection.execute("PRAGMA main.page_count").fetchone()[0]
        library._index.connection.execute(f"PRAGMA main.max_page_count = {pages}")
        words = " ".join(f"word{k}" for k in range(2_000))
        log.write([Draft("f", "alice", [m.Say(n=n, text=words)], "general") for n in range(4, 14)], 1.0)
        query = Query(peer=b"1", ref=1, asked=asyncio.get_running_loop().time() + 1_000, text="word7")  # it has time
        refused = msgspec.json.decode(await library.answer(query), type=m.Error)
        assert (refused.code, refused.message) == (
            "unavailable",
            "the log cannot be searched: database or disk is full",
        )
        library._index.connection.execute("PRAGMA main.max_page_count = 1000000")
        assert len(msgspec.json.decode(await library.answer(query), type=m.Found).events) == 10

    run(tmp_path, story)


def test_a_reading_that_nobody_waits_for_any_more_is_no_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        task = asyncio.create_task(library.answer(ask(after=0, ref=1)))
        await asyncio.sleep(0)
        (reading,) = library._wanted.values()
        task.cancel()
        await asyncio.wait([reading])
        del reading

    run(tmp_path, story)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_the_journal_begins_anew_each_time_it_was_written_back_while_the_log_is_written(tmp_path: Path) -> None:
    def begun() -> int:
        return int.from_bytes((tmp_path / "log.db-wal").read_bytes()[12:16])  # "checkpoint sequence number"

    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        for reader in busy:
            library._readers.put_nowait(reader)
        numbers = count(4)

        def say() -> None:
            log.write([Draft("f", "alice", [m.Say(n=next(numbers), text="more")], "general")], 1.0)

        for _ in range(10):
            writing_back = asyncio.create_task(library.checkpoint())
            while not writing_back.done():
                say()
                await asyncio.sleep(0)
            await writing_back
            before = begun()
            say()
            assert begun() == before + 1

    run(tmp_path, story)


def test_writing_the_journal_back_leaves_a_reader_to_those_who_ask(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        for reader in busy:
            library._readers.put_nowait(reader)
        tasks = [asyncio.create_task(library.checkpoint()) for _ in range(3)]
        await asyncio.sleep(0)
        assert library._readers.qsize() == len(busy) - 1
        await asyncio.gather(*tasks)
        assert library._readers.qsize() == len(busy)

    run(tmp_path, story)


def test_a_journal_that_cannot_be_written_back_is_told_once_and_written_back_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def size() -> int:
        return (tmp_path / "log.db").stat().st_size

    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        library._readers.put_nowait(busy[0])
        before = size()
        log.write([Draft("f", "alice", [m.Say(n=n, text="x" * 10_000) for n in range(4, 50)], "general")], 1.0)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
        try:
            await library.checkpoint()
            await library.checkpoint()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [record.getMessage()[:34] for record in caplog.records] == ["the journal cannot be written back"]
        assert size() == before
        await library.checkpoint()
        assert size() > before

    run(tmp_path, story)


def test_who_stops_waits_for_no_search_that_takes_its_time(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        begun, interrupted, ended = threading.Event(), threading.Event(), list[bool]()

        def search() -> None:
            begun.set()
            ended.append(interrupted.wait(10))

        task = asyncio.create_task(library._in_time(ask(after=0, ref=1), search, interrupted.set))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        library.close()
        assert ended == [True]

    run(tmp_path, story)


def test_while_the_loop_is_busy_the_time_of_a_question_stands_still(tmp_path: Path) -> None:
    async def story(log: LocalLog, library: QueryService, busy: list[Reader], reads: list[str]) -> None:
        now = asyncio.get_running_loop().time()
        library.busy(now - 900.0, now - 500.0)
        library.busy(now - 500.0, now)
        for asked, code in ((now - 900.0, m.History), (now - 300.0, m.History), (now - 1_800.0, m.Error)):
            library._readers.put_nowait(busy[0])
            query = Query(peer=b"p", ref=1, asked=asked, room="general", after=0)
            line = await library.answer(query)
            await library._readers.get()
            assert code is type(msgspec.json.decode(line, type=m.History | m.Error)), (asked - now, line)

    run(tmp_path, story)
