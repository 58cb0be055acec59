"""Which addresses can be used, who reaches them, and where a client finds the feed."""

import pytest

from zchat.errors import BadEndpointError
from zchat.protocol import endpoints


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("tcp://127.0.0.1:5555", True),
        ("tcp://127.8.9.1:5555", True),
        ("tcp://localhost:5555", True),
        ("tcp://[::1]:5555", True),
        ("ipc:///run/zchat", True),
        ("inproc://zchat", True),
        ("tcp://*:5555", False),
        ("tcp://0.0.0.0:5555", False),
        ("tcp://[::]:5555", False),
        ("tcp://192.0.2.1:5555", False),
        ("tcp://eth0:5555", False),
        ("tcp://localhost.example:5555", False),
    ],
)
def test_only_loopback_and_ipc_are_local(endpoint: str, local: bool) -> None:
    assert endpoints.is_local(endpoint) is local


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5555", "tcp://[::1]:65535", "tcp://host:1", "ipc://./a:b"])
def test_what_can_be_used_is_not_refused(endpoint: str) -> None:
    endpoints.check(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("nowhere", "neither tcp:// nor ipc://"),
        ("http://host:80", "neither tcp:// nor ipc://"),
        ("ipc://", "neither tcp:// nor ipc://"),
        ("tcp://host", "number from 1 to 65535"),
        ("tcp://host:port", "number from 1 to 65535"),
        ("tcp://host:-1", "number from 1 to 65535"),
        ("tcp://host:٥", "number from 1 to 65535"),
        ("tcp://host:65536", "number from 1 to 65535"),
        ("tcp://host:0", "number from 1 to 65535"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_reason(endpoint: str, why: str) -> None:
    with pytest.raises(BadEndpointError, match=why):
        endpoints.check(endpoint)


def test_who_listens_may_leave_the_port_to_the_system() -> None:
    endpoints.check("tcp://127.0.0.1:0", first_port=0)
    with pytest.raises(BadEndpointError, match="number from 0 to 65535"):
        endpoints.check("tcp://127.0.0.1:65536", first_port=0)


@pytest.mark.parametrize(
    ("bound", "told"),
    [
        ("tcp://0.0.0.0:5556", "tcp://*:5556"),
        ("tcp://[::]:5556", "tcp://*:5556"),
        ("tcp://192.0.2.1:5556", "tcp://192.0.2.1:5556"),
        ("ipc:///run/feed", "ipc:///run/feed"),
    ],
)
def test_an_address_open_to_all_is_told_without_its_host(bound: str, told: str) -> None:
    assert endpoints.advertised(bound) == told


@pytest.mark.parametrize(
    ("feed", "broker", "found"),
    [
        ("tcp://*:5556", "tcp://example.org:5555", "tcp://example.org:5556"),
        ("tcp://*:5556", "tcp://[2001:db8::1]:5555", "tcp://[2001:db8::1]:5556"),
        ("tcp://*:5556", "ipc:///run/broker", "tcp://127.0.0.1:5556"),
        ("tcp://192.0.2.1:5556", "tcp://example.org:5555", "tcp://192.0.2.1:5556"),
        ("ipc:///run/feed", "ipc:///run/broker", "ipc:///run/feed"),
    ],
)
def test_the_feed_is_at_the_host_where_the_broker_was_found(feed: str, broker: str, found: str) -> None:
    assert endpoints.reachable(feed, broker) == found


def test_a_host_and_a_port_are_read_and_written() -> None:
    assert endpoints.split("localhost:0") == ("localhost", 0)
    assert endpoints.split("[::1]:65535") == ("::1", 65_535)
    assert endpoints.split(":80") == ("", 80)
    assert endpoints.joined("::1", 80) == "[::1]:80"
    assert endpoints.joined("localhost", 80) == "localhost:80"
    for wrong in ("80", "a:b", "a:65536", "", "a:", "a:٣"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            endpoints.split(wrong)


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.9.9.9", True), ("::1", True), ("LocalHost", True), ("10.0.0.1", False), ("example.org", False), ("", False)],
)
def test_loopback_is_this_machine_alone(host: str, local: bool) -> None:
    assert endpoints.is_loopback(host) == local
