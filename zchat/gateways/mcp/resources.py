"""Rooms and threads as resources: `zchat://room/general`, `zchat://thread/1042`.

They hold what the tool `read` answers, with people's words marked in the same way. Who listens for a resource (with
`subscriptions/listen`) is told when something happens there.
"""

import functools
import re
import secrets
from typing import Any
from urllib.parse import quote

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.subscriptions import ResourceUpdated, SubscriptionBus

from zchat.errors import RefusedError, ZchatError

from . import faults, shapes
from .faults import NotAllowedError, UnknownMessageError
from .marking import marked
from .reading import Place, Reader
from .session import Changed

LIMIT = 100  # messages of a room, the newest


def room_uri(room: str) -> str:
    return f"zchat://room/{quote(room, safe='')}"


def thread_uri(seq: int) -> str:
    return f"zchat://thread/{seq}"


def add(server: MCPServer[Any], reader: Reader, rooms: tuple[str, ...]) -> None:
    """Offer the agent's rooms, and any thread in them."""

    async def room(room: str) -> str:
        return await _told(lambda: _read(reader, reader.place(room, None)))

    async def thread(seq: str) -> str:
        if not re.fullmatch("[0-9]{1,16}", seq):
            raise ResourceNotFoundError(
                f"There is no thread {seq[:40]!r}: it is named by the `seq` of its first message."
            )
        return await _told(lambda: _thread(reader, int(seq)))

    for name in rooms:
        about = f"The newest messages of the room {name}."
        read = functools.partial(room, name)
        server.add_resource(FunctionResource(uri=room_uri(name), name=name, description=about, fn=read))
    server.resource("zchat://room/{room}", name="room", description="The newest messages of one of your rooms.")(room)
    server.resource("zchat://thread/{seq}", name="thread", description="A message and its answers.")(thread)


def telling(bus: SubscriptionBus) -> Changed:
    """Return what tells those who listen for resources in which places something has happened."""

    async def changed(places: set[tuple[str | None, int | None]]) -> None:
        for room, root in places:
            if root is not None:
                await bus.publish(ResourceUpdated(uri=thread_uri(root)))
            elif room is not None:
                await bus.publish(ResourceUpdated(uri=room_uri(room)))

    return changed


async def _read(reader: Reader, place: Place, thread: int | None = None) -> str:
    found = await reader.read(place, None, None, thread, LIMIT)
    headline = f"The newest messages in {place}; cursor {found.cursor}; more: {found.more}."
    return marked(headline, shapes.lines(found.messages), secrets.token_hex(16))


async def _thread(reader: Reader, seq: int) -> str:
    return await _read(reader, await reader.thread(seq, None), seq)


async def _told(read: Any) -> str:
    """Return what is read. Raises ResourceNotFoundError for what is not the agent's, ResourceError."""
    try:
        text: str = await read()
    except (NotAllowedError, UnknownMessageError, RefusedError) as error:
        raise ResourceNotFoundError(faults.sentence(error)) from None
    except ZchatError as error:
        raise ResourceError(faults.sentence(error)) from None
    return text
