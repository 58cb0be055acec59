"""How all charts look, and how they become files.

A chart must be read on paper, in grey, and at the width of a README (some 830 pixels): so names stand at what they name
instead of in a legend, every bar has its value beside it, and zchat is told by a dark fill and bold type, never by hue.
The same results give the same bytes, so that a repository keeps only charts that changed: no date, no version, and ids
from a fixed salt. In SVG, text stays text.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from page.goals import OWN

WIDTH = 8.3  # inches: 830 pixels at 100 dots an inch
DARK, GREY, FAINT, PALE = "#14213d", "#4d4d4d", "#8a8a8a", "#d4d8de"
LIMITS = {"forwarder", "forwarder-curve"}  # what no chat could beat: it neither parses nor keeps anything

RULES: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same everywhere
    "font.size": 9.5,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titlecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "zchat",
}


@contextmanager
def sheet(folder: Path, name: str, height: float, title: str, subtitle: str) -> Iterator[Figure]:
    """Give an empty figure of `height` inches under a title, to be drawn on; then write it as SVG and PNG.

    The title takes `heading(subtitle)` inches of it.
    """
    with mpl.rc_context(RULES):
        figure = Figure(figsize=(WIDTH, height), facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(0.012, 1 - 0.12 / height, title, fontsize=13, fontweight="bold", va="top", color="black")
        figure.text(0.012, 1 - 0.40 / height, _wrapped(subtitle), fontsize=9.5, va="top", color=GREY)
        yield figure
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        drawn = BytesIO()
        figure.savefig(drawn, dpi=200, metadata={"Software": None})
        # a quarter of the size: a few greys and their edges need no more colours
        Image.open(drawn).convert("RGB").quantize(48).save(folder / f"{name}.png", optimize=True)


def heading(subtitle: str) -> float:
    """Return how many inches a title and this subtitle take."""
    return 0.62 + 0.17 * _wrapped(subtitle).count("\n")


def _wrapped(subtitle: str) -> str:
    return "\n".join(textwrap.fill(line, 115) for line in subtitle.splitlines())


def weight(peer: str) -> str:
    """Return the weight of a peer's name."""
    return "bold" if peer in OWN else "normal"
