"""`zchat cluster`: run a node, see how all are, and change which nodes keep what; the folders: `machines.py`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from zchat.errors import ClusterError, EngineError, UsageError

from . import reach
from .machines import FOLDER, add, init
from .options import option, run_async

if TYPE_CHECKING:
    from zchat.broker.cluster.status import Seen, Status
    from zchat.broker.cluster.watching import Reach
    from zchat.broker.core.bus import Heartbeat

PAUSE = 1.0  # s between two looks with --watch


class NotWorkingError(ClusterError):
    """The status of a cluster is that what is said there is not taken."""

    def __init__(self) -> None:
        super().__init__("the cluster does not take what is said; see above what to do.")


@click.group(
    epilog="""
\b
Examples:
  zchat cluster init team a=10.0.0.1 b=10.0.0.2 c=10.0.0.3
  zchat broker --cluster team/a          on the machine a, after its folder was copied there
  zchat cluster status team/a --watch
"""
)
def cluster() -> None:
    """Several brokers, one chat.

    It goes on when one machine of three is lost.
    """


cluster.add_command(init)
cluster.add_command(add)


@cluster.command(
    epilog="""
\b
Examples:
  zchat cluster node team/c
  ZCHAT_NATS_SERVER=/opt/nats-server zchat cluster node team/c
"""
)
@click.argument("machine", metavar="DIR/NAME", type=FOLDER)
def node(*, machine: Path) -> None:
    """Run a node, and nothing else, until Ctrl-C or SIGTERM.

    It logs to standard error. `zchat broker --cluster` starts one by itself, which goes on when the broker ends: this
    is for service managers, and for a machine that helps the others to survive and has no broker.
    """
    from zchat.broker.cluster import folder  # noqa: PLC0415 - `--help` needs none of it
    from zchat.broker.cluster import node as nodes  # noqa: PLC0415 - as above

    nodes.run(folder.read(machine))


@cluster.command()
@click.argument("machine", metavar="DIR/NAME", type=FOLDER)
def stop(*, machine: Path) -> None:
    """End the node of a machine, and wait until it has ended."""
    from zchat.broker.cluster import folder  # noqa: PLC0415 - `--help` needs none of it
    from zchat.broker.cluster import node as nodes  # noqa: PLC0415 - as above

    ran = nodes.stop(folder.read(machine))
    click.echo(f"zchat: {'the node has ended' if ran else 'no node runs there'}", err=True)


where = click.argument("where", metavar="[DIR/NAME | nats://…]", envvar="ZCHAT_CLUSTER", default=".")


@cluster.command(
    epilog="""
\b
Examples:
  zchat cluster status team/a
  zchat cluster status team/a --json | jq .notes
"""
)
@where
@option("--watch", is_flag=True, help="Look again each second, until Ctrl-C.")
@option("--json", "json", is_flag=True, help="Print a line of JSON for each look.")
@reach.access_options
def status(*, where: str, watch: bool, json: bool, **access: Path | None) -> None:
    """Print how the nodes and the brokers are.

    APPLIED is how much of the stream a broker has in its log, LAG what it has still to apply, HASH that of all it has
    applied: two that have applied the same have the same. Exits with 69 if what is said is not taken.
    """
    found = reach.find(where, **access)
    run_async(_status(found, watch, json))


async def _status(found: "Reach", watch: bool, json: bool) -> None:
    from zchat.broker.cluster import status as statuses  # noqa: PLC0415 - `--help` needs none of it
    from zchat.broker.cluster.watching import watching  # noqa: PLC0415 - an extra

    async with watching(found) as watcher:
        while True:
            state = statuses.made(await watcher.seen())
            _show(state, watch, json)
            if not watch:
                break
            await asyncio.sleep(PAUSE)
    if not state.works:
        raise NotWorkingError


def _show(state: "Status", watch: bool, json: bool) -> None:
    from zchat.broker.cluster import status as statuses  # noqa: PLC0415 - `--help` needs none of it
    from zchat.escapes import escape_controls  # noqa: PLC0415 - as above

    if json:
        click.echo(msgspec.json.encode(state))
        return
    if watch:
        click.clear()  # nothing, unless standard output is a terminal
    for line in statuses.lines(state):
        click.echo(escape_controls(line))


@cluster.command(
    epilog="""
\b
Example:
  zchat cluster leave c team/a
