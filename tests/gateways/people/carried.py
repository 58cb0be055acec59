"""A broker with a door for keys, people with devices of their own at it, and a gateway that carries them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.client.real import serving
from zchat.broker.server import ChatServer
from zchat.client.addresses import resolve
from zchat.client.client import ChatClient
from zchat.client.known_brokers import KnownBrokers
from zchat.gateways.people.people import People

KEYED = "zchat://127.0.0.1:0"
DEVICE = "web on lab"


class Team:
    """A broker, and clients of people at their own terminals."""

    def __init__(self, server: ChatServer, folder: Path) -> None:
        self.server, self.folder = server, folder

    @property
    def link(self) -> str:
        """The link to the broker, without a code."""
        return (self.server.owner_link or "").rpartition("/")[0]

    def terminal(self, name: str, code: str | None = None, **settings: Any) -> ChatClient:
        """Return the client of a person's terminal."""
        nick = name if code else None
        key = self.folder / f"{name}.key"
        return ChatClient(
            nick, resolve(self.link, self.known), device="laptop", identity=key, invite=code, timeout=30.0, **settings
        )

    @property
    def owner_code(self) -> str:
        return (self.server.owner_link or "").rpartition("/")[2]

    @property
    def known(self) -> tuple[KnownBrokers]:
        return (KnownBrokers(self.folder / "brokers.toml"),)

    def gateway(self, folder: str = "gateway", **settings: Any) -> People:
        """Return a gateway at the broker."""
        where = resolve(self.link, self.known)
        return People(self.folder / folder, where, device=DEVICE, timeout=30.0, **settings)


@asynccontextmanager
async def team(folder: Path, *more: str, **settings: Any) -> AsyncIterator[Team]:
    """Run a broker with a door for keys, and perhaps others."""
    async with serving([*more, KEYED], None, data=folder / "broker", **settings) as server:
        yield Team(server, folder)
