"""`zchat broker`: open a ChatServer, print its endpoints, and run it until a signal."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zchat import logs
from zchat.protocol import BROKER, FEED

from .options import Number, data, log_dir, option, verbose

if TYPE_CHECKING:
    from zchat.broker.server import ChatServer


log = logging.getLogger(__name__)


@click.command(
    epilog="""
\b
Examples:
  zchat broker
  zchat broker --listen ipc:///run/zchat/in --publish ipc:///run/zchat/out --data /var/lib/zchat
  zchat broker --listen tcp://127.0.0.1:0 --publish tcp://127.0.0.1:0 --memory
"""
)
@option("--listen", default=BROKER, show_default=True, metavar="ENDPOINT", help="The endpoint for commands (ROUTER).")
@option("--publish", default=FEED, show_default=True, metavar="ENDPOINT", help="The endpoint for events (PUB).")
@data
@option("--memory", is_flag=True, help="Keep the log in memory: it is lost when the broker stops.")
@option(
    "--heartbeat",
    type=Number(0.01, 3600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often an idle client sends a ping.",
)
@option(
    "--grace",
    type=Number(0.03, 86_400),
    metavar="SECONDS",
    show_default="3 heartbeats",
    help="How long a client may be silent before it is dropped.",
)
@option(
    "--rate",
    type=Number(0, 1_000_000),
    default=100.0,
    show_default=True,
    metavar="N",
    help="Lines per second that a session may send, with bursts of twice that; 0: no limit.",
)
@option("--insecure", is_flag=True, help="Allow addresses that other machines can reach. Nothing is encrypted.")
@log_dir
@verbose
def broker(
    *,
    listen: str,
    publish: str,
    data: Path,
    memory: bool,
    heartbeat: float,
    grace: float | None,
    rate: float,
    insecure: bool,
    log_dir: Path,
    verbose: int,
) -> None:
    """Run a broker until Ctrl-C or SIGTERM.

    It prints its endpoints when it is ready. Every message that it acknowledges is on disk, in the folder given by
    --data.
    """
    from zchat.broker.server import ChatServer  # noqa: PLC0415 - `--help` needs no sockets

    logs.setup("server", log_dir, verbose)
    if grace is not None and grace < heartbeat:
        raise click.BadParameter("the grace must be no shorter than the heartbeat", param_hint="--grace")
    if listen == publish and not listen.endswith(":0"):
        raise click.BadParameter("commands and events are two sockets: give each an address", param_hint="--publish")
    server = ChatServer(
        listen,
        publish,
        data=None if memory else data,
        heartbeat=heartbeat,
        grace=grace,
        rate=rate,
        insecure=insecure,
    )
    asyncio.run(_serve(server, memory, insecure, data))


async def _serve(server: "ChatServer", memory: bool, insecure: bool, data: Path) -> None:
    loop = asyncio.get_running_loop()
    async with server:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        if memory:
            log.warning("the log is kept in memory: all of it will be lost when this broker stops")
        if insecure:
            log.warning("other machines may reach this broker, and nothing is encrypted")
        where = "memory" if memory else str(data)
        log.info("ready, for up to %d clients; the log is in %s", server.capacity, where)
        server.warn_of_low_disk()
        click.echo(f"listen {server.listen}")
        click.echo(f"publish {server.publish}")
        await server.receive_connections()
        log.info("stopping")
