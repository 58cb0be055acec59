"""A whole server of the page: everything that it is made of, from the socket to its end."""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zchat import ports
from zchat.client.addresses import Address, host_name
from zchat.gateways.hooks.routes import Hooks
from zchat.gateways.people.people import People

from . import server, site
from .app import application
from .gateway import Gateway
from .push import Push
from .subscriptions import Subscriptions
from .watching import Watching

ENDED = "The page's server stops. It is back in a moment, if somebody starts it again."
NOBODY = "mailto:nobody@localhost"  # who we are to a push service, without a site of our own

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How it is run: `folder` is for what is kept of people, `hooks` for hooks; the rest is as `zchat web` takes it."""

    broker: Address
    folder: Path
    hooks: Path
    listen: str
    url: str | None = None
    certificate: tuple[Path, Path] | None = None  # with its key
    metrics_token: str | None = None
    timeout: float = 10.0
    feed: str | None = None


async def serve(settings: Settings, ready: Callable[[site.Site, People], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told when it listens.

    Raises UsageError (BadAddressError), AddressInUseError, InUseError, StorageError.
    """
    host, port = ports.split(settings.listen, server.OPTION, server.FORM)
    ports.raise_open_files()
    folder, device = settings.folder, f"web on {host_name()}"[:64]
    with server.listening(host, port) as listener:
        where = site.site_of(host, listener.getsockname()[1], settings.url, settings.certificate is not None)
        async with (
            People(folder, settings.broker, device=device, timeout=settings.timeout, feed=settings.feed) as people,
            Hooks(settings.hooks) as hooks,
            Push(folder / "push.pem", where.url if where.secure else NOBODY) as push,
            Watching(gateway := Gateway(where, people, folder), Subscriptions(folder / "push.json"), push) as watching,
        ):
            app = application(gateway, (*hooks.routes, *watching.routes), metrics_token=settings.metrics_token)
            running = server.server(app, settings.certificate)
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, _stop, gateway, running)
            ready(where, people)
            log.info("ready at %s, for %s", where.url, settings.broker.shown)
            await running.serve([listener])
    log.info("stopped")


def _stop(gateway: Gateway, running: server.Server) -> None:
    gateway.households.end(ENDED)
    running.should_exit = True
