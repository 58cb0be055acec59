"""Measure zchat's broker and clients on this machine.

Each workload starts a broker of its own, with its log on a disk, loads it from other processes, and prints one line
of JSON. What the figures mean is told in `crowd`, `idle` and `follow`; those of other servers come from `compare`.
"""

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import psutil
from board import BenchError
from peers import PEERS, Peer
from peers.several import SEVERAL
from report import machine, table
from window import Options
from work import clients
from work.crowd import Crowd, Paced
from work.follow import Follow
from work.idle import Idle

MEMORY = {"tmpfs", "ramfs"}  # where fsync costs nothing, so that figures would lie

EPILOG = """\b
Workloads:
  fanout          10 senders, 64 messages unanswered each, 100 subscribers
  ingest          the same with 1 subscriber
  latency         one message at a time, from `say` to the subscriber's sight
  idle            5,000 sessions that only ping
  follow          ChatClient.listen() on a flooded room
  follow-batches  ChatClient.batches() on a flooded room
  tail            zchat tail --json --follow on a flooded room

Examples:
  scripts/bench/run fanout ingest --seconds 10 >figures.jsonl
  scripts/bench/run fanout latency --encrypted
  scripts/bench/run fanout latency --cluster
"""

SERVERS: dict[str, Crowd | Paced | Idle] = {
    "fanout": Crowd(receivers=100),
    "ingest": Crowd(receivers=1),
    "latency": Paced(receivers=1, rate=0),
    "idle": Idle(5_000),
}
CLIENTS = {
    "follow": Follow(clients.follow_listen),
    "follow-batches": Follow(clients.follow_batches),
    "tail": Follow(clients.tail),
}
NAMES = [*SERVERS, *CLIENTS]


def refuse_memory(data: Path) -> None:
    """Refuse a folder that is on no disk."""
    if (kind := _filesystem(data)) in MEMORY:
        raise click.BadParameter(f"{data} is in memory ({kind}): name a folder on a disk with --data")


data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False, writable=True),
    default=Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir()),
    show_default=True,
    help="A folder on the disk that shall carry the log.",
)


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--seconds", default=5.0, show_default=True, help="Length of a window (idle: 15 at least).")
@click.option("--sessions", default=5_000, show_default=True, help="Sessions of the idle workload.")
@click.option("--encrypted", is_flag=True, help="Over CURVE, by members; not for the clients' workloads.")
@click.option("--cluster", is_flag=True, help="A broker of a cluster of three nodes; not for the clients' workloads.")
@data_option
def main(
    names: tuple[str, ...], seconds: float, sessions: int, encrypted: bool, cluster: bool, data: Path
) -> None:  # fmt: skip
    """Measure the workloads NAME (all of them by default); one line of JSON each on standard output.

    Exits with 1 if a workload could not be measured, or a receiver missed a message: such a result is void.
    """
    if unknown := set(names) - set(NAMES):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: choose from {', '.join(NAMES)}")
    if (encrypted or cluster) and set(names) & set(CLIENTS):
        raise click.BadParameter(f"{', '.join(CLIENTS)}: their broker is a stand-in, without CURVE and without others")
    if encrypted and cluster:
        raise click.BadParameter("choose --encrypted or --cluster")
    refuse_memory(data)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by an exception, so that the broker is ended too
    results, where = [], machine(data)
    peer = SEVERAL if cluster else PEERS["zchat-curve" if encrypted else "zchat"]
    for name in names or (SERVERS if encrypted or cluster else NAMES):
        note(f"{name} …")
        try:
            result = _run(name, peer, Options(seconds, data), sessions)
        except (BenchError, OSError, psutil.Error) as error:
            result = {"complete": False, "error": str(error)}
        shown = name + ("-encrypted" if encrypted else "-cluster" if cluster else "")  # the targets are those without
        results.append({"name": shown, **result})
        print(json.dumps({**results[-1], **where}), flush=True)
    note(table(results))
    void = [result["name"] for result in results if not result["complete"]]
    if void:
        note(f"void: {', '.join(void)}")
    sys.exit(1 if void else 0)


def note(text: str) -> None:
    """Tell the person who waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def _run(name: str, peer: Peer, options: Options, sessions: int) -> dict[str, Any]:
    if name in CLIENTS:
        return CLIENTS[name].run(options)
    workload = Idle(sessions) if name == "idle" else SERVERS[name]
    return workload.run(peer, options)


def _filesystem(folder: Path) -> str:
    """Return the type of the file system that holds `folder`."""
    above = [p for p in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(p.mountpoint)]
    return str(max(above, key=lambda p: len(p.mountpoint)).fstype) if above else ""


if __name__ == "__main__":
    main(prog_name="scripts/bench/run")
