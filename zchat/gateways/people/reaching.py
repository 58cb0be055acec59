"""How a gateway reaches its broker for somebody: by their key, by a nick, or as the user who runs the gateway."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zchat.client import addresses, identity, status
from zchat.client.addresses import Address
from zchat.client.client import ChatClient
from zchat.client.known_brokers import KnownBrokers
from zchat.errors import RefusedError, ZchatError
from zchat.protocol import messages as m

from .record import Folder, Record

PROBE = 60.0  # seconds for which it is known whether guests are let in
AGAIN = 2.0  # seconds until a broker that was away is asked again: whoever asks costs us a session, and may be anybody
NO_CODE = "this link was used or is too old; or it is an invitation, and this broker knows nobody by a key"


class Reaching:
    """Makes clients. `folder` is the gateway's, `device` how it is called among the devices of a member.

    `feed`: where the broker's feed is, if not where the broker tells.
    """

    def __init__(
        self,
        folder: Path,
        broker: Address,
        device: str,
        software: str,
        timeout: float,
        clock: Callable[[], float] = time.time,
        feed: str | None = None,
    ) -> None:
        self._folder, self._broker, self._feed = folder, broker, feed
        self._device, self._software, self._timeout, self._clock = device, software, timeout, clock
        self._keyed: Address | None = broker if broker.key else None
        self._guests: tuple[float, bool | ZchatError] | None = None  # until when it is known, and what
        self._probing = asyncio.Lock()

    @property
    def by_kernel(self) -> bool:
        """Whether the kernel proves to the broker who runs the gateway."""
        return self._broker.shown.startswith("ipc://")

    async def client(self, record: Record, folder: Folder, code: str | None = None) -> ChatClient:
        """Return a client for somebody, yet to be connected. Raises RefusedError where no key is of use."""
        if record.kind == "own":
            return ChatClient(None, self._broker, device=self._device, outbox=folder.outbox, **self._here(record))
        door = await self.door() if record.kind == "member" else self._broker
        return ChatClient(
            record.nick,
            door,
            device=self._device if door.key else None,
            identity=folder.identity,
            outbox=folder.outbox,
            invite=code,
            **(self._here(record) if door is self._broker else self._common(record)),
        )

    def looking(self) -> ChatClient:
        """Return a client that asks as who runs the gateway, and leaves nothing on disk."""
        return ChatClient(None, self._broker, device=self._device, **self._here(Record("own")))

    async def door(self) -> Address:
        """Return where the broker takes keys: as it was given, or as it tells itself. Raises RefusedError."""
        if self._keyed is None and self.by_kernel:
            async with self.looking() as client:
                if client.link is not None:
                    known = KnownBrokers(self._folder / "brokers.toml")
                    self._keyed = addresses.resolve(client.link, (known,))
        if self._keyed is None:
            raise RefusedError("bad_invite", NO_CODE)
        return self._keyed

    async def takes_guests(self) -> bool:
        """Say whether the broker lets guests in here. Raises UnreachableError, TimedOutError."""
        if self.by_kernel:  # there the nick of whoever runs the gateway would be proved
            return False
        async with self._probing:  # so many may ask at once
            if self._guests is None or self._clock() >= self._guests[0]:
                try:
                    self._guests = (self._clock() + PROBE, await self._is_open())
                except ZchatError as error:
                    self._guests = (self._clock() + AGAIN, error)
            if isinstance(known := self._guests[1], ZchatError):
                raise known.with_traceback(None)
            return known

    async def status(self, seconds: float) -> tuple[bool, m.Status | None]:
        """Return whether the broker answers, and what it tells who runs the gateway of how it is.

        With a session of nobody; a broker that knows people by their keys answers that it does not know this one.
        """
        known = identity.load(self._folder / "probe.key") if self._broker.key else None
        answers = await status.ask(self._broker, known, seconds, numbers=True)
        return bool(answers), next((each for each in answers if isinstance(each, m.Status)), None)

    async def is_member(self, folder: Folder) -> bool:
        """Say whether the key in a person's folder is that of a member. Raises UnreachableError, TimedOutError."""
        door = await self.door()
        try:
            async with ChatClient(None, door, identity=folder.identity, **self._common(Record("member"))) as client:
                return client.member is not None
        except RefusedError as error:  # a member may be refused, too: who has too many sessions, or is banned
            return error.code != "not_member"

    async def _is_open(self) -> bool:
        key = self._folder / "probe.key"
        try:
            async with ChatClient(None, self._broker, identity=key, **self._here(Record("guest"))):
                return True
        except RefusedError:
            return False

    def _here(self, record: Record) -> dict[str, Any]:
        """Return what a client is made of that goes to the broker as it was given."""
        return self._common(record) | {"feed": self._feed}

    def _common(self, record: Record) -> dict[str, Any]:
        return {"bot": record.bot, "software": self._software, "timeout": self._timeout}