"""
)
@click.argument("name", metavar="NODE")
@where
@option("--yes", is_flag=True, help="Do not ask.")
def leave(*, name: str, where: str, yes: bool) -> None:
    """Take a node that is gone for good out of the cluster.

    Do so after the one in its place runs: what the others keep for it is then kept there. Never start it again: a
    machine that comes back has a new name.
    """
    if reach.is_nats(where):
        raise UsageError("A NATS of your own is yours to change: nats server cluster peer-remove.")
    found = reach.find(where)
    asyncio.run(_leave(found, name, yes))


async def _leave(found: "Reach", name: str, yes: bool) -> None:
    from zchat.broker.cluster import system  # noqa: PLC0415 - an extra

    told, peers = await system.nodes(found.servers, found.access, len(found.servers))
    if not peers:
        raise EngineError(", ".join(found.servers), "nobody leads the nodes: too few of them run")
    if name not in peers:
        raise UsageError(f"There is no node {name}. There are: {', '.join(sorted(peers))}.")
    if name in {each.name for each in told}:
        raise UsageError(f"Node {name} runs. Stop it first, on its machine: zchat cluster stop DIR/{name}.")
    if away := [each for each, here in peers.items() if not here and each != name]:
        raise UsageError(f"Not here, or not up to date: {', '.join(away)}. First get that back, or wait.")
    if not yes:
        click.confirm(f"Node {name} will never come back under this name. Take it out?", abort=True, err=True)
    await system.remove(found.servers, found.access, name)
    click.echo(f"zchat: node {name} is out; see `zchat cluster status`", err=True)


@cluster.command()
@where
def spread(*, where: str) -> None:
    """Let three nodes keep the stream, after a third was added to two.

    From then on one of them may be lost.
    """
    if reach.is_nats(where):
        raise UsageError("A NATS of your own is yours to change: nats stream edit --replicas 3.")
    asyncio.run(_spread(reach.find(where)))


async def _spread(found: "Reach") -> None:
    from zchat.broker.cluster import system  # noqa: PLC0415 - an extra
    from zchat.broker.cluster.status import COPIES  # noqa: PLC0415 - as above
    from zchat.broker.cluster.watching import watching  # noqa: PLC0415 - as above

    async with watching(found) as watcher:
        stream = watcher.engine.stream
    told, _ = await system.nodes(found.servers, found.access, len(found.servers))
    if len(told) < COPIES:
        raise UsageError(
            f"Only {len(told)} nodes are heard, and {COPIES} should keep the stream: start the others first."
        )
    await system.spread(found.servers, found.access, stream, COPIES)
    click.echo(f"zchat: {COPIES} nodes keep the stream; see `zchat cluster status`", err=True)


@cluster.command(
    epilog="""
\b
Examples:
  zchat cluster restore team/a
  zchat cluster restore team/a --without c      c is gone for good, and so is what it alone has
"""
)
@where
@option("--without", multiple=True, metavar="NAME", help="A broker that is gone for good. May be repeated.")
@option("--yes", is_flag=True, help="Do not ask.")
@reach.access_options
def restore(*, where: str, without: tuple[str, ...], yes: bool, **access: Path | None) -> None:
    """Make a new stream from the brokers' logs, after the old one was lost.

    The broker that has applied most makes it. All brokers have to run; they come up without a stream, and wait. Nothing
    that was acknowledged is lost, unless a broker is left out that alone has it.
    """
    from zchat.broker.cluster import restoring  # noqa: PLC0415 - an extra

    found = reach.find(where, **access)
    seen = run_async(_seen(found))
    chosen = restoring.choose(seen, without)
    for line in restoring.lines(seen, chosen):
        click.echo(f"zchat: {line}", err=True)
    if not yes:
        click.confirm("Make it?", abort=True, err=True)
    began = run_async(_restore(found, chosen))
    click.echo(f"zchat: the new stream begins after message {began}; the brokers go on by themselves", err=True)


async def _seen(found: "Reach") -> "Seen":
    from zchat.broker.cluster.watching import watching  # noqa: PLC0415 - an extra

    async with watching(found) as watcher:
        return await watcher.seen()


async def _restore(found: "Reach", chosen: "Heartbeat") -> int:
    from zchat.broker.cluster import restoring  # noqa: PLC0415 - an extra
    from zchat.broker.cluster.watching import watching  # noqa: PLC0415 - as above

    async with watching(found) as watcher:
        return await restoring.restore(watcher.engine, chosen)
