"""Coming in as somebody who speaks: under a nick that is free, and as the same sender in every run."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zchat.errors import InUseError, NickTakenError, TimedOutError, UnreachableError
from zchat.protocol.names import NICK_MAX

from . import options
from .options import Connection

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

Come = Callable[[], Coroutine[Any, Any, "ChatClient"]]  # what connects

RETRY = 0.25  # seconds between two tries for a nick that is taken
SUFFIX_END = 100  # alice-2 … alice-99


async def connect(connection: Connection, nick: str | None, outbox: Path | None, **settings: Any) -> "ChatClient":
    """Return a connected client called `nick`; wait until the timeout for the nick (and for the outbox) to be free.

    Without a nick one is the member that the connection proves, else the login name, or the first of name-2, name-3 …
    that is free.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + connection.timeout
    taken: NickTakenError | InUseError | None = None  # why this is not the first try
    names = itertools.repeat(nick) if nick else _numbered(options.login_nick())
    name = None if nick is None and connection.address.proves else next(names)
    while True:
        left = deadline - clock()
        try:
            return await connection.speaker(name, timeout=max(left, RETRY), outbox=outbox, **settings).__aenter__()
        except (NickTakenError, InUseError) as error:
            if clock() + RETRY > deadline:
                raise
            if nick or isinstance(error, InUseError):
                taken = error
                await asyncio.sleep(RETRY)
            elif (name := next(names, None)) is None:
                raise
        except (UnreachableError, TimedOutError):
            if taken is None or left > connection.timeout / 2:
                raise
            raise taken from None  # that silence was too short to tell anything


def _numbered(login: str) -> Iterator[str]:
    yield login
    for number in range(2, SUFFIX_END):
        ending = f"-{number}"
        yield login[: NICK_MAX - len(ending)] + ending


def identity(data: Path, connection: Connection, nick: str | None) -> Path:
    """Return the outbox that makes this the same sender in every run: a key holds for one sender."""
    who = f"{connection.address.id}\n{nick or options.login_nick()}"
    return data / "once" / f"{hashlib.sha256(who.encode()).hexdigest()[:16]}.outbox"


def whose(ctx: click.Context, connection: Connection, to: str | None, nick: str | None) -> str | None:
    """Return the nick of who asks about a room, or about what was said with `to`; None: whom the connection proves."""
    if to is None:
        return nick
    if ctx.get_parameter_source("room") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--room and --to exclude each other.", ctx)
    return nick or (None if connection.address.proves else options.login_nick())  # who has talked to them


def coming(connection: Connection, nick: str | None, data: Path) -> Come:
    """Return what connects: as the one who says something by `zchat send`, or without a nick as who is proved."""
    if nick is None:
        return connection.member().__aenter__
    return lambda: connect(connection, nick, identity(data, connection, nick))
