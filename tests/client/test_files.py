"""Files of messages, as a program uploads and downloads them: whole, checked, and under harmless names."""

import asyncio
import base64
import fcntl
import hashlib
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.real import Script, on_loop, serving, until
from zchat.client.client import ChatClient
from zchat.client.files import NAME_MOST, apart, harmless
from zchat.client.sync import SyncClient
from zchat.errors import DamagedFileError, LocalFileError, RefusedError
from zchat.protocol import messages as m

CONTENT = os.urandom(1_500_000)


def made(folder: Path, content: bytes = CONTENT, name: str = "report.pdf") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def found_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\a.txt", "a.txt"),
        ("folder/", "folder"),
        ("..", "file"),
        (".", "file"),
        ("/", "file"),
        (".bashrc", "bashrc"),
        ("...x", "x"),
        ("a\x1b[2Jb\n.txt", "a[2Jb.txt"),
        ("\u202egpj.exe", "gpj.exe"),
        ("  a b.txt ", "a b.txt"),
        ("-rf", "_-rf"),
        ("grüße.txt", "grüße.txt"),
        ("", "file"),
    ],
)
def test_a_name_leads_into_no_other_folder_and_hides_nothing(name: str, plain: str) -> None:
    assert harmless(name) == plain


@given(st.text(max_size=600))
def test_any_name_is_made_one_that_can_be_saved(name: str) -> None:
    plain = harmless(name)
    assert plain == os.path.basename(plain)  # noqa: PTH119 — what the system takes for the name
    assert plain not in {"", ".", ".."}
    assert plain[0] not in ".-"
    assert len(plain.encode()) <= NAME_MOST
    assert harmless(plain) == plain


def test_a_long_name_keeps_its_ending() -> None:
    assert harmless("ü" * 400 + ".tar").endswith("ü.tar")


def test_files_of_one_message_have_names_that_are_not_the_same() -> None:
    called = ("a/report.pdf", "b/report.pdf", "REPORT.pdf", "report (2).pdf", "..", "", ".tar", "x")
    names = [one.name for one in apart(m.Attachment(file=f"{at}", name=name) for at, name in enumerate(called))]
    assert names == [
        "report.pdf",
        "report (2).pdf",
        "REPORT (3).pdf",
        "report (2) (2).pdf",
        "file",
        "file (2)",
        "tar",
        "x",
    ]


@on_loop
async def test_a_file_comes_over_whole(tmp_path: Path) -> None:
    async with (
        serving(data=tmp_path / "data") as server,
        ChatClient("ann", server.listen) as ann,
        ChatClient("bob", server.listen, rooms=["general"]) as bob,
    ):
        told: list[tuple[int, int]] = []
        one = await ann.files.upload(made(tmp_path), lambda done, size: told.append((done, size)))
        assert one == m.Attachment(
            file=hashlib.sha256(CONTENT).hexdigest(), name="report.pdf", type="application/pdf", size=len(CONTENT)
        )
        assert (told[0], told[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))
        assert told == sorted(told)
        empty = await ann.files.upload(made(tmp_path, b"", "empty"))
        ack = await ann.say("the report", room="general", files=[one, empty])
        (event,) = (await bob.history(room="general", after=(ack.seq or 1) - 1)).messages
        folder = tmp_path / "saved"
        folder.mkdir()
        paths = [await bob.files.download(each, folder) for each in event.files]
        assert [path.read_bytes() for path in paths] == [CONTENT, b""]
        assert found_in(folder) == ["empty", "report.pdf"]
        assert paths[0].stat().st_mode & 0o777 == 0o600
        again = await bob.files.download(one.file, folder / "other")
        assert again.read_bytes() == CONTENT


@on_loop
async def test_nothing_is_overwritten_unless_told_so(tmp_path: Path) -> None:
    async with serving() as server, ChatClient("ann", server.listen) as ann:
        one = await ann.files.upload(made(tmp_path))
        there = made(tmp_path, b"precious", "there")
        dangling = tmp_path / "dangling"
        dangling.symlink_to(tmp_path / "nowhere")
        for path in (there, dangling):
            with pytest.raises(LocalFileError, match="is there already"):
                await ann.files.download(one, path)
        assert there.read_bytes() == b"precious"
        assert not (tmp_path / "nowhere").exists()
        assert (await ann.files.download(one, there, overwrite=True)).read_bytes() == CONTENT


@on_loop
async def test_what_comes_there_while_it_is_downloaded_is_not_overwritten_either(tmp_path: Path) -> None:
    async with serving() as server, ChatClient("ann", server.listen) as ann:
        one = await ann.files.upload(made(tmp_path))
        place = tmp_path / "saved"

        def comes(done: int, size: int) -> None:
            if done == size:
                place.write_bytes(b"precious")

        with pytest.raises(LocalFileError, match="is there already"):
            await ann.files.download(one, place, comes)
        assert place.read_bytes() == b"precious"
        place.unlink()
        assert (await ann.files.download(one, place)).read_bytes() == CONTENT


