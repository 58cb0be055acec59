"""`zchat mcp`: let an agent take part, over the Model Context Protocol."""

import asyncio
import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zchat import extras
from zchat.prompt import arguments
from zchat.protocol import endpoints

from . import options
from .options import Connection, option

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from zchat.gateways.mcp.home import Home
    from zchat.gateways.mcp.session import Agent

RIGHTS = ("read", "say", "react", "ask")  # those of bounds.py: `--help` needs none of the extra


def check_may(_ctx: click.Context, _param: click.Parameter, value: str) -> frozenset[str]:
    """Convert `read,say` to rights (a click callback)."""
    given = frozenset(word.strip() for word in value.split(",") if word.strip())
    if not given or given - set(RIGHTS):
        raise click.BadParameter(f"{value!r}: name some of {', '.join(RIGHTS)}, with commas in between.")
    return given


@click.command(
    epilog="""
\b
Examples:
  zchat mcp --nick helper                                    over standard input and output, as a host starts it
  zchat mcp --nick helper --room dev --may read,ask          it reads, and asks people
  zchat mcp --nick helper --invite zchat://chat.example.org/KEY/CODE      once, to become a member
  zchat mcp --nick helper --http 127.0.0.1:8090              for hosts that come over HTTP
"""
)
@options.connects(feed=True, resolved=False, role="mcp")
@option("--invite", metavar="LINK", help="The link that makes it a member; needed once, it has a key of its own.")
@option("--nick", required=True, callback=arguments.check_nick, metavar="NICK", help="The agent's nick.")
@options.room("A room that it sees; others are not there for it. Can be repeated.", multiple=True)
@option(
    "--may",
    default=",".join(RIGHTS),
    show_default=True,
    callback=check_may,
    metavar="RIGHTS",
    help="What it may do, with commas in between: the other tools are not offered.",
)
@option("--direct", is_flag=True, help="It may also speak with one person alone, and reads such conversations.")
@option("--answer-bots", is_flag=True, help="It also hears and answers bots: two may then never end.")
@option(
    "--per-minute",
    type=arguments.Whole(1, 6000),
    default=20,
    show_default=True,
    metavar="N",
    help="How many messages, reactions and questions it may say in a minute.",
)
@option(
    "--http", of="mcp", metavar="HOST:PORT", help="Serve streamable HTTP there, on loopback, and not standard input."
)
@option("--url", of="mcp", metavar="URL", help="With --http: the address of the proxy with TLS before it (https://…).")
@options.data
@click.pass_context
def mcp(
    ctx: click.Context,
    *,
    connection: Connection,
    invite: str | None,
    nick: str,
    rooms: tuple[str, ...],
    may: frozenset[str],
    direct: bool,
    answer_bots: bool,
    per_minute: int,
    http: str | None,
    url: str | None,
    data: Path,
) -> None:
    """Let an agent take part as the bot NICK, over MCP.

    The tools are those of the Model Context Protocol, for the agent's host. It sees the rooms that are named here and
    no others, does what --may tells, and is bounded by its role at the broker besides. What it did is written to
    DATA/mcp/NICK.audit.jsonl. The broker that it was invited to is gone back to in every later run, unless --broker
    names one.
    """
    if invite and ctx.get_parameter_source("broker") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--invite and --broker exclude each other: the link says where the broker is.")
    if url and not http:
        raise click.UsageError("--url says where the proxy before --http is: give both.")
    need()
    from zchat.gateways.mcp import bounds, home, server  # noqa: PLC0415 — an extra

    if len(rooms) > bounds.ROOMS_MAX:
        raise click.UsageError(f"An agent has at most {bounds.ROOMS_MAX} rooms.")
    its_home = home.Home(data, nick)
    address = its_home.address(invite or connection.given)
    rights = frozenset(right for right in bounds.RIGHTS if right in may)
    limits = bounds.Bounds(rooms, rights, direct, answer_bots, per_minute)
    built = server.build(
        limits, nick, its_home.audit, lambda: its_home.client(address, connection.timeout, connection.feed)
    )
    if http is None:
        _over_stdio(nick, built)
    else:
        _over_http(its_home, built, http, url)


def _over_stdio(nick: str, built: "tuple[MCPServer[Any], Agent]") -> None:
    from zchat.gateways.mcp import stdio  # noqa: PLC0415 — an extra

    if sys.stdin.isatty():
        click.echo(f"zchat: {nick} waits for its host on standard input; Ctrl-C ends it", err=True)
    asyncio.run(stdio.serve(*built))


def _over_http(its_home: "Home", built: "tuple[MCPServer[Any], Agent]", where: str, url: str | None) -> None:
    from zchat.gateways.mcp import http  # noqa: PLC0415 — an extra

    with contextlib.closing(http.listen(where)) as sock:
        host, port = sock.getsockname()[:2]
        token = its_home.token()  # it is there for whoever has waited for the address
        click.echo(f"http://{endpoints.joined(host, port)}{http.PATH}")
        click.echo(f"zchat: {its_home.nick} is served there; its token is in {its_home.path('.token')}", err=True)
        asyncio.run(http.serve(*built, sock, token, url))


def need() -> None:
    """Raise MissingExtraError unless the SDK is installed; keep what it logs to what matters here."""
    extras.need("mcp", "mcp")
    for library in ("mcp", "uvicorn"):
        logging.getLogger(library).setLevel(logging.WARNING)
