"""`zchat irc`: the rooms for those who have their client of IRC; `zchat irc password` makes the password for one.

Without TLS it listens on loopback only: a password that crosses a network in the clear is everybody's.
"""

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zchat import extras, ports
from zchat.client.addresses import host_name
from zchat.errors import RefusedError, UsageError
from zchat.prompt import arguments
from zchat.protocol import endpoints

from . import options
from .options import Connection, option

if TYPE_CHECKING:
    from OpenSSL import SSL

PLAIN, TLS = "127.0.0.1:6667", "0.0.0.0:6697"
NONE = "none"

HOW = """\
Your client logs in with it by SASL PLAIN, under any name; or it is sent as the server's password (PASS).
It is for one client: each has its own, and is told what it missed. It has to be used within a week for the first time.
`zchat device list` shows the gateway among your devices; `zchat device remove` takes it away."""

log = logging.getLogger(__name__)


@click.command(
    epilog="""
\b
Examples:
  zchat irc                                        for clients on this machine: 127.0.0.1, port 6667
  zchat irc --certificate cert.pem --key key.pem   for others, too: by TLS, port 6697
  zchat irc password                               a password for your client
  zchat irc password --for bob                     where the gateway runs: for one of those whom it carries
""",
)
@options.connects(timeout=10.0, feed=True, role="irc")
@option("--listen", of="irc", metavar="[HOST:]PORT", default=PLAIN, show_default=True,
        help="Where to listen without TLS: an address of this machine's loopback, or none.")  # fmt: skip
@option(
    "--tls",
    of="irc",
    metavar="[HOST:]PORT",
    show_default=TLS,
    help="Where to listen with TLS, if there is a --certificate.",
)
@options.certificate(of="irc")
@option("--for", "nick", callback=arguments.check_nick, metavar="NICK",
        help="With `password`: somebody who has lost the only one.")  # fmt: skip
@options.data
@click.argument("what", type=click.Choice(["password"]), required=False, metavar="[password]")
@click.pass_context
def irc(
    ctx: click.Context, *, connection: Connection, listen: str, tls: str | None,
    certificate: tuple[Path, Path] | None, nick: str | None, data: Path, what: str | None,
) -> None:  # fmt: skip
    """Carry clients of IRC into the rooms of a broker.

    Members log in with SASL and the password that `zchat irc password` gives them. Who is new has the code of an
    invitation for one the first time, and is told another one then. Where the broker lets guests in, a nick is enough.
    """
    if what == "password":
        click.echo(options.run_async(_password(connection, data / "irc", nick)))
        click.echo(HOW, err=True)
        return
    if nick is not None:
        raise click.UsageError("--for goes with `password`.", ctx)
    if tls is not None and certificate is None:
        raise click.UsageError("--tls needs a --certificate.", ctx)
    plain = None if listen == NONE else _loopback(listen, ctx)
    secure = None if certificate is None else _address(tls or TLS, "--tls")
    if plain is None and secure is None:
        raise click.UsageError("There is nowhere to listen: give --listen, or a --certificate.", ctx)
    options.run_async(_serve(connection, data / "irc", plain, secure, certificate))


def _address(text: str, option: str) -> tuple[str, int]:
    host, port = ports.split(text, option, ports.form(6667))
    return host if host not in ("", "*") else "0.0.0.0", port  # noqa: S104 — who names no host means all


def _loopback(text: str, ctx: click.Context) -> tuple[str, int]:
    """Return an address on loopback."""
    host, port = _address(text, "--listen")
    if not endpoints.is_loopback(host):
        raise click.UsageError(
            f"{host} can be reached from other machines, and without TLS everybody on the way would read passwords and "
            "messages. Give --certificate and --key for TLS, or let --listen be 127.0.0.1.",
            ctx,
        )
    return host, port


async def _serve(
    connection: Connection, folder: Path, plain: tuple[str, int] | None, secure: tuple[str, int] | None,
    certificate: tuple[Path, Path] | None,
) -> None:  # fmt: skip
    extras.need("irc", "irctokens")
    from zchat.gateways.irc.gateway import Gateway, Listening  # noqa: PLC0415 — an extra
    from zchat.gateways.people.people import People  # noqa: PLC0415 — as above

    context = _context(certificate) if certificate is not None else None
    device = f"irc on {host_name()}"[:64]
    people = People(
        folder, connection.address, device=device, rooms=(), timeout=connection.timeout, feed=connection.feed
    )
    async with people:
        gateway = Gateway(people, folder, device)
        try:
            if plain is not None:
                _tell("IRC", plain[0], await gateway.listen(Listening(*plain)))
            if secure is not None:
                _tell("IRC with TLS", secure[0], await gateway.listen(Listening(*secure, context)))
            gateway.send_off_guests()
            await _until_told_to_stop()
        finally:
            await gateway.close()


def _context(paths: tuple[Path, Path]) -> "SSL.Context":
    extras.need("irc", "OpenSSL")
    from zchat.gateways.irc.tls import context_of  # noqa: PLC0415 — an extra

    return context_of(*paths)


def _tell(what: str, host: str, port: int) -> None:
    shown = f"{what} at {endpoints.joined(host, port)}"
    click.echo(shown, err=True)
    log.info("%s", shown)


async def _until_told_to_stop() -> None:
    """Return at SIGINT or SIGTERM."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


async def _password(connection: Connection, folder: Path, nick: str | None) -> str:
    """Return a new password: a code of the broker's, or one of the gateway's where the kernel proves who runs it."""
    async with connection.member() as client:
        if nick is not None:
            person = await client.administration.identify(nick)
            if not (folder / "people" / person).exists():
                raise UsageError(
                    f"The gateway of {folder} does not carry {nick}: --for is for who runs it, where it runs."
                )
            from zchat.gateways.people.own_links import OwnLinks  # noqa: PLC0415 — rarely needed

            return OwnLinks(folder / "links.json").make(person)
        if client.member is None:
            raise RefusedError("not_member", "a password is for a member: guests come in without one, by a nick alone")
        if client.link is None and connection.broker.startswith("ipc://"):
            from zchat.gateways.people.own_links import OwnLinks  # noqa: PLC0415 — rarely needed

            return OwnLinks(folder / "links.json").make()
        return (await client.administration.invite(self_=True)).code
