"""MONITOR: who of those that a client has named is here, in whatever room or in none.

A broker tells who comes and goes only room by room. So it is asked who is here: soon after something happened to one
of the nicks that are monitored, as far as it is heard at this gateway, and every so often.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import cast

from zchat.errors import RefusedError, ZchatError
from zchat.protocol import messages as m

from .client import Client
from .core.lines import Line
from .core.names import folded
from .core.numerics import told
from .core.presence import face_of
from .rosters import in_turn
from .soon import Soon, Spawn, surely

AFTER, AT_MOST = 0.05, 1.0  # seconds until it is asked who is here, and between two times
EVERY = 20.0  # seconds in which it is asked at least
FEW = 10  # names that are asked for one by one; of more, all who are here are listed
ROW = 300  # bytes of names in one line

Here = dict[str, m.Member]  # by the nick as IRC has it, folded


class Monitors:
    """Tells the connections among `clients` who of those that they monitor comes and goes."""

    def __init__(self, clients: Sequence[Client], spawn: Spawn) -> None:
        self._clients = clients
        self.soon = Soon(self._look, spawn, after=AFTER, every=AT_MOST)

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            await asyncio.sleep(EVERY)
            await surely(self._look(""))

    def heard(self, *nicks: str) -> None:
        """Something has happened to somebody: look, if anybody wants to know."""
        for each in self._clients:
            for called in map(each.scene.called, nicks) if each.monitored else ():
                if folded(called) in each.monitored:
                    each.asked_as[folded(called)] = called  # as they write it now
                    self.soon()

    async def _look(self, _key: str) -> None:
        watching = [each for each in self._clients if each.monitored]
        asker = in_turn([each for each in watching if each.carried.person.client.online])
        if asker is None:
            return
        try:
            asked = {name for each in watching for name in each.monitored}
            here = await here_of(asker, asked)
        except ZchatError:
            return
        for each in watching:
            each.send(changes(each, here, asked))


async def here_of(client: Client, names: Iterable[str]) -> Here:
    """Return who of these names is here. Raises RefusedError, TimedOutError, UnreachableError."""
    session, scene, wanted, here = client.carried.person.client, client.scene, set(names), Here()
    more = len(wanted) <= FEW
    if not more:
        roster = cast(m.Roster, await session.ask(m.Who()))
        here |= {folded(scene.called(member.nick)): member for member in roster.members}
        more = roster.more
    for name in wanted - set(here) if more else ():
        try:
            found = cast(m.Roster, await session.ask(m.Who(nick=client.nick_of(name)))).members
        except RefusedError:
            continue
        here |= {folded(name): member for member in found}
    return here


def changes(client: Client, here: Here, asked: Collection[str]) -> list[Line]:
    """Return the lines that tell who of a client's has come or gone since it was told last, of those asked about."""
    came, gone = [], []
    for name, was_here in client.monitored.items():
        if name not in asked:  # it was added meanwhile
            continue
        member = here.get(name)
        if member is not None:
            client.asked_as[name] = client.scene.called(member.nick)
        if member is not None and was_here is not True:
            client.scene.world.faces.note(member.nick, face_of(member))
            came.append(client.scene.mask(member.nick))
        elif member is None and was_here is not False:
            gone.append(client.asked_as.get(name, name))
        client.monitored[name] = member is not None
    return [*rows(client, "730", came), *rows(client, "731", gone)]


def rows(client: Client, numeric: str, names: Iterable[str]) -> list[Line]:
    """Return names as lines, with commas between them."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1].encode()) + len(name.encode()) < ROW:
            lines[-1] += f",{name}"
        else:
            lines.append(name)
    return [told(numeric, client.me, each) for each in lines]
