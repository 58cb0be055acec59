"""Opening the broker's two sockets, with what libzmq leaves open closed as far as it can be.

What is done, and against what (measured with libzmq 4.3.5):

- A peer that takes the next automatic routing id aborts the process when another peer then connects without an id:
  libzmq counts those ids up from `rand()`, which nobody seeds. We seed it, so that the next id has to be guessed
  among four thousand million. (Who can connect often enough could still sweep; a supervisor restarts the broker,
  and nothing is lost.)
- Who connects under the routing id of a connection that is gone speaks as its session until that has timed out.
  Automatic ids cannot be seen by others; a client that chooses its own trusts those who know it.
- Who connects under a routing id that is in use is ignored, not refused, and libzmq keeps 5 to 11 KB of that connection
  for good (zeromq/libzmq issue 4503). `ROUTER_HANDOVER` would end the first one instead: whoever guesses or knows an id
  had its session. So the memory of who only connects is for a transport that authenticates to protect.
- `MAXMSGSIZE` ends a connection that sends a larger frame. It counts a frame, not a message of endless frames: those
  are found in `connections.py`, over TCP. (Over `ipc` the kernel does not count; but there it is the same user.)
- A peer that has stopped reading keeps what is in its pipe: `SNDHWM` bounds its messages, `connections.py` its bytes,
  and `TCP_MAXRT` ends the connection after half a minute in which it took nothing. TCP keepalive finds hosts that are
  gone. ZMTP heartbeats are not used: peers of a few lines do not answer them.
- A second bind to a live `ipc` path would steal it silently, and its file would follow the umask: both are seen to.
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

REPLIES_QUEUED = 256  # messages, of up to 256 KiB, that wait for one peer before its session is ended as slow
PARTS_QUEUED = 1_000  # PUB messages, of up to 128 KiB, that wait for one subscriber before it loses some
SUBSCRIPTION_MAX = 1_024  # bytes: the longest room's topic takes 262
BACKLOG = 4_096  # connections waiting to be accepted: after a restart all come at once
STUCK = 30_000  # ms in which a connection takes nothing before it is ended
LINGER = 1_000  # ms that closing waits for what is still to be sent
DESCRIPTORS_KEPT = 64  # for files, the listening sockets and libzmq itself
IO_THREADS = 2  # a message for a hundred subscribers is a hundred system calls: by two it reaches the middle sooner
DESCRIPTORS_EACH = 2  # of a client: one connection to each socket


def context(listen: str, closing: contextlib.ExitStack) -> zmq.Context[zmq.Socket[bytes]]:
    """Return a context of the broker's own, ended by `closing`; for `inproc` the one that the whole process shares."""
    if listen.startswith("inproc://"):
        return zmq.Context.instance()
    own: zmq.Context[zmq.Socket[bytes]] = zmq.Context(IO_THREADS)
    closing.callback(own.term)
    return own


def router(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, insecure: bool) -> zmq.Socket[bytes]:
    """Open the socket that commands come in on. Raises AddressInUseError, BadEndpointError, InsecureError."""
    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4), "little"))
    options: dict[zmq.SocketOption, int] = {
        zmq.ROUTER_MANDATORY: 1,
        zmq.MAXMSGSIZE: m.FRAME_MAX,
        zmq.SNDHWM: REPLIES_QUEUED,
        zmq.TCP_MAXRT: STUCK,
    }
    return _open(context, zmq.ROUTER, endpoint, "--listen", insecure, options)


def publisher(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, insecure: bool) -> zmq.Socket[bytes]:
    """Open the socket that events go out on. Raises as `router` does."""
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
    """Return where a socket really listens: a port of 0 resolved."""
    return str(opened.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")


def port_owner(endpoint: str) -> str:
    """Say who has the port of an endpoint, as far as the system tells; empty if it does not."""
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
    """Raise the limit of open files to the highest allowed; return how many clients that carries."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1_048_576 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (soft - DESCRIPTORS_KEPT) // DESCRIPTORS_EACH)


@contextlib.contextmanager
def _private(endpoint: str, option: str) -> Iterator[None]:
    """While an `ipc` socket is bound: only for its owner, and never over a live one."""
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
    """Tell whether somebody listens on a socket file; what is no socket counts as taken too."""
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
