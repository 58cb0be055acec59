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
REMOVED = 5.0  # s within which a node is removed


class RefusesError(ClusterError):
    """A node or a broker does not do what was asked for."""

    def __init__(self, who: str, why: str) -> None:
        self.who, self.why = who, why
        super().__init__(f"{who} refuses: {why.rstrip('.')}. See `zchat cluster status`, and try again.")


async def nodes(servers: Sequence[str], access: Access, expected: int) -> tuple[list[NodeInfo], dict[str, bool]]:
    """Return what the nodes tell; and which there are as their leader says, each with whether it is here.

    Nobody leads if there are none of the second kind. Raises EngineError if no node can be reached.
    """
    async with _connected(servers, access) as connection:
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
    async with _connected(servers, access) as connection:
        wanted = json.dumps({"peer": name}).encode()
        try:
            answer = json.loads((await connection.request("$JS.API.SERVER.REMOVE", wanted, REMOVED)).data)
        except Failure as error:
            raise EngineError(connection.server, str(error) or type(error).__name__) from None
    if not answer.get("success"):
        raise RefusesError(
            "The leader of the nodes", (answer.get("error") or {}).get("description", "it does not say why")
        )


@contextlib.asynccontextmanager
async def _connected(servers: Sequence[str], access: Access) -> AsyncIterator[Connection]:
    """Connect to the first node that can be reached."""
    why: object = "there is no node"
    for server in servers:
        connection = Connection(server, "zchat cluster", replace(access, user=SYSTEM))
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
