"""Waiting in asyncio until a ZeroMQ socket can be read.

`zmq.asyncio` costs a future a message; here a coroutine is woken once, and drains the socket by itself with NOBLOCK.
The descriptor that libzmq lends us is edge-triggered: it signals that *something* happened, once, and any send or
receive may take that signal away. So the socket is asked before each wait, and whoever has sent on it rings.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import zmq


_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)  # enums cost a microsecond


class Doorbell:
    """Wakes one waiting coroutine when `socket` can be read."""

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self._socket = socket
        self._rung = asyncio.Event()
        self._released = False

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._rung.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def ring(self) -> None:
        """Let the waiting coroutine look again whether the socket can be read."""
        self._rung.set()

    def release(self) -> None:
        """Let this and every later `wait` return."""
        self._released = True
        self._rung.set()

    async def wait(self) -> None:
        """Return when the socket can be read; others have their turn also when it can be read at once."""
        if self._readable():
            await asyncio.sleep(0)
        while not (self._released or self._readable()):
            self._rung.clear()
            await self._rung.wait()

    def _readable(self) -> bool:
        return bool(int(self._socket.get(_EVENTS)) & _READABLE)
