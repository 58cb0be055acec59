"""How much an agent may say: a bucket that holds a quarter of a minute's messages and is filled again all the time.

So a few may come at once, and over an hour it is the rate. Pure.
"""

import math


class Allowance:
    """`rate` messages a minute; times are in seconds of any clock that only goes on."""

    def __init__(self, rate: int, now: float) -> None:
        self.rate = rate
        self._most = float(max(1, math.ceil(rate / 4)))
        self._left, self._at = self._most, now

    def take(self, now: float) -> float:
        """Take one message; return 0 if there was one, else the seconds until there is."""
        self._left = min(self._most, self._left + (now - self._at) * self.rate / 60)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) * 60 / self.rate

    def give_back(self) -> None:
        """Nothing new was said after all."""
        self._left = min(self._most, self._left + 1)
