"""Machines of a cluster on loopback, for tests that need real nodes.

A block of ports is a test's own as long as it holds the lock on a file that is called by it: tests run side by side,
also those of several checkouts. The blocks lie below the ports that the system gives to whoever calls somebody.
"""

import contextlib
import fcntl
import importlib.util
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zchat.broker.cluster import folder, node
from zchat.broker.cluster.folder import Folder, Machine
from zchat.extras import MissingExtraError

FIRST, BLOCK, BLOCKS = 21_000, 200, 50
NAMES = ("a", "b", "c")


def missing() -> str:
    """Return why no nodes can run here; "" if they can."""
    try:
        node.server()
    except (MissingExtraError, node.BadServerError) as error:
        return str(error)
    return "" if importlib.util.find_spec("nats") else "nats-py is not installed"


needs_nodes = pytest.mark.skipif(bool(missing()), reason=missing())


@contextlib.contextmanager
def ports() -> Iterator[Machine]:
    """Reserve ports for some machines at one host; yield a machine with those of the first."""
    for first in range(FIRST, FIRST + BLOCK * BLOCKS, BLOCK):
        where = os.open(Path(tempfile.gettempdir()) / f"zchat-test-ports-{first}", os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(where, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if all(map(_free, range(first, first + BLOCK))):
                yield Machine("", "", first, first + 60, first + 120)
                return
        except BlockingIOError:
            pass  # another test has these
        finally:
            os.close(where)
    pytest.fail("there are no ports left for the machines of a cluster")


@contextlib.contextmanager
def machines(where: Path, names: tuple[str, ...] = NAMES) -> Iterator[dict[str, Folder]]:
    """Make the folder of a cluster; at the end the nodes that run are stopped."""
    with ports() as first:
        folder.create(where, folder.plan([f"{name}=127.0.0.1" for name in names], first))
        made = {name: folder.read(where / name) for name in names}
        try:
            yield made
        finally:
            for each in made.values():
                node.stop(each)


def _free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
