"""Over standard input and output: how a host runs an agent's gateway as a process of its own.

The SDK reads standard input in a thread, and nothing can wake that: a process that is asked to stop would hang until
its host closes the pipe. So the SDK is given one end of a socket pair as its standard input. A thread that nobody waits
for copies the real one into it, and to stop is to end what is copied, as if the host had closed it.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mcp.server import MCPServer

from .session import Agent

CHUNK = 64 * 1024  # bytes


async def serve(server: MCPServer[Any], agent: Agent) -> None:
    """Serve until the host closes standard input, or SIGTERM. Raises ZchatError for what ends the agent."""
    stop = _lead_stdin_through_a_socket()
    loop = asyncio.get_running_loop()
    for how in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(how, stop)
    running = asyncio.create_task(agent.run())
    running.add_done_callback(lambda _: stop())
    try:
        await server.run_stdio_async()
    finally:
        if not running.done():
            running.cancel()
        await asyncio.wait([running])
    if not running.cancelled():
        running.result()


def _lead_stdin_through_a_socket() -> Callable[[], None]:
    """Put a socket in the place of standard input; return what ends it."""
    original, (ours, theirs) = os.dup(0), socket.socketpair()
    os.dup2(theirs.fileno(), 0)
    theirs.close()

    def copy() -> None:
        with suppress(OSError):  # it was ended from here
            while data := os.read(original, CHUNK):
                ours.sendall(data)
        stop()

    def stop() -> None:
        with suppress(OSError):  # it has ended
            ours.shutdown(socket.SHUT_WR)

    threading.Thread(target=copy, name="stdin", daemon=True).start()
    return stop
