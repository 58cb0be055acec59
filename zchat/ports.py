"""What a server needs of the system: a TCP port, or the name of whoever has it, and as many open files as there may be.

A broker serves its numbers so, and gateways the page and hosts of agents. (Where a broker's clients come in, libzmq
listens: `broker/sockets.py`.)
"""

import contextlib
import errno
import ipaddress
import os
import resource
import socket

import psutil

from zchat.errors import AddressInUseError, UsageError
from zchat.protocol import endpoints

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 — what somebody asks for who names no host
UNLIMITED = 1_048_576  # open files where the system sets no limit: more than any of our servers uses


class BadAddressError(UsageError):
    """An address at which nothing can listen. `option` is where it was given, `form` how it is written there."""

    def __init__(self, address: str, why: str, option: str, form: str) -> None:
        self.address, self.why = address, why
        super().__init__(f"{address!r} is not an address for {option} ({why}). Write {form}.")


def form(example: int) -> str:
    """Return how an address is written, with such a port."""
    return f"HOST:PORT or PORT, as in {LOOPBACK}:{example}"


def split(address: str, option: str, form: str) -> tuple[str, int]:
    """Read HOST:PORT, the host may be empty, or PORT alone: that is one of loopback. Raises BadAddressError."""
    try:
        return endpoints.split(f"{LOOPBACK}:{address}" if ":" not in address else address)
    except ValueError:
        raise BadAddressError(address, f"its port is no number up to {endpoints.PORT_MAX:,}", option, form) from None


def listen(host: str, port: int, option: str, form: str, *, backlog: int = 128) -> socket.socket:
    """Return a socket that listens and does not block. A port of 0 picks a free one.

    No host, or `*`, is every address of IPv4, and `::` every one. Raises BadAddressError, AddressInUseError.
    """
    host = EVERYWHERE if host in ("", "*") else host
    address = endpoints.joined(host, port)
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        opened = socket.create_server(where[:2], family=family, backlog=backlog, dualstack_ipv6=both)
    except socket.gaierror as error:
        raise BadAddressError(address, str(error.strerror).lower(), option, form) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressInUseError(address, option, port_owner(f"tcp://{address}")) from None
        why = os.strerror(error.errno).lower() if error.errno else str(error)  # Python's text repeats the address
        raise BadAddressError(address, why, option, form) from None
    opened.setblocking(False)
    return opened


def port_owner(endpoint: str) -> str:
    """Return which process has the port of an endpoint at its address; empty if the system does not tell."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    if not endpoint.startswith("tcp://") or not port.isdigit():
        return ""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status != psutil.CONN_LISTEN or not connection.pid or not local or local.port != int(port):
                continue
            if _clash(host.strip("[]"), local.ip):
                return f"process {connection.pid} ({' '.join(psutil.Process(connection.pid).cmdline()[:4])})"
    return ""


def _clash(host: str, taken: str) -> bool:
    """Return whether one cannot listen at a host where another listens at an address; True if that is not known."""
    try:
        wanted, other = ipaddress.ip_address(host), ipaddress.ip_address(taken)
    except ValueError:
        return True  # a name, or `*`
    return wanted == other or wanted.is_unspecified or other.is_unspecified


def open_files() -> int:
    """Return how many files, connections among them, this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_open_files() -> int:
    """Raise that limit as far as it goes, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return open_files()
