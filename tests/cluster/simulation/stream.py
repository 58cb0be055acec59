"""The stream of the stories: an engine that keeps messages in an order, tells nobody so, and may lose its mind."""

import random
from collections.abc import Sequence

Placed = Sequence[tuple[int, bytes]]


class Stream:
    """The messages in their order, and publications on their way.

    What is published is lost, or stored twice, or late, so that what was published after it comes before it.
    """

    def __init__(self, rng: random.Random, term: str = "0" * 16, began: int = 0, parent: str = "") -> None:
        self.rng, self.term, self.began, self.parent = rng, term, began, parent
        self.parent_hash = b""
        self.messages: list[bytes] = []
        self.flight: list[bytes] = []
        self.calm = False
        self.available = True

    @property
    def last(self) -> int:
        """The place of the last message."""
        return self.began + len(self.messages)

    def publish(self, payload: bytes) -> None:
        dice = 1.0 if self.calm else self.rng.random()
        if dice < 0.08:
            return
        self.flight += [payload] * (2 if dice < 0.16 else 1)

    def store(self) -> None:
        """Store some of what is on its way: mostly in order."""
        if not self.available:
            return
        for _ in range(len(self.flight) if self.calm else self.rng.randrange(0, 8)):
            if self.flight:
                late = not self.calm and self.rng.random() < 0.3
                self.messages.append(self.flight.pop(self.rng.randrange(len(self.flight)) if late else 0))

    def read(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return the messages from one place to another."""
        found = self.messages[max(0, first - 1 - self.began) : last - self.began]
        return list(enumerate(found, max(first, self.began + 1)))

    def go_mad(self) -> None:
        """Forget some or all of what was stored, or be another stream."""
        self.flight.clear()
        match self.rng.randrange(3):
            case 0:
                self.messages, self.term = [], "f" * 16
            case 1:
                self.messages = []
            case _:
                del self.messages[-self.rng.randrange(1, 12) :]
