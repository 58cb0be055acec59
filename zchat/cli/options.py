"""The options that commands share, and their environment variables.

`option` is click's, with one rule added: the environment variable is ZCHAT_ and the long name, the same in every
command, or with the command's name where it means another thing elsewhere: ZCHAT_WEB_LISTEN. `connects` adds the
options that are needed to reach a broker, and passes them as one `Connection`.
"""

import asyncio
import contextlib
import functools
import logging
import math
import os
import signal
import stat
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from zchat.errors import UnreachableError, ZchatError
from zchat.prompt import arguments

if TYPE_CHECKING:
    from zchat.client.addresses import Address
    from zchat.client.client import ChatClient
    from zchat.logs import Role

ROOM = "general"
SHORTEST_KEPT = 3_600.0  # s: who was away for less has to find what was said

log = logging.getLogger(__name__)

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Number(click.FloatRange):
    """A finite number within bounds."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        return found if math.isfinite(found) else self.fail(f"{value!r} is no finite number.", param, ctx)


def option(*names: str, of: str = "", **settings: Any) -> Callable[[F], F]:
    """Return a click option that can also be set by the environment variable ZCHAT_ and its long name.

    `of`: the command whose alone it is, where another one has an option of this name that means another thing.
    """
    long = next(name for name in names if name.startswith("--"))
    variable = f"ZCHAT_{of.upper()}_".replace("__", "_") + long[2:].split("/")[0].replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **settings)


def default_data() -> Path:
    """Return the user's data folder."""
    from platformdirs import user_data_path  # noqa: PLC0415 — most calls do not need it

    return user_data_path("zchat", appauthor=False)


def default_log_dir() -> Path:
    """Return the user's log folder. (Also used when an error occurs before the options are parsed.)"""
    from platformdirs import user_log_path  # noqa: PLC0415 — most calls do not need it

    if given := os.environ.get("ZCHAT_LOG_DIR"):
        return Path(given)
    return user_log_path("zchat", appauthor=False)


def login_nick() -> str:
    """Return the login name as a nick; `guest` if it is not a valid nick."""
    from zchat.client.arguments import login_nick  # noqa: PLC0415 — only needed if no nick is given

    return login_nick()


