"""Growth as lines on two logarithmic axes: what a cost does when a size grows tenfold.

Ten lines are told apart by marker and stroke, and each has its name at its end. Where ends lie close together the names
are moved apart, up and down, and a thin line leads from each name to its own end.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from page import shown
from page.goals import OURS
from page.measured import Measured
from page.style import DARK, FAINT, GREY, sheet, weight

HEIGHT, PLOT = 4.4, (0.075, 0.085, 0.57, 0.755)
APART = 0.058  # of the axis: between two names

STROKES = {
    "zchat": ("-", "o"),
    "forwarder": (":", "x"),
    "redis": ("--", "s"),
    "redis-streams": ("--", "D"),
    "nats": ("-.", "^"),
    "jetstream": ("-.", "v"),
    "mosquitto0": (":", "P"),
    "mosquitto1": (":", "*"),
    "ngircd": ("-", "<"),
    "inspircd": ("-", ">"),
}

Line = tuple[str, list[tuple[int, float]]]


def lines(folder: Path, name: str, growth: shown.Growth, figure: shown.Figure, measured: Measured) -> None:
    """Write NAME.svg and NAME.png: `figure` over the sizes of `growth`, a line a peer."""
    series: list[Line] = []
    for peer in measured.peers:
        results = [r for r in measured.series(growth.axis) if r.peer == peer]
        points = [(getattr(r, growth.axis), value) for r in results if (value := figure.of(r))]
        if points:
            series.append((peer, points))
    if not series:
        return
    with sheet(
        folder, name, HEIGHT, growth.title, f"{figure.label}, by number of {growth.sizes} (both axes logarithmic)"
    ) as picture:
        axes = picture.add_axes(PLOT)
        for peer, points in series:
            _line(axes, peer, points)
        _scales(axes, [size for _, points in series for size, _ in points])
        _ends(axes, series, measured)


def _line(axes: Axes, peer: str, points: Sequence[tuple[int, float]]) -> None:
    stroke, marker = STROKES.get(peer, ("-", "."))
    ours = peer == OURS
    axes.plot(
        [size for size, _ in points],
        [value for _, value in points],
        linestyle=stroke,
        marker=marker,
        color=DARK if ours else GREY,
        linewidth=2.8 if ours else 1.1,
        markersize=8 if ours else 5.5,
        markerfacecolor=DARK if ours else "white",
        zorder=2 if ours else 3,  # ours is the wide one: what crosses it stays visible
        clip_on=False,
    )


def _scales(axes: Axes, sizes: Sequence[int]) -> None:
    """Label decades in full numbers, and two steps between them where there is only one decade."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 10:  # a flat line must look flat
        middle = math.sqrt(low * high)
        axes.set_ylim(middle / math.sqrt(10), middle * math.sqrt(10))
    ticks = sorted(set(sizes))
    axes.set_xticks(ticks, [f"{size:,}" for size in ticks])
    low, high = axes.get_ylim()
    steps = (1.0,) if high / low > 300 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.6)


def _ends(axes: Axes, series: Sequence[Line], measured: Measured) -> None:
    """Write each peer's name and last value at the end of its line."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    ends = sorted((math.log10(points[-1][1]) - low) / (high - low) for _, points in series)
    order = sorted(series, key=lambda line: line[1][-1][1])
    places = spread(ends, APART)
    largest = max(size for _, points in series for size, _ in points)
    for (peer, points), end, place in zip(order, ends, places, strict=True):
        size, value = points[-1]
        start = (math.log10(size) - math.log10(axes.get_xlim()[0])) / _decades(axes)
        axes.plot(
            [start + 0.015, 1.03], [end, place], transform=axes.transAxes, color=FAINT, linewidth=0.5, clip_on=False
        )
        called = shorten(measured.name(peer), 30, placeholder=" …")
        text = f"{called}  {shown.number(value)}" + (f" at {size:,}" if size < largest else "")
        axes.text(1.035, place, text, transform=axes.transAxes, va="center", fontsize=9, fontweight=weight(peer))


def _decades(axes: Axes) -> float:
    low, high = axes.get_xlim()
    return math.log10(high) - math.log10(low)


def spread(wanted: Sequence[float], apart: float) -> list[float]:
    """Return ascending places from 0 to 1, at least `apart` from each other, each as near the one `wanted` as can be.

    Places that would overlap form a group, which is centred on the middle of what its members wanted.
    """
    groups: list[list[float]] = []
    for place in wanted:
        groups.append([place])
        while len(groups) > 1 and _low(groups[-1], apart) < _high(groups[-2], apart) + apart:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_low(group, apart) + step * apart for group in groups for step in range(len(group))]


def _low(group: Sequence[float], apart: float) -> float:
    span = apart * (len(group) - 1)
    return max(0, min(sum(group) / len(group) - span / 2, 1 - span))


def _high(group: Sequence[float], apart: float) -> float:
    return _low(group, apart) + apart * (len(group) - 1)
