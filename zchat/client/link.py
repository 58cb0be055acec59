"""The two sockets of a client, and the one way to read them from asyncio that is fast.

A ZeroMQ socket has a file descriptor that says "something changed" once, not "there is something to read" as long as
there is. So after each wake-up the socket is read until it is empty, without waiting, and after each send, which may
have swallowed the signal for something that arrived, it is asked again. Reading is cut into slices between which
other tasks run. Awaiting each message on its own costs ten times as much.

The DEALER does not reconnect by itself. A monitor tells when its connection ends or cannot be made, and the
session decides when there shall be a new one: that is one place where retries are paced, and a socket that never
carries half a conversation into the next.

Where the broker has a key, both sockets are encrypted (CURVE): they know the broker by its key, and prove the device by
its own. The SUB connects again by itself, also while its handshakes fail: a monitor of it tells of those alone.

All links of a process share one ZeroMQ context, for each has threads of its own, and a gateway has a thousand links. It
is never terminated, so who closes a link waits for that link alone: the monitor of a socket that lingers tells when its
last lines have left.
"""

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from itertools import count

import zmq
from zmq.utils.monitor import parse_monitor_message

from zchat.errors import BadEndpointError
from zchat.protocol import links

from .core.handshake import Fault
from .identity import Identity

SLICE = 32  # messages read in one go: some 10,000 events, a few milliseconds
LINGER = 500  # ms that a closing socket may take to get its last lines, the `bye`, onto the network
HANDSHAKE_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
LOST = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED | HANDSHAKE_FAILED
ALERT = {  # where there are other brokers: the kernel asks after 2 s, and gives up after 5
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 2,
    zmq.TCP_KEEPALIVE_INTVL: 1,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.TCP_MAXRT: 5_000,  # ms for what was sent
}
CONNECT_MOST = 4_000  # ms for a connection over TCP: the kernel's next tries would be 7 and 15 s after the first
REFUSED = 400  # ZAP's status for "never"; 300 is "not now"
MAX_SOCKETS = 16_384  # of all links of a process; each has up to six, with its monitors

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]

_contexts: dict[int, Context] = {}  # by the process: that of a parent is of no use in its fork, and stays untouched
_making = threading.Lock()
_monitors = count()


