"""An agent's host, as the SDK's own client is one: it has a gateway in this process, starts one, or comes over HTTP.

`agent(chat, "general")` is a gateway in the test's own loop, around a real broker in memory; `started(…)` is a
`zchat mcp` in a process of its own. What a tool answers are its fields; what it refuses is a `Refused` with its code.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult, TextContent

from tests.conftest import PATIENCE
from zchat.client.client import ChatClient
from zchat.gateways.mcp.bounds import Bounds
from zchat.gateways.mcp.server import build
from zchat.gateways.mcp.session import Agent
from zchat.testing import Chat


class Refused(Exception):  # noqa: N818 — what a tool says
    """A tool did not do it: `code` for programs, and the sentence that an agent reads."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


def text_of(result: CallToolResult) -> str:
    """Return the text of an answer."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@dataclass
class Host:
    """A host's view of one gateway; `agent` and `audit` are there for one in this process."""

    client: Client
    agent: Agent | None = None
    audit: Path | None = None
    task: "asyncio.Task[None] | None" = None

    async def raw(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool and return all of its answer. Raises Refused."""
        result = await self.client.call_tool(tool, arguments)
        if result.is_error:
            raise Refused((result.meta or {}).get("zchat/code", ""), text_of(result))
        return result

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return the fields of its answer. Raises Refused."""
        fields: dict[str, Any] | None = (await self.raw(tool, **arguments)).structured_content
        assert fields is not None
        return fields

    async def texts(self, tool: str, **arguments: Any) -> list[str]:
        """Call a tool that answers messages, and return their texts. Raises Refused."""
        return [each.get("text", "") for each in (await self.call(tool, **arguments))["messages"]]

    async def refusal(self, tool: str, **arguments: Any) -> Refused:
        """Call a tool, and return how it was refused."""
        try:
            answer = await self.raw(tool, **arguments)
        except Refused as refused:
            return refused
        raise AssertionError(f"{tool} was not refused: {answer}")

    def written(self) -> list[dict[str, Any]]:
        """Return what stands in the audit."""
        if self.audit is None or not self.audit.exists():
            return []
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@asynccontextmanager
async def agent(
    chat: Chat,
    *rooms: str,
    audit: Path,
    mode: str = "auto",
    connect: Callable[[], ChatClient] | None = None,
    **bounds: Any,
) -> AsyncIterator[Host]:
    """Run the agent `helper` in these rooms, and a host that has it."""

    def guest() -> ChatClient:
        return ChatClient("helper", chat.server.listen, bot=True)

    server, running = build(Bounds(rooms or ("general",), **bounds), "helper", audit, connect or guest)
    task = asyncio.create_task(running.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await running.reached()
        async with Client(server, mode=mode) as client:
            yield Host(client, running, audit, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def started(
    environment: dict[str, str], *args: str, nick: str = "helper", mode: str = "auto", tag: str = ""
) -> AsyncIterator[Host]:
    """Start a gateway over standard input and output; `tag` in its environment tells its process from others."""
    command = ["-m", "zchat", "mcp", "--nick", nick, *args]
    parameters = StdioServerParameters(command=sys.executable, args=command, env=environment | {"ZCHAT_TEST": tag})
    async with Client(parameters, mode=mode) as client:
        yield Host(client)


def pid_of(tag: str) -> int:
    """Return the process of the gateway that was started with this tag."""
    for each in Path("/proc").iterdir():
        try:
            if f"ZCHAT_TEST={tag}\0".encode() in (each / "environ").read_bytes():
                return int(each.name)
        except (OSError, ValueError):
            continue
    raise AssertionError(f"no gateway was started as {tag}")


async def until(condition: Callable[[], Any]) -> Any:
    """Return what `condition` returns as soon as it is true."""
    async with asyncio.timeout(PATIENCE):
        while not (found := condition()):  # noqa: ASYNC110 — another process may be what makes it true
            await asyncio.sleep(0.005)
        return found


def waits(host: Host) -> Callable[[], bool]:
    """Return what tells whether a call of this host has begun to wait."""
    return lambda: any(line.get("tool") in {"wait_for", "ask_human"} for line in host.written())
