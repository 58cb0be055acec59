"""JetStream by itself, at the nodes of a cluster: how long it stores nothing when its leader is killed.

It has a stream of its own, with as many copies as the cluster's, and a publisher that does nothing but try again. What
it waits is the election alone. Each election takes another time (nodes wait 4 to 9 s, at random), so only many of them
can be compared.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from zchat.broker.cluster.connection import Access, Connection, Failure
from zchat.broker.cluster.folder import Folder, read

STREAM, SUBJECT = "bare", "bare.said"
AGAIN = 0.02  # s between two attempts
ANSWER = 0.5  # s within which an attempt is answered; within LED seconds the stream is led where it should be
LED = 30.0


class Bare:
    """The stream. `machines` are the folders of the cluster's machines, by name."""

    def __init__(self, machines: dict[str, Path]) -> None:
        self._folders: dict[str, Folder] = {name: read(folder) for name, folder in machines.items()}
        self._connection: Connection | None = None

    async def lead_at(self, name: str) -> None:
        """Make the stream if need be, and have it led by one node, while the publisher is connected to another."""
        await self.close()
        other = next(folder for each, folder in self._folders.items() if each != name)
        server = next(one for one in other.servers if one.endswith(f":{other.me.node}"))
        self._connection = Connection(server, STREAM, Access(tls=other.tls()))
        await self._connection.open()
        kept = {"name": STREAM, "subjects": [SUBJECT], "storage": "file", "num_replicas": 3}
        await self._ask(f"STREAM.CREATE.{STREAM}", kept)
        deadline = time.monotonic() + LED
        while (await self._ask(f"STREAM.INFO.{STREAM}", {})).get("cluster", {}).get("leader") != name:
            if time.monotonic() > deadline:
                raise SystemExit(f"the bare stream is not led by {name}")
            await self._ask(f"STREAM.LEADER.STEPDOWN.{STREAM}", {"placement": {"preferred": name}})
            await asyncio.sleep(ANSWER)

    async def stores_again(self, began: float) -> float:
        """Publish until something is acknowledged; return how many seconds after `began` that is."""
        assert self._connection is not None
        while True:
            try:
                answer = await self._connection.request(SUBJECT, b"x" * 200, ANSWER)
                if "seq" in json.loads(answer.data):
                    return time.monotonic() - began
            except Failure:
                await asyncio.sleep(AGAIN)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _ask(self, what: str, payload: dict[str, Any]) -> dict[str, Any]:
        assert self._connection is not None
        answer = await self._connection.request(f"$JS.API.{what}", json.dumps(payload).encode(), 5.0)
        found: dict[str, Any] = json.loads(answer.data)
        return found