class Link:
    """A DEALER and a SUB socket; `received` and `published` hear what comes, `lost` that the DEALER is cut off.

    `reached` hears that the connection is made, `deaf` why the SUB cannot connect. With `keys`, the broker's public
    key and one's own pair, all is encrypted.
    """

    def __init__(
        self,
        received: Callable[[bytes], None],
        published: Callable[[bytes, bytes], None],
        lost: Callable[[Fault], None],
        inproc: bool = False,
        keys: tuple[bytes, Identity] | None = None,
        *,
        deaf: Callable[[Fault], None] = lambda _: None,
        reached: Callable[[], None] = lambda: None,
    ) -> None:
        self._received, self._published, self._lost, self._deaf = received, published, lost, deaf
        self._reached = reached
        self._keys = keys
        self._loop = asyncio.get_running_loop()
        self._inproc = inproc  # only pyzmq's own context reaches a broker in this process
        self._context = zmq.Context.instance() if inproc else _context()
        self._dealer: Socket | None = None
        self._monitor: Socket | None = None
        self._sub_monitor: Socket | None = None
        self._sub: Socket | None = None
        self._sub_paused = False
        self._waiting: deque[bytes] = deque()

    def connect(self, endpoint: str, *, alert: bool = False) -> None:
        """Open a new DEALER; raises BadEndpointError. `alert`: find out soon if the other machine is cut off."""
        self.drop()
        self._dealer = self._socket(zmq.DEALER)
        self._dealer.setsockopt(zmq.RECONNECT_IVL, -1)
        self._dealer.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_MOST)
        if alert:
            for option, value in ALERT.items():
                self._dealer.setsockopt(option, value)
        if not self._inproc:  # within a process no connection is ever cut
            self._monitor = self._watch(self._dealer, LOST | zmq.EVENT_HANDSHAKE_SUCCEEDED, self._read_monitor)
        _connect(self._dealer, endpoint)
        self._loop.add_reader(self._dealer.fileno(), self.read_dealer)
        if self._inproc:
            self._loop.call_soon(self._reached)

    def connect_feed(self, endpoint: str) -> None:
        """Open a new SUB in place of the old one; raises BadEndpointError."""
        self._close_sub()
        self._sub = self._socket(zmq.SUB)
        if self._keys is not None:
            self._sub_monitor = self._watch(self._sub, HANDSHAKE_FAILED, self._read_sub_monitor)
        _connect(self._sub, endpoint)
        if not self._sub_paused:
            self._watch_sub()

    def subscribe(self, topic: bytes) -> None:
        if self._sub is not None:
            self._sub.setsockopt(zmq.SUBSCRIBE, topic)
            self._look_again()

    def unsubscribe(self, topic: bytes) -> None:
        if self._sub is not None:
            with contextlib.suppress(zmq.ZMQError):  # EINVAL: it was not subscribed
                self._sub.setsockopt(zmq.UNSUBSCRIBE, topic)
            self._look_again()

    def send(self, frames: list[bytes]) -> None:
        """Send each frame as a message, or keep it until the socket takes it."""
        if self._dealer is not None:
            self._waiting.extend(frames)
            self._write()

    def pause_feed(self) -> None:
        """Leave the feed unread: the user is slow."""
        if not self._sub_paused:
            self._sub_paused = True
            if self._sub is not None:
                self._loop.remove_reader(self._sub.fileno())

    def resume_feed(self) -> None:
        if self._sub_paused:
            self._sub_paused = False
            self._watch_sub()

    def read_dealer(self) -> None:
        """Hand in what has arrived."""
        dealer = self._dealer
        for _ in range(SLICE):
            if dealer is None or dealer is not self._dealer:
                return
            try:
                frames = dealer.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._received(frames[-1])
        else:
            self._loop.call_soon(self.read_dealer)
        if self._waiting and dealer is self._dealer:
            self._write()

    def drop(self) -> None:
        """Close both sockets at once."""
        self._close_sub()
        dealer, monitor, self._dealer, self._monitor = self._dealer, self._monitor, None, None
        self._waiting.clear()
        if dealer is None:
            return
        self._close(dealer, monitor)

    async def close(self) -> None:
        """Close everything; waits at most LINGER for the last lines to leave."""
        dealer, monitor, self._dealer, self._monitor = self._dealer, self._monitor, None, None
        self._waiting.clear()
        self._close_sub()
        if dealer is None:
            return
        self._loop.remove_reader(dealer.fileno())
        dealer.close(LINGER)
        if monitor is not None:
            try:
                async with asyncio.timeout(2 * LINGER / 1_000):
                    await self._stopped(monitor)
            finally:
                self._loop.remove_reader(monitor.fileno())
                monitor.close(0)

    async def _stopped(self, monitor: Socket) -> None:
        """Wait until the socket of a monitor is no more."""
        readable = asyncio.Event()
        self._loop.add_reader(monitor.fileno(), readable.set)
        while (told := _told(monitor)) is None or told[0] != zmq.EVENT_MONITOR_STOPPED:
            if told is None:
                await readable.wait()
                readable.clear()

    def _socket(self, kind: int) -> Socket:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        if kind != zmq.PAIR:
            socket.setsockopt(zmq.IPV6, 1)
            if self._keys is not None:
                broker, device = self._keys
                socket.setsockopt(zmq.CURVE_SERVERKEY, links.z85(broker))
                socket.setsockopt(zmq.CURVE_PUBLICKEY, links.z85(device.public))
                socket.setsockopt(zmq.CURVE_SECRETKEY, links.z85(device.secret))
        return socket

    def _watch(self, socket: Socket, events: int, read: Callable[[], None]) -> Socket:
        """Return a monitor that tells `read` of these events."""
        monitor = self._socket(zmq.PAIR)
        monitor.setsockopt(zmq.RCVHWM, 0)  # a monitor that is full stops the I/O thread
        address = f"inproc://monitor-{next(_monitors)}"
        socket.monitor(address, events | zmq.EVENT_MONITOR_STOPPED)
        monitor.connect(address)
        self._loop.add_reader(monitor.fileno(), read)
        self._loop.call_soon(read)
        return monitor

    def _close_sub(self) -> None:
        sub, monitor, self._sub, self._sub_monitor = self._sub, self._sub_monitor, None, None
        if sub is not None:
            self._close(sub, monitor)

    def _close(self, socket: Socket, monitor: Socket | None) -> None:
        self._loop.remove_reader(socket.fileno())
        if monitor is not None:
            self._loop.remove_reader(monitor.fileno())
            socket.disable_monitor()
            monitor.close(0)
        socket.close(0)

    def _watch_sub(self) -> None:
        if self._sub is not None:
            self._loop.add_reader(self._sub.fileno(), self._read_sub)
            self._loop.call_soon(self._read_sub)

    def _look_again(self) -> None:
        """An option was set on the feed: that may have swallowed a signal."""
        self._loop.call_soon(self._read_sub)

    def _write(self) -> None:
        dealer, waiting = self._dealer, self._waiting
        if dealer is None:
            return
        try:
            while waiting:
                dealer.send(waiting[0], zmq.NOBLOCK)
                waiting.popleft()
        except zmq.Again:
            pass  # its descriptor will tell when there is room
        if _readable(dealer):
            self._loop.call_soon(self.read_dealer)

    def _read_sub(self) -> None:
        if self._monitor is not None and _readable(self._monitor):
            self._read_monitor()  # a SUB connects again by itself, perhaps to a broker whose log is another by now
        sub = self._sub
        for _ in range(SLICE):
            if sub is None or sub is not self._sub or self._sub_paused:
                return
            try:
                frames = sub.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(frames) == 2:
                self._published(frames[0], frames[1])
        self._loop.call_soon(self._read_sub)

    def _read_monitor(self) -> None:
        while (monitor := self._monitor) is not None and (told := _told(monitor)) is not None:
            if told[0] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._reached()
            elif told[0] != zmq.EVENT_MONITOR_STOPPED:
                self._is_cut(_fault(*told))

    def _is_cut(self, fault: Fault) -> None:
        dealer = self._dealer
        while dealer is not None and dealer is self._dealer and _readable(dealer):
            self.read_dealer()  # its last words first
        if dealer is self._dealer:
            self._lost(fault)

    def _read_sub_monitor(self) -> None:
        while (monitor := self._sub_monitor) is not None and (told := _told(monitor)) is not None:
            if told[0] != zmq.EVENT_MONITOR_STOPPED:
                self._deaf(_fault(*told))


def _context() -> Context:
    """Return the context of all links of this process."""
    with _making:
        if (found := _contexts.get(os.getpid())) is None:
            found = _contexts[os.getpid()] = zmq.Context()
            found.set(zmq.MAX_SOCKETS, MAX_SOCKETS)
    return found


def _told(monitor: Socket) -> tuple[int, int] | None:
    """Return the event that a monitor tells next, and its value; None for nothing."""
    try:
        told = parse_monitor_message(monitor.recv_multipart(zmq.NOBLOCK))
    except zmq.Again:
        return None
    return told["event"], told["value"]


def _fault(event: int, value: int) -> Fault:
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and value == REFUSED:
        return Fault.KEY_REFUSED
    return _FAULTS.get(event, Fault.NOBODY)


_FAULTS: dict[int, Fault] = {
    zmq.EVENT_DISCONNECTED: Fault.CUT,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: Fault.HUNG_UP,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: Fault.HUNG_UP,  # which of the two comes is chance
}


def _connect(socket: Socket, endpoint: str) -> None:
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise BadEndpointError(endpoint, str(error.strerror).lower()) from error


def _readable(socket: Socket) -> bool:
    return bool(int(socket.get(zmq.EVENTS)) & zmq.POLLIN)
