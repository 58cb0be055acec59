"""Files at a real broker: uploaded in parts, checked, put into messages, and given to whoever may read these."""

import asyncio
import hashlib
import os
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from tests.broker.dialogue import Broker, codes
from tests.client.real import on_loop, serving, until
from zchat.broker.files import Folder
from zchat.broker.files import shelf as shelves
from zchat.broker.server import ChatServer
from zchat.broker.store import files_in
from zchat.client.client import ChatClient
from zchat.errors import RefusedError
from zchat.protocol import messages as m

REPORT = b"a report, " * 30_000
DAY = 86_400.0


def name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def put(client: ChatClient, content: bytes, file: str = "", part: int = 64 * 1024, **fields: Any) -> int:
    """Upload a file part after part; return through where the broker has it."""
    file, offset, size = file or name_of(content), 0, len(content)
    while True:
        command = m.Put(file=file, size=size, offset=offset, data=content[offset : offset + part], **fields)
        offset = cast(m.Have, await client.ask(command)).offset
        if offset == size:
            return offset


async def get(client: ChatClient, file: str) -> bytes:
    """Download a file part after part."""
    found = b""
    while True:
        part = cast(m.FilePart, await client.ask(m.Get(file=file, offset=len(found), limit=100_000)))
        found += part.data
        if len(found) >= part.size:
            return found


async def have(client: ChatClient, content: bytes) -> int:
    return cast(m.Have, await client.ask(m.Put(file=name_of(content), size=len(content)))).offset


async def attach(client: ChatClient, content: bytes, **fields: Any) -> m.Ack:
    files = (m.Attachment(file=name_of(content), name="report.pdf"),)
    return await client.administration.do(m.Say(n=1, **{"text": "", "files": files, **fields}))


async def refusal(work: Any) -> tuple[str, str]:
    with pytest.raises(RefusedError) as caught:
        await work
    return caught.value.code, caught.value.message


async def people(stack: AsyncExitStack, server: ChatServer, *nicks: str | None, **options: Any) -> list[ChatClient]:
    return [await stack.enter_async_context(ChatClient(nick, server.listen, **options)) for nick in nicks]


