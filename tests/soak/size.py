"""How many take part in a soak, and who of them is to be seen where."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.soak.person import follows


@dataclass(frozen=True)
class Size:
    """How many take part, and how much each talker says (messages a second)."""

    talkers: int = 50
    followers: int = 20
    bots: int = 5
    rate: float = 2.0
    nomads: int = 3  # who say as much each
    menders: int = 10  # who do as much each
    pages: int = 3  # who come by `zchat web`, talk and look on
    ircs: int = 3  # … by `zchat irc`

    @property
    def all(self) -> int:
        return self.talkers + self.followers + self.bots + self.nomads + self.menders + self.pages + self.ircs

    @property
    def following(self) -> dict[str, int]:
        """How many there are of each kind of those who look on in rooms."""
        return {"follower": self.followers, "page": self.pages, "irc": self.ircs}

    @property
    def members(self) -> list[str]:
        """Who logs in, where that is possible: every second client of IRC. The others are guests."""
        return [f"irc{k}" for k in range(0, self.ircs, 2)]

    def present(self, rooms: Sequence[str]) -> dict[str, set[str]]:
        """Return who is to be seen in which room: bots, every second follower, and all who come by a gateway."""
        found = {room: {f"bot{k}" for k in range(self.bots)} for room in rooms}
        for kind, count in self.following.items():
            for number in range(0, count, 2 if kind == "follower" else 1):
                for room in follows(number, rooms):
                    found[room].add(f"{kind}{number}")
        return found
