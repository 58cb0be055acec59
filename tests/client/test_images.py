"""The width and height of an image: what is read off its file, and what no file can do to whoever uploads it."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.client.real import on_loop, serving
from zchat.client.client import ChatClient
from zchat.client.images import READ_MOST, dimensions, media_type
from zchat.protocol import messages as m


def segment(mark: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data


FRAME = segment(0xC0, struct.pack(">BHHB", 8, 480, 640, 1) + bytes(3))  # of a JPEG, 640 wide
TURNED = b"Exif\0\0MM\0*" + struct.pack(">LHHHLHHL", 8, 1, 0x0112, 3, 1, 6, 0, 0)
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">L4sLLBBBBB", 13, b"IHDR", 640, 480, 8, 2, 0, 0, 0) + bytes(40)
WEBP = b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<LL", 10, 0) + b"\x7f\x02\0\xdf\x01\0"
BEGINNINGS = [
    PNG[:16],
    WEBP[:20],
    b"\xff\xd8",
    b"GIF89a",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0",
    b"\0\0\0\x10ftypheic\0\0\0\0\0\0\1\0meta",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b'<svg width="',
    b"P6 ",
]


@contextmanager
def holding(content: bytes) -> Iterator[int]:
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.fileno()


def read(content: bytes, type_: str | None = "image/png") -> tuple[int, int] | None:
    with holding(content) as descriptor:
        return dimensions(descriptor, type_)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (PNG, (640, 480)),
        (b"GIF89a" + struct.pack("<HH", 640, 480) + bytes(20), (640, 480)),
        (b"BM" + bytes(16) + struct.pack("<ll", 640, -480) + bytes(8), (640, 480)),
        (WEBP, (640, 480)),
        (b"\xff\xd8" + FRAME, (640, 480)),
        (b"\xff\xd8" + segment(0xE1, TURNED) + FRAME, (480, 640)),
        (b'<svg viewBox="0 0 1 1" width="639.6" height="480px"/>', (640, 480)),
        (b'<svg viewBox="0 0 1 1" width="100%" height="100%"/>', None),
        (b'<svg width="' + b"9" * 400 + b'" height="1"/>', None),
        (PNG.replace(struct.pack(">L", 640), struct.pack(">L", 100_001)), None),
        (PNG.replace(struct.pack(">L", 640), struct.pack(">L", 0)), None),
        (PNG[:20], None),
        (b"", None),
        (b"no image", None),
    ],
)
def test_width_and_height_are_read_or_there_are_none(content: bytes, wanted: tuple[int, int] | None) -> None:
    assert read(content) == wanted


def test_what_is_long_is_passed_over_and_what_never_ends_is_not_read() -> None:
    long = segment(0xE2, bytes(65_000)) * (READ_MOST // 65_000 + 2)
    assert read(b"\xff\xd8" + long + FRAME) == (640, 480)
    assert read(b"\xff\xd8" + bytes(READ_MOST) + FRAME) is None


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=400))
@example(b"\xff\xd8", b"\xff" * READ_MOST * 2)
@example(b"P6 ", b"1" * READ_MOST * 2)
@example(b"P6 ", b"#" * READ_MOST * 2)
def test_no_file_does_any_harm(beginning: bytes, rest: bytes) -> None:
    found = read(beginning + rest)
    assert found is None or all(1 <= each <= m.PIXELS_MAX for each in found)


def test_only_what_is_an_image_by_its_name_is_taken_for_one() -> None:
    assert read(b"P1 640 480 are the numbers", media_type("notes.txt")) is None
    assert read(PNG, media_type("photo")) is None
    assert read(PNG, media_type("Photo.WEBP")) == (640, 480)
    assert [media_type(f"x.{each}") for each in ("avif", "HEIC", "png")] == ["image/avif", "image/heic", "image/png"]


def test_a_closed_file_has_none() -> None:
    with holding(PNG) as descriptor:
        closed = os.dup(descriptor)
    os.close(closed)
    assert dimensions(closed, "image/png") is None


@on_loop
async def test_readers_are_told_the_dimensions_of_an_image(tmp_path: Path) -> None:
    async with serving(data=tmp_path / "data") as server, ChatClient("ann", server.listen) as ann:
        path = tmp_path / "photo.png"
        path.write_bytes(PNG)
        one = await ann.files.upload(path)
        await ann.say("look", room="general", files=[one])
        (event,) = (await ann.history(room="general")).messages
        assert event.files == (one,)
        assert (one.type, one.size, one.width, one.height) == ("image/png", len(PNG), 640, 480)