@on_loop
async def test_a_download_goes_on_from_what_is_there_but_trusts_only_the_hash(tmp_path: Path) -> None:
    async with serving() as server, ChatClient("ann", server.listen) as ann:
        one = await ann.files.upload(made(tmp_path))
        aside = tmp_path / f".{one.file[:32]}.zchat-part"
        for start in (CONTENT[:700_000], b"?" * 700_000, CONTENT + b"more"):
            aside.write_bytes(start)
            told: list[int] = []
            saved = await ann.files.download(one, tmp_path / "saved", lambda done, _: told.append(done))  # noqa: B023
            assert saved.read_bytes() == CONTENT
            assert told[0] == (700_000 if len(start) == 700_000 else 0)
            assert not aside.exists()
            saved.unlink()


@on_loop
async def test_a_download_writes_into_no_file_of_somebody_else(tmp_path: Path) -> None:
    async with serving() as server, ChatClient("ann", server.listen) as ann:
        one = await ann.files.upload(made(tmp_path))
        aside = tmp_path / f".{one.file[:32]}.zchat-part"
        victim = made(tmp_path, b"precious", "victim")
        aside.symlink_to(victim)
        with pytest.raises(LocalFileError):
            await ann.files.download(one, tmp_path / "saved")
        aside.unlink()
        aside.hardlink_to(victim)
        with pytest.raises(LocalFileError, match="not this user's file alone"):
            await ann.files.download(one, tmp_path / "saved")
        aside.unlink()
        assert victim.read_bytes() == b"precious"
        with aside.open("wb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(LocalFileError, match="another process"):
                await ann.files.download(one, tmp_path / "saved")


@on_loop
async def test_what_a_broker_gives_instead_is_not_kept(tmp_path: Path) -> None:
    wrong = b"not what was asked for"

    def part(line: dict[str, Any]) -> dict[str, Any]:
        data = base64.b64encode(wrong[line.get("offset", 0) :][: line.get("limit", 1_000)]).decode()
        fields = {"file": line["file"], "offset": line.get("offset", 0), "size": len(wrong), "data": data}
        return {"type": "part", "ref": line["ref"], **fields}

    async with Script() as script, ChatClient("ann", script.listen) as ann:
        script.answers["get"] = part
        with pytest.raises(DamagedFileError, match="its hash is another one"):
            await ann.files.download("a" * 64, tmp_path / "saved")
        assert found_in(tmp_path) == []
        with pytest.raises(RefusedError, match="keeps no files"):  # an older broker tells no limit
            await ann.files.upload(made(tmp_path))


@on_loop
async def test_what_cannot_be_sent_is_told_at_once(tmp_path: Path) -> None:
    async with serving() as server, ChatClient("ann", server.listen) as ann:
        for path, why in (
            (tmp_path / "none", "No such file"),
            (tmp_path, "it is no file"),
            (Path("/dev/zero"), "no file"),
        ):
            with pytest.raises(LocalFileError, match=why):
                await ann.files.upload(path)
        large = tmp_path / "large"
        with large.open("wb") as file:
            file.truncate(m.FILE_MAX + 1)
        with pytest.raises(RefusedError, match=r"has 67,108,865 bytes, and .* 67,108,864 at most \(64 MiB\)"):
            await ann.files.upload(large)


@on_loop
async def test_a_transfer_goes_on_when_the_broker_is_back(tmp_path: Path) -> None:
    """The broker stops in the middle, of the upload and of the download: not a byte is sent again that it has."""
    data, path = tmp_path / "data", made(tmp_path)
    async with AsyncExitStack() as outer:
        async with serving(data=data) as server:
            listen, publish = server.listen, server.publish
            ann = await outer.enter_async_context(ChatClient("ann", listen, outbox=tmp_path / "outbox"))
            middle: list[int] = []
            upload = asyncio.create_task(ann.files.upload(path, lambda done, _: middle.append(done)))
            await until(lambda: len(middle) > 1)
        async with serving(listen, publish, data=data) as server:
            one = await upload
            assert middle == sorted(middle)
            await ann.say("", room="general", files=[one])
            parts: list[int] = []
            download = asyncio.create_task(
                ann.files.download(one, tmp_path / "saved", lambda done, _: parts.append(done))
            )
            await until(lambda: len(parts) > 1)
        async with serving(listen, publish, data=data) as server:
            assert (await download).read_bytes() == CONTENT
            assert parts == sorted(parts)


def test_the_synchronous_client_does_the_same(tmp_path: Path) -> None:
    async def serve(stop: asyncio.Event, ready: asyncio.Queue[str]) -> None:
        async with serving() as server:
            await ready.put(server.listen)
            await stop.wait()

    async def whole() -> None:
        stop, ready = asyncio.Event(), asyncio.Queue[str]()
        task = asyncio.create_task(serve(stop, ready))
        listen = await ready.get()

        def talk() -> bytes:
            with SyncClient("ann", listen) as ann:
                one = ann.files.upload(made(tmp_path))
                ann.say("", room="general", files=[one])
                return ann.files.download(one, tmp_path / "saved").read_bytes()

        assert await asyncio.to_thread(talk) == CONTENT
        stop.set()
        await task

    asyncio.run(whole())
