"""A command of `tail --run`: where its answer goes, and that it is ended with all that it started."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.client.real import Watcher, on_loop, serving, until
from tests.conftest import wait_for
from zchat import ChatClient
from zchat.cli.command_hook import CommandHook, FailedError
from zchat.protocol import messages as m

MESSAGE = m.Message(
    seq=1,
    prev=0,
    room="general",
    time="2026-01-01T00:00:00.000Z",
    from_="a" * 22,
    nick="alice",
    kind="text",
    text="go",
)


def running(marker: str) -> list[int]:
    """Return the processes with `marker` in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if marker in process.read_text():
                found.append(int(process.parent.name))
    return found


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("steps", range(6))
def test_an_interrupt_while_it_starts_ends_all_that_was_started(steps: int) -> None:
    marker = f"60.{os.getpid()}{steps}"

    async def interrupted() -> None:
        hook = CommandHook(ChatClient("watcher"), f"sleep {marker}; true", "", False, 60)
        task = asyncio.create_task(hook.handle(MESSAGE, b""))
        while not running(marker):  # noqa: ASYNC110 — each step of the start counts
            await asyncio.sleep(0)
        wait_for(lambda: len(running(marker)) == 2, "the shell to start the other process")
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)

    asyncio.run(interrupted())
    wait_for(lambda: not running(marker), "both to be gone")


def test_what_left_the_group_and_holds_the_output_is_not_waited_for() -> None:
    marker = f"60.{os.getpid()}99"

    async def run() -> None:
        hook = CommandHook(ChatClient("watcher"), f"setsid sleep {marker} & sleep 60", "", True, 0.5)
        before = open_files()
        with pytest.raises(FailedError, match="still running after"):
            await asyncio.wait_for(hook._run(MESSAGE), 10)
        assert len(running(marker)) == 1
        os.kill(running(marker)[0], signal.SIGKILL)
        await until(lambda: open_files() <= before, "the pipe to be closed")

    asyncio.run(run())


@on_loop
async def test_who_has_written_in_private_is_answered_in_private_and_without_nul() -> None:
    async with (
        serving() as server,
        ChatClient("watcher", server.listen) as watcher,
        ChatClient("alice", server.listen) as alice,
    ):
        asked, heard = Watcher(watcher), Watcher(alice)
        await alice.say("go", to="watcher")
        await until(lambda: asked.of(m.Message))
        await CommandHook(watcher, "printf 'a\\0b'", "", True, 60).handle(asked.of(m.Message)[0], b"")
        await until(lambda: "ab" in heard.texts())
        answer = heard.of(m.Message)[-1]
        assert (answer.room, answer.to, answer.nick, answer.reply_to) == (None, "alice", "watcher", 1)
        await watcher.close()
        await alice.close()
        await asked.end()
        await heard.end()
