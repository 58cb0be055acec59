"""What may be listened on, and what is said when it may not."""

import socket
import stat
from pathlib import Path

import pytest
import zmq

from zchat.broker import sockets
from zchat.errors import AddressInUseError, BadEndpointError, FolderError, InsecureError
from zchat.protocol import endpoints


def test_an_address_that_others_reach_wants_the_option_that_says_so() -> None:
    with zmq.Context() as context:
        with pytest.raises(InsecureError, match="--insecure"):
            sockets.router(context, "tcp://*:0", insecure=False)
        with sockets.router(context, "tcp://*:0", insecure=True) as router:
            endpoint = sockets.bound(router)
    assert endpoints.advertised(endpoint) == f"tcp://*:{endpoint.rpartition(':')[2]}"


def test_a_taken_port_is_told_with_its_holder_and_the_way_out() -> None:
    with zmq.Context() as context, socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressInUseError, match=r"process \d+ .*--publish"):
            sockets.publisher(context, endpoint, insecure=False)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1", "127.0.0.1:5555", "tcp://127.0.0.1:x", "http://x", ""])
def test_what_is_no_endpoint_is_told(endpoint: str) -> None:
    with zmq.Context() as context, pytest.raises(BadEndpointError):
        sockets.router(context, endpoint, insecure=True)


def test_a_folder_that_is_missing_is_named_with_the_option(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/nowhere/in"
    with zmq.Context() as context, pytest.raises(FolderError, match=r"nowhere cannot be used.*--listen"):
        sockets.router(context, endpoint, insecure=False)


def test_an_ipc_socket_is_its_owners_and_is_not_stolen(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/in"
    with zmq.Context() as context:
        with sockets.router(context, endpoint, insecure=False):
            assert stat.S_IMODE((tmp_path / "in").stat().st_mode) == 0o600
            with pytest.raises(AddressInUseError):
                sockets.router(context, endpoint, insecure=False)
        (tmp_path / "file").write_text("precious")
        with pytest.raises(AddressInUseError):
            sockets.router(context, f"ipc://{tmp_path}/file", insecure=False)
    assert (tmp_path / "file").read_text() == "precious"


def test_the_socket_file_of_a_dead_broker_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "in"))
    with zmq.Context() as context, sockets.router(context, f"ipc://{tmp_path}/in", insecure=False) as router:
        assert sockets.bound(router) == f"ipc://{tmp_path}/in"
