"""A zchat broker of a cluster: three nodes that write each message to disk, and a broker beside them.

What is measured is the broker's process alone. It is this program that becomes the broker once the nodes answer; they
end with it, however it ends.
"""

import os
import socket
import subprocess
import sys
import time
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


def _nodes(folder: Path) -> str:
    """Start the nodes; return where the first one is."""
    from zchat.broker.cluster import node  # noqa: PLC0415 - an extra

    ports = _free()
    clients, routes = ports[:NODES], ports[NODES:]
    known = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    for number, (client, route) in enumerate(zip(clients, routes, strict=True)):
        config = folder / f"n{number}.conf"
        config.write_text(f"""
            server_name: n{number}
            listen: "127.0.0.1:{client}"
            jetstream {{ store_dir: "{folder}/n{number}", sync_interval: always }}
            cluster {{ name: bench, listen: "127.0.0.1:{route}", routes: [{known}] }}
        """)
        command = ["setpriv", "--pdeathsig", "KILL", str(node.server()), "-c", str(config)]
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START
    for client in clients:
        while True:
            try:
                socket.create_connection(("127.0.0.1", client), timeout=1.0).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
    return f"nats://127.0.0.1:{clients[0]}"


def _become(folder: Path, host: str, port: str) -> None:
    """Start the nodes, and be the broker."""
    where = ("--cluster", _nodes(folder), "--name", "a")
    command = broker(folder, "--listen", f"tcp://{host}:{port}", *where)
    os.execv(command[0], command)


SEVERAL = replace(ZCHAT, name="zchat, one of several", command=_command)

if __name__ == "__main__":
    _become(Path(sys.argv[1]), *sys.argv[2:])
