"""Which charts are drawn of a comparison, and what is on each.

One chart a workload, of the two figures that its table leads with. Durable ingest is one chart of both ways of sending,
for what a way gains is seen only beside the other. A chart whose workload was not measured is removed: one of an older
run beside the new ones would be taken for a result.
"""

from pathlib import Path

from page.bars import bars
from page.lines import lines
from page.measured import CANNOT, MEASURED, Measured, Result
from page.shown import GROWTH, WORKLOADS, Figure, Workload
from page.style import LIMITS

PANELS = 2  # side by side: more would not be read at the width of a README
HATCHED = "Hatched: no chat, it only forwards."


def draw(measured: Measured, folder: Path) -> list[Path]:
    """Write the charts of all workloads that were measured, as SVG and PNG; return the files."""
    drawn = set()
    for workload in WORKLOADS:
        results = _rows(measured, workload)
        if not workload.beside and any(r.state == MEASURED for r in results):
            figures = _panels(results, workload.figures)
            hatched = any(r.peer in LIMITS and r.state == MEASURED for r in results)
            what = f"{workload.what} {HATCHED}" if hatched else workload.what
            subtitle = "\n".join([what, *(w.what for w in WORKLOADS if w.beside == workload.key)])
            bars(folder, workload.key, workload.title, subtitle, results, figures)
            drawn.add(workload.key)
    for growth in GROWTH:
        for figure in growth.figures:
            if any(figure.of(r) for r in measured.series(growth.axis)):
                lines(folder, growth.chart(figure), growth, figure, measured)
                drawn.add(growth.chart(figure))
    known = {w.key for w in WORKLOADS} | {g.chart(f) for g in GROWTH for f in g.figures}
    _remove(folder, known - drawn)
    return sorted(folder / f"{name}.{ending}" for name in drawn for ending in ("svg", "png"))


def _remove(folder: Path, names: set[str]) -> None:
    for name in names:
        for ending in ("svg", "png"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


def _rows(measured: Measured, workload: Workload) -> list[Result]:
    """Return a workload's results, and those beside them; a peer that cannot do those has its row already."""
    beside = [r for w in WORKLOADS if w.beside == workload.key for r in measured.of(w.key) if r.state != CANNOT]
    return measured.of(workload.key) + beside


def _panels(results: list[Result], figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """Return the headline and the next figure that anybody has."""
    return tuple(f for f in figures if f is figures[0] or any(f.of(r) is not None for r in results))[:PANELS]
