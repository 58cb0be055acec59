"""The server as one ASGI application: its routes, behind the guard.

Others add routes of their own (`more`): hooks. What is under `OPEN` is for programs, which have tokens.
"""

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from . import assets, socket
from .entering import Entering
from .files import Files
from .gateway import Gateway
from .guard import Guard, refused
from .metrics import Metrics, Traffic

OPEN = ("/hook/", "/health", "/metrics")
NOWHERE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Nothing is here · zchat</title><link rel="stylesheet" href="/assets/style.css">
<body><main class="intro"><h1>Nothing is here</h1>
<p>This address leads nowhere. Rooms are at /room/NAME.</p><p><a href="/">To the rooms</a></p></main></body></html>
"""


def application(gateway: Gateway, more: Iterable[BaseRoute] = (), metrics_token: str | None = None) -> ASGIApp:
    """Return the application. Whoever has the `metrics_token` reads its numbers from elsewhere, too."""
    traffic = Traffic()
    entering, files = Entering(gateway), Files(gateway, gateway.folder / "uploads")

    async def tab(websocket: WebSocket) -> None:
        await socket.talk(websocket, gateway)

    routes: list[BaseRoute] = [
        Route("/in", entering.ask, methods=["GET"]),
        Route("/in", entering.come_in, methods=["POST"]),
        Route("/out", entering.leave, methods=["POST"]),
        Route("/files", files.put, methods=["PUT"]),
        Route("/files/{seq}/{file}/{name}", files.get),
        WebSocketRoute("/ws", tab),
        *Metrics(gateway, traffic, metrics_token).routes(),
        *more,
        *assets.routes(),
    ]
    starlette = Starlette(routes=routes, exception_handlers={404: _nowhere})
    return traffic.around(Guard(starlette, gateway.site, OPEN))


async def _nowhere(request: Request, _: Exception) -> Response:
    """Tell people in words that an address leads nowhere, and programs by a code."""
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(NOWHERE, 404)
    return refused("not_found", "Nothing is at this address.", 404)
