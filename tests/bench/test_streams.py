"""The counting of the benchmark's receivers: however TCP cuts what a server sends, each message counts once."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from marks import SIZE, judge, shapes, warm_text
from peers.mqtt import Qos1Receiver, packet, string
from peers.redis import StreamsReceiver, command
from peers.stream import SCRATCH, Address, Receiver

from tests.conftest import PATIENCE

COUNT = 40
ROOM = "room.000"
CUTS = [1, 2, 7, 8, 9, 19, 20, 21, 61, 1_000]  # bytes; around the length of a mark, and of what is looked for


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Return a socket that takes one receiver."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def receiver(kind: type[Receiver], listener: socket.socket, **options: Any) -> tuple[Any, socket.socket]:
    """Return a receiver, and the server's end of its connection."""
    port = listener.getsockname()[1]
    made = kind(Address("127.0.0.1", port, port), bytearray(SCRATCH), 0, ROOM, **options)
    server = listener.accept()[0]
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # so that each piece arrives as it was cut
    for end in (made.sock, server):
        end.settimeout(PATIENCE)
    return made, server


def texts(sender: int = 3) -> list[bytes]:
    """Return what one sender says."""
    return [shape % number for number, shape in enumerate(shapes(sender)[:COUNT], 1)]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("exact", [False, True])
def test_a_message_counts_once_wherever_it_is_cut(listener: socket.socket, cut: int, exact: bool) -> None:
    counter, server = receiver(Receiver, listener, exact=exact)
    with counter.sock, server:
        for piece in pieces(b"".join(b"MSG %b\r\n" % text for text in [warm_text(), *texts()]), cut):
            server.sendall(piece)
            counter.receive()
    assert (counter.seen, bool(counter.warm)) == (COUNT, True)
    assert judge(b"".join(counter.marks)) == ({3: COUNT} if exact else {})


@pytest.mark.parametrize("cut", CUTS)
def test_what_came_behind_the_last_answer_of_the_opening_counts(listener: socket.socket, cut: int) -> None:
    counter, server = receiver(Receiver, listener)
    said = b"PONG" + b"".join(texts())
    with counter.sock, server:
        server.sendall(said[: 4 + cut])
        counter.until(b"PONG")
        counter.opened()
        server.sendall(said[4 + cut :])
        counter.receive()
    assert counter.seen == COUNT


@pytest.mark.parametrize("cut", CUTS)
def test_every_mqtt_packet_is_acknowledged_by_its_id(listener: socket.socket, cut: int) -> None:
    counter, server = receiver(Qos1Receiver, listener)
    ids = [0x4002 + number for number in range(COUNT)]  # the first looks like the head of an answer
    body = [string(ROOM.encode()) + each.to_bytes(2, "big") + text for each, text in zip(ids, texts(), strict=True)]
    with counter.sock, server:
        for piece in pieces(b"".join(packet(0x32, each) for each in body), cut):
            server.sendall(piece)
            counter.receive()
        answers = b""
        while len(answers) < 4 * COUNT:
            answers += server.recv(4096)
    assert answers == b"".join(b"\x40\x02" + each.to_bytes(2, "big") for each in ids)


@pytest.mark.parametrize("cut", CUTS)
def test_a_redis_stream_is_asked_again_from_the_last_place_of_each_answer(listener: socket.socket, cut: int) -> None:
    counter, server = receiver(StreamsReceiver, listener)
    entries = [
        b"*2\r\n$%d\r\n%b\r\n" % (len(place), place) + b"*2\r\n$1\r\nt\r\n$%d\r\n%b\r\n" % (SIZE, text)
        for place, text in ((b"17-%d" % number, text) for number, text in enumerate(texts(), 1))
    ]
    half = COUNT // 2
    with counter.sock, server:
        for part in (entries[:half], entries[half:]):
            answer = b"*1\r\n*2\r\n$8\r\n%b\r\n*%d\r\n" % (ROOM.encode(), half) + b"".join(part)
            for piece in pieces(answer, cut):
                server.sendall(piece)
                counter.receive()
        asked = server.recv(4096)
    assert counter.seen == COUNT
    words = (b"XREAD", b"COUNT", b"10000", b"BLOCK", b"0", b"STREAMS", ROOM.encode())
    assert asked == command(*words, b"17-20") + command(*words, b"17-40")


@pytest.mark.parametrize(
    ("numbers", "found"),
    [([1, 2, 3], 3), ([1, 3], -1), ([1, 2, 2], -1), ([2, 1], -1), ([1, 2, 2, 3], -1), ([2], -1)],
    ids=["in order", "one missing", "one twice", "turned round", "one twice, then on", "the first missing"],
)
def test_one_sender_is_judged_by_its_numbers(numbers: list[int], found: int) -> None:
    assert judge(b"".join(b"007:%08d" % number for number in numbers)) == {7: found}
