"""One workload as horizontal bars: a row a peer, a panel a figure, best first.

Bars start at zero, so that a length is a quantity. A peer forty times dearer than the rest would squeeze them all into
slivers, so a panel ends at a few times the median and a longer bar is cut, visibly; its value stands beside it all the
same. What has no figure (cannot, void, failed) keeps its row, with the sentence in place of the bar. What must be known
of a bar (a limit that could not be switched off, an ack before the fsync) is a footnote: a chart is quoted without its
table.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes

from page import shown
from page.goals import OWN
from page.measured import MEASURED, Result
from page.style import DARK, FAINT, GREY, LIMITS, PALE, WIDTH, heading, sheet, weight

NAMES = 2.05  # inches for the peers' names, at the left
ROW, ABOVE, BELOW = 0.30, 0.36, 0.12  # inches; above the rows stand the titles of the panels
ROOM = 0.24  # of a panel, at its right, for the value of the longest bar
CUT, UNCUT = 4, 6  # times the median: where a panel ends, and up to where no bar is worth cutting
CHARACTERS = 108  # of a reason, across all panels
LETTERS = 28  # of a name, in one line
NOTE = 0.17  # inches: a footnote
MARKS = [sign * times for times in (1, 2, 3) for sign in "*†‡§"]  # no digits: they would follow a version


def bars(
    folder: Path, name: str, title: str, subtitle: str, results: Sequence[Result], figures: Sequence[shown.Figure]
) -> None:
    """Write NAME.svg and NAME.png: `results` by `figures`, at most two of them."""
    rows = _ordered(results, figures[0])
    notes = _notes(rows)
    below = BELOW + NOTE * len(notes) + (NOTE / 2 if notes else 0)
    height = heading(subtitle) + ABOVE + ROW * len(rows) + below
    with sheet(folder, name, height, title, subtitle) as picture:
        width = (1 - NAMES / WIDTH) / len(figures)
        for column, figure in enumerate(figures):
            left = NAMES / WIDTH + column * width
            axes = picture.add_axes((left, below / height, width - 0.015, ROW * len(rows) / height))
            _panel(axes, rows, figure)
            if column == 0:
                _names(axes, rows, notes)
                _reasons(axes, rows, figure, CHARACTERS // len(figures))
        for place, (text, mark) in enumerate(reversed(notes.items())):
            line = textwrap.shorten(f"{mark} {text}", 135, placeholder=" …")
            picture.text(0.012, (BELOW + place * NOTE) / height, line, fontsize=8, va="bottom", color=GREY)


def _ordered(results: Sequence[Result], figure: shown.Figure) -> list[Result]:
    """Return the best first; what has no figure last, in the order of the tables."""
    sign = -1 if figure.more_is_better else 1
    counted = [(value, r) for r in results if (value := figure.of(r)) is not None]
    counted.sort(key=lambda pair: sign * pair[0])
    return [r for _, r in counted] + [r for r in results if figure.of(r) is None]


def _panel(axes: Axes, rows: Sequence[Result], figure: shown.Figure) -> None:
    """Draw one figure of all rows."""
    values = [figure.of(r) for r in rows]
    counted = [v for v in values if v is not None]
    end = _end(counted)
    axes.set_xlim(0, end / (1 - ROOM))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    better = "more is better" if figure.more_is_better else "less is better"
    axes.set_title(f"{figure.label} ({better})")
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    for row, (result, value) in enumerate(zip(rows, values, strict=True)):
        if value is not None:
            _bar(axes, row, result.peer, value, end)


def _end(values: Sequence[float]) -> float:
    """Return where a panel of these values ends."""
    if not any(values):
        return 1
    longest, middle = max(values), median(values)
    return longest if longest <= UNCUT * middle or not middle else CUT * middle


def _bar(axes: Axes, row: int, peer: str, value: float, end: float) -> None:
    """Draw one bar and its value; `end` is where the panel ends."""
    length = min(value, end)
    fill, hatch = (DARK, "") if peer in OWN else ("white", "////") if peer in LIMITS else (PALE, "")
    axes.barh(
        row, length, height=0.68, facecolor=fill, edgecolor=DARK if peer in OWN else FAINT, hatch=hatch, linewidth=0.7
    )
    if value > end:
        for back in (0.06, 0.075):
            axes.plot(
                [end * (1 - back), end * (1 - back + 0.025)], [row + 0.5, row - 0.5], color="white", linewidth=2.2
            )
    text = shown.number(value)
    axes.text(length + end * 0.018, row, text, va="center", color="black", fontweight=weight(peer))


def _notes(rows: Sequence[Result]) -> dict[str, str]:
    """Return what must be known of the bars, each with its mark; peers of one kind share theirs."""
    texts = dict.fromkeys(r.limits for r in rows if r.limits and r.state == MEASURED)
    return dict(zip(texts, MARKS, strict=False))


def _names(axes: Axes, rows: Sequence[Result], notes: dict[str, str]) -> None:
    for row, result in enumerate(rows):
        mark = notes.get(result.limits or "", "") if result.state == MEASURED else ""
        lines = _called(result, mark)
        axes.annotate(
            lines,
            (0, row),
            xytext=(-6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="center",
            color="black",
            fontweight=weight(result.peer),
            fontsize=9 if "\n" not in lines else 7.5,
        )


def _called(result: Result, mark: str) -> str:
    """Return a peer's name, with what tells this bar from another of the same peer; in two lines if it is long."""
    suffix = next((w.suffix for w in shown.WORKLOADS if w.key == result.workload), "")
    if not suffix:
        return textwrap.fill(result.name + mark, LETTERS)
    short = f"{result.name}, {suffix}{mark}"
    return short if len(short) <= LETTERS else f"{textwrap.shorten(result.name, LETTERS)},\n{suffix}{mark}"


def _reasons(axes: Axes, rows: Sequence[Result], figure: shown.Figure, width: int) -> None:
    """Write why a row has no bar, in one or two lines of `width` characters."""
    for row, result in enumerate(rows):
        if figure.of(result) is None:
            text = textwrap.fill(result.why or "not measured", width, max_lines=2, placeholder=" …")
            axes.text(
                0.008,
                row,
                text,
                transform=axes.get_yaxis_transform(),
                va="center",
                color=GREY,
                style="italic",
                fontsize=7.5 if "\n" in text else 8.5,
                linespacing=1.05,
            )
