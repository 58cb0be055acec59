"""Rate-limited logging of what peers cause.

The log file rotates, so a peer that makes the broker write many lines could push out the important ones. Each kind of
line (its text before formatting) may be written BURST times at once, and EACH times per minute in the long run. The
lines beyond that are only counted; the count is logged once a minute and at the end. What the broker logs about itself
does not go through this file and is always written.
"""

import logging
from collections import Counter

BURST = 100  # lines of a kind at once: a team that reconnects after a restart
EACH = 10  # lines of a kind between two reports, in the long run: 5 MB per day for four kinds


class Notes:
    """The log lines that peers cause. Call `report` once a minute: this class has no clock."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._written: Counter[str] = Counter()  # how much of BURST is used up
        self._left_out: Counter[str] = Counter()

    def write(self, level: int, text: str, *args: object, trace: bool = False) -> None:
        """Log a line, with the current exception if `trace`. If there were too many of its kind, only count it."""
        if self._written[text] >= BURST:
            self._left_out[text] += 1
            return
        self._written[text] += 1
        self._log.log(level, text, *args, exc_info=trace)

    def report(self) -> None:
        """Log how many lines were left out since the last report, and allow new ones."""
        if self._left_out:
            told = ", ".join(f"{count:,} × {_kind(text)}" for text, count in self._left_out.most_common())
            self._log.warning("left out, being too many: %s", told)
        self._left_out.clear()
        self._written = Counter({text: used - EACH for text, used in self._written.items() if used > EACH})


def _kind(text: str) -> str:
    """Return the fixed beginning of a line's text, before the first parameter."""
    return text.partition("%")[0].rstrip(" :")
