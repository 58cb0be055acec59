"""`zchat key`: tell a broker's public key, and the link to it."""

import socket
from pathlib import Path

import click

from zchat.protocol import links

from . import options

ELSEWHERE = (
    "zchat: This link is for a broker that others reach as {host}, at port 5555. If it has another name or port, say "
    "so with --advertise, as zchat broker was told: the link that it prints when it starts is the right one."
)


@click.command(
    epilog="""
\b
Examples:
  zchat key
  zchat key --data /var/lib/zchat --advertise chat.example.org
  zchat key --data team/a
"""
)
@options.data
@options.option(
    "--advertise",
    multiple=True,
    metavar="HOST",
    show_default="the name of this machine; of a cluster, all its hosts",
    help="Where others reach the broker: HOST, or HOST:PORT if the port is not 5555.",
)
def key(*, data: Path, advertise: tuple[str, ...]) -> None:
    """Print the broker's public key, and the link to it.

    By the key others know that broker again; they need no invitation to come back. The secret key is in broker.key, in
    the data folder; with several brokers, in the folder of each machine.
    """
    from zchat.broker import keys  # noqa: PLC0415 — `--help` needs no sockets

    pair = keys.read(data)
    hosts = links.parse_hosts(",".join(advertise)) if advertise else _hosts(data)
    click.echo(f"key {links.encode_key(pair.raw)}")
    click.echo(f"link {links.BrokerLink(hosts, pair.raw).text}")
    if not advertise and _cluster(data) is None:
        click.echo(ELSEWHERE.format(host=links.parse_hosts(socket.gethostname())[0][0]), err=True)


def _hosts(data: Path) -> tuple[tuple[str, int], ...]:
    """Return this machine, or all of the cluster whose folder it is, or that of whose broker's data."""
    from zchat.broker.cluster import folder  # noqa: PLC0415 — as above

    where = _cluster(data)
    if where is None:
        return links.parse_hosts(socket.gethostname())
    return tuple((each.host, each.broker) for each in folder.any_of(where).settings.machines)


def _cluster(data: Path) -> Path | None:
    """Return the folder of the cluster that the data is of, if any."""
    from zchat.broker.cluster import folder  # noqa: PLC0415 — as above

    return next((each for each in (data, data.absolute().parent) if (each / folder.SETTINGS).exists()), None)
