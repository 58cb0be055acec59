"""Waiting in asyncio until a ZeroMQ socket can be read.

`zmq.asyncio` costs a future a message; here a coroutine is woken once, and drains the socket by itself with NOBLOCK.
The descriptor that libzmq lends us is edge-triggered: it signals that *something* happened, once, and any send or
receive may take that signal away. So the socket is asked before each wait, and whoever has sent on it rings.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import zmq


class Doorbell:
    """Wakes one waiting coroutine when `socket` can be read, or when somebody rings."""

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self._socket = socket
        self._rung = asyncio.Event()

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._rung.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def ring(self) -> None:
        """Wake the waiting coroutine, to look again."""
        self._rung.set()

    async def wait(self) -> None:
        """Return when the socket can be read, or when it rang since the last wait."""
        if not int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            await self._rung.wait()
        self._rung.clear()