def check_one_room(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str | None:
    """Prepare the value of an option that takes one room (a click callback). click itself uses the last of several."""
    if len(value) > 1:
        raise click.BadParameter("it is given more than once, and this takes one room.")
    return arguments.check_room(ctx, param, value[0]) if value else None


def check_text(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Reject a text that is not UTF-8 (a click callback): Python would pass its bytes on as surrogates."""
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not UTF-8.") from None
    return value


def check_key(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Reject an empty key (a click callback)."""
    if value == "":
        raise click.BadParameter("it is empty.")
    return check_text(ctx, param, value)


def check_keep(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Convert `90d`, `12h` or `forever` to seconds, 0 for ever (a click callback)."""
    if value is None or value == arguments.FOREVER:
        return 0.0
    now = datetime.now().astimezone()
    try:
        kept = (now - arguments.since(value, now)).total_seconds() if value[:1].isdigit() else 0.0
    except (ValueError, OverflowError):
        kept = 0.0
    if not SHORTEST_KEPT <= kept <= arguments.DAYS_MAX * 86_400:
        raise click.BadParameter(f"{value!r} is no time that is an hour or more. Write it as 12h, 90d, 52w or forever.")
    return kept


def check_since(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Convert `10m` or a date to a point in time (a click callback)."""
    now = datetime.now().astimezone()
    try:
        return value if value is None else arguments.since(value, now)
    except (ValueError, OverflowError):
        example = now.isoformat(timespec="seconds")
        raise click.BadParameter(f"{value!r} is no time. Write it as 90s, 10m, 2h, 1d, 1w or {example}.") from None


data = option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=default_data,
    show_default="the user's data folder",
    help="The folder for data that is kept between runs.",
)
log_dir = option(
    "--log-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=default_log_dir,
    show_default="the user's log folder",
    help="The folder for the log file.",
)
verbose = option("-v", "--verbose", count=True, help="Show more of the log on standard error; -vv shows all.")
feed_option = option("--feed", metavar="ENDPOINT", help="The feed's endpoint, if not as the broker says (tunnels).")
as_json = option("--json", "json", is_flag=True, help="Print the protocol's lines of JSON, made safe for a terminal.")


def room(help: str, multiple: bool = False) -> Callable[[F], F]:  # noqa: A002 — as click calls it
    """Return the --room option."""
    return option(
        "-r",
        "--room",
        "rooms" if multiple else "room",
        callback=arguments.check_room if multiple else check_one_room,
        multiple=True,
        metavar="ROOM",
        default=(ROOM,),
        show_default=True,
        help=help,
    )


@dataclass(frozen=True)
class Connection:
    """How a command reaches the broker: what was given of it, and the timeout in seconds."""

    given: str | None = field(repr=False)  # a code of an invitation may be in it
    timeout: float
    feed: str | None = None

    @functools.cached_property
    def address(self) -> "Address":
        """Where the broker is. Raises UsageError, ChangedKeyError, StorageError."""
        from zchat.client.addresses import resolve  # noqa: PLC0415 — `--help` needs no broker

        return resolve(self.given)

    @property
    def broker(self) -> str:
        """How the broker is shown; given to another command, it leads there again."""
        return self.address.shown

    def others(self) -> tuple[str, ...]:
        """Return the names of the other brokers that are known here, as far as their file can be read."""
        from zchat.client.addresses import default_known  # noqa: PLC0415 — as above
        from zchat.client.known_brokers import KnownBrokers  # noqa: PLC0415

        with contextlib.suppress(ZchatError):
            return tuple(name for name in KnownBrokers(default_known()).load() if name != self.broker)
        return ()

    def client(self, nick: str | None = None, **settings: Any) -> "ChatClient":
        """Return a client that is not yet connected."""
        from zchat.client.client import ChatClient  # noqa: PLC0415 — `--help` needs no sockets

        return ChatClient(nick, self.address, **{"timeout": self.timeout, "feed": self.feed} | settings)

    def member(self) -> "ChatClient":
        """Return a client that asks as the member whom the connection proves; it only reads where none is proved."""
        from zchat.client.addresses import host_name  # noqa: PLC0415 — as above

        return self.client(device=host_name() if self.address.proves else None)

    def speaker(self, nick: str | None, device: str | None = None, **settings: Any) -> "ChatClient":
        """Return a client for who speaks: without a nick as the member that the connection proves, if it does.

        An invitation makes a new member, who needs a nick; for who is one already it does nothing.
        """
        from zchat.client.addresses import host_name  # noqa: PLC0415 — as above

        if nick is None and self.address.proves and not self.address.code:
            return self.client(device=device or host_name(), **settings)
        return self.client(nick or login_nick(), device=device, **settings)


def connects(
    timeout: float = 5.0, feed: bool = False, argument: bool = False, resolved: bool = True, role: "Role" = "client"
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Add the options of a client to a command. Call it with a `Connection`, after logging is set up.

    `feed` adds the option --feed, for commands that listen; `argument` lets the broker be given without --broker. What
    is wrong with the broker is told at once, unless it is not `resolved`. `role` says which log file is written.
    """

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(command)
        def wrapper(
            *,
            broker: str | None,
            timeout: float,
            log_dir: Path,
            verbose: int,
            feed: str | None = None,
            where: str | None = None,
            **rest: Any,
        ) -> T:
            from zchat import logs  # noqa: PLC0415 — `--help` needs no log

            context = click.get_current_context()
            if where and context.get_parameter_source("broker") is ParameterSource.COMMANDLINE:
                raise click.UsageError("BROKER and --broker exclude each other: they are the same.", context)
            logs.setup(role, log_dir, verbose, logging.WARNING)
            connection = Connection(where or broker, timeout, feed)
            log.info("%s%s", context.command_path, f" at {connection.broker}" if resolved else "")
            try:
                return command(connection=connection, **rest)
            except UnreachableError as error:
                if type(error) is not UnreachableError:
                    raise
                raise UnreachableError(error.endpoint, connection.others(), _is_shut(error.endpoint)) from None

        added = reversed(_reaching(timeout, feed, argument))
        return functools.reduce(lambda inner, add: add(inner), added, wrapper)

    return decorate


def _reaching(timeout: float, feed: bool, argument: bool) -> list[Callable[[Any], Any]]:
    """Return the options of `connects`, as `--help` shows them."""
    place = option(
        "-b",
        "--broker",
        metavar="BROKER",
        show_default="the one on this machine",
        help="A link (zchat://…), the name of a broker known from one, or an address (tcp://…, ipc://…).",
    )
    patience = option(
        "--timeout",
        type=Number(0, min_open=True),
        metavar="SECONDS",
        default=timeout,
        show_default=True,
        help="How long to wait for the broker.",
    )
    first = [click.argument("where", metavar="[BROKER]", required=False)] if argument else []
    return [*first, place, *([feed_option] if feed else []), patience, log_dir, verbose]


def certificate(of: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Add --certificate and --key to the command `of`, which gets them as `certificate`: both files, or None."""

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(command)
        def wrapper(*, certificate: Path | None, key: Path | None, **rest: Any) -> T:
            if key is not None and certificate is None:
                context = click.get_current_context()
                raise click.UsageError("--key is that of a --certificate, which is missing.", context)
            return command(certificate=None if certificate is None else (certificate, key or certificate), **rest)

        file: Any = {"of": of, "type": click.Path(path_type=Path, exists=True, dir_okay=False), "metavar": "FILE"}
        chain = option("--certificate", help="For TLS: the certificate and its chain, as PEM.", **file)
        secret = option("--key", help="The key of the certificate, if it is not in the same file.", **file)
        return chain(secret(wrapper))

    return decorate


def _is_shut(endpoint: str) -> bool:
    """Return whether an endpoint is a socket file that this user may not use."""
    path = endpoint.removeprefix("ipc://")
    try:
        return path != endpoint and not stat.S_ISDIR(Path(path).stat().st_mode) and not os.access(path, os.W_OK)
    except OSError as error:
        return isinstance(error, PermissionError)


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run `main`. SIGTERM and SIGHUP cancel it, so that it can close its resources and restore the terminal."""
    ended_by: list[signal.Signals] = []

    async def guarded() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — for mypy: a coroutine that runs has a task

        def stop(how: signal.Signals) -> None:
            ended_by.append(how)
            task.cancel()

        for how in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(how, stop, how)
        return await main

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise SystemExit(128 + ended_by[0] if ended_by else 1) from None
