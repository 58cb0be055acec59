"""When a broker may judge that another one is gone.

Brokers send heartbeats to each other and to themselves. The silence of another counts only while the own echo comes
back: who hears not even itself is cut off, and knows nothing of others. Only the verdict goes into the stream.
"""

from collections.abc import Iterable


class Leases:
    """What a broker has heard. Times are seconds of its own monotonic clock."""

    def __init__(self, name: str, gap: float, patience: float) -> None:
        """`gap`: the silence of the echo after which it counts as gone; `patience`: that of others."""
        self._name, self._gap, self._patience = name, gap, patience
        self._heard: dict[str, float] = {}
        self._echo = self._since = float("-inf")  # the last echo, and since when it comes without a gap

    def hear(self, broker: str, now: float) -> None:
        """Note a heartbeat."""
        self._heard[broker] = now
        if broker == self._name:
            if now - self._echo > self._gap:
                self._since = now
            self._echo = now

    def gone(self, brokers: Iterable[str], now: float) -> list[str]:
        """Return those of the brokers that were silent for too long."""
        if now - self._echo > self._gap:
            return []
        since = self._since
        return [one for one in brokers if now - max(self._heard.get(one, since), since) > self._patience]
