"""`zchat broker`: open a ChatServer, print its endpoints, and run it until a signal."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zchat import extras, files, logs
from zchat.errors import AddressInUseError, RestartError, UsageError
from zchat.protocol import BROKER

from . import reach, taking_part
from .options import Number, check_keep, data, log_dir, option, verbose

if TYPE_CHECKING:
    from zchat.broker.server import ChatServer


PATH_MAX = 100  # bytes of a socket file's path: the system takes 107, and the feed's name is longer

log = logging.getLogger(__name__)


def no_insecure(_ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    """Say what to do instead of --insecure (a click callback)."""
    if given:
        raise UsageError(
            "There is no --insecure any more: whoever comes from another machine has a key, and all is encrypted. "
            "Leave it out; this broker then tells a link, with which its owner joins and invites the others."
        )


@click.command(
    epilog="""
\b
Examples:
  zchat broker
  zchat broker --listen tcp://*:5555 --advertise chat.example.org --data /var/lib/zchat
  zchat broker --listen ipc:///run/zchat/broker.sock --no-guests
  zchat broker --listen tcp://127.0.0.1:0 --memory
  zchat broker --cluster team/a                       one of several; see zchat cluster
"""
)
@option(
    "--listen",
    multiple=True,
    metavar="ENDPOINT",
    show_default=BROKER,
    help="Where clients come in: tcp://… on loopback for guests, ipc://… for the users of this machine, tcp://… beyond "
    "loopback and zchat://HOST:PORT for keys, encrypted. May be repeated.",
)
@option(
    "--publish",
    multiple=True,
    metavar="ENDPOINT",
    show_default="the next port",
    help="Where events go out, one for each --listen.",
)
@option(
    "--advertise",
    multiple=True,
    metavar="HOST",
    help="The name of this machine in links, if others know it by another.",
)
@option("--open", "strangers", is_flag=True, help="Let every key in, as a guest.")
@option("--no-guests", is_flag=True, help="Let only members in: no TCP on loopback without a key.")
@data
@option("--memory", is_flag=True, help="Keep the log in memory: it is lost when the broker stops.")
@option(
    "--keep",
    metavar="TIME",
    callback=check_keep,
    show_default="forever",
    help="For how long what was said is kept, as in 90d; a room may say otherwise (zchat keep). Older is deleted.",
)
@option("--forget-edits", is_flag=True, help="Have the texts before an edit leave the log, as if they were deleted.")
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
@option(
    "--cluster",
    metavar="WHERE",
    help="Share the log with other brokers: DIR/NAME, the folder of this machine (zchat cluster init), or nats://…",
)
@option("--name", metavar="NAME", help="With --cluster nats://…: what this broker is called among the others.")
@option("--no-node", is_flag=True, help="With --cluster DIR/NAME: leave the node to who starts it otherwise.")
@option(
    "--copies",
    type=click.IntRange(1, 5),
    metavar="N",
    show_default="3",
    help="With --cluster nats://…: how many nodes keep what is said, if this broker is the first.",
)
@option(
    "--metrics",
    metavar="HOST:PORT",
    help="Serve numbers for Prometheus (/metrics), and whether all is well (/health), as on 127.0.0.1:9100.",
)
@reach.access_options
@option("--insecure", is_flag=True, hidden=True, expose_value=False, callback=no_insecure)
@log_dir
@verbose
def broker(
    *,
    listen: tuple[str, ...],
    publish: tuple[str, ...],
    advertise: tuple[str, ...],
    strangers: bool,
    no_guests: bool,
    data: Path,
    memory: bool,
    keep: float,
    forget_edits: bool,
    heartbeat: float,
    grace: float | None,
    rate: float,
    cluster: str | None,
    name: str | None,
    copies: int | None,
    no_node: bool,
    metrics: str | None,
    log_dir: Path,
    verbose: int,
    **access: Path | None,
) -> None:
    """Run a broker until Ctrl-C or SIGTERM.

    It prints its endpoints when it is ready. Every message that it acknowledges is on disk, in the folder given by
    --data.

    The users of this machine also come in by the socket file zchat.sock, in their runtime folder or else in that of the
    data, unless another ipc endpoint is given.

    With --cluster it is one of several, and starts the node of NATS beside it, which goes on when the broker ends.
    """
    logs.setup("server", _log_folder(log_dir, cluster), verbose)
    if grace is not None and grace < heartbeat:
        raise click.BadParameter("the grace must be no shorter than the heartbeat", param_hint="--grace")
    given = click.get_current_context().get_parameter_source
    if memory and cluster is None and given("data") is ParameterSource.COMMANDLINE:
        raise UsageError(
            "--data and --memory exclude each other: the log is in a folder, or lost when the broker stops."
        )
    part = _part(cluster, data, taking_part.Given(name, copies, no_node, access))
    data = data if part is None else part.data
    door = () if no_guests else (BROKER,)
    listens = list(listen or (part.listen if part is not None else ()) or door)
    own = None if any(each.startswith("ipc://") for each in listens) else _own_socket(data, memory)
    if own is not None and part is not None and _answers(own):  # to find out later would be a second start
        log.info("there is no socket file for the users of this machine: another broker has %s", own)
        own = None
    settings = {
        "advertise": [host for each in advertise for host in each.split(",")] or (part.advertise if part else ()),
        "strangers": strangers,
        "guests": not no_guests,
        "data": None if memory else data,
        "keep": keep,
        "forget_edits": forget_edits,
        "heartbeat": heartbeat,
        "grace": grace,
        "rate": rate,
    }
    with contextlib.ExitStack() as stack:
        page = None if metrics is None else stack.enter_context(_page(metrics))
        while True:
            try:
                return asyncio.run(_run(listens, own, list(publish), settings, data, part, page))
            except RestartError as error:
                log.warning("%s", error)


def _part(where: str | None, data: Path, given: taking_part.Given) -> taking_part.Part | None:
    """Return this broker's part in a cluster, if it has one. Raises UsageError and others."""
    if where is None:
        if given.anything:
            raise UsageError(f"{taking_part.OPTIONS} say how to take part in a cluster: say which with --cluster.")
        return None
    source = click.get_current_context().get_parameter_source
    for name in ("data", "memory"):
        if source(name) is ParameterSource.COMMANDLINE:
            taking_part.refuse_place(where, f"--{name}")
    return taking_part.find(where, data, given)


