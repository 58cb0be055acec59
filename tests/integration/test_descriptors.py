"""A broker that is out of descriptors: those who are in talk, read and search as before."""

import contextlib
import resource
import socket
from pathlib import Path

from tests.conftest import Broker, wait_for
from zchat.client.client import ChatClient
from zchat.protocol import messages as m

LIMIT = 128


def test_who_is_in_reads_and_searches_when_half_open_connections_have_taken_every_descriptor(broker: Broker) -> None:
    host, port = broker.listen.removeprefix("tcp://").split(":")
    with ChatClient("alice", broker.listen, rooms=["general"]) as alice, contextlib.ExitStack() as crowd:
        alice.say("find me", room="general")
        resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        for _ in range(LIMIT):
            crowd.enter_context(socket.create_connection((host, int(port)), 10))
        wait_for(lambda: descriptors(broker.pid) >= LIMIT - 1, "the broker to be out of descriptors")
        history = alice.ask(m.AskHistory(room="general"))
        assert isinstance(history, m.History)
        assert b"find me" in bytes(history.events[0])
        found = alice.ask(m.Search(text="find"))
        assert isinstance(found, m.Found)
        assert b"find me" in bytes(found.events[0])
        assert alice.say("still here", room="general").seq


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
