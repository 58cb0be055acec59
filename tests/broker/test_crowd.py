"""Connections that say nothing, until descriptors run short: those who are in stay, and others still come in."""

import json
import resource
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import zmq

from tests.broker.keyed import Peer
from tests.conftest import StartBroker
from tests.integration.zmtp import RawPeer
from zchat.broker.crowd import Guest, Places, give_way, spare

HELLO = {"type": "hello", "protocol": 1}


def test_whoever_has_most_connections_gives_way_and_readers_after_the_silent() -> None:
    silent = [Guest(n, b"%d" % n, socket.AF_INET, "mob" if n else "one") for n in range(4)]
    reader = Guest(9, b"9", socket.AF_INET, "mob", reads=True)
    assert {one.source for one in give_way([reader, *silent], 3)} == {"mob"}
    assert give_way([reader, *silent], 4)[-1].source == "one"
    assert give_way([reader, *silent], 9)[-1] == reader
    assert give_way([], 9) == []


def test_of_few_descriptors_half_is_kept_free_and_of_many_an_eighth() -> None:
    assert [spare(limit) for limit in (256, 8_192, 65_536)] == [128, 2_048, 8_192]


def test_only_what_was_accepted_at_a_door_counts(tmp_path: Path) -> None:
    path = str(tmp_path / "door")
    with ExitStack() as closing:
        listener = closing.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen()
        client = closing.enter_context(socket.socket(socket.AF_UNIX))
        client.connect(path)
        accepted, _ = listener.accept()
        closing.enter_context(accepted)
        pair = socket.socketpair()
        for one in pair:
            closing.enter_context(one)
        places = Places([f"ipc://{path}", "tcp://127.0.0.1:9"])
        found = [places.have(one, socket.AF_UNIX) for one in (accepted, client, listener, *pair)]
    assert found == [True, False, False, False, False]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted on Linux only")
def test_silent_connections_take_neither_the_room_of_others_nor_the_broker(
    start_broker: StartBroker, tmp_path: Path
) -> None:
    door = f"ipc://{tmp_path}/door"
    broker = start_broker("--listen", door, listen="tcp://127.0.0.1:0", publish="tcp://127.0.0.1:0")
    with ExitStack() as closing:
        gus = closing.enter_context(Peer(zmq.DEALER, broker.listen))
        assert asks(gus, HELLO | {"nick": "gus"}) == "welcome"
        resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (256, 256))
        for number in range(400):
            silent = closing.enter_context(RawPeer(broker.listen, hands=False))
            with suppress(OSError, EOFError):  # it is ended already
                silent.shake_hands("DEALER", b"")
            if number % 50 == 0:
                assert asks(gus, {"type": "ping"}) == "pong"
        late = closing.enter_context(Peer(zmq.DEALER, door))
        assert asks(late, HELLO | {"nick": "late"}) == "welcome"
        assert asks(gus, {"type": "ping"}) == "pong"
    assert broker.process.poll() is None


def asks(peer: Peer, line: dict[str, object]) -> str:
    """Return of what type the answer is."""
    peer.socket.send(json.dumps(line).encode())
    assert peer.socket.poll(30_000), f"no answer to {line}"
    return str(json.loads(peer.socket.recv())["type"])
