"""The two sockets: what is heard first when a broker ends and another one is in its place at once."""

from contextlib import ExitStack
from typing import Any

import zmq

from tests.client.real import on_loop, until
from tests.conftest import wait_for
from zchat.client.core.handshake import Fault
from zchat.client.link import ALERT, Link

WITHIN = 10_000  # ms


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
