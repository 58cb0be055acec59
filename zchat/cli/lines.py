"""Standard input as lines, without a thread and without ever holding more than one chunk and one line.

A pipe or a terminal is read when it is ready, so that the rest of the program goes on meanwhile; a regular file is
always ready, which epoll says by refusing it. The bytes that end in the middle of a line wait for the rest of it, up
to a bound: a line that no broker would take need not be kept.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import NamedTuple

CHUNK = 64 * 1024
LINE_MAX = 1024 * 1024  # bytes: beyond the largest frame, so beyond the largest text


class Line(NamedTuple):
    """One line without its end: its number from 1, and its text, or the fault that leaves it without one."""

    number: int
    text: str
    fault: str = ""


async def lines(descriptor: int) -> AsyncIterator[Line]:
    """Yield the lines of a file descriptor until its end, as they come."""
    number, rest, skipping = 0, b"", False
    while chunk := await _read(descriptor):
        whole = (rest + chunk).split(b"\n")
        rest = whole.pop()
        for raw in whole:
            number += 1
            yield _line(number, raw) if not skipping else _too_long(number)
            skipping = False
        if len(rest) > LINE_MAX:
            rest, skipping = b"", True
    if rest or skipping:
        yield _line(number + 1, rest) if not skipping else _too_long(number + 1)


async def whole(descriptor: int) -> AsyncIterator[Line]:
    """Yield all that a file descriptor holds as one text of several lines, once it has ended."""
    found = b""
    while len(found) <= LINE_MAX and (chunk := await _read(descriptor)):
        found += chunk
    yield _line(1, found.rstrip(b"\r\n")) if len(found) <= LINE_MAX else _too_long(1)


def _line(number: int, raw: bytes) -> Line:
    try:
        return Line(number, raw.removesuffix(b"\r").decode())
    except UnicodeDecodeError as error:
        return Line(number, "", f"it is not UTF-8 (byte {error.start + 1})")


def _too_long(number: int) -> Line:
    return Line(number, "", f"it is longer than {LINE_MAX} bytes")


async def _read(descriptor: int) -> bytes:
    """Return the next bytes, b"" at the end."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    try:
        loop.add_reader(descriptor, ready.set_result, None)
    except PermissionError:  # a regular file
        await asyncio.sleep(0)
        return os.read(descriptor, CHUNK)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, CHUNK)
