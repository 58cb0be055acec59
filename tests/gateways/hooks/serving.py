"""A gateway that has nothing but hooks, for tests: `python -m tests.gateways.hooks.serving FOLDER PORT PATIENCE HOOKS`.

HOOKS is how many deliveries a hook takes, and addresses as many: then none, so that no test waits for a second to
pass. It prints the port on which it listens once it does.
"""

import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from zchat.gateways.hooks.limits import Bounds
from zchat.gateways.hooks.routes import Hooks
from zchat.gateways.rates import Rate


def app_of(folder: Path, patience: float, most: float) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        bounds = Bounds(hook=Rate(most, 0.01), address=Rate(10 * most, 0.01), guess=Rate(10, 0.01))
        async with Hooks(folder, patience, bounds) as hooks:
            app.router.routes.extend(hooks.routes)
            yield

    return Starlette(lifespan=lifespan)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", int(sys.argv[2])))
    print(listening.getsockname()[1], flush=True)
    app = app_of(Path(sys.argv[1]), float(sys.argv[3]), float(sys.argv[4]))
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run([listening])
