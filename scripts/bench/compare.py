"""Measure zchat beside what people would pick instead: the same chat work on each server, in one run, on this machine.

Each server is started for each workload, with a configuration written for it, on a private port, and stopped after
it. What is measured is told in `workloads`, who is measured in `peers`. Results are JSON lines, one for each server,
workload and parameter, written as they come: a run that was interrupted goes on where it stopped, and only what is
void or failed is measured again.
"""

import datetime
import json
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import psutil
from board import BenchError
from main import data_option, refuse_memory
from peers import PEERS, Peer
from report import machine
from window import Options
from workloads import KEEPING, WORKLOADS, suits

HERE = Path(__file__).resolve().parent
OUT = HERE.parent.parent / ".bench"
NO_LOG = "keeps no messages"

EPILOG = """\b
Workloads:
  fanout     10 senders, 64 messages unanswered each, 100 receivers
  ingest     the same with 1 receiver
  durable    the same without a receiver: acknowledged when on disk
  durable64  the same, 64 messages in one frame (256 unanswered)
  paced      500 messages a second to 100 receivers: latency
  rooms      100 rooms of 10 receivers, 100 senders
  idle1000   sessions that do only what the protocol asks of them
  idle5000   the same, more of them
  recovery   1,000 clients come back after a SIGKILL, 100,000 messages missed
  growth     1 … 1,000 receivers; 1 … 100 rooms; logs of 10,000 … 1,000,000 messages
  handshakes 1,000 clients come back after a restart, each with its session and its feed

\b
Encrypted, on the servers with TLS or CURVE (and on zchat without, to compare with):
  fanout-encrypted    as fanout
  fanout64-encrypted  as fanout, 64 messages in one frame (256 unanswered)
  paced-encrypted     as paced
  idle1000-encrypted  as idle1000

\b
Examples:
  scripts/bench/compare
  scripts/bench/compare zchat nats redis --workload fanout --workload paced
  scripts/bench/compare zchat zchat-curve nats-tls --workload fanout-encrypted --workload handshakes
"""

Step = tuple[Peer, str]


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("peers", nargs=-1, metavar="[PEER]...", type=click.Choice(list(PEERS)))
@click.option("--workload", "names", multiple=True, type=click.Choice(list(WORKLOADS)), help="Only this; repeatable.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of a window (idle: 10 at least).")
@data_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUT,
    show_default=".bench in this checkout",
    help="The folder of the results, compare.jsonl.",
)
@click.option("--fresh", is_flag=True, help="Measure again what the results already hold.")
@click.option("--large", is_flag=True, help="growth: also a log of 10,000,000 messages (minutes, 2 GB each).")
def main(
    peers: tuple[str, ...], names: tuple[str, ...], seconds: float, data: Path, out: Path, fresh: bool, large: bool
) -> None:
    """Measure the servers PEER (all of them by default), and write what was found as JSON lines.

    A second run measures only what is missing, void or failed. Exits with 1 if something could not be measured.
    """
    refuse_memory(data)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by an exception, so that the servers are ended too
    out.mkdir(parents=True, exist_ok=True)
    book = Book(out / "compare.jsonl")
    wanted = [(PEERS[key], name) for name in names or WORKLOADS for key in peers or PEERS]
    wanted = [step for step in wanted if suits(*step)]
    if not wanted:
        raise click.UsageError("what is encrypted is measured on other servers than what is not: see --help")
    steps = [step for step in wanted if fresh or not book.has(*step)]
    options, where = Options(seconds, data, large), machine(data)
    failed = []
    for peer, name in shown(steps, len(wanted) - len(steps)):
        found = measured(peer, name, options)
        book.replace(peer, name, [{**result, **where} for result in found])
        failed += [f"{peer.key} {name}: {why}" for result in found if (why := trouble(result))]
    for text in failed:
        click.echo(text, err=True)
    click.echo(f"results: {book.path}; for the table and the charts: scripts/bench/render {book.path}", err=True)
    sys.exit(1 if failed else 0)


def measured(peer: Peer, name: str, options: Options) -> list[dict[str, Any]]:
    """Measure one workload on one server; return its results, with what went wrong in them."""
    head: dict[str, Any] = {"peer": peer.key, "title": peer.name, "workload": name}
    tail = {"limits": peer.limits, "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    verdict: dict[str, Any] = {"complete": False, "error": None, "cannot": None, "lost": 0}
    why = peer.cannot.get(name) or (NO_LOG if name in KEEPING and peer.log is None else None)
    if why:
        return [{**head, **verdict, "cannot": why, **tail}]
    try:
        head["title"] = peer.title()
        found = WORKLOADS[name].run(peer, options)
    except (BenchError, OSError, psutil.Error) as error:
        return [{**head, **verdict, "error": str(error), **tail}]
    return [{**head, **verdict, **each, **tail} for each in (found if isinstance(found, list) else [found])]


def trouble(result: dict[str, Any]) -> str | None:
    """Return why a result is no measurement, if it is none and could be one."""
    if result["cannot"] or result["complete"]:
        return None
    return result["error"] or f"void: {result['lost']} messages were lost"


def shown(steps: list[Step], skipped: int) -> Iterator[Step]:
    """Yield the steps and show how far they are: a bar in a terminal, else a line for each."""
    if skipped:
        click.echo(f"{skipped} results are there already (--fresh measures them again)", err=True)
    if not sys.stderr.isatty():
        for number, (peer, name) in enumerate(steps, 1):
            click.echo(f"{number}/{len(steps)} {peer.key} {name}", err=True)
            yield peer, name
        return
    with click.progressbar(
        steps, file=sys.stderr, show_pos=True, item_show_func=lambda step: f"{step[0].key} {step[1]}" if step else ""
    ) as bar:
        yield from bar


class Book:
    """The results on disk: one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.results: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]

    def has(self, peer: Peer, name: str) -> bool:
        """Say whether a workload was measured on a server, without anything void in it."""
        found = list(self._of(peer, name))
        return bool(found) and not any(map(trouble, found))

    def replace(self, peer: Peer, name: str, results: list[dict[str, Any]]) -> None:
        """Put these results in the place of what was found before; on disk when this returns."""
        old = list(self._of(peer, name))
        self.results = [result for result in self.results if result not in old] + results
        beside = self.path.with_suffix(".new")
        beside.write_text("".join(json.dumps(result) + "\n" for result in self.results))
        beside.replace(self.path)

    def _of(self, peer: Peer, name: str) -> Iterable[dict[str, Any]]:
        return (each for each in self.results if (each["peer"], each["workload"]) == (peer.key, name))


if __name__ == "__main__":
    main(prog_name="scripts/bench/compare")
