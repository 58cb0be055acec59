"""What nodes tell of themselves, and what is asked of them about themselves: by their account for that.

Only of nodes that zchat set up, for whoever has a certificate of the cluster may ask. All of them answer one question.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from msgspec.structs import replace

from zchat.errors import ClusterError, EngineError

from .connection import Access, Connection, Failure
from .node_settings import SYSTEM
from .status import NodeInfo

ANSWERS = 0.5  # s within which nodes answer
CHANGES = 5.0  # s within which something is changed


class RefusesError(ClusterError):
    """A node or a broker does not do what was asked for."""

    def __init__(self, who: str, why: str) -> None:
        self.who, self.why = who, why
        super().__init__(f"{who} refuses: {why.rstrip('.')}. See `zchat cluster status`, and try again.")


async def nodes(servers: Sequence[str], access: Access, expected: int) -> tuple[list[NodeInfo], dict[str, bool]]:
    """Return what the nodes tell; and which there are as their leader says, each with whether it is here.

    Nobody leads if there are none of the second kind. Raises EngineError if no node can be reached.
    """
    async with _connected(servers, replace(access, user=SYSTEM)) as connection:
        found = await _all(connection, "$SYS.REQ.SERVER.PING.VARZ", expected)
    infos: list[NodeInfo] = []
    peers: dict[str, bool] = {}
    for each in found:
        jetstream = each.get("jetstream") or {}
        name, meta = each["server_name"], jetstream.get("meta") or {}
        syncs = bool((jetstream.get("config") or {}).get("sync_always"))
        infos.append(NodeInfo(name, each.get("version", ""), syncs))
        if meta.get("leader") == name:
            peers = {name: True} | {one["name"]: bool(one.get("current")) for one in meta.get("replicas") or ()}
    return infos, peers


async def remove(servers: Sequence[str], access: Access, name: str) -> None:
    """Take a node that is gone for good out of the cluster. Raises EngineError, RefusesError."""
    async with _connected(servers, replace(access, user=SYSTEM)) as connection:
        answer = await _answer(connection, "$JS.API.SERVER.REMOVE", {"peer": name})
    if not answer.get("success"):
        raise RefusesError("The leader of the nodes", "it does not say why")


async def spread(servers: Sequence[str], access: Access, stream: str, copies: int) -> None:
    """Let so many nodes keep a stream. Raises EngineError, RefusesError."""
    async with _connected(servers, access) as connection:
        config = (await _answer(connection, f"$JS.API.STREAM.INFO.{stream}", {}))["config"]
        await _answer(connection, f"$JS.API.STREAM.UPDATE.{stream}", config | {"num_replicas": copies})


async def _answer(connection: Connection, subject: str, question: dict[str, Any]) -> dict[str, Any]:
    try:
        told = await connection.request(subject, json.dumps(question).encode(), CHANGES)
    except Failure as error:
        raise EngineError(connection.server, str(error) or type(error).__name__) from None
    answer: dict[str, Any] = json.loads(told.data)
    if "error" in answer:
        raise RefusesError("The leader of the nodes", answer["error"].get("description", "it does not say why"))
    return answer


@contextlib.asynccontextmanager
async def _connected(servers: Sequence[str], access: Access) -> AsyncIterator[Connection]:
    """Connect to the first node that can be reached."""
    why: object = "there is no node"
    for server in servers:
        connection = Connection(server, "zchat cluster", access)
        try:
            await connection.open()
        except Failure as error:
            why = error
            await connection.close()
            continue
        try:
            yield connection
        finally:
            await connection.close()
        return
    raise EngineError(", ".join(servers), str(why) or type(why).__name__)


async def _all(connection: Connection, subject: str, expected: int) -> list[dict[str, Any]]:
    """Return the answers of all nodes, as far as they come in time."""
    found: list[dict[str, Any]] = []
    complete = asyncio.Event()

    def heard(messages: Sequence[Any]) -> None:
        found.extend(json.loads(each.data)["data"] for each in messages)
        if len(found) >= expected:
            complete.set()

    inbox = connection.inbox()
    await connection.hear(inbox, heard)
    connection.send(subject, b"{}", inbox)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWERS):
            await complete.wait()
    return found
