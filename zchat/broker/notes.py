"""What peers do, in the broker's log: so many lines of a kind, and the others as a count.

The log rotates, so whoever makes it write makes it forget. A kind of line (its text, before anything is put into it)
may be written BURST times at once and EACH times a minute; how many more there were is told once a minute, and at the
end. What the broker has to say of itself does not go through here, and is always written.
"""

import logging
from collections import Counter

BURST = 100  # lines of a kind at once: a team that comes back after a restart
EACH = 10  # lines of a kind between two reports, in the long run: 5 MB a day when there are four kinds


class Notes:
    """The lines that peers cause; `report` is to be called once a minute. No clock in here."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._written: Counter[str] = Counter()  # what of BURST is used up
        self._left_out: Counter[str] = Counter()

    def write(self, level: int, text: str, *args: object, trace: bool = False) -> None:
        """Log a line, with the exception being handled if `trace`; or count it, if there were too many."""
        if self._written[text] >= BURST:
            self._left_out[text] += 1
            return
        self._written[text] += 1
        self._log.log(level, text, *args, exc_info=trace)

    def report(self) -> None:
        """Tell what was left out since the last report, and allow for more."""
        if self._left_out:
            told = ", ".join(f"{count:,} × {_kind(text)}" for text, count in self._left_out.most_common())
            self._log.warning("left out, being too many: %s", told)
        self._left_out.clear()
        self._written = Counter({text: used - EACH for text, used in self._written.items() if used > EACH})


def _kind(text: str) -> str:
    """Return what a line says before it names somebody."""
    return text.partition("%")[0].rstrip(" :")
