"""Opening the broker's two sockets, and the measures against weaknesses of libzmq.

The weaknesses, and what is done about each (measured with libzmq 4.3.5):

- **Guessing the next automatic routing id.** libzmq counts automatic ids up from `rand()`, which nobody seeds. If a
  peer chooses the next automatic id for itself, and then another peer connects without an id, libzmq aborts the
  process. We seed `rand()`, so that the next id has to be guessed among four thousand million. (A peer that can connect
  often enough could still try them all. Then a supervisor restarts the broker, and nothing is lost.)
- **Taking over the routing id of a connection that is gone.** The new connection speaks as the old one's session, until
  that has timed out. Automatic ids are not visible to others. A client that chooses its own id trusts those who know
  it.
- **Connecting under a routing id that is in use.** libzmq ignores the new connection, does not refuse it, and keeps 5
  to 11 KB of it for good (zeromq/libzmq issue 4503). `ROUTER_HANDOVER` would end the first connection instead: then
  whoever guesses or knows an id would get its session. So only a transport that authenticates can protect this memory.
- **Messages without an end.** `MAXMSGSIZE` ends a connection that sends a larger frame. It limits a frame, not a
  message of endless frames. `connections.py` finds those over TCP. (Over `ipc` the kernel does not count bytes; but
  there the peer is the same user.)
- **Peers that stop reading.** What is queued for them is kept. `SNDHWM` bounds the number of messages, `connections.py`
  the bytes, and `TCP_MAXRT` ends a connection that accepted nothing for half a minute. TCP keepalive finds hosts that
  are gone. ZMTP heartbeats are not used: peers of a few lines do not answer them.
- **Binding twice to an `ipc` path.** A second bind to a live path would steal it silently, and the socket file's mode
  would follow the umask. We check for the first and set the mode.
"""

import contextlib
import ctypes
import errno
import os
import resource
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import zmq

from zchat.errors import AddressInUseError, BadEndpointError, FolderError, InsecureError
from zchat.protocol import endpoints
from zchat.protocol import messages as m

REPLIES_QUEUED = 256  # messages, of up to 256 KiB, queued for one peer before its session is ended as slow
PARTS_QUEUED = 1_000  # PUB messages, of up to 128 KiB, queued for one subscriber before it loses some
SUBSCRIPTION_MAX = 1_024  # bytes: the topic of the longest room name takes 262
BACKLOG = 4_096  # connections waiting to be accepted: after a restart all clients connect at once
STUCK = 30_000  # ms for which a connection may accept nothing before it is ended
LINGER = 1_000  # ms for which closing waits for queued messages to be sent
DESCRIPTORS_KEPT = 64  # for files, the listening sockets and libzmq itself
IO_THREADS = 2  # a message to a hundred subscribers is a hundred system calls: two threads deliver it sooner
DESCRIPTORS_EACH = 2  # per client: one connection to each socket


def context(listen: str, closing: contextlib.ExitStack) -> zmq.Context[zmq.Socket[bytes]]:
    """Return a new context that `closing` terminates; for `inproc`, the context that the whole process shares."""
    if listen.startswith("inproc://"):
        return zmq.Context.instance()
    own: zmq.Context[zmq.Socket[bytes]] = zmq.Context(IO_THREADS)
    closing.callback(own.term)
    return own


def router(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, insecure: bool) -> zmq.Socket[bytes]:
    """Open the ROUTER socket for commands. Raises AddressInUseError, BadEndpointError, InsecureError."""
    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4), "little"))
    options: dict[zmq.SocketOption, int] = {
        zmq.ROUTER_MANDATORY: 1,
        zmq.MAXMSGSIZE: m.FRAME_MAX,
        zmq.SNDHWM: REPLIES_QUEUED,
        zmq.TCP_MAXRT: STUCK,
    }
    return _open(context, zmq.ROUTER, endpoint, "--listen", insecure, options)


def publisher(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, insecure: bool) -> zmq.Socket[bytes]:
    """Open the PUB socket for events. Raises the same errors as `router`."""
    options: dict[zmq.SocketOption, int] = {
        zmq.MAXMSGSIZE: SUBSCRIPTION_MAX,
        zmq.SNDHWM: PARTS_QUEUED,
        zmq.TCP_MAXRT: STUCK,
    }
    return _open(context, zmq.PUB, endpoint, "--publish", insecure, options)


def _open(
    context: zmq.Context[zmq.Socket[bytes]],
    kind: int,
    endpoint: str,
    option: str,
    insecure: bool,
    options: Mapping[zmq.SocketOption, int],
) -> zmq.Socket[bytes]:
    endpoints.check(endpoint, first_port=0)
    if not (insecure or endpoints.is_local(endpoint)):
        raise InsecureError(endpoint)
    new = context.socket(kind)
    try:
        for name, value in options.items():
            new.set(name, value)
        new.set(zmq.BACKLOG, BACKLOG)
        new.set(zmq.LINGER, LINGER)
        new.set(zmq.IPV6, 1 if "[" in endpoint else 0)
        new.set(zmq.TCP_KEEPALIVE, 1)
        new.set(zmq.TCP_KEEPALIVE_IDLE, 60)
        with _private(endpoint, option):
            new.bind(endpoint)
    except zmq.ZMQError as error:
        new.close(0)
        if error.errno == zmq.EADDRINUSE:
            raise AddressInUseError(endpoint, option, port_owner(endpoint)) from None
        if error.errno == errno.ENOENT and endpoint.startswith("ipc://"):
            raise FolderError(Path(endpoint[len("ipc://") :]).parent, "there is no such folder", option) from None
        raise BadEndpointError(endpoint, error.strerror) from None
    except BaseException:
        new.close(0)
        raise
    return new


def bound(opened: zmq.Socket[bytes]) -> str:
    """Return the endpoint on which a socket really listens, with port 0 resolved."""
    return str(opened.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")


def port_owner(endpoint: str) -> str:
    """Return which process uses the port of an endpoint; empty if the system does not tell."""
    port = endpoint.rpartition(":")[2]
    if not endpoint.startswith("tcp://") or not port.isdigit():
        return ""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == int(port) and connection.pid:
                return f"process {connection.pid} ({' '.join(psutil.Process(connection.pid).cmdline()[:4])})"
    return ""


def max_clients() -> int:
    """Raise the limit of open files to the maximum allowed. Return how many clients that suffices for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1_048_576 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (soft - DESCRIPTORS_KEPT) // DESCRIPTORS_EACH)


@contextlib.contextmanager
def _private(endpoint: str, option: str) -> Iterator[None]:
    """Bind an `ipc` socket within this context: its file is private to the owner, and no live socket is replaced."""
    path = endpoint.removeprefix("ipc://")
    if path == endpoint or path.startswith("@"):
        yield
        return
    if _answers(path):
        raise AddressInUseError(endpoint, option)
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _answers(path: str) -> bool:
    """Return whether somebody listens on a socket file. A file that is no socket counts as in use, too."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return True
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
