"""The server as one ASGI application: its routes, behind the guard.

Others add routes of their own (`more`): hooks. What is under `OPEN` is for programs, which have tokens.
"""

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from . import assets, socket
from .entering import Entering
from .files import Files
from .gateway import Gateway
from .guard import Guard
from .metrics import Metrics, Traffic

OPEN = ("/hook/", "/health", "/metrics")


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
    return traffic.around(Guard(Starlette(routes=routes), gateway.site, OPEN))
