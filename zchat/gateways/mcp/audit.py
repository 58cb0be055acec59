"""What an agent did, on disk: a line of JSON when a call begins, and one when it is over.

    {"time":"…","call":7,"tool":"say","arguments":{"room":"general","text":"done","key":"k1"}}
    {"time":"…","call":7,"seq":1042,"ms":3}

The first is written before anything is done. So what a killed agent was at is there too, and a call that cannot be
written down is refused. It holds also what was refused, and resources that were read. The file is only appended to, and
opened for each line: whoever wants to rotate it moves it away. What was said is in the broker's log besides, under the
agent's nick.
"""

import asyncio
import itertools
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, CallToolResult, TextContent
from pydantic import BaseModel

from zchat import files

ARGUMENT_MAX = 20_000  # characters of the arguments of one call that are written down: a text has fewer
NAME_MAX = 500  # of the name of a tool, the address of a resource, and of what an error says
TELLING = ("seq", "duplicate", "question", "cursor")  # fields of an answer that tell what came of a call
WRITTEN = {"tools/call": ("tool", "name"), "resources/read": ("resource", "uri")}  # how it is named here, and there


class Audit:
    """The file at `path`; as middleware of the server it sees each call before and after it is done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._calls = itertools.count(1)
        self._run = f"{os.getpid()}-{int(datetime.now(UTC).timestamp())}"

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Write down a call, do it, and write down what came of it."""
        if ctx.method not in WRITTEN or ctx.request_id is None:
            return await call_next(ctx)
        params = ctx.params or {}
        call, clock = next(self._calls), asyncio.get_running_loop().time
        here, there = WRITTEN[ctx.method]
        what = {here: _short(params.get(there), NAME_MAX)}
        try:
            self._write({"call": call, **what, "arguments": _short(params.get("arguments") or {})})
        except OSError as error:
            return _refused(ctx.method, self.path, error)
        begun, outcome = clock(), dict[str, Any](ended="cancelled")
        try:
            answer = await call_next(ctx)
            outcome = _outcome(answer)
        except Exception as error:
            outcome = {"error": _short(str(error), NAME_MAX)}
            raise
        finally:
            self._finish({"call": call, **outcome, "ms": round((clock() - begun) * 1000)})
        return answer

    def _finish(self, line: Mapping[str, Any]) -> None:
        try:
            self._write(line)
        except OSError:
            return  # that it was begun is there, and the next call is refused

    def _write(self, line: Mapping[str, Any]) -> None:
        """Append a line. Raises OSError."""
        files.folder(self.path.parent)
        files.private(self.path)
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self.path.open("ab") as file:
            file.write(json.dumps({"time": stamp, "run": self._run, **line}).encode() + b"\n")


def _short(given: Any, most: int = ARGUMENT_MAX) -> Any:
    """Return what was given as it is, or the beginning of its JSON where that is too long."""
    text = json.dumps(given)
    return given if len(text) <= most else text[:most] + "…"


def _outcome(answer: HandlerResult) -> dict[str, Any]:
    """Return what is worth keeping of an answer: that it was refused and why, or what it made."""
    told = answer.model_dump(by_alias=True) if isinstance(answer, BaseModel) else answer or {}
    if told.get("isError"):
        content = told.get("content") or [{}]
        return {
            "error": _short(content[0].get("text", ""), NAME_MAX),
            "code": (told.get("_meta") or {}).get("zchat/code", "bad_arguments"),
        }
    made = told.get("structuredContent") or {}
    count = {"messages": len(made["messages"])} if "messages" in made else {}
    return {name: made[name] for name in TELLING if name in made} | count


def _refused(method: str, path: Path, error: OSError) -> CallToolResult:
    """Return what is answered to a call that cannot be written down. Raises MCPError for what is no tool."""
    said = (
        f"Nothing was done, because it could not be written down in {path} ({error.strerror}). Tell the person who "
        "runs you."
    )
    if method != "tools/call":
        raise MCPError(INTERNAL_ERROR, said)
    return CallToolResult(
        content=[TextContent(type="text", text=said)], is_error=True, _meta={"zchat/code": "no_audit"}
    )
