"""`zchat web`: serve the page, and make links by which people come in."""

import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from zchat import extras
from zchat.errors import UsageError
from zchat.prompt import arguments, render
from zchat.prompt.shared import TABLE, Result
from zchat.prompt.shared.browser import IN_A_DAY
from zchat.prompt.shared.invitations import REVOKED
from zchat.prompt.shared.pages import checked_url, link_of
from zchat.protocol import links

from . import options, served
from .options import Connection, option
from .shared import ask, print_result

if TYPE_CHECKING:
    from zchat.gateways.people.people import People
    from zchat.gateways.web import serving
    from zchat.gateways.web.site import Site

LISTEN = "127.0.0.1:8080"
OTHERS = (
    "Others come in by an invitation, if the broker takes keys; or anybody of this machine with a nick, as a guest: "
    "zchat web --broker tcp://127.0.0.1:5555"
)
MEMBERS = (
    "People come in by a link: members by that of /web at the prompt, who is new by that of /invite; or, where the "
    "broker lets guests in, with a nick."
)
LIBRARIES = (
    "starlette", "uvicorn", "websockets", "markdown_it", "nh3", "pywebpush", "prometheus_client", "python_multipart",
)  # fmt: skip


@click.group(
    invoke_without_command=True,
    epilog="""
\b
Examples:
  zchat web                                  for this machine: http://localhost:8080
  zchat web --broker zchat://chat.example.org/KEY --url https://chat.example.org
  zchat web --listen '*:443' --url https://chat.example.org --certificate chain.pem --key key.pem
  zchat web link                             a link for a browser of yours
  zchat web revoke LINK                      it brings nobody in any more
""",
)
@options.connects(timeout=10.0, feed=True, role="web")
@option(
    "--listen", of="web", metavar="[HOST:]PORT", default=LISTEN, show_default=True, help="Where the server listens."
)
@option(
    "--url", of="web", metavar="URL", help="By which address people come, if that is another one: behind a proxy, say."
)
@options.certificate(of="web")
@option(
    "--metrics-token",
    of="web",
    metavar="TEXT",
    help="Who has it reads /metrics from elsewhere, too; better a variable.",
)
@options.data
@click.pass_context
def web(
    ctx: click.Context,
    /,
    *,
    connection: Connection,
    listen: str,
    url: str | None,
    certificate: tuple[Path, Path] | None,
    metrics_token: str | None,
    data: Path,
) -> None:
    """Serve a page on which people talk, until Ctrl-C or SIGTERM.

    It is a client of the broker, for each person one: it may run beside the broker or elsewhere, be killed and be begun
    again. People come in by a link that works once: /web at the prompt, or `zchat web link`.
    """
    if ctx.invoked_subcommand is not None:
        return
    extras.need("web", *LIBRARIES)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it would log each connection
    from zchat.gateways.hooks.book import hooks_of  # noqa: PLC0415 — an extra
    from zchat.gateways.web import serving  # noqa: PLC0415

    folder = served.folder_of(data, connection.address.id)
    settings = serving.Settings(
        connection.address, folder, hooks_of(data), listen, url, certificate, metrics_token, connection.timeout,
        connection.feed,
    )  # fmt: skip
    options.run_async(serving.serve(settings, lambda where, people: _tell(where, people, settings)))


@web.command(
    epilog="""
\b
Examples:
  zchat web link
  zchat web link --url https://chat.example.org     it is remembered
  zchat web link --for bob                          where the server runs: for one of those whom it carries
"""
)
@options.connects()
@option("--url", of="web", metavar="URL", help="Where the page is. [default: ZCHAT_WEB, or what was given before]")
@option("--for", "nick", callback=arguments.check_nick, metavar="NICK", help="Somebody who has lost their login.")
@option(
    "--expires",
    callback=arguments.check_until,
    default=IN_A_DAY,
    show_default=True,
    metavar="WHEN",
    help="Until when it holds: 2h, 7d, or a date.",
)
@options.data
@options.as_json
def link(
    *, connection: Connection, url: str | None, nick: str | None, expires: datetime, data: Path, json: bool
) -> None:
    """Make a link that brings a browser of yours in, once.

    Where `zchat web` runs as your user, at the broker of this machine, it is made there. Else the broker makes it, as
    for another device.
    """
    find = served.of if nick is None else served.only
    server = find(data, connection.address)
    if server is not None and (nick is not None or connection.address.shown.startswith("ipc://")):
        print_result(options.run_async(_link_here(connection, server, url, nick, expires)), json)
    elif nick is not None:
        raise UsageError(
            "--for is for who runs the server of the page, where it runs: with its --data, and with its --broker where "
            "several servers have the same --data."
        )
    else:
        given = {"url": url, "expires": expires}
        print_result(options.run_async(ask(TABLE["web"], connection.member(), connection.timeout, given)), json)


@web.command(
    epilog="""
\b
Example:
  zchat web revoke https://chat.example.org/#in=CODE
"""
)
@options.connects()
@options.data
@options.as_json
@click.argument("invitation", metavar="LINK")
def revoke(*, connection: Connection, data: Path, json: bool, invitation: str) -> None:
    """Take a link for a browser back, whether it was made here or by the broker."""
    from zchat.gateways.people.own_links import OwnLinks  # noqa: PLC0415 — as above

    code = links.code_in(invitation)
    if any(OwnLinks(each.folder / "links.json").take(code) is not None for each in served.every(data)):
        print_result(Result((REVOKED,)), json)
        return
    given = {"invitation": invitation}
    print_result(options.run_async(ask(TABLE["revoke"], connection.member(), connection.timeout, given)), json)


async def _link_here(
    connection: Connection, server: served.Served, url: str | None, nick: str | None, expires: datetime
) -> Result:
    """Make a link by the folder of the server, which belongs to this user."""
    from zchat.gateways.people.own_links import OwnLinks  # noqa: PLC0415 — as above

    person, url = "", server.url if url is None else checked_url(url)
    if nick is not None:
        person = await served.whom(server, nick, connection.address, connection.timeout)
    code = OwnLinks(server.folder / "links.json").make(person, until=expires.timestamp())
    made = link_of(url, code)
    until = render.when(expires.isoformat(), datetime.now().astimezone().isoformat(), render.Style())
    told = f"It brings {'you' if nick is None else nick} in, once, until {until}."
    return Result((told,), (made,), (msgspec.json.encode({"url": made, "expires": expires}),))


def _tell(where: "Site", people: "People", settings: "serving.Settings") -> None:
    served.tell(settings.folder, where.url, settings.broker)  # for `zchat web link`
    click.echo(f"page {where.url}")
    code = people.own_code()
    click.echo(MEMBERS if code is None else OTHERS)
    if code is not None:
        click.echo("You come in with (once, within 24 hours):")
        click.echo(link_of(where.url, code))
