"""The page of numbers that Prometheus reads, and whether all is well: `/metrics` and `/health`, over HTTP.

It lies in the broker's own loop, and cannot hold it up: a connection is taken at most every 20 ms, sixteen are there at
a time, each has 8 KiB and five seconds to ask and to read, and the page is made anew at most twice a second, in about a
millisecond. What comes more often waits in the kernel's queue.

It has no TLS and no password. So it listens on loopback, unless another address is given.
"""

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

from zchat import exposition, ports
from zchat.protocol import endpoints
from zchat.protocol import messages as m

OPTION, FORM = "--metrics", "HOST:PORT or PORT, as in 127.0.0.1:9100"
CONNECTIONS = 16  # at a time: a scraper or two, and who looks at their health
PACE = 0.02  # s between two connections
PATIENCE = 5.0  # s for a request and its answer
REQUEST_MAX = 8 * 1024  # bytes
FRESH = 0.5  # s for which a page is shown again
PAUSE = 1.0  # s after which connections are taken again, when the system has no room for one

log = logging.getLogger(__name__)

Answer = tuple[HTTPStatus, str, bytes]


def listen(address: str) -> socket.socket:
    """Listen at HOST:PORT; without a host on loopback. Raises BadAddressError, AddressInUseError."""
    host, port = ports.split(address, OPTION, FORM)
    opened = ports.listen(host or "127.0.0.1", port, OPTION, FORM)
    if not endpoints.is_loopback(opened.getsockname()[0]):
        log.warning("whoever reaches %s reads the numbers of this broker: it has neither TLS nor a password", address)
    return opened


def written(opened: socket.socket) -> str:
    """Return where a socket listens, as the beginning of a URL."""
    host, port = opened.getsockname()[:2]
    return f"http://{endpoints.joined(host, port)}"


@contextlib.asynccontextmanager
async def serving(opened: socket.socket, status: Callable[[], m.Status]) -> AsyncIterator[None]:
    """Answer at a socket within this context; `status` returns how the broker is."""
    pages = Pages(opened, status)
    task = asyncio.get_running_loop().create_task(pages.take())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, *pages.tasks, return_exceptions=True)


class Pages:
    """Answers requests."""

    def __init__(self, opened: socket.socket, status: Callable[[], m.Status]) -> None:
        self._socket, self._status = opened, status
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._page, self._made = b"", float("-inf")
        self.tasks: set[asyncio.Task[None]] = set()

    async def take(self) -> None:
        """Take connections, and begin to answer each."""
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                taken, _ = await loop.sock_accept(self._socket)
            except OSError as error:  # no descriptor is left, or the peer is gone already
                log.debug("a connection for the numbers could not be taken: %s", error)
                self._room.release()
                await asyncio.sleep(PAUSE)
                continue
            task = loop.create_task(self._serve(taken))
            self.tasks.add(task)
            task.add_done_callback(self._end)
            await asyncio.sleep(PACE)

    def _end(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the numbers could not be told", exc_info=error)

    async def _serve(self, taken: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=taken, limit=REQUEST_MAX)
        try:
            async with asyncio.timeout(PATIENCE):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(request, self.answer(request)))
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who does not ask, or does not read, gets nothing
        finally:
            writer.transport.abort()

    def answer(self, request: bytes) -> Answer:
        """Return the status, the type and the body that answer a request."""
        method, path, *_ = [*request.split(b"\r\n", 1)[0].split(b" "), b"", b""]
        if method not in {b"GET", b"HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"only GET\n"
        match path.split(b"?", 1)[0]:
            case b"/metrics":
                return HTTPStatus.OK, exposition.CONTENT_TYPE, self._numbers()
            case b"/health":
                return health(self._status().stalled)
        return HTTPStatus.NOT_FOUND, "text/plain", b"there are /metrics and /health\n"

    def _numbers(self) -> bytes:
        now = time.monotonic()
        if now - self._made >= FRESH:
            status = self._status()
            version = status.server.partition("/")[2]
            self._page = exposition.text(exposition.of_broker(status), exposition.BROKER, {"zchat_broker": version})
            self._made = now
        return self._page


def health(stalled: str | None) -> Answer:
    """Return the answer to who asks whether what is said is taken; `stalled` is why it is not."""
    told = {"status": "ok"} if stalled is None else {"status": "stalled", "why": stalled}
    code = HTTPStatus.OK if stalled is None else HTTPStatus.SERVICE_UNAVAILABLE
    return code, "application/json", json.dumps(told).encode() + b"\n"


def _response(request: bytes, answer: Answer) -> bytes:
    code, kind, body = answer
    head = (
        f"HTTP/1.1 {code.value} {code.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if request.startswith(b"HEAD ") else body)
