"""What a broker's log comes to in a few bytes, so that brokers notice when their logs are not the same.

A running hash has every message of the stream, and what became of each draft in it. Brokers tell each other how far
they are and what that is there: posts by what they had `seen`, and heartbeats. Where it differs, one of the two has
read something else, or made something else of it. It cannot be said which, so those who are alone with theirs give way.
"""

import hashlib
import logging
from collections.abc import Collection, Sequence

from zchat.broker.core.entries import Changed, Noted, Outcome, Stored, Told

KEPT = 10_000  # places whose hashes are remembered: others are behind by less, or are compared later
SEEN = 8  # bytes of a hash that tell it from any other

log = logging.getLogger(__name__)


class Hashes:
    """The hashes of a log at its last places, and which brokers have others."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}  # by place
        self._unlike: set[str] = set()  # brokers that have read something else

    def restart(self, place: int, hash_: bytes) -> None:
        """Know only the hash at this place."""
        self._kept = {place: hash_[:SEEN]}

    def note(self, place: int, hash_: bytes) -> None:
        self._kept[place] = hash_[:SEEN]
        self._kept.pop(place - KEPT, None)

    def agree(self, place: int, hash_: bytes) -> bool:
        """Return whether a broker with this hash at a place has read the same, as far as is known."""
        return self._kept.get(place, hash_[:SEEN]) == hash_[:SEEN]

    def compare(self, broker: str, place: int, hash_: bytes, here: Collection[str]) -> bool:
        """Note whether a broker has read the same. Return False if at least half of those that are `here` have not."""
        if place not in self._kept:
            return True
        if self.agree(place, hash_):
            self._unlike.discard(broker)
            return True
        if broker not in self._unlike:
            log.error("broker %s had read something else than this one after message %d of the stream", broker, place)
        self._unlike.add(broker)
        return 2 * len(self._unlike & {*here, broker}) < len(here)


def with_message(hash_: bytes, payload: bytes) -> bytes:
    """Return the hash after one more message."""
    return hashlib.sha256(hash_ + payload).digest()


def with_outcomes(hash_: bytes, outcomes: Sequence[Outcome]) -> bytes:
    """Return the hash that also tells what became of drafts: two logs that differ are found, whyever they do."""
    sum_ = hashlib.sha256(hash_)
    for outcome in outcomes:
        if isinstance(outcome, Told):
            sum_.update(b"%d" % outcome.id)
            outcome = outcome.outcome  # noqa: PLW2901 — what became of it
        elif isinstance(outcome, Noted):
            sum_.update(b"%d %d" % (outcome.read, outcome.later))
        lines = outcome.lines if isinstance(outcome, Stored) else []
        sum_.update(b"\n".join([type(outcome).__name__.encode(), *lines]))
        if isinstance(outcome, Changed):
            sum_.update(outcome.line)
    return sum_.digest()
