"""Ports: where a server of ours listens, and what is told when it cannot."""

import os
import socket

import pytest

from zchat import ports
from zchat.errors import AddressInUseError

OPTION, FORM = "--listen", "HOST:PORT, as in 127.0.0.1:8080"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        (":80", ("", 80)),
        ("*:80", ("*", 80)),
        ("80", ("127.0.0.1", 80)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert ports.split(text, OPTION, FORM) == expected


@pytest.mark.parametrize("wrong", ["host", "host:", "host:65536", "65536", "host:-1", "host:²", ""])
def test_what_is_no_address_is_told_with_how_one_is_written(wrong: str) -> None:
    with pytest.raises(ports.BadAddressError, match=r"is not an address for --listen .* Write HOST:PORT, as in"):
        ports.split(wrong, OPTION, FORM)


def test_a_port_that_is_taken_is_told_with_who_has_it() -> None:
    taken = pytest.raises(AddressInUseError, match=rf"is taken by process {os.getpid()} .* with --listen")
    with ports.listen("127.0.0.1", 0, OPTION, FORM) as first, taken:
        ports.listen("127.0.0.1", first.getsockname()[1], OPTION, FORM)


@pytest.mark.parametrize("host", ["192.0.2.1", "host.invalid"])
def test_an_address_that_is_not_this_machines_is_not_said_to_be_taken(host: str) -> None:
    with pytest.raises(ports.BadAddressError, match=rf"'{host}:8080' is not an address for --listen"):
        ports.listen(host, 8080, OPTION, FORM)


@pytest.mark.parametrize(("host", "where"), [("", "0.0.0.0"), ("*", "0.0.0.0"), ("127.0.0.1", "127.0.0.1")])
def test_without_a_host_it_is_every_address(host: str, where: str) -> None:
    with ports.listen(host, 0, OPTION, FORM) as opened:
        assert opened.getsockname()[0] == where


@pytest.mark.parametrize(
    ("listens", "wanted", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),  # another has the same port at another address
        ("127.0.0.1", "*", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "[::1]", False),
    ],
)
def test_who_has_a_port_is_looked_for_at_its_address(listens: str, wanted: str, clash: bool) -> None:
    with socket.create_server((listens, 0)) as taken:
        found = ports.port_owner(f"tcp://{wanted}:{taken.getsockname()[1]}")
        assert (f"process {os.getpid()} " in found) == clash
