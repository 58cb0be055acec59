"""Who the members are, also those who are not here: asked for seldom, and kept for a while."""

import asyncio
from collections.abc import Sequence

from zchat.errors import RefusedError
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

KEPT = 60.0  # seconds


class Directory:
    """The members of the chat. Guests may not see who they are."""

    def __init__(self) -> None:
        self._members: Sequence[m.MemberInfo] = ()
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def members(self, asker: Person) -> Sequence[m.MemberInfo]:
        """Return the members. Raises RefusedError, TimedOutError, UnreachableError."""
        if asker.client.member is None:
            raise RefusedError("forbidden", "only members may see who the members are")
        now = asyncio.get_running_loop().time
        async with self._asking:
            if now() >= self._until:
                self._members = await asker.client.administration.members()
                self._until = now() + KEPT
        return self._members
