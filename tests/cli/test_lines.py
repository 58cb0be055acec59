"""Standard input becomes lines, as they come, whatever is in it."""

import asyncio
import os
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.cli.lines import CHUNK, LINE_MAX, Line, lines


def from_file(content: bytes) -> list[Line]:
    async def read() -> list[Line]:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            return [line async for line in lines(file.fileno())]

    return asyncio.run(read())


def from_pipe(content: bytes) -> list[Line]:
    async def read() -> list[Line]:
        out, into = os.pipe()
        writing = asyncio.create_task(asyncio.to_thread(_write, into, content))
        found = [line async for line in lines(out)]
        os.close(out)
        await writing
        return found

    return asyncio.run(read())


def _write(into: int, content: bytes) -> None:
    with open(into, "wb", buffering=0) as pipe:
        pipe.write(content)


both = pytest.mark.parametrize("read", [from_file, from_pipe])
Read = Callable[[bytes], list[Line]]


@both
def test_lines_are_numbered_and_lose_their_ends(read: Read) -> None:
    assert read(b"one\r\n\ntwo\nthree") == [Line(1, "one"), Line(2, ""), Line(3, "two"), Line(4, "three")]


def test_a_file_is_read_only_as_far_as_its_lines_are_taken() -> None:
    async def read() -> int:
        with tempfile.TemporaryFile() as file:
            file.write(b"line\n" * 1_000_000)
            file.seek(0)
            await anext(lines(file.fileno()))
            return os.lseek(file.fileno(), 0, os.SEEK_CUR)

    assert asyncio.run(read()) == CHUNK


@both
def test_an_empty_input_has_no_lines(read: Read) -> None:
    assert read(b"") == []


@both
def test_a_line_that_is_not_utf8_is_a_fault_and_the_next_is_not(read: Read) -> None:
    found = read(b"ok\nbad \xff\nok\n")
    assert [bool(line.fault) for line in found] == [False, True, False]
    assert "byte 5" in found[1].fault


@both
def test_an_endless_line_is_dropped_and_the_next_is_kept(read: Read) -> None:
    found = read(b"x" * (LINE_MAX * 3) + b"\nafter\n" + b"y" * (LINE_MAX * 2))
    assert [(line.number, bool(line.fault)) for line in found] == [(1, True), (2, False), (3, True)]
    assert found[1].text == "after"


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), min_size=1)))
def test_what_was_joined_by_newlines_comes_apart_again(texts: list[str]) -> None:
    assert [line.text for line in from_file("\n".join(texts).encode())] == texts


def test_a_line_is_there_before_the_next_is_written() -> None:
    async def dialogue() -> list[str]:
        out, into = os.pipe()
        found = []
        os.write(into, b"first\n")
        async for line in lines(out):
            found.append(line.text)
            if into >= 0 and len(found) == 1:
                os.write(into, b"second\n")
                os.close(into)
                into = -1
        os.close(out)
        return found

    assert asyncio.run(asyncio.wait_for(dialogue(), 10)) == ["first", "second"]
