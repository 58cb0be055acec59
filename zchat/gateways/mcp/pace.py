"""How often an agent may call at all, whatever it calls: it may be stuck in a loop, and nobody sees what it reads.

What it says has a narrower bound of its own (`speaking.py`). A call that comes too soon is told when to come again, and
asks nothing of the broker. It stands in the audit like any other.
"""

import time

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, CallToolResult, TextContent

from zchat.gateways.rates import Bucket

from .bounds import Bounds
from .faults import TooOftenError

COUNTED = ("tools/call", "resources/read")


class Pace:
    """Middleware of the server: lets as many calls through as `bounds` allow."""

    def __init__(self, bounds: Bounds) -> None:
        self._calls = bounds.calls
        self._allowance = Bucket(bounds.calling, time.monotonic())

    async def __call__(self, ctx: ServerRequestContext[object, object], call_next: CallNext) -> HandlerResult:
        """Let a call through, or refuse it. Raises MCPError for what is no tool."""
        if ctx.method not in COUNTED or ctx.request_id is None:
            return await call_next(ctx)
        wait = self._allowance.take(time.monotonic())
        if not wait:
            return await call_next(ctx)
        error = TooOftenError(self._calls, wait)
        if ctx.method != "tools/call":
            raise MCPError(INTERNAL_ERROR, str(error))
        text = TextContent(type="text", text=str(error))
        return CallToolResult(content=[text], is_error=True, _meta={"zchat/code": error.code})
