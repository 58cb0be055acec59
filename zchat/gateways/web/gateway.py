"""What all parts of the server share: whom it carries, their tabs, and who may come how often."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from weakref import WeakValueDictionary

from starlette.requests import HTTPConnection

from zchat.errors import RefusedError
from zchat.gateways.people.logins import Logins
from zchat.gateways.people.people import People
from zchat.gateways.rates import Buckets, Rate
from zchat.protocol.endpoints import is_loopback

from .household import SIGNED_OUT, SIGNED_OUT_ELSEWHERE, Household
from .rendering import Rendering
from .site import Site

COME_IN = Rate(10, 0.2)  # tries to come in, from one address
TABS_OF_ADDRESS = 200  # a team behind one address
AWAY = 30.0  # seconds for which the tabs of whom the broker has sent away do not bring them back: pages try at once


class Households:
    """The tabs of all people who have any."""

    def __init__(self, people: People, rendering: Rendering) -> None:
        self._people, self._rendering = people, rendering
        self._open: dict[str, Household] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._away: dict[str, tuple[float, str]] = {}  # since when, and why
        self._unread: dict[str, dict[str, int]] = {}  # what each has marked as unread, until we end
        self.push: str | None = None  # the public key for Web Push
        self.opened: Callable[[str], None] = lambda _: None  # is told of a person who has tabs now

    async def of(self, token: str) -> Household:
        """Return the tabs of the person who has this token. Raises as `People.login`."""
        login = self._people.logins.find(token)
        since, why = self._away.get(login.person if login else "", (-AWAY, ""))
        if time.monotonic() - since < AWAY:
            raise RefusedError("kick", why)
        person = await self._people.login(token)
        async with self._locks.setdefault(person.id, asyncio.Lock()):
            household = self._open.get(person.id)
            if household is None or household.over or household.person is not person:
                household = Household(person, self._rendering, self.push, self._unread.setdefault(person.id, {}))
                await household.open()
                self._open[person.id] = household
                self.opened(person.id)
            return household

    def is_seen(self, id_: str) -> bool:
        """Say whether somebody looks at a tab of a person."""
        household = self._open.get(id_)
        return household is not None and any(tab.visible for tab in household.tabs)

    def left(self, household: Household) -> None:
        """A tab has gone: with the last one the household ends."""
        if household.sent_away:
            self._away = {id_: each for id_, each in self._away.items() if time.monotonic() - each[0] < AWAY}
            self._away[household.person.id] = (time.monotonic(), household.sent_away)
        if not household.tabs:
            household.close()
            if self._open.get(household.person.id) is household:
                del self._open[household.person.id]
                if not self._unread.get(household.person.id):
                    self._unread.pop(household.person.id, None)

    def sign_out(self, person: str, login: str, why: str = SIGNED_OUT) -> None:
        """End the tabs of a login."""
        if (household := self._open.get(person)) is not None:
            household.sign_out(login, why)

    def end(self, why: str) -> None:
        """Send all tabs away, to come back at once."""
        for household in self._open.values():
            household.end(why, again=True)

    def __len__(self) -> int:
        return sum(len(each.tabs) for each in self._open.values())


class Gateway:
    """One server of the page. `folder` is where it keeps what it keeps."""

    def __init__(self, site: Site, people: People, folder: Path) -> None:
        self.site, self.folder, self.people, self.rendering = site, folder, people, Rendering()
        self.households = Households(people, self.rendering)
        self.coming_in = Buckets(COME_IN)
        self.leaving: Callable[[str], None] = lambda _: None  # is told of the key of a login that ends
        self.pushes: Mapping[str, int] = {}  # what push services answered, by status
        self._tabs: Counter[str] = Counter()

    def token(self, connection: HTTPConnection) -> str | None:
        """Return the token that a browser has sent, if it is a login."""
        token = connection.cookies.get(self.site.cookie)
        return token if token and self.people.logins.find(token) else None

    def who(self, token: str) -> dict[str, str]:
        """Return the `nick` of whom a login is, if it is known without asking the broker."""
        login = self.people.logins.find(token)
        nick = self.people.nick(login.person) if login is not None else None
        return {} if nick is None else {"nick": nick}

    async def leave(self, token: str) -> None:
        """End a login, and all that goes with it."""
        self.leaving(Logins.key(token))
        if (login := self.people.logins.find(token)) is not None:
            self.households.sign_out(login.person, Logins.key(token))
        await self.people.leave(token)

    def leave_others(self, token: str) -> None:
        """End all other logins of whoever has this one: one may be in a laptop that is lost."""
        if (login := self.people.logins.find(token)) is not None:
            for key in self.people.logins.forget_others(token):
                self.leaving(key)
                self.households.sign_out(login.person, key, SIGNED_OUT_ELSEWHERE)

    def may_come_in(self, connection: HTTPConnection) -> bool:
        """Say whether somebody at this address may try (once more) to come in."""
        return not self.coming_in.take(connection.scope["address"], time.monotonic())

    @contextlib.asynccontextmanager
    async def counted(self, connection: HTTPConnection) -> AsyncIterator[bool]:
        """Count a tab of an address, while it is open; give False if there are too many."""
        address = connection.scope["address"]
        self._tabs[address] += 1
        try:
            yield self._tabs[address] <= TABS_OF_ADDRESS or is_loopback(address)
        finally:
            self._tabs[address] -= 1
            if not self._tabs[address]:
                del self._tabs[address]
