"""A broken network: a TCP proxy before one of the broker's ports, which delays, stalls, cuts and parts.

It forwards bytes and knows nothing of frames, so whatever it does happens anywhere in a message. Each connection is
two pumps, and each pump asks before every piece whether it may go on: a stalled way waits, a torn connection passes
half of the piece and is reset, and in a partition what was read is thrown away. No connection survives that, so
those it has touched are reset when it heals.
"""

import asyncio
import contextlib
import socket
import struct

PIECE = 64 * 1024  # bytes read at once
TORN_WITHIN = 0.5  # seconds after which a connection to be torn is cut although nothing came
WAYS = ("up", "down")
HOST = "127.0.0.1"


class _Link:
    """One connection: the writers of both ends, and the task that serves it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writers, self.task = [writer], asyncio.current_task()
        self.torn = self.doomed = False

    def reset(self) -> None:
        """Vanish, as a machine that lost power."""
        for writer in self.writers:
            with contextlib.suppress(OSError):
                at: socket.socket = writer.get_extra_info("socket")
                at.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Between its own `port`, once started, and `upstream`, both on this machine."""

    def __init__(self, upstream: int) -> None:
        self.upstream, self.port = upstream, 0
        self.delay = 0.0
        self._parted = False
        self._ways = {way: asyncio.Event() for way in WAYS}
        self._links: set[_Link] = set()
        self.heal()

    @property
    def links(self) -> int:
        """How many connections there are."""
        return len(self._links)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Reset all connections, and wait until nothing of them is left."""
        self._server.close()
        self.heal()
        self.reset()
        if serving := [link.task for link in self._links if link.task is not None]:
            await asyncio.wait(serving)

    # -- faults

    def stall(self, way: str) -> None:
        """Let nothing pass one way (`up`, `down`) or `both`; it arrives later."""
        for each in WAYS if way == "both" else (way,):
            self._ways[each].clear()

    def cut(self) -> None:
        """Cut every connection in the middle of what it carries next."""
        loop = asyncio.get_running_loop()
        for link in self._links:
            link.torn = True
            loop.call_later(TORN_WITHIN, link.reset)

    def reset(self) -> None:
        """Reset every connection at once."""
        for link in self._links:
            link.reset()

    def part(self) -> None:
        """Lose all that is sent, and answer nobody."""
        self._parted = True
        for link in self._links:
            link.doomed = True

    def heal(self) -> None:
        """Be a good network again; connections that have lost something are reset."""
        self.delay, self._parted = 0.0, False
        for way in self._ways.values():
            way.set()
        for link in self._links:
            if link.doomed:
                link.reset()

    # -- inside

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        link.doomed = self._parted
        self._links.add(link)
        pumps = []
        try:
            there, out = await asyncio.open_connection(HOST, self.upstream)
            link.writers.append(out)
            pumps = [
                asyncio.create_task(self._pump(link, reader, out, "up")),
                asyncio.create_task(self._pump(link, there, writer, "down")),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:  # the broker is not there
            link.reset()
        finally:
            self._links.discard(link)
            for pump in pumps:
                pump.cancel()
            for each in link.writers:
                each.close()

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await self._ways[way].wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if link.doomed:
                    continue
                writer.write(piece[: len(piece) // 2] if link.torn else piece)
                await writer.drain()
                if link.torn:
                    link.reset()
                    return
