"""The files of a cluster: at every broker before they are said to be there, and got by whoever lacks them."""

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tests.client.real import on_loop
from tests.cluster.brokers import run, until
from tests.cluster.conftest import Engines
from tests.cluster.servers import Cluster, cluster
from tests.cluster.test_server import client
from tests.conftest import PATIENCE
from zchat.broker.cluster import spreading
from zchat.client.client import ChatClient
from zchat.errors import RefusedError

CONTENT = os.urandom(1_200_000)
FILE = hashlib.sha256(CONTENT).hexdigest()


def at(some: Cluster, broker: str, file: str = FILE) -> Path:
    return some.folder / broker / "files" / file[:2] / file[2:]


def made(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "report.pdf"
    path.write_bytes(content)
    return path


def test_a_file_is_at_all_brokers_once_its_upload_is_done(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        async with cluster(tmp_path, engines()) as some:
            for name in "abc":
                await some.start(name)
            async with client(some, "a", "ann") as ann, client(some, "b", "bob") as bob:
                one = await ann.files.upload(made(tmp_path))
                assert [at(some, name).read_bytes() == CONTENT for name in "abc"] == [True] * 3
                ack = await ann.say("the report", room="general", files=[one])
                saved = await bob.files.download(one, tmp_path / "saved")
                assert saved.read_bytes() == CONTENT
                await ann.messages.delete(ack.seq or 0)
                await until(lambda: not any(at(some, name).exists() for name in "abc"), "the file to go everywhere")
                with pytest.raises(RefusedError, match="bad_file"):
                    await bob.files.download(one, tmp_path / "again")

    run(story())


@on_loop
async def test_who_has_uploaded_a_file_may_say_it_at_another_broker(tmp_path: Path) -> None:
    async with cluster(tmp_path) as some:
        for name in "abc":
            await some.start(name)
        ann = client(some, "a", "ann", outbox=tmp_path / "outbox")
        async with ann:
            one = await ann.files.upload(made(tmp_path))
        await some.stop("a")
        async with client(some, "b", "ann", outbox=tmp_path / "outbox") as ann, client(some, "c", "eve") as eve:
            with pytest.raises(RefusedError, match="bad_file"):
                await eve.say("mine", room="general", files=[one])
            await ann.say("the report", room="general", files=[one])
            assert (await eve.files.download(one, tmp_path / "saved")).read_bytes() == CONTENT


@on_loop
async def test_a_broker_gets_what_it_lacks_when_asked_and_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "LOOK", 0.1)
    async with cluster(tmp_path) as some:
        for name in "ab":
            await some.start(name)
        async with client(some, "a", "ann") as ann:
            one = await ann.files.upload(made(tmp_path))
            await ann.say("the report", room="general", files=[one])
            loose = await ann.files.upload(made(tmp_path, b"in no message yet"))
            await some.start("c")  # it was not there
            for file in (one.file, loose.file):
                await until(at(some, "c", file).exists, "the new broker to get the files")
            server = some.servers["c"]
            assert server._files.shelf.uploaded(loose.file, ann.from_)
        at(some, "c").unlink()
        async with client(some, "c", "bob") as bob:
            assert (await bob.files.download(one, tmp_path / "saved")).read_bytes() == CONTENT
        assert at(some, "c").read_bytes() == CONTENT
        await some.stop("c")
        shutil.rmtree(tmp_path / "c" / "files")
        await some.start("c")
        await until(at(some, "c").exists, "the broker to get its files again")


@on_loop
async def test_an_upload_is_not_done_while_too_few_brokers_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "BOUND", 0.2)
    async with cluster(tmp_path) as some:
        for name in "abc":
            await some.start(name)
        for name in "bc":
            full = tmp_path / name / "files"
            full.write_text("in the way: no file can be stored")
        ann: ChatClient
        async with client(some, "a", "ann", timeout=PATIENCE) as ann:
            files, told = some.servers["a"]._files, list[bool]()
            spread = files.spread

            async def noted(file: str, size: int, from_: str) -> bool:
                told.append(await spread(file, size, from_))
                return told[-1]

            files.spread = noted
            task = asyncio.create_task(ann.files.upload(made(tmp_path)))
            await until(lambda: told, "the file to be copied, or not")
            assert (told[0], at(some, "a").exists()) == (False, True)
            assert not files.shelf.uploaded(FILE, ann.from_)
            assert not task.done()
            (tmp_path / "b" / "files").unlink()
            one = await task
            await ann.say("now", room="general", files=[one])
            assert at(some, "b").exists()
