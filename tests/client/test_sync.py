"""ChatClient in a program without asyncio, and what `listen` yields when it is told where to listen."""

import asyncio
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from tests.client.real import on_loop, serving, until
from tests.conftest import Broker
from zchat import ChatClient, SyncClient
from zchat.errors import ClosedError, RefusedError, UnreachableError
from zchat.protocol import messages as m


def test_a_synchronous_script_hears_and_speaks(broker: Broker) -> None:
    with ChatClient("alice", broker.listen) as alice, ChatClient("watcher", broker.listen, backlog=10) as chat:
        for number in range(3):
            alice.say(str(number), room="general")
        alice.say("elsewhere", room="dev")
        heard = []
        for message in chat.listen("General"):
            heard.append((message.nick, message.text))
            if len(heard) == 3:
                alice.say("live", room="general")
            if message.text == "live":
                break
        assert heard == [("alice", "0"), ("alice", "1"), ("alice", "2"), ("alice", "live")]
        assert isinstance(chat.ask(m.AskStatus()), m.Status)
        with pytest.raises(RefusedError):
            chat.say("x", room="bad/name")


def test_who_stops_listening_in_the_middle_goes_on_there(broker: Broker) -> None:
    with ChatClient("alice", broker.listen) as alice:
        for number in range(5):
            alice.say(str(number), room="general")
    with ChatClient("watcher", broker.listen, rooms=["general"], after={"general": 0}) as chat:
        heard = []
        for _ in range(5):
            for message in chat.listen("general"):
                heard.append(message.text)
                break
        assert heard == ["0", "1", "2", "3", "4"]
    with pytest.raises(ClosedError):
        chat.say("too late", room="general")


def test_a_synchronous_client_is_of_use_between_its_beginning_and_its_end(broker: Broker) -> None:
    chat = SyncClient("alice", broker.listen)
    with pytest.raises(RuntimeError, match="not connected yet"):
        chat.history(room="general")
    with chat:
        assert chat.from_
        chat.close()
    chat.close()
    for use in (lambda: chat.search("x"), lambda: chat.nick, lambda: chat.members("general")):
        with pytest.raises(ClosedError):
            use()


def test_a_synchronous_script_is_told_that_no_broker_answers() -> None:
    with pytest.raises(UnreachableError), ChatClient("x", "ipc:///nowhere/zchat", timeout=0.05):
        pass


def test_a_script_interrupted_while_it_connects_leaves_nothing_behind(tmp_path: Path) -> None:
    program = """
import os, pathlib, signal, sys, threading, warnings
from zchat import ChatClient, SyncClient
from zchat.errors import UnreachableError
warnings.simplefilter("error")
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
outbox = pathlib.Path(sys.argv[1])
for expected, timeout in ((KeyboardInterrupt, 60), (UnreachableError, 0.05)):
    try:
        with ChatClient("x", "ipc:///nowhere/zchat", outbox=outbox, timeout=timeout):
            pass
    except expected:
        print(expected.__name__, threading.active_count())
"""
    command = [sys.executable, "-c", program, str(tmp_path / "outbox")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert (result.stdout, result.stderr) == ("KeyboardInterrupt 1\nUnreachableError 1\n", "")


@on_loop
async def test_listening_to_rooms_yields_their_messages_only() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen, rooms=["dev"]) as alice,
        ChatClient("watcher", server.listen, rooms=["dev"]) as chat,
    ):
        heard: list[m.Message] = []

        async def watch() -> None:
            async for message in chat.listen("general"):
                heard.append(message)
                if message.text == "last":
                    break

        watching = asyncio.create_task(watch())
        await until(lambda: "general" in chat.rooms)
        for room, text in (("dev", "no"), ("general", "first"), ("general", "last")):
            await alice.say(text, room=room)
        await watching
        assert [message.text for message in heard] == ["first", "last"]


@on_loop
async def test_with_works_where_a_loop_runs_and_lets_the_bodys_own_error_out() -> None:
    async with serving() as server:  # as in a notebook, whose broker runs elsewhere

        def enter() -> None:
            async def cell() -> None:
                with ChatClient("alice", server.listen) as chat:
                    assert isinstance(chat.say("hi", room="general"), m.Ack)
                    raise ZeroDivisionError

            asyncio.run(cell())

        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(enter)


FORKS = """
import os, sys
from zchat import ChatClient, SyncClient
from zchat.errors import ForkedError
with ChatClient("alice", sys.argv[1], rooms=["general"]) as chat:
    child = os.fork()
    if child == 0:
        for ask in (lambda: chat.say("x", room="general"), lambda: next(chat.listen("general"))):
            try:
                ask()
            except ForkedError as error:
                print(f"forked from {error.pid == os.getppid()}")
    else:
        assert os.waitpid(child, 0)[1] == 0
        print(chat.say("still here", room="general").seq)
print("left", flush=True)
"""


def test_a_forked_process_is_told_and_leaves_without_a_goodbye(broker: Broker) -> None:
    with ChatClient("watcher", broker.listen, rooms=["general"]) as watcher:
        command = [sys.executable, "-c", FORKS, broker.listen]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert (result.stdout.split("\n"), result.stderr) == (["forked from True"] * 2 + ["left", "1", "left", ""], "")
        heard = [
            type(event) for event in takewhile(lambda event: not isinstance(event, m.MemberLeft), watcher.listen())
        ]
    assert m.Message in heard  # alice was there until the parent had spoken


FORKS_IN_A_LOOP = """
import asyncio, os, sys
from zchat import ChatClient, SyncClient
from zchat.errors import ForkedError
async def main():
    async with ChatClient("alice", sys.argv[1]) as chat:
        child = os.fork()
        if child == 0:
            try:
                await chat.say("x", room="general")
            except ForkedError as error:
                print("forked", flush=True)
            await chat.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print((await chat.say("still here", room="general")).seq)
asyncio.run(main())
"""


def test_a_fork_of_a_loop_is_told_too(broker: Broker) -> None:
    command = [sys.executable, "-c", FORKS_IN_A_LOOP, broker.listen]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (result.stdout, result.stderr) == ("forked\n1\n", "")
