"""The two sockets: what is heard first when a broker ends and another one is in its place at once."""

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.client.real import on_loop, until
from tests.conftest import wait_for
from zchat.client import link as links
from zchat.client.core.handshake import Fault
from zchat.client.link import ALERT, Link

WITHIN = 10_000  # ms
LEAVING = """
import asyncio, os, sys
from zchat.client.link import Link

async def main():
    link = Link(print, print, print)
    link.connect(sys.argv[1])
    link.send([b"x" * 60_000] * 300)
    await link.close()

asyncio.run(main())
os._exit(0)  # nothing that still has to be done is done
"""


def bound(context: zmq.Context[Any], kind: int, endpoint: str) -> zmq.Socket[bytes]:
    """Return a socket that listens there, as soon as the one before it has let go."""
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.linger = 0

    def bind() -> bool:
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            return False
        return True

    wait_for(bind, f"{endpoint} to be free")
    return socket


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


@on_loop
async def test_nothing_of_the_next_broker_is_heard_before_the_end_of_the_last_one() -> None:
    """The feed connects again by itself: what it brings then may be of a log that went back."""
    heard: list[str] = []

    def lost(_: Fault) -> None:
        heard.append("lost")
        link.drop()

    link = Link(lambda _: None, lambda _, payload: heard.append(payload.decode()), lost)
    with ExitStack() as stack:
        context: zmq.Context[Any] = stack.enter_context(zmq.Context())
        router = stack.enter_context(bound(context, zmq.ROUTER, "tcp://127.0.0.1:*"))
        feed = stack.enter_context(bound(context, zmq.XPUB, "tcp://127.0.0.1:*"))
        where = [bytes(each.get(zmq.LAST_ENDPOINT)).decode().rstrip("\0") for each in (router, feed)]
        link.connect(where[0])
        link.connect_feed(where[1])
        link.subscribe(b"room/")
        link.send([b"hello"])
        assert router.poll(WITHIN)
        assert feed.poll(WITHIN)
        router.close()
        feed.close()  # from here on nothing of the client's runs, as on a busy machine
        feed = stack.enter_context(bound(context, zmq.XPUB, where[1]))
        sub, monitor = link._sub, link._monitor
        assert sub is not None
        assert monitor is not None
        wait_for(lambda: [sub.get(zmq.EVENTS), feed.poll(10)][1], "the feed to connect again")
        feed.send_multipart([b"room/dev/", b"of the next broker"])
        assert sub.poll(WITHIN)
        assert monitor.poll(WITHIN)
        link._read_sub()
        assert heard == ["lost"]
    await link.close()


@on_loop
async def test_it_tells_that_a_connection_is_made_and_has_the_kernel_watch_it_where_that_is_wanted() -> None:
    heard: list[str] = []
    link = Link(lambda _: None, lambda *_: None, lambda _: None, reached=lambda: heard.append("reached"))
    with zmq.Context() as context, bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as router:
        link.connect(bytes(router.get(zmq.LAST_ENDPOINT)).decode().rstrip("\0"), alert=True)
        await until(lambda: heard == ["reached"])
        assert link._dealer is not None
        assert {option: link._dealer.get(option) for option in ALERT} == ALERT
        await link.close()


@on_loop
async def test_a_machine_that_answers_nothing_is_given_up_before_the_kernel_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "CONNECT_MOST", 50)
    heard: list[Fault] = []
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # its queue is full: the kernel drops who comes
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        link = Link(lambda _: None, lambda *_: None, heard.append)
        link.connect(f"tcp://127.0.0.1:{deaf.getsockname()[1]}")
        await until(lambda: heard == [Fault.NOBODY])
        await link.close()


def test_what_was_said_last_has_left_when_it_is_closed() -> None:
    with zmq.Context() as context, bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as router:
        where = bytes(router.get(zmq.LAST_ENDPOINT)).decode().rstrip("\0")
        subprocess.run((sys.executable, "-c", LEAVING, where), check=True)
        for _ in range(300):
            assert router.poll(WITHIN)
            router.recv_multipart()


@on_loop
async def test_closing_waits_for_nobody_who_is_not_there() -> None:
    """What cannot leave is given up after a while, and one that never connected has nothing to wait for."""
    link, idle = [Link(lambda _: None, lambda *_: None, lambda _: None) for _ in range(2)]
    link.connect("tcp://127.0.0.1:9")
    link.send([b"to nobody"])
    await link.close()
    await link.close()
    await idle.close()


@on_loop
async def test_all_links_of_a_process_have_one_thread_for_their_sockets() -> None:
    with zmq.Context() as context, bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as router:
        where = bytes(router.get(zmq.LAST_ENDPOINT)).decode().rstrip("\0")
        links = [Link(lambda _: None, lambda *_: None, lambda _: None) for _ in range(20)]
        links[0].connect(where)
        before = threads()
        for each in links[1:]:
            each.connect(where)
        assert threads() == before
        for each in links:
            await each.close()
