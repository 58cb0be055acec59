"""How the addresses of the two sockets are written, told to clients, and understood by them.

A broker may listen on every address of its machine, and cannot know under which one a client sees it. So it tells
`tcp://*:PORT` in its `welcome`, and the client puts there the host at which it found the broker.
"""

import ipaddress
from urllib.parse import urlsplit

from zchat.errors import BadEndpointError

PORT_MAX = 65_535


def check(endpoint: str, first_port: int = 1) -> None:
    """Refuse what libzmq would take for something else: it cuts a port to 16 bits. Raises BadEndpointError.

    `first_port` is 0 where a port of 0 may stand for a free one.
    """
    scheme, _, rest = endpoint.partition("://")
    if scheme not in {"tcp", "ipc", "inproc"} or not rest:
        raise BadEndpointError(endpoint, "it begins with neither tcp:// nor ipc://")
    port = rest.rpartition(":")[2]
    if scheme == "tcp" and not (port.isascii() and port.isdigit() and first_port <= int(port) <= PORT_MAX):
        raise BadEndpointError(endpoint, f"its port is not a number from {first_port} to {PORT_MAX}")


def is_local(endpoint: str) -> bool:
    """Tell whether only this machine can reach an endpoint."""
    if not endpoint.startswith("tcp://"):
        return endpoint.startswith(("ipc://", "inproc://"))
    host = endpoint[len("tcp://") :].rpartition(":")[0].strip("[]")
    if host in {"localhost", "lo"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def advertised(endpoint: str) -> str:
    """Return a bound endpoint as a client should be told: `tcp://*:PORT` when it is open on every address."""
    parts = urlsplit(endpoint)
    return f"tcp://*:{parts.port}" if parts.hostname in {"0.0.0.0", "::", "*"} else endpoint  # noqa: S104


def reachable(feed: str, broker: str) -> str:
    """Return the feed's endpoint as this client reaches it: `tcp://*:PORT` is at the host that `broker` names."""
    if not feed.startswith("tcp://*:"):
        return feed
    host = broker.removeprefix("tcp://").rpartition(":")[0] if broker.startswith("tcp://") else "127.0.0.1"
    return f"tcp://{host}:{feed.rpartition(':')[2]}"
