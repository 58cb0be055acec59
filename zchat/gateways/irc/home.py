"""What a connection needs of the gateway that it belongs to."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from zchat.gateways.people.people import People
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

from .carried import Carried
from .core.lines import Line
from .kept import NamesFile, PlacesFile


class Home(Protocol):
    """The gateway, as its connections know it."""

    people: People
    names: NamesFile
    started: datetime
    unknown: int  # connections that are not in yet
    most: int  # connections that were in at the same time

    @property
    def count(self) -> int:
        """How many connections are in."""

    def may_try(self, address: str) -> bool:
        """Say whether this address may try a code."""

    def carried(self, person: Person) -> Carried:
        """Return a person with all their connections."""

    def since(self, from_: str) -> datetime | None:
        """Return since when somebody is at this gateway; None if they are not."""

    def take_in(self, client: Any) -> None:
        """A connection is in."""

    def let_go(self, client: Any) -> None:
        """A connection has ended."""

    def places_of(self, login: str) -> PlacesFile:
        """Return the file of how far a login has come; `close_places` ends it."""

    def close_places(self, login: str) -> None:
        """One connection less uses the file."""

    async def guest(self, nick: str) -> Person:
        """Bring in a guest."""

    def forget(self, person: Person) -> None:
        """A guest goes."""

    def look_at(self, room: str) -> None:
        """A room was shown as it was known, which may be a while ago."""

    def heard_of(self, *nicks: str) -> None:
        """Somebody who is carried here has come, gone, or another nick."""

    def heard(self, client: Any, event: Any) -> None:
        """Somebody came, went, or changed."""

    async def members(self, client: Any) -> Sequence[m.MemberInfo]:
        """Return the members of the chat, as one of them may see them."""

    def tell_neighbours(self, client: Any, lines: Iterable[Line]) -> None:
        """Tell something of one person to those connections that see them."""

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Do something beside what goes on."""