def _page(address: str) -> socket.socket:
    """Listen where the numbers are to be read. Raises UsageError, AddressInUseError."""
    from zchat.broker import metrics  # noqa: PLC0415 - `--help` needs none of it

    extras.need("metrics", "prometheus_client")
    return metrics.listen(address)


def _log_folder(log_dir: Path, cluster: str | None) -> Path:
    """Return where the log file is: of a cluster's machine in its folder, since one computer may be several to try."""
    given = click.get_current_context().get_parameter_source("log_dir") is ParameterSource.COMMANDLINE
    return Path(cluster) if cluster is not None and not given and Path(cluster).is_dir() else log_dir


def _own_socket(data: Path, memory: bool) -> str | None:
    """Return the endpoint for the users of this machine; None if there is no place for it."""
    path = files.local_socket(data.absolute())
    folder = path.parent
    if len(os.fsencode(path)) > PATH_MAX:
        log.info("there is no socket file for the users of this machine: the path %s is too long", path)
        return None
    if memory and not folder.is_dir():
        log.info("there is no socket file for the users of this machine: there is no folder %s", folder)
        return None
    return f"ipc://{path}"


def _answers(endpoint: str) -> bool:
    """Return whether somebody listens at a socket file."""
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(endpoint.removeprefix("ipc://"))
        except OSError:
            return False
        return True


async def _run(
    listens: list[str],
    own: str | None,
    publish: list[str],
    settings: dict[str, Any],
    data: Path,
    part: taking_part.Part | None,
    page: socket.socket | None,
) -> None:
    """Run a broker; without the socket file for the users of this machine, if another broker has that."""
    from zchat.broker import doors  # noqa: PLC0415 - `--help` needs no sockets
    from zchat.broker.server import ChatServer  # noqa: PLC0415 - as above

    def server(*listens: str) -> ChatServer:
        return ChatServer(listens, publish, **settings, cluster=None if part is None else part.driver())

    if own is not None:
        try:
            return await _serve(server(*listens, own), data, page)
        except AddressInUseError as error:
            if error.endpoint not in (own, doors.beside(own)):
                raise
            log.info("there is no socket file for the users of this machine: another broker has %s", error.endpoint)
    if not listens:
        raise UsageError("Nobody could come in: say where with --listen.")
    return await _serve(server(*listens), data, page)


def _ways_in(server: "ChatServer", page: socket.socket | None) -> Iterator[str]:
    """Yield the lines that tell where the broker is reached."""
    for door in server.doors:
        yield f"listen {server.written(door)}"
        yield f"publish {door.publish}"
    if page is not None:
        from zchat.broker import metrics  # noqa: PLC0415 - `--help` needs no sockets

        yield f"metrics {metrics.written(page)}/metrics"
    if server.owner_link is not None:
        yield "encrypted. The owner joins with (once, within 24 hours):"
        yield f"zchat join {server.owner_link}"


async def _serve(server: "ChatServer", data: Path, page: socket.socket | None) -> None:
    from zchat.broker import metrics  # noqa: PLC0415 - `--help` needs no sockets

    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        if page is not None:
            await stack.enter_async_context(metrics.serving(page, server.status))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        if server.data is None:
            log.warning("the log is kept in memory: all of it will be lost when this broker stops")
        where = "memory" if server.data is None else str(data)
        log.info("ready, for up to %d clients; the log is in %s", server.capacity, where)
        server.warn_of_low_disk()
        click.echo("\n".join(_ways_in(server, page)))  # at once: a program that reads the first has the others, too
        await server.receive_connections()
        log.info("stopping")
