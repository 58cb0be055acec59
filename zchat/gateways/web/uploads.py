"""Places for what is being uploaded: there are few, and who holds many of them gives way.

Who is slow holds a place for long, and four addresses could hold all of them for hours. So when all are taken, whoever
comes with fewer of them gets one of who has the most: the one that was begun first. Nobody loses their last place so,
but a guest to a member: strangers from sixteen addresses keep no member from uploading.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from zchat.errors import RefusedError

OF_ONE, OF_ALL = 4, 16  # at the same time: of a person or of the guests of an address, and of all
FULL = "other files are on their way: try again in a moment"


class Place:
    """A place of somebody; with `time` what is done there is ended."""

    def __init__(self, whose: str, guest: bool, time: asyncio.Timeout) -> None:
        self.whose, self.guest, self._time = whose, guest, time
        self.gave_way = False

    def give_way(self) -> None:
        """Let somebody else have the place."""
        self.gave_way = True
        with contextlib.suppress(RuntimeError):  # it is at its end anyhow
            self._time.reschedule(asyncio.get_running_loop().time())


class Places:
    """All of them."""

    def __init__(self) -> None:
        self._taken: list[Place] = []  # the oldest first

    @contextlib.asynccontextmanager
    async def take(self, whose: str, *, guest: bool) -> AsyncIterator[None]:
        """Hold a place. Raises RefusedError if there is none, or somebody else gets it."""
        self._make_room(whose, guest)
        place: Place | None = None
        try:
            async with asyncio.timeout(None) as time:
                place = Place(whose, guest, time)
                self._taken.append(place)
                yield
        except TimeoutError:
            if place is not None and place.gave_way:
                raise RefusedError("rate_limited", FULL) from None
            raise
        finally:
            if place is not None and place in self._taken:
                self._taken.remove(place)

    def _make_room(self, whose: str, guest: bool) -> None:
        counts = Counter(each.whose for each in self._taken)
        if counts[whose] >= OF_ONE:
            raise RefusedError("rate_limited", FULL)
        if len(self._taken) < OF_ALL:
            return
        guests = Counter(each.whose for each in self._taken if each.guest)
        stranger = guests.most_common(1)[0][0] if guests and not guest else None
        greediest, most = counts.most_common(1)[0]
        if stranger is None and most < counts[whose] + 2:  # or two would take it from each other without an end
            raise RefusedError("rate_limited", FULL)
        oldest = next(each for each in self._taken if each.whose == (stranger or greediest))
        self._taken.remove(oldest)
        oldest.give_way()
