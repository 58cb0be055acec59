"""Opening the broker's two sockets, and the measures against weaknesses of libzmq.

The weaknesses, and what is done about each (measured with libzmq 4.3.5):

- **Guessing the next automatic routing id.** libzmq counts automatic ids up from `rand()`, which nobody seeds. If a
  peer chooses the next automatic id for itself, and then another peer connects without an id, libzmq aborts the
  process. We seed `rand()`, so that the next id has to be guessed among four thousand million. (A peer that can connect
  often enough could still try them all. Then a supervisor restarts the broker, and nothing is lost.)
- **Taking over the routing id of a connection that is gone.** The new connection speaks as the old one's session, until
  that has timed out. Automatic ids are not visible to others. A guest that chooses its own id trusts those who know it.
  Whoever has proved who it is loses nothing by that: neither its session nor what is sent to it goes to another.
- **Connecting under a routing id that is in use.** libzmq ignores the new connection, does not refuse it, and keeps 5
  to 11 KB of it for good (zeromq/libzmq issue 4503). `ROUTER_HANDOVER` would end the first connection instead: then
  whoever guesses or knows an id would get its session. So only a transport that authenticates can protect this memory.
- **Messages without an end.** `MAXMSGSIZE` ends a connection that sends a larger frame. It limits a frame, not a
  message of endless frames. `connections.py` finds those over TCP. (Over `ipc` the kernel does not count bytes: a user
  of this machine who may enter the folder of the socket file is trusted that far.)
- **Subscriptions without an end.** libzmq keeps some 50 bytes for each byte of a topic. `subscribers.py` counts what
  each connection subscribes to, and ends those that go too far. It looks ten times a second: what arrives in between
  is in memory until then. One that floods and comes back at once took up to 0.7 GiB for a while, and nobody's turn
  was later than 0.2 s.
- **Running out of descriptors.** `tcp` waits then, but the listener of an `ipc` endpoint aborts the process. `crowd.py`
  keeps some free, and ends connections that say nothing.
- **Nobody who answers who may come in.** Without a handler libzmq would let everybody in. The sockets enforce their
  domains, and the handler's socket is opened before them.
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
import socket
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import zmq

from zchat import ports
from zchat.errors import AddressInUseError, BadEndpointError, FolderError
from zchat.protocol import messages as m

from . import admission
from .crowd import spare
from .doors import KINDS, Door, Kind
from .keys import KeyPair

REPLIES_QUEUED = 256  # messages, of up to 256 KiB, queued for one peer before its session is ended as slow
PARTS_QUEUED = 1_000  # PUB messages, of up to 128 KiB, queued for one subscriber before it loses some
SUBSCRIPTION_MAX = 1_024  # bytes: the topic of the longest room name takes 262
BACKLOG = 4_096  # connections waiting to be accepted: after a restart all clients connect at once
STUCK = 30_000  # ms for which a connection may accept nothing before it is ended
SHAKE_HANDS = 5_000  # ms for a handshake; also, how long whoever is told to come later waits for that
LINGER = 1_000  # ms for which closing waits for queued messages to be sent
DESCRIPTORS_KEPT = 64  # for files, the listening sockets and libzmq itself
IO_THREADS = 2  # a message to a hundred subscribers is a hundred system calls: two threads deliver it sooner
DESCRIPTORS_EACH = 2  # per client: one connection to each socket


class Opened(NamedTuple):
    """A socket, and where it is bound: one endpoint for each door."""

    socket: "zmq.Socket[bytes]"
    endpoints: tuple[str, ...]


def context(doors: Sequence[Door], closing: contextlib.ExitStack) -> "zmq.Context[zmq.Socket[bytes]]":
    """Return a new context that `closing` terminates; for `inproc`, the context that the whole process shares."""
    if any(door.listen.startswith("inproc://") for door in doors):
        return zmq.Context.instance()
    own: zmq.Context[zmq.Socket[bytes]] = zmq.Context(IO_THREADS)
    closing.callback(own.term)
    return own


Options = Mapping[zmq.SocketOption, int]


def router(context: "zmq.Context[zmq.Socket[bytes]]", doors: Sequence[Door], keys: KeyPair | None) -> Opened:
    """Open the ROUTER socket for commands at all doors. Return it, and where it is bound, in the order of the doors.

    `keys` are needed for a door of the kind `key`. Raises AddressInUseError, BadEndpointError, FolderError.
    """
    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4), "little"))
    options: Options = {
        zmq.ROUTER_MANDATORY: 1,
        zmq.MAXMSGSIZE: m.FRAME_MAX,
        zmq.SNDHWM: REPLIES_QUEUED,
        zmq.TCP_MAXRT: STUCK,
    }
    return _open(context, zmq.ROUTER, [(door.kind, door.listen) for door in doors], False, keys, options)


def publisher(context: "zmq.Context[zmq.Socket[bytes]]", doors: Sequence[Door], keys: KeyPair | None) -> Opened:
    """Open the XPUB socket for events at all doors, like `router`."""
    options: Options = {
        zmq.MAXMSGSIZE: SUBSCRIPTION_MAX,
        zmq.SNDHWM: PARTS_QUEUED,
        zmq.TCP_MAXRT: STUCK,
        zmq.XPUB_VERBOSER: 1,
    }
    return _open(context, zmq.XPUB, [(door.kind, door.publish) for door in doors], True, keys, options)


def _open(
    context: "zmq.Context[zmq.Socket[bytes]]",
    type_: int,
    wanted: list[tuple[Kind, str]],
    feed: bool,
    keys: KeyPair | None,
    options: Options,
) -> Opened:
    new = context.socket(type_)
    try:
        for name, value in options.items():
            new.set(name, value)
        new.set(zmq.BACKLOG, BACKLOG)
        new.set(zmq.LINGER, LINGER)
        new.set(zmq.HANDSHAKE_IVL, SHAKE_HANDS)
        new.set(zmq.TCP_KEEPALIVE, 1)
        new.set(zmq.TCP_KEEPALIVE_IDLE, 60)
        found = [""] * len(wanted)
        for place in sorted(range(len(wanted)), key=lambda place: KINDS.index(wanted[place][0])):
            kind, endpoint = wanted[place]
            _prove(new, kind, feed, keys)
            found[place] = _bind(new, endpoint, "--publish" if feed else "--listen")
    except BaseException:
        new.close(0)
        raise
    return Opened(new, tuple(found))


def _prove(new: "zmq.Socket[bytes]", kind: Kind, feed: bool, keys: KeyPair | None) -> None:
    """Set how one proves who one is where the socket is bound next: libzmq copies its options into a listener."""
    if kind == "guest":
        return
    new.set(zmq.ZAP_DOMAIN, admission.domain(kind, feed))
    new.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
    if kind == "key":
        assert keys is not None  # noqa: S101 — whoever has such a door has keys
        new.set(zmq.CURVE_SERVER, 1)
        new.set(zmq.CURVE_SECRETKEY, keys.secret)


def _bind(new: "zmq.Socket[bytes]", endpoint: str, option: str) -> str:
    """Bind a socket. Return the endpoint on which it really listens, with port 0 resolved."""
    new.set(zmq.IPV6, 1 if "[" in endpoint else 0)
    try:
        with _private(endpoint, option):
            new.bind(endpoint)
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise AddressInUseError(endpoint, option, ports.port_owner(endpoint)) from None
        if error.errno == errno.ENOENT and endpoint.startswith("ipc://"):
            raise FolderError(Path(endpoint[len("ipc://") :]).parent, "there is no such folder", option) from None
        raise BadEndpointError(endpoint, error.strerror) from None
    return str(new.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")


def max_clients() -> int:
    """Raise the limit of open files to the maximum allowed. Return how many clients that suffices for."""
    limit = ports.raise_open_files()
    return max(1, (limit - spare(limit) - DESCRIPTORS_KEPT) // DESCRIPTORS_EACH)


@contextlib.contextmanager
def _private(endpoint: str, option: str) -> Iterator[None]:
    """Bind an `ipc` socket within this context: no live socket is replaced.

    Its file is private to its owner, unless only the owner makes files in its folder: then whoever may enter the folder
    may connect.
    """
    path = endpoint.removeprefix("ipc://")
    if path == endpoint or path.startswith("@"):
        yield
        return
    if _answers(path):
        raise AddressInUseError(endpoint, option)
    before = os.umask(0o111 if _is_ours(Path(path).parent) else 0o177)
    try:
        yield
    finally:
        os.umask(before)


def _is_ours(folder: Path) -> bool:
    """Return whether a folder is this user's, and not everybody makes files in it."""
    with contextlib.suppress(OSError):
        found = folder.stat()
        return found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWOTH
    return False


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
