"""How values are spread, counted at the edge: a list of counts, to which one is added.

What a broker counts costs nothing that can be measured, because it is counted once for each batch, and not for each
line or delivery: in the sockets' files, in the pipeline and in the store, as plain integers. None of these knows of
Prometheus. Whoever asks reads the numbers (`figures.py`).
"""

from bisect import bisect_left

from zchat.protocol import messages as m

SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # 0.1 ms is a batch at rest
SIZES = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 8_000)  # up to the bound of a batch (`inlet.py`)


class Spread:
    """Counts values by the first of the bounds that they do not exceed; what exceeds all has the last count."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def told(self) -> m.Histogram:
        """Return it as it is now."""
        return m.Histogram(self._bounds, tuple(self.counts), self.sum)
