"""`scripts/soak`: the options, the plan, and the verdict in words."""

import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.soak.mutants import MUTANTS
from tests.soak.nemesis import possible
from tests.soak.net import inside
from tests.soak.plan import ALONE, CLUSTER, KINDS, schedule
from tests.soak.size import Size
from tests.soak.soak import Verdict, soak
from tests.soak.world import SoakError, World

SHOWN = 8  # breaches of one kind that are listed
PACE = 2.0  # of a cluster, which needs 4 to 9 s to elect a leader


def _names(_: click.Context, __: click.Parameter, value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if unknown := [name for name in names if name not in KINDS]:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(KINDS)}")
    return names


@click.command()
@click.option("--minutes", type=click.FloatRange(0.05), default=10.0, show_default=True, help="How long faults strike.")
@click.option("--seed", type=int, help="Replays the plan of an earlier run.")
@click.option("--cluster", is_flag=True, help="Three brokers, and three nodes of the engine that keeps their log.")
@click.option("--faults", default="", callback=_names, metavar="NAME,…", help="Only these, of all kinds.")
@click.option("--talkers", type=click.IntRange(1), default=Size.talkers, show_default=True)
@click.option("--followers", type=click.IntRange(1), default=Size.followers, show_default=True)
@click.option("--bots", type=click.IntRange(0), default=Size.bots, show_default=True)
@click.option("--nomads", type=click.IntRange(0), default=Size.nomads, show_default=True, help="They go to and fro.")
@click.option("--menders", type=click.IntRange(0), default=Size.menders, show_default=True, help="They edit, delete …")
@click.option("--pages", type=click.IntRange(0), default=Size.pages, show_default=True, help="By `zchat web`.")
@click.option("--ircs", type=click.IntRange(0), default=Size.ircs, show_default=True, help="By `zchat irc`.")
@click.option("--rate", default=Size.rate, show_default=True, help="Messages a second of each talker.")
@click.option("--keep", is_flag=True, help="Keep the folder with all journals also when all is well.")
@click.option(
    "--mutant", type=click.Choice(sorted(MUTANTS)), default=None, help="Break the broker, or a gateway, on purpose."
)
def main(
    *,
    minutes: float,
    seed: int | None,
    cluster: bool,
    faults: list[str],
    talkers: int,
    followers: int,
    bots: int,
    nomads: int,
    menders: int,
    pages: int,
    ircs: int,
    rate: float,
    keep: bool,
    mutant: str | None,
) -> None:
    """Let a nemesis loose on a broker and those who use it, then audit what everybody wrote down.

    With --cluster it takes a network of its own, where that can be had, to cut machines off from each other.

    Ends with 1 if any promise was broken; the folder with the evidence is kept then.
    """
    if cluster:
        inside()
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="zchat-soak-"))
    world = World(
        folder, Size(talkers, followers, bots, rate, nomads, menders, pages, ircs), seed, mutant or "", cluster
    )
    good = False
    try:
        names, left_out = possible(world, faults or (CLUSTER if cluster else ALONE))
        plan = schedule(seed, minutes * 60, names, len(world.machines), PACE if cluster else 1)
        click.echo("\n".join([f"seed {seed}", *left_out, *map(str, plan)]))
        verdict = asyncio.run(soak(world, plan, minutes * 60))
        good = verdict.good
        click.echo(told(verdict, seed))
    except SoakError as error:
        click.echo(f"BROKEN  {error}")
    except asyncio.CancelledError:
        click.echo("it was ended before its time", err=True)
    finally:
        world.close()
        if good and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            click.echo(f"the evidence is in {folder}", err=True)
    sys.exit(0 if good else 1)


def told(verdict: Verdict, seed: int) -> str:
    """Return the verdict in words."""
    rows = []
    for sentence, breaches in verdict.breaches.items():
        rows.append(f"{'BROKEN' if breaches else 'kept':<7} {sentence}")
        rows += [f"        {breach}" for breach in breaches[:SHOWN]]
        rows += [f"        … and {len(breaches) - SHOWN} more"] if len(breaches) > SHOWN else []
    faults = ", ".join(f"{count} × {name}" for name, count in sorted(verdict.strikes.items())) or "none"
    return "\n".join(
        [
            *rows,
            f"seed {seed}; faults: {faults}",
            f"{verdict.said} said, {verdict.acked} acknowledged, {verdict.stored} in the log, {verdict.seen} seen;"
            f" {verdict.outage:.1f} s the longest time without an ack; broker {verdict.memory / 2**20:.0f} MiB at most",
            f"{verdict.pauses[0]:.1f} s the longest until an answer, {verdict.pauses[1]:.1f} s without anything to see"
            + (f"; {verdict.moves} moves of nomads" if verdict.moves else ""),
            "nothing was broken" if verdict.good else "BROKEN",
        ]
    )


if __name__ == "__main__":
    main()
