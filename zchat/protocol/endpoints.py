"""The endpoints of the two sockets: checking them, advertising them, and resolving advertised ones; and HOST:PORT.

A broker may listen on all addresses of its machine, and cannot know which of them a client uses. So its `welcome`
advertises `tcp://*:PORT`, and the client replaces `*` by the host at which it reached the broker.
"""

import ipaddress
from urllib.parse import urlsplit

from zchat.errors import BadEndpointError

PORT_MAX = 65_535


def check(endpoint: str, first_port: int = 1) -> None:
    """Reject an invalid endpoint. Raises BadEndpointError. (libzmq would truncate a port above 65,535 to 16 bits.)

    `first_port` is 0 where port 0 is allowed and means any free port.
    """
    scheme, _, rest = endpoint.partition("://")
    if scheme not in {"tcp", "ipc", "inproc"} or not rest:
        raise BadEndpointError(endpoint, "it begins with neither tcp:// nor ipc://")
    port = rest.rpartition(":")[2]
    if scheme == "tcp" and not (port.isascii() and port.isdigit() and first_port <= int(port) <= PORT_MAX):
        raise BadEndpointError(endpoint, f"its port is not a number from {first_port} to {PORT_MAX}")


def is_local(endpoint: str) -> bool:
    """Return whether only this machine can reach an endpoint."""
    if not endpoint.startswith("tcp://"):
        return endpoint.startswith(("ipc://", "inproc://"))
    host = endpoint[len("tcp://") :].rpartition(":")[0].strip("[]")
    return host == "lo" or is_loopback(host)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host: a name, or an address without brackets."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split(text: str) -> tuple[str, int]:
    """Read HOST:PORT, an IPv6 address in brackets; the host may be empty. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        raise ValueError(f"{text!r} is no HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def joined(host: str, port: int) -> str:
    """Write HOST:PORT, an IPv6 address in brackets."""
    return f"{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """Write a host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def advertised(endpoint: str) -> str:
    """Return the form of a bound endpoint that clients are told: `tcp://*:PORT` if it is open on all addresses."""
    parts = urlsplit(endpoint)
    return f"tcp://*:{parts.port}" if parts.hostname in {"0.0.0.0", "::", "*"} else endpoint  # noqa: S104


def reachable(feed: str, broker: str) -> str:
    """Return the feed's endpoint as this client reaches it: in `tcp://*:PORT`, `*` means the host of `broker`."""
    if not feed.startswith("tcp://*:"):
        return feed
    host = broker.removeprefix("tcp://").rpartition(":")[0] if broker.startswith("tcp://") else "127.0.0.1"
    return f"tcp://{host}:{feed.rpartition(':')[2]}"
