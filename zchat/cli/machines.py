"""`zchat cluster init` and `add`: make the folders of machines, and say what to do with them.

Nothing here talks to a cluster. A folder has all that its machine needs, so what is left to a person is to copy it
there and to start a broker with it: that is told with the names and the paths at hand.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zchat.errors import UsageError

from .options import option

if TYPE_CHECKING:
    from zchat.broker.cluster.folder import Machine, Settings

FOLDER = click.Path(path_type=Path, file_okay=False)
PORT = click.IntRange(1, 65_000)  # the last machine at a host has a port, too


def ports(command: click.decorators.FC) -> click.decorators.FC:
    """Add the options for the ports of machines."""
    told = "; the next machine at the same host has 10 more"
    for name, default, what in (
        ("--route-port", 6222, "The port at which nodes reach each other"),
        ("--node-port", 4222, "The port at which brokers reach the nodes"),
        ("--port", 5555, "The port of the brokers, and the next for their feed"),
    ):
        command = option(name, type=PORT, default=default, show_default=True, metavar="PORT", help=f"{what}{told}.")(
            command
        )
    return command


@click.command(
    epilog="""
\b
Examples:
  zchat cluster init team a=10.0.0.1 b=10.0.0.2 c=10.0.0.3
  zchat cluster init try a=127.0.0.1 b=127.0.0.1 c=127.0.0.1      all on this machine
"""
)
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.argument("machines", metavar="NAME=HOST…", nargs=-1, required=True)
@option(
    "--from",
    "before",
    type=FOLDER,
    metavar="DATA",
    help="The data folder of a broker that was alone, and is stopped: the cluster goes on with its log, and its key.",
)
@ports
def init(
    *,
    directory: Path,
    machines: tuple[str, ...],
    before: Path | None,
    port: int,
    node_port: int,
    route_port: int,
) -> None:
    """Make DIR, with a folder for each machine.

    Each is copied to its machine. HOST is where the other machines, and those who talk, reach it. Three machines
    survive the loss of one; the third may be a small one that runs only a node.
    """
    from zchat.broker.cluster import folder  # noqa: PLC0415 - `--help` needs none of it

    first = folder.Machine("", "", port, node_port, route_port)
    settings = folder.create(directory, folder.plan(machines, first), before)
    _tell_what_next(directory, settings.machines, settings)
    if before is None:
        click.echo("Each prints a link for the owner, until one has come in: use any of them.")
    else:
        click.echo(
            f"The log of {before} was copied for {settings.founder}: the others wait until that one has started."
        )
        click.echo("Do not start the broker that was alone again: what is said there would be nowhere else.")
    click.echo(f"\nKeep {directory / folder.SECRET} here, and a copy of it: with it, machines are added.")


@click.command(
    epilog="""
\b
Examples:
  zchat cluster add team d=10.0.0.4
  zchat cluster add team d=10.0.0.4 --without c      d comes in the place of c
"""
)
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.argument("machines", metavar="[NAME=HOST…]", nargs=-1)
@option("--without", multiple=True, metavar="NAME", help="A machine that is gone for good. May be repeated.")
@ports
def add(
    *,
    directory: Path,
    machines: tuple[str, ...],
    without: tuple[str, ...],
    port: int,
    node_port: int,
    route_port: int,
) -> None:
    """Make folders for more machines in DIR.

    DIR is where `init` was run. A machine that comes in the place of another one has a name of its own.
    """
    from zchat.broker.cluster import folder  # noqa: PLC0415 - `--help` needs none of it

    if not machines and not without:
        raise UsageError("Say which machine: NAME=HOST, or --without NAME.")
    there = folder.whole(directory).machines
    new = folder.plan(machines, folder.Machine("", "", port, node_port, route_port), there)
    settings = folder.add(directory, new, without)
    if new:
        _tell_what_next(directory, new, settings)
    known = [each for each in settings.machines if each not in new]
    if _all_here(known):
        click.echo("\nThe others learn of it by their cluster.json: start their brokers again, one by one.")
    else:
        click.echo(
            "\nThe others learn of it by their cluster.json. Copy that, and start their brokers again, one by one:"
        )
        for each in known:
            click.echo(f"  {directory / each.name / folder.SETTINGS}  to {each.host}")
    for name in without:
        click.echo(
            f"\nWhen all of them run, end the broker and the node of {name}, if they still run, and take it out:"
        )
        click.echo(f"  zchat cluster leave {name} {directory}")


def _tell_what_next(directory: Path, new: "Sequence[Machine]", settings: "Settings") -> None:
    local = _all_here(new)
    click.echo(f"made in {directory} a folder for {_listed([each.name for each in new])}.")
    if not local:
        click.echo("\nCopy each to its machine. Who reads it can pass for the machine.")
        for each in new:
            click.echo(f"  scp -rp {directory / each.name} {each.host}:{each.name}")
    click.echo("\nThen run, each in a terminal of its own:" if local else "\nThen run, on each machine:")
    for each in new:
        where = str(directory / each.name) if local else f"{each.name}      on {each.host}"
        click.echo(f"  zchat broker --cluster {where}")
    if len(settings.machines) > 1:
        click.echo("A broker begins once most of the machines run.")
    if len(settings.machines) == 2:
        click.echo("\nTwo machines cannot survive the loss of either. Add a third: it may be small, and run only")
        click.echo("  zchat cluster node DIR/NAME")
    if len(settings.machines) == 1:
        click.echo(
            "\nOne machine is for trying it out: if it is lost, so is what was said. Three survive the loss of one."
        )


def _all_here(machines: "Sequence[Machine]") -> bool:
    from zchat.protocol import endpoints  # noqa: PLC0415 - as above

    return all(endpoints.is_local(f"tcp://{each.host}:1") for each in machines)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
