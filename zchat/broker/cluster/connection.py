"""One life of a connection to a node of NATS: made once, watched, and thrown away when it seems to be dead.

nats-py would reconnect by itself. It also closes itself for good when a node says that it shuts down, and waits without
end for a stopped node to read. So it may not: whoever uses this looks at `dead`, and makes another connection. What was
not sent then is lost, and nothing that was meant for one connection leaves by the next.

Sending is a queue: whoever publishes does not wait. What arrives on a subject is gathered until the event loop is idle,
and handed over together.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import Any

import nats
import nats.errors
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg

PING = 0.5  # s between two pings; a node that has missed two is dead
CONNECT = 1.0  # s
QUEUED_MAX = 32 * 1024 * 1024  # bytes that wait to be sent: more than all posts on their way
PENDING_MESSAGES, PENDING_BYTES = 256 * 1024, 64 * 1024 * 1024  # that wait to be heard; what is beyond is a hole

log = logging.getLogger(__name__)

Failure = (OSError, TimeoutError, nats.errors.Error, ValueError)


class Access(Struct, frozen=True):
    """How one comes in at a node. `credentials` is a file as NATS has it."""

    tls: ssl.SSLContext | None = None
    credentials: str | None = None
    user: str | None = None  # whose password is the same word: nodes of ours believe the certificate


class Connection:
    """A connection to one node. `dead` is set once it is of no use any more."""

    def __init__(self, server: str, name: str, access: Access) -> None:
        self.server, self._name, self._access = server, name, access
        self.dead = asyncio.Event()
        self._client = Client()
        self._queue: asyncio.Queue[tuple[str, bytes, str] | None] = asyncio.Queue()
        self._queued = 0  # bytes
        self._sender: asyncio.Task[None] | None = None
        self._noted: Exception | None = None  # what nats-py said last

    async def open(self) -> None:
        """Connect. Raises one of `Failure`."""
        extra: dict[str, Any] = {}
        if self._access.tls is not None:
            extra["tls"] = self._access.tls
        if self._access.credentials is not None:
            extra["user_credentials"] = self._access.credentials
        if self._access.user is not None:
            extra |= {"user": self._access.user, "password": self._access.user}
        try:
            await self._connect(extra)
        except nats.errors.NoServersError as error:
            raise self._noted or error from None

    async def _connect(self, extra: dict[str, Any]) -> None:
        async with asyncio.timeout(3 * CONNECT):
            await self._client.connect(
                [self.server],
                name=self._name,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=1,
                ping_interval=PING,  # type: ignore[arg-type]
                max_outstanding_pings=2,
                pending_size=-1,
                error_cb=self._note,
                closed_cb=self._die,
                skip_subject_validation=True,
                **extra,
            )
        with contextlib.suppress(AttributeError):  # else asyncio warns at the end of each encrypted connection
            self._client._transport._io_writer.transport.get_protocol()._over_ssl = True  # type: ignore[union-attr]
        self._sender = asyncio.get_running_loop().create_task(self._send())

    @property
    def alive(self) -> bool:
        """Whether it can be used. nats-py tells nobody of its end while it waits for a stopped node to read."""
        if not self._client.is_connected:
            self.dead.set()
        return not self.dead.is_set()

    def inbox(self) -> str:
        """Return a subject that nobody else has."""
        return self._client.new_inbox()

    def send(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Queue a message, or drop it if the connection is dead or too much waits."""
        if self.dead.is_set() or self._queued > QUEUED_MAX:
            return
        self._queued += len(payload)
        self._queue.put_nowait((subject, payload, reply))

    async def hear(self, subject: str, heard: Callable[[list[Msg]], None]) -> None:
        """Subscribe: `heard` is called with all that came since the last time."""
        gathered: list[Msg] = []

        def hand_over() -> None:
            messages = gathered[:]
            gathered.clear()
            if not self.dead.is_set():
                heard(messages)

        async def gather(message: Msg) -> None:
            if not gathered:
                asyncio.get_running_loop().call_soon(hand_over)
            gathered.append(message)

        await self._client.subscribe(
            subject, cb=gather, pending_msgs_limit=PENDING_MESSAGES, pending_bytes_limit=PENDING_BYTES
        )

    async def request(self, subject: str, payload: bytes, seconds: float) -> Msg:
        """Return the answer to a question. Raises one of `Failure`."""
        return await self._client.request(subject, payload, timeout=seconds)

    async def flush(self, seconds: float) -> None:
        """Wait until the node has all that was sent. Raises one of `Failure`."""
        async with asyncio.timeout(seconds):
            await self._queue.join()
            await self._client.flush()

    async def close(self) -> None:
        """End the connection, at once if its node does not read."""
        self.dead.set()
        self._queue.put_nowait(None)
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        with contextlib.suppress(*Failure, AttributeError):
            async with asyncio.timeout(CONNECT):
                await self._client.close()
        with contextlib.suppress(AttributeError):  # what nats-py has left open, as it does where it was interrupted
            self._client._transport._io_writer.transport.abort()  # type: ignore[union-attr]

    async def _send(self) -> None:
        while (item := await self._queue.get()) is not None:
            subject, payload, reply = item
            self._queued -= len(payload)
            try:
                await self._client.publish(subject, payload, reply)
            except Failure as error:
                log.debug("a message to node %s could not be sent: %s", self.server, error)
                self.dead.set()
            finally:
                self._queue.task_done()

    async def _note(self, error: Exception) -> None:
        self._noted = error
        log.debug("node %s: %s", self.server, error)

    async def _die(self) -> None:
        self.dead.set()
