"""A zchat broker of a cluster: three nodes that write each message to disk, and a broker beside them.

What is measured is the broker's process alone. It is this program that becomes the broker once the nodes answer; they
end with it, however it ends.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .stream import Address
from .zchat import ZCHAT, broker

NODES = 3
START = 30.0  # s


def _command(folder: Path, address: Address) -> list[str]:
    found = f"PYTHONPATH={Path(__file__).parents[1]}"
    return ["env", found, sys.executable, "-m", "peers.several", str(folder), address.host, str(address.port)]


def _free() -> list[int]:
    """Return ports for the nodes' clients and routes."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2 * NODES)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextlib.contextmanager
def nodes(folder: Path) -> Iterator[str]:
    """Run the nodes, and return where the first one is. They end with this process, or with the context."""
    from zchat.broker.cluster import node  # noqa: PLC0415 - an extra

    ports = _free()
    clients, routes = ports[:NODES], ports[NODES:]
    known = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    running = []
    try:
        for number, (client, route) in enumerate(zip(clients, routes, strict=True)):
            config = folder / f"n{number}.conf"
            config.write_text(f"""
                server_name: n{number}
                listen: "127.0.0.1:{client}"
                jetstream {{ store_dir: "{folder}/n{number}", sync_interval: always }}
                cluster {{ name: bench, listen: "127.0.0.1:{route}", routes: [{known}] }}
            """)
            command = ["setpriv", "--pdeathsig", "KILL", str(node.server()), "-c", str(config)]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for client in clients:
            _wait(client)
        yield f"nats://127.0.0.1:{clients[0]}"
    finally:
        for each in running:
            each.kill()
            each.wait()


def _wait(port: int) -> None:
    """Wait until a node takes connections."""
    deadline = time.monotonic() + START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _become(folder: Path, host: str, port: str) -> None:
    """Start the nodes, and be the broker."""
    with nodes(folder) as server:
        command = broker(folder, "--listen", f"tcp://{host}:{port}", "--cluster", server, "--name", "a")
        os.execv(command[0], command)


SEVERAL = replace(ZCHAT, name="zchat, one of several", command=_command)

if __name__ == "__main__":
    _become(Path(sys.argv[1]), *sys.argv[2:])