@on_loop
async def test_a_file_is_uploaded_put_into_a_message_and_had_by_its_readers(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        ann, bob = await people(stack, server, "ann", "bob")
        assert await have(ann, REPORT) == 0
        assert await put(ann, REPORT) == len(REPORT) == await have(ann, REPORT)
        ack = await attach(ann, REPORT, room="general")
        (event,) = (await bob.history(room="general")).messages
        assert (event.seq, event.text) == (ack.seq, "")
        assert event.files == (m.Attachment(file=name_of(REPORT), name="report.pdf", size=len(REPORT)),)
        assert await get(bob, name_of(REPORT)) == REPORT
        beyond = cast(m.FilePart, await bob.ask(m.Get(file=name_of(REPORT), offset=len(REPORT) + 5)))
        assert (beyond.size, beyond.data) == (len(REPORT), b"")
        assert ann.welcome is not None
        assert ann.welcome.limits.file == m.FILE_MAX


@on_loop
async def test_what_is_on_disk_is_private_and_only_the_whole_has_its_name(tmp_path: Path) -> None:
    file = name_of(REPORT)
    place = tmp_path / "files" / file[:2] / file[2:]
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        await ann.ask(m.Put(file=file, size=len(REPORT), data=REPORT[:1_000]))
        assert not place.exists()
        await put(ann, REPORT)
        assert place.read_bytes() == REPORT
        for path in (tmp_path / "files").rglob("*"):
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
        assert not list((tmp_path / "files" / "unfinished").iterdir())


@on_loop
async def test_an_upload_goes_on_where_it_broke_off_after_a_restart(tmp_path: Path) -> None:
    secret = tmp_path / "outbox"
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann", outbox=secret)
        await ann.ask(m.Put(file=name_of(REPORT), size=len(REPORT), data=REPORT[:70_000]))
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann", outbox=secret)
        assert await have(ann, REPORT) == 70_000
        early = m.Put(file=name_of(REPORT), size=len(REPORT), offset=80_000, data=REPORT[80_000:90_000])
        assert cast(m.Have, await ann.ask(early)).offset == 70_000  # what comes too early is not taken
        again = m.Put(file=name_of(REPORT), size=len(REPORT), offset=60_000, data=REPORT[60_000:90_000])
        assert cast(m.Have, await ann.ask(again)).offset == 90_000  # what comes twice is not written again
        rest = m.Put(file=name_of(REPORT), size=len(REPORT), offset=90_000, data=REPORT[90_000:])
        assert cast(m.Have, await ann.ask(rest)).offset == len(REPORT)
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann", outbox=secret)
        assert await have(ann, REPORT) == len(REPORT)
        await attach(ann, REPORT, room="general")
        assert await get(ann, name_of(REPORT)) == REPORT


@on_loop
async def test_what_has_another_hash_is_dropped(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        damaged = REPORT[:-1] + b"!"
        assert (await refusal(put(ann, damaged, name_of(REPORT))))[0] == "bad_file"
        assert await have(ann, REPORT) == 0
        assert (await refusal(attach(ann, REPORT, room="general")))[0] == "bad_file"
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []
        assert await put(ann, REPORT) == len(REPORT)


@on_loop
async def test_what_one_may_not_read_is_as_what_is_not_there(tmp_path: Path) -> None:
    """Neither a download, nor an upload, nor a message tells whether somebody else has a file."""
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        ann, bob, eve = await people(stack, server, "ann", "bob", "eve")
        other = b"nobody has uploaded this"
        await put(ann, REPORT)

        async def asks(who: ChatClient, content: bytes) -> list[Any]:
            file = name_of(content)
            told: list[Any] = [await have(who, content)]
            for work in (who.ask(m.Get(file=file)), attach(who, content, room="general")):
                code, message = await refusal(work)
                told.append((code, message.replace(file[:16], "…")))
            return told

        assert await asks(eve, REPORT) == await asks(eve, other)
        await attach(ann, REPORT, to="bob")
        assert await asks(eve, REPORT) == await asks(eve, other)
        assert await get(bob, name_of(REPORT)) == REPORT == await get(ann, name_of(REPORT))
        assert await put(eve, REPORT) == len(REPORT)  # who has it may say so: by all of its bytes
        assert await get(eve, name_of(REPORT)) == REPORT


@on_loop
async def test_who_may_read_a_file_may_pass_it_on_without_an_upload(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        ann, bob, cat = await people(stack, server, "ann", "bob", "cat")
        await put(ann, REPORT)
        await attach(ann, REPORT, to="bob")
        assert await have(bob, REPORT) == len(REPORT)
        await attach(bob, REPORT, to="cat", text="look")
        assert await get(cat, name_of(REPORT)) == REPORT


@on_loop
async def test_a_file_goes_with_the_last_message_that_carries_it(tmp_path: Path) -> None:
    file = name_of(REPORT)
    place = tmp_path / "files" / file[:2] / file[2:]
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        ann, bob = await people(stack, server, "ann", "bob")
        await put(ann, REPORT)
        first, second = [await attach(ann, REPORT, room=room) for room in ("general", "other")]
        await ann.administration.do(m.Delete(n=1, seq=first.seq or 0))
        await until(lambda: not server._store.connection.execute("SELECT * FROM detached").fetchall())
        assert await get(bob, file) == REPORT
        await ann.administration.do(m.Delete(n=1, seq=second.seq or 0))
        for who in (ann, bob):
            assert (await refusal(who.ask(m.Get(file=file))))[0] == "bad_file"
        await until(lambda: not place.exists(), "the file to go")
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


@on_loop
async def test_a_file_stays_for_whoever_has_uploaded_it_too(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        ann, bob = await people(stack, server, "ann", "bob")
        for each in (ann, bob):
            await put(each, REPORT)
        ack = await attach(ann, REPORT, to="ann")
        await ann.administration.do(m.Delete(n=1, seq=ack.seq or 0))
        await until(lambda: not server._store.connection.execute("SELECT * FROM detached").fetchall())
        assert await get(bob, name_of(REPORT)) == REPORT
        assert (await refusal(ann.ask(m.Get(file=name_of(REPORT)))))[0] == "bad_file"


@on_loop
async def test_what_nobody_attaches_or_goes_on_with_is_gone_after_a_day(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        kept, loose, begun = (b"%d" % number * 1_000 for number in range(3))
        for content in (kept, loose):
            await put(ann, content)
        await attach(ann, kept, room="general")
        await ann.ask(m.Put(file=name_of(begun), size=len(begun), data=begun[:10]))
        await server._files.sweep(time.time() + DAY - 60)
        assert (await have(ann, loose), await have(ann, begun)) == (1_000, 10)
        await server._files.sweep(time.time() + DAY + 60)
        assert (await have(ann, loose), await have(ann, begun)) == (0, 0)
        assert await get(ann, name_of(kept)) == kept
        files = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
        assert files == [tmp_path / "files" / name_of(kept)[:2] / name_of(kept)[2:]]


@on_loop
async def test_what_is_to_be_said_later_keeps_its_file(tmp_path: Path) -> None:
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        await put(ann, REPORT)
        at = datetime.now(UTC) + timedelta(seconds=1.5)
        assert (await attach(ann, REPORT, room="general", at=at)).scheduled
        await server._files.sweep(time.time() + 2 * DAY)
        assert await have(ann, REPORT) == len(REPORT)
        await until(lambda: server._hub.head, "it to be said")
        (event,) = (await ann.history(room="general")).messages
        assert event.files[0].size == len(REPORT)
        assert await get(ann, name_of(REPORT)) == REPORT
        await ann.administration.do(m.Delete(n=1, seq=event.seq))
        place = server._files.folder.place(name_of(REPORT))
        await until(lambda: not place.exists(), "the file to go")


@on_loop
async def test_observers_and_whoever_is_muted_upload_nothing() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        (observer,) = await people(stack, server, None)
        assert (await refusal(have(observer, REPORT)))[0] == "forbidden"


@on_loop
async def test_a_file_is_bounded_and_so_is_a_member() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        ann, bob = await people(stack, server, "ann", "bob")
        large = m.Put(file=name_of(b""), size=m.FILE_MAX + 1)
        assert (await refusal(ann.ask(large)))[0] == "too_long"
        beyond = m.Put(file=name_of(REPORT), size=10, offset=5, data=b"123456")
        assert (await refusal(ann.ask(beyond)))[0] == "bad_command"
        server._files.shelf.guest_quota = 2 * len(REPORT)
        await put(ann, REPORT)
        await attach(ann, REPORT, room="general")
        begun = b"x" * len(REPORT)
        await ann.ask(m.Put(file=name_of(begun), size=len(begun), data=begun[:1]))
        assert (await refusal(put(ann, b"one more")))[0] == "no_space"
        await put(bob, b"one more")
        server._files.shelf.disk_low = 2**62
        code, why = await refusal(put(bob, b"another"))
        assert (code, "disk" in why) == ("no_space", True)


@on_loop
async def test_a_broker_in_memory_leaves_nothing_behind() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        await put(ann, b"")
        assert await have(ann, b"") == 0  # of zero bytes: it is whole
        await attach(ann, b"", room="general")
        assert await get(ann, name_of(b"")) == b""
        folder = server._files.folder.path
        assert folder.stat().st_mode & 0o777 == 0o700
        server._files.shelf.in_all = 10
        assert (await refusal(put(ann, b"too much by some")))[0] == "no_space"
    assert not folder.exists()


@on_loop
async def test_what_waits_for_the_disk_is_bounded_and_talk_goes_on() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        hold = asyncio.Event()

        async def held(peer: bytes) -> None:
            await hold.wait()

        await put(ann, REPORT)
        server._files.ready = held
        gets = [asyncio.create_task(ann.ask(m.Get(file=name_of(REPORT)))) for _ in range(50)]
        await ann.say("still here", room="general")
        waiting = server._hub.roster
        assert max(session.transfers for session in waiting.all()) <= 8
        hold.set()
        assert len(await asyncio.gather(*gets)) == 50
        assert waiting.transferring == 0


@on_loop
async def test_what_one_may_not_read_any_more_is_not_given_when_the_disk_is_ready() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        ann, bob = await people(stack, server, "ann", "bob")
        asked, ready = asyncio.Event(), asyncio.Event()

        async def held(peer: bytes) -> None:
            asked.set()
            await ready.wait()

        await put(ann, REPORT)
        ack = await attach(ann, REPORT, to="bob")
        server._files.ready = held
        getting = asyncio.create_task(refusal(bob.ask(m.Get(file=name_of(REPORT)))))
        await asked.wait()
        server._files.folder.remove = lambda file: None  # type: ignore[method-assign]  # it is there to be read still
        await ann.administration.do(m.Delete(n=1, seq=ack.seq or 0))
        ready.set()
        assert (await getting)[0] == "bad_file"


@on_loop
async def test_files_have_a_rate_of_their_own() -> None:
    async with serving(rate=2.0) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        content = os.urandom(600_000)
        began = time.monotonic()
        upload = asyncio.create_task(put(ann, content, part=m.PART_MAX))
        assert (await ann.say("meanwhile", room="general")).seq == 1
        assert await upload == len(content)
        assert time.monotonic() - began < 20  # nobody was taken for a flood
        peer = next(iter(server._hub.roster.peers.values()))
        assert peer.files.tokens < 2 * 2 * 128 * 1024


def test_the_day_is_a_day() -> None:
    assert shelves.KEPT == DAY


def test_parts_that_were_under_way_when_a_connection_was_lost_do_not_count_for_the_next() -> None:
    broker = Broker()
    ann = broker.hello("ann", client="a" * 32)
    put = ann.line("put", file="0" * 64, size=10, data="")
    assert codes(ann.send(*[put] * 9)) == ["rate_limited"]
    again = broker.hello("ann", client="a" * 32)
    for transfer in broker.pipeline.transfers:
        assert broker.hub.transferred(transfer) is None
    assert codes(again.send(*[put] * 9)) == ["rate_limited"]


@on_loop
async def test_nobody_keeps_any_number_of_tiny_files() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        server._files.shelf.guest_quota = 3 * shelves.LEAST
        await put(ann, b"one")
        await attach(ann, b"one", room="general")
        await put(ann, b"two")
        await ann.ask(m.Put(file=name_of(b"three"), size=5, data=b"t"))
        assert (await refusal(put(ann, b"four")))[0] == "no_space"


@on_loop
async def test_what_is_only_announced_keeps_nobody_from_uploading_and_each_part_minds_the_disk() -> None:
    async with serving() as server, AsyncExitStack() as stack:
        ann, bob = await people(stack, server, "ann", "bob")
        shelf = server._files.shelf
        shelf.guest_quota, shelf.disk_low = 2**40, shelf.folder.free() - 2**30  # others use the disk, too
        shelf.in_all = None
        for number in range(32):
            await ann.ask(m.Put(file=name_of(b"%d" % number), size=m.FILE_MAX, data=b"x"))
        await bob.ask(m.Put(file=name_of(REPORT), size=len(REPORT), data=REPORT[:10]))
        shelf.disk_low = 2**62
        assert (await refusal(put(bob, REPORT)))[0] == "no_space"
        shelf.disk_low = 0
        assert await put(bob, REPORT) == len(REPORT)


@on_loop
async def test_what_is_not_an_upload_keeps_no_broker_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = [tmp_path / "files" / each for each in ("unfinished/.DS_Store", "unfinished/a-b-c", "uploads/notes-1-2")]
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        (ann,) = await people(stack, server, "ann")
        await put(ann, REPORT)
        file = ann.from_
    for each in foreign:
        each.touch()
    (tmp_path / "files" / "uploads" / f"{file}-{name_of(b'')}").mkdir()
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        assert server._files.shelf.uploads() == [(name_of(REPORT), file)]
    assert [each for each in foreign if str(each) not in caplog.text or not each.exists()] == []


def test_a_file_that_goes_while_all_are_listed_is_passed_over(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    files = {f"aa{number:062}" for number in range(3)}
    for file in files:
        folder.place(file).parent.mkdir(exist_ok=True)
        folder.place(file).touch()
    listed = folder.all()
    first, _ = next(listed)
    gone, left = sorted(files - {first})
    folder.remove(gone)
    assert [file for file, _ in listed] == [left]


@on_loop
async def test_a_file_of_what_is_said_for_later_is_known_to_the_log_and_goes_when_that_is_taken_back(
    tmp_path: Path,
) -> None:
    async with serving(data=tmp_path) as server, AsyncExitStack() as stack:
        ann, bob = await people(stack, server, "ann", "bob")
        await put(ann, REPORT)
        ack = await attach(ann, REPORT, room="general", at=datetime.now(UTC) + timedelta(days=1))
        assert files_in(tmp_path / "log.db") == [name_of(REPORT)]  # so a backup has it, too
        assert (await refusal(get(bob, name_of(REPORT))))[0] == "bad_file"
        assert await have(ann, REPORT) == len(REPORT)
        assert ack.scheduled is not None
        await ann.messages.unschedule(ack.scheduled)
        assert files_in(tmp_path / "log.db") == []
        place = server._files.folder.place(name_of(REPORT))
        await until(lambda: not place.exists(), "the file to go")
