"""`scripts/fuzz`: so many inputs, or so many minutes of them, for one fuzzer or for all; then what became of them.

The first fiftieth is led by coverage (`guided.py`, where atheris can be had) and gathers inputs that reach something
new in `.fuzz/`; the others are made from those by chance alone, which is many times as fast. Both begin with the
corpus, to which `--keep` adds what was found. A failure ends the run, with a traceback and the inputs that bring it
about again: `scripts/fuzz hub --again FOLDER`.
"""

import importlib.util
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from tests.fuzz import hub, inputs, ports, wire
from tests.fuzz.gather import gather

HERE = Path(__file__).parent
FOUND = HERE.parents[1] / ".fuzz"
SHARE_LED, SHARE_LED_TIME = 0.02, 0.2  # of the inputs, of the time: what is led by coverage
POOL = 2_000  # inputs at hand to make others from
RSS_MAX = 400  # MiB of the process that is led by coverage
MIB = 2**20
STATS = ("number_of_executed_units", "new_units_added", "peak_rss_mb")


@dataclass
class Ran:
    """What one run came to; memory in MiB."""

    name: str
    inputs: int
    seconds: float
    rss: tuple[float, float]  # when it had warmed up, at the end
    more: str = ""

    def __str__(self) -> str:
        per_second = self.inputs / max(self.seconds, 0.001)
        grown = f"{self.rss[0]:.0f} → {self.rss[1]:.0f} MiB"
        return f"{self.name:13} {self.inputs:>11,} inputs {per_second:>8,.0f}/s  {grown:17} {self.more}"


def corpus(kind: str, *folders: Path) -> list[bytes]:
    """Return the inputs of the corpus, and of other folders, in a fixed order."""
    files = [file for folder in (HERE / "corpus" / kind, *folders) for file in sorted(folder.glob("*"))]
    return [file.read_bytes() for file in files]


def made(kind: str, seed: int, begin: list[bytes]) -> Iterator[bytes]:
    """Make inputs without end out of those there are."""
    rng = random.Random(seed)
    make, mutate = (inputs.frame, inputs.mutate_frame) if kind == "wire" else (inputs.story, inputs.mutate_story)
    pool = [*begin, *(make(rng) for _ in range(200))]
    while True:
        data = mutate(rng, rng.choice(pool), rng.choice(pool))
        yield data
        if rng.random() < 0.05:
            at = rng.randrange(POOL)
            pool[at : at + 1] = [data if rng.random() < 0.8 else make(rng)]


def checks(kind: str) -> tuple[list[Callable[[bytes], None]], list[hub.Target]]:
    """Return what checks an input, to be taken in turn; and what is to be closed after it."""
    if kind == "wire":
        return [wire.check], []
    targets = [hub.Target(rate) for rate in (0.0, 0.0, 5.0)]
    return [target.check for target in targets], targets


def blind(kind: str, most: int, ends: float, seed: int, begin: list[bytes]) -> Ran:
    """Make inputs by chance, out of those to begin with, and check each."""
    process, started, warm, done = psutil.Process(), time.monotonic(), 0.0, 0
    turns, targets = checks(kind)
    for done, data in enumerate(made(kind, seed, begin), start=1):
        try:
            turns[done % len(turns)](data)
        except BaseException:
            click.echo(f"after {done:,} inputs, with seed {seed}:", err=True)
            keep_failure(kind, [data] if not targets else targets[done % len(turns)].told)
            raise
        if done == most // 10:
            warm = process.memory_info().rss / MIB
        if done >= most or (done % 256 == 0 and time.monotonic() > ends):
            break
    for target in targets:
        target.close()
    now = process.memory_info().rss / MIB
    return Ran(kind, done, time.monotonic() - started, (warm or now, now))


def keep_failure(kind: str, stories: list[bytes]) -> None:
    folder = FOUND / f"failed-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, story in enumerate(stories):
        (folder / f"{number:04}").write_bytes(story)
    click.echo(f"see it again: scripts/fuzz {kind} --again {folder}", err=True)


