"""The bell of the terminal, and notifications of the desktop: not for each of a hundred mentions."""

import time

from zchat.protocol import messages as m

from . import said
from .output import Output

PAUSE = 3.0  # seconds between two rings, and between two notifications, at least


class Alerts:
    """Rings and notifies as the preferences have it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.rang = self.notified = -PAUSE  # when it last happened

    def alert(self, event: m.Durable, *, mentions_us: bool, focused: bool) -> None:
        """Alert the reader to a new message, if it is worth it."""
        now, wanted = time.monotonic(), self._output.preferences
        rings = wanted.bell == "all" or (mentions_us and wanted.bell == "mentions")
        if rings and now - self.rang >= PAUSE:
            self.rang = now
            self._output.bell()
        notifies = mentions_us and not focused and wanted.notify != "off"
        if notifies and now - self.notified >= PAUSE:
            self.notified = now
            self._output.notify(said.excerpt(event, 100))
