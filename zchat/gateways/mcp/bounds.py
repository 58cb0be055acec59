"""What one agent may do, and where: given when the gateway is started, and never by the agent.

The broker has rights of its own, by the agent's role. These bounds lie before them: a room that was not given is not
there for the agent, also if everybody may read it. Pure.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from zchat.client.arguments import room_name
from zchat.gateways.rates import Rate

from .faults import NotAllowedError

Right = Literal["read", "say", "react", "ask"]
RIGHTS: tuple[Right, ...] = get_args(Right)
CALLS_FOR_EACH = 6  # calls for each message that it may say …
SLOWEST = 10  # … or for so many in a minute, where it may say fewer
ROOMS_MAX = 32  # each is looked through for a message whose `seq` alone is known


@dataclass(frozen=True)
class Bounds:
    """The rooms of an agent, what it `may` do, whether with single persons and bots too, and how much in a minute."""

    rooms: tuple[str, ...]
    may: frozenset[Right] = frozenset(RIGHTS)
    direct: bool = False
    bots: bool = False
    rate: int = 20

    @property
    def saying(self) -> Rate:
        """How often it may say something: a quarter of a minute's messages may come at once."""
        return Rate(math.ceil(self.rate / 4), self.rate / 60)

    @property
    def calls(self) -> int:
        """How often it may call in a minute, whatever it calls: it reads more than it says."""
        return CALLS_FOR_EACH * max(self.rate, SLOWEST)

    @property
    def calling(self) -> Rate:
        """How often it may call: half a minute's calls may come at once."""
        return Rate(self.calls / 2, self.calls / 60)

    def room(self, given: str) -> str:
        """Return a room that an agent has named, as the protocol has it. Raises NotAllowedError, RefusedError."""
        room = room_name(given)
        if room not in self.rooms:
            raise NotAllowedError(f"You have no room {room!r}. Your rooms are: {', '.join(self.rooms)}.")
        return room

    def check_direct(self) -> None:
        """Raise NotAllowedError unless the agent may speak with one person alone."""
        if not self.direct:
            raise NotAllowedError(
                "You may not speak with one person alone. Say it in one of your rooms; whoever runs you could allow it "
                "with --direct."
            )

    def sees(self, room: str | None) -> bool:
        """Say whether what happens there (None: between the agent and one person) is for the agent."""
        return self.direct if room is None else room in self.rooms
