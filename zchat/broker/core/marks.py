"""What a hub has still to tell other brokers. Handlers note it here; a hub that is alone has none of this."""

from dataclasses import dataclass, field

from . import bus
from .cluster import Cluster


@dataclass(slots=True)
class Marks:
    """`name` is this broker's. `authors` have changed, by `from`. `left`: (reason, text), by `from` and room.

    `told` travels as it is. `lingering` are the authors that are listed still where they have no session any more, for
    `grace` seconds from `now` on, which is the time as it was last told. `claims` are those of the log.
    """

    name: str
    grace: float
    now: float = 0.0
    authors: dict[str, None] = field(default_factory=dict)
    left: dict[tuple[str, str], tuple[str, str | None]] = field(default_factory=dict)
    told: list[bus.Presence] = field(default_factory=list)
    lingering: dict[str, None] = field(default_factory=dict)
    claims: Cluster | None = None

    @property
    def until(self) -> float:
        return self.now + self.grace
