"""What lies over the load's connections: whatever the pieces in which it comes, all of it is read, once."""

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import zmq
from board import BenchError
from cover import RAW, Covered
from curve import Curve
from marks import shapes
from peers.stream import SCRATCH, Address, Receiver, open_all
from tls import Tls, certify
from zmq.utils import z85
from zmtp import READY, frame, hello, subscribe

from tests.conftest import PATIENCE

COUNT = 400
CUTS = [1, 2, 21, 1_000, 16_384, 100_000]  # bytes
SHAPES = shapes(3)
SAID = b"".join(b"%b\r\n" % (SHAPES[number % 256] % number) for number in range(1, COUNT + 1))


def fed(receiver: Receiver, cut: int, enough: Callable[[], bool]) -> None:
    """Give the receiver what comes in pieces of `cut` bytes, as if each had come alone."""
    cover = receiver.sock
    assert isinstance(cover, Covered)
    while not enough():
        came = cover.sock.recv(1 << 20)
        for start in range(0, len(came), cut):
            piece = came[start : start + cut]
            RAW[: len(piece)] = piece
            keep = len(receiver.rest)
            receiver.scratch[:keep] = receiver.rest
            got = cover.decipher(len(piece), receiver.view[keep:])
            receiver._count(keep, keep + got)


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Callable[[Tls, bytes], tuple[Receiver, ssl.SSLSocket]]]:
    """Return how to open a receiver over TLS, and the server's end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certify(tmp_path))
    opened: list[Any] = []

    def serve(listener: socket.socket, greeting: bytes) -> ssl.SSLSocket:
        sock = listener.accept()[0]
        sock.sendall(greeting)
        return context.wrap_socket(sock, server_side=True)

    def make(how: Tls, greeting: bytes) -> tuple[Receiver, ssl.SSLSocket]:
        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as beside:
            server = beside.submit(serve, listener, greeting)
            port = listener.getsockname()[1]
            receiver = Receiver(Address("127.0.0.1", port, port, how), bytearray(SCRATCH), 0, "room.000", exact=True)
            opened.append(receiver)
            open_all([receiver])
            opened.append(server.result(10))
        return receiver, opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.mark.skipif(not Path("/usr/bin/openssl").exists(), reason="openssl is not installed")
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("greeting", [b"", b"INFO {}\r\n"], ids=["at once", "after a greeting"])
def test_tls_is_read_whatever_the_pieces(tls: Any, cut: int, greeting: bytes) -> None:
    receiver, server = tls(Tls(after=greeting[-2:]), greeting)
    assert server.version() == "TLSv1.3"
    with ThreadPoolExecutor(1) as beside:
        beside.submit(server.sendall, SAID)
        fed(receiver, cut, lambda: receiver.seen >= COUNT)
    assert receiver.seen == COUNT


@pytest.mark.skipif(not Path("/usr/bin/openssl").exists(), reason="openssl is not installed")
def test_tls_sends_records_no_longer_than_told(tls: Any) -> None:
    receiver, server = tls(Tls(longest=1_000), b"")
    receiver.sock.sendall(bytes(2_500))
    assert [len(server.recv(1 << 16)) for _ in range(3)] == [1_000, 1_000, 500]


@pytest.fixture
def publisher() -> Iterator[tuple["zmq.Socket[bytes]", Address]]:
    """Return a publisher with CURVE, and its address."""
    public, secret = zmq.curve_keypair()
    with zmq.Context() as context, context.socket(zmq.XPUB) as made:
        made.curve_server, made.curve_secretkey = True, secret
        made.linger, made.rcvtimeo = 0, 10_000
        port = made.bind_to_random_port("tcp://127.0.0.1")
        yield made, Address("127.0.0.1", port, port, Curve(z85.decode(public)))


def subscribed(address: Address) -> Receiver:
    """Return a receiver that follows the room."""
    receiver = Receiver(address, bytearray(SCRATCH), 0, "room.000", exact=True)
    receiver.sock.settimeout(PATIENCE)
    try:
        receiver.sock.sendall(hello(b"SUB"))
        receiver.until(READY)
    except (ConnectionError, BenchError):
        receiver.close()
        raise
    receiver.sock.sendall(subscribe(b"room/"))
    return receiver


@pytest.mark.parametrize("cut", CUTS)
def test_curve_is_read_whatever_the_pieces(publisher: tuple["zmq.Socket[bytes]", Address], cut: int) -> None:
    server, address = publisher
    receiver = subscribed(address)
    assert server.recv() == b"\x01room/"
    lines = SAID.splitlines()
    for some in (lines[:1], lines[1:3], lines[3:]):  # frames with a short head, and with a long one
        server.send_multipart([b"room/room.000/", b"\n".join(some)])
    fed(receiver, cut, lambda: receiver.seen >= COUNT)
    assert receiver.seen == COUNT
    receiver.close()


def test_curve_sends_frames_of_any_size_and_their_parts() -> None:
    public, secret = zmq.curve_keypair()
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        server.curve_server, server.curve_secretkey = True, secret
        server.linger, server.rcvtimeo = 0, 10_000
        port = server.bind_to_random_port("tcp://127.0.0.1")
        receiver = Receiver(
            Address("127.0.0.1", port, port, Curve(z85.decode(public))), bytearray(SCRATCH), 7, "room.000"
        )
        receiver.sock.sendall(hello(b"DEALER"))
        receiver.until(READY)
        sizes = [1, 200, 300, 70_000, *[600_000] * 3]
        receiver.sock.sendall(frame(b"first", 1) + b"".join(frame(b"x" * size) for size in sizes))
        assert server.recv_multipart()[1:] == [b"first", b"x"]
        assert [len(server.recv_multipart()[1]) for _ in sizes[1:]] == sizes[1:]
        receiver.close()


def test_another_servers_key_opens_nothing(publisher: tuple["zmq.Socket[bytes]", Address]) -> None:
    other = Curve(z85.decode(zmq.curve_keypair()[0]))
    with pytest.raises((ConnectionError, BenchError)):
        subscribed(publisher[1]._replace(cover=other))


def test_each_client_over_curve_comes_from_an_address_of_its_own(
    publisher: tuple["zmq.Socket[bytes]", Address],
) -> None:
    cover = publisher[1].cover
    assert cover is not None
    sources = {cover.source(f"receiver-{number}") for number in range(1_000)}
    assert len(sources) > 990
    receiver = subscribed(publisher[1])
    assert isinstance(receiver.sock, Covered)
    assert receiver.sock.sock.getsockname()[0] == cover.source("receiver-0")[0]  # type: ignore[index]
    receiver.close()