def guided(kind: str, most: int, ends: float, seed: int) -> Ran:
    """Run libFuzzer over one target in a process of its own."""
    found = FOUND / kind
    found.mkdir(parents=True, exist_ok=True)
    seconds = max(1, round(ends - time.monotonic()))
    options = {
        "runs": most if most < 2**31 else -1,
        "max_total_time": seconds,
        "seed": seed,
        "max_len": inputs.LONGEST,
        "timeout": 10,
    }
    options |= {"rss_limit_mb": RSS_MAX, "print_final_stats": 1}
    flags = [f"-{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.fuzz.guided", kind, str(found), str(HERE / "corpus" / kind), *flags]
    started = time.monotonic()
    done = subprocess.run([*command, f"-artifact_prefix={FOUND}/"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\n{done.stderr[-600:]}")
    runs, new, peak = (int(re.findall(rf"stat::{name}:\s+(\d+)", done.stderr)[0]) for name in STATS)
    seen = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)[-1]
    rss = re.findall(r"rss: (\d+)Mb", done.stderr)
    more = f"{seen[0]} branches reached, {new} inputs reached something new"
    return Ran(f"{kind}, guided", runs, time.monotonic() - started, (float(rss[len(rss) // 10]), float(peak)), more)


def again(kind: str, folder: Path) -> None:
    """Check the inputs of a folder, in order."""
    turns, _ = checks(kind)
    for file in sorted(folder.iterdir()):
        turns[0](file.read_bytes())


def keep(kind: str) -> int:
    """Add to the corpus, from `.fuzz/`, what goes where none of the corpus goes; return how many."""
    turns, targets = checks(kind)
    separators = [b"\n"] if kind == "wire" else [inputs.STEP, b"\n"]
    added = gather(turns[0], corpus(kind, FOUND / kind), HERE / "corpus" / kind, separators)
    for target in targets:
        target.close()
    return added


def fuzz(name: str, most: int, seconds: float, seed: int) -> Iterator[Ran]:
    """Run one fuzzer, in its one or two ways."""
    began = time.monotonic()
    if name == "ports":
        served = ports.run(most, began + seconds, seed)
        yield Ran("ports", served.inputs, time.monotonic() - began, served.rss, str(served))
        return
    if importlib.util.find_spec("atheris"):
        led = guided(name, max(1, round(most * SHARE_LED)), began + seconds * SHARE_LED_TIME, seed)
        yield led
        most -= led.inputs
    yield blind(name, most, began + seconds, seed, corpus(name, FOUND / name))


@click.command()
@click.argument("names", metavar="[wire|hub|ports]…", nargs=-1, type=click.Choice(["wire", "hub", "ports"]))
@click.option("--inputs", "most", type=int, help="How many, for each fuzzer.")
@click.option("--minutes", type=float, help="At most so long, for each fuzzer; 1 if nothing is said.")
@click.option("--seed", type=int, default=lambda: random.randrange(2**31), help="To make the same inputs again.")
@click.option("--again", "folder", type=click.Path(exists=True, path_type=Path), help="See a failure again.")
@click.option("--keep", "keeps", is_flag=True, help="Add to the corpus what was found and is new to it.")
def main(
    names: tuple[str, ...], most: int | None, minutes: float | None, seed: int, folder: Path | None, keeps: bool
) -> None:
    """Send zchat what nobody should, and see what holds."""
    if folder is not None:
        again(names[0], folder)
        return
    if keeps:
        for name in names:
            click.echo(f"{name}: {keep(name)} inputs added to the corpus")
        return
    click.echo(f"seed {seed}")
    seconds = 60 * (minutes or (1 if most is None else 24 * 60))
    total = 0
    for name in names or ("wire", "hub", "ports"):
        for ran in fuzz(name, most or 2**62, seconds, seed):
            click.echo(ran)
            total += ran.inputs
    click.echo(f"{total:,} inputs in all")


if __name__ == "__main__":
    main()
