"""What may be listened on, and what is said when it may not."""

import socket
import stat
from pathlib import Path

import pytest
import zmq

from zchat.broker import doors, keys, sockets
from zchat.errors import AddressInUseError, BadEndpointError, FolderError


def opened(context: "zmq.Context[zmq.Socket[bytes]]", listen: str, publish: str | None = None) -> sockets.Opened:
    return sockets.router(context, doors.plan(listen, publish), keys.fresh())


def test_a_taken_port_is_told_with_its_holder_and_the_way_out() -> None:
    with zmq.Context() as context, socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressInUseError, match=r"process \d+ .*--publish"):
            sockets.publisher(context, doors.plan("tcp://127.0.0.1:0", endpoint), None)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1", "127.0.0.1:5555", "tcp://127.0.0.1:x", "http://x", ""])
def test_what_is_no_endpoint_is_told(endpoint: str) -> None:
    with zmq.Context() as context, pytest.raises(BadEndpointError):
        opened(context, endpoint)


def test_a_folder_that_is_missing_is_named_with_the_option(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/nowhere/in"
    with zmq.Context() as context, pytest.raises(FolderError, match=r"nowhere cannot be used.*--listen"):
        opened(context, endpoint)


def test_who_may_enter_the_folder_of_an_ipc_socket_may_connect_unless_anybody_makes_files_there(
    tmp_path: Path,
) -> None:
    for mode, expected in ((0o700, 0o666), (0o755, 0o666), (0o1777, 0o600)):
        tmp_path.chmod(mode)
        with zmq.Context() as context, opened(context, f"ipc://{tmp_path}/in").socket:
            assert stat.S_IMODE((tmp_path / "in").stat().st_mode) == expected


def test_an_ipc_socket_is_not_stolen(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/in"
    with zmq.Context() as context:
        with opened(context, endpoint).socket, pytest.raises(AddressInUseError):
            opened(context, endpoint)
        (tmp_path / "file").write_text("precious")
        with pytest.raises(AddressInUseError):
            opened(context, f"ipc://{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "precious"


def test_the_socket_file_of_a_dead_broker_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "in"))
    with zmq.Context() as context:
        router, where = opened(context, f"ipc://{tmp_path}/in")
        with router:
            assert where == (f"ipc://{tmp_path}/in",)
