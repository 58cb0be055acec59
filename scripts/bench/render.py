"""Make the page and the charts of a comparison from its JSON lines.

Measuring takes half an hour and a quiet machine, drawing two seconds: so they are two commands, and a chart can be
drawn anew from results that were kept. matplotlib is needed for the charts alone; without it the page is still written.
"""

import importlib
import importlib.util
import shutil
from pathlib import Path

import click
from board import BenchError
from page import measured
from page.figures import markdown

HERE = Path(__file__).parent
KEPT = HERE / "results.jsonl"
NO_CHARTS = "the charts need matplotlib, which is not installed: .venv/bin/pip install -e '.[bench]'"


def render(results: Path, out: Path) -> list[Path]:
    """Write results.md, charts/ and (if `results` lies elsewhere) a copy results.jsonl into `out`; return the files.

    Raises BenchError if the results cannot be read, or the charts cannot be drawn.
    """
    read = measured.read(results)
    out.mkdir(parents=True, exist_ok=True)
    page, copy = out / "results.md", out / KEPT.name
    page.write_text(markdown(read), encoding="utf-8")
    if results.resolve().parent != out.resolve():
        shutil.copyfile(results, copy)
    if importlib.util.find_spec("matplotlib") is None:
        raise BenchError(NO_CHARTS)
    charts: list[Path] = importlib.import_module("page.charts").draw(read, out / "charts")
    return [page, *charts]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("results", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=KEPT)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write; default: beside RESULTS."
)
def main(results: Path, out: Path | None) -> None:
    """Write results.md and charts/ (SVG and PNG) of the comparison in RESULTS.

    RESULTS is what scripts/bench/compare wrote; by default the results that the repository keeps. To keep others
    instead: scripts/bench/render .bench/compare.jsonl --out scripts/bench
    """
    try:
        files = render(results, out or results.parent)
    except (BenchError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{files[0]} and {len(files) - 1} charts", err=True)


if __name__ == "__main__":
    main(prog_name="scripts/bench/render")
