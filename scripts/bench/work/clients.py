"""The clients that are measured: `ChatClient` in a process of its own, and `zchat tail` behind a pipe.

Both only count, and check that each event follows the one before it. Whatever else a program does with an event
comes on top.
"""

import asyncio
import os
import subprocess
import tempfile
from typing import Any

from board import BenchError, Board
from peers.zchat import PROGRAM

ROOM = "bench"


def follow_listen(board: Board, endpoint: str) -> dict[str, Any]:
    """Follow the room with `ChatClient.listen`, an event at a time."""
    return asyncio.run(_follow(board, endpoint, batches=False))


def follow_batches(board: Board, endpoint: str) -> dict[str, Any]:
    """Follow the room with `ChatClient.batches`."""
    return asyncio.run(_follow(board, endpoint, batches=True))


def tail(board: Board, endpoint: str) -> dict[str, Any]:
    """Follow the room with `zchat tail --json --follow`, read from a pipe."""
    command = [PROGRAM, "tail", "--room", ROOM, "--json", "--follow", "--broker", endpoint, "--log-dir"]
    with (
        tempfile.TemporaryDirectory(prefix="zchat-bench-") as logs,
        subprocess.Popen([*command, logs], stdout=subprocess.PIPE) as process,
    ):
        board.pid = process.pid
        try:
            if process.stdout is None or (gaps := _count(board, process.stdout.fileno())):
                raise BenchError(f"zchat tail left out or repeated something {gaps} times")
        finally:
            process.terminate()
    return {"complete": True}


def _count(board: Board, pipe: int) -> int:
    """Count lines until all is seen; return how often the numbers did not follow each other."""
    gaps, rest = 0, b""
    while not board.target or board.seen < board.target:
        chunk = os.read(pipe, 1 << 20)
        if not chunk:
            raise BenchError("zchat tail ended")
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            first, last = _seq(lines.partition(b"\n")[0]), _seq(lines.rpartition(b"\n")[2])
            gaps += first != board.seen + 1 or last - first != lines.count(b"\n")
            board.seen = last
    return gaps


def _seq(line: bytes) -> int:
    return int(line.partition(b'"seq":')[2].partition(b",")[0])


async def _follow(board: Board, endpoint: str, *, batches: bool) -> dict[str, Any]:
    from zchat.client.client import ChatClient  # noqa: PLC0415  the other loads need no client

    board.pid = os.getpid()
    last = gaps = 0
    async with ChatClient("follower", endpoint, rooms=(ROOM,)) as client:
        if batches:
            async for batch in client.batches():
                numbers = [event.seq for event in batch.events if hasattr(event, "seq")]
                if numbers:
                    gaps += numbers[0] != last + 1 or numbers[-1] - numbers[0] != len(numbers) - 1
                    board.seen = last = numbers[-1]
                if last >= board.target > 0:
                    break
        else:
            async for event in client.listen():
                if (seq := getattr(event, "seq", None)) is not None:
                    gaps += seq != last + 1
                    board.seen = last = seq
                    if last >= board.target > 0:
                        break
    return {"complete": not gaps, "lost": gaps}
