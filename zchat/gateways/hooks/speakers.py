"""The bots that say what was posted: a session with the broker for each, opened when it first has something to say.

Hooks that share a nick share a bot. A delivery waits for the broker's ack for a few seconds. If that does not come, its
sender is told to try again; but what is on its way already is said as soon as the broker is back. Such a message is
*owed*: the next delivery that is the same (by its key, else by its text) is taken for the second try of the first and
waits for the same ack. So a broker that is away for a minute doubles nothing, also for senders that give no key.
"""

import asyncio
import contextlib
import hashlib
import logging
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from zchat.client.addresses import Address, resolve
from zchat.client.client import ChatClient
from zchat.errors import TimedOutError, ZchatError
from zchat.protocol import messages as m
from zchat.protocol import names
from zchat.version import __version__

from .book import Hook

PATIENCE = 8.0  # seconds for a delivery: GitHub and others give up after ten
LOOK = 0.05  # seconds between two looks at whether the broker is back
OWED_MAX, OWED_FOR = 1_000, 600.0  # messages, seconds
SOFTWARE = f"zchat hooks/{__version__}"

log = logging.getLogger(__name__)

Key = tuple[str, str]
Answer = asyncio.Future[m.Ack]


class Owed(NamedTuple):
    """What is on its way though its sender was told to try again: which delivery it is, and since when."""

    what: str
    since: float
    answer: Answer


class Speakers:
    """All bots of one gateway. `folder` is where their keys and ids are."""

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        self._folder, self._patience = folder, patience
        self._bots: dict[Key, Speaker] = {}

    async def say(self, hook: Hook, text: str, once: str | None) -> m.Ack:
        """Say something; return the ack once it is on the broker's disk.

        Raises RefusedError, and what else keeps a bot from speaking: TimedOutError, UnreachableError, StorageError …
        """
        bot = self._bots.get(_key(hook))
        if bot is None:
            bot = self._bots[_key(hook)] = Speaker(self._folder, hook, self._patience)
        return await bot.say(hook.room, text, once)

    async def keep(self, hooks: Iterable[Hook]) -> None:
        """End the sessions of bots that have no hook any more."""
        wanted = set(map(_key, hooks))
        for key in [key for key in self._bots if key not in wanted]:
            await self._bots.pop(key).close()

    async def close(self) -> None:
        """End all sessions."""
        await self.keep(())


class Speaker:
    """One bot."""

    def __init__(self, folder: Path, hook: Hook, patience: float) -> None:
        self._folder, self._broker, self._nick = folder, hook.broker, hook.nick
        self._patience = patience
        self._client: ChatClient | None = None
        self._taking: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._owed: deque[Owed] = deque(maxlen=OWED_MAX)

    async def say(self, room: str, text: str, once: str | None) -> m.Ack:
        now = asyncio.get_running_loop().time()
        what = hashlib.sha256(f"{room}\n{once or text}".encode()).hexdigest()
        answer = self._take_owed(what, now)
        try:
            async with asyncio.timeout(self._patience):
                if answer is None:
                    client = await self._ready()
                    answer = await client.post(text, room=room, once=once)
                    answer.add_done_callback(_noticed)
                return await asyncio.shield(answer)
        except TimeoutError:
            if answer is not None:
                self._owed.append(Owed(what, now, answer))
            await self._give_up()
            raise TimedOutError("no answer from the broker", self._patience) from None

    def _take_owed(self, what: str, now: float) -> Answer | None:
        """Return the answer that is owed for this, if it may still come or has come."""
        found = next((each for each in self._owed if each.what == what), None)
        if found is None:
            return None
        self._owed.remove(found)
        failed = found.answer.done() and (found.answer.cancelled() or found.answer.exception() is not None)
        return None if failed or now - found.since > OWED_FOR else found.answer

    async def _ready(self) -> ChatClient:
        """Return the client once the broker takes what it says; it comes back by itself after the broker was away."""
        while True:
            async with self._opening:
                if self._client is None or self._client.over:
                    await self.close()
                    self._client = await self._open()
                client = self._client
            if client.online and not client.stalled and not client.deferred:
                return client
            await asyncio.sleep(LOOK)

    async def _give_up(self) -> None:
        """End a session that the broker has lost, so that the next delivery need not wait for the back-off to pass."""
        client = self._client
        if client is not None and not client.online and not client.unanswered and not self._opening.locked():
            await self.close()

    async def _open(self) -> ChatClient:
        client = await client_of(self._folder, self._broker, self._nick, patience=self._patience).__aenter__()
        log.info("%s is there, at %s", self._nick, address_of(self._broker).shown)
        self._taking = asyncio.create_task(_take(client))
        return client

    async def close(self) -> None:
        """End the session."""
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        self._client = self._taking = None


def client_of(
    folder: Path, broker: str, nick: str, invite: str | None = None, patience: float = PATIENCE
) -> ChatClient:
    """Return the client of a bot, not yet connected: a member by its key, or a guest who is the same in every run."""
    address = address_of(broker)
    where = folder / "bots"
    digest = hashlib.sha256(f"{address.id}\n{_nick(nick)}".encode()).hexdigest()[:8]
    name = f"{re.sub('[^A-Za-z0-9_.-]', '_', nick)}-{digest}"
    return ChatClient(
        nick,
        address,
        bot=True,
        invite=invite,
        identity=where / f"{name}.key",
        outbox=None if address.key else where / f"{name}.outbox",
        timeout=patience,
        software=SOFTWARE,
    )


def address_of(broker: str) -> Address:
    """Return where a hook's broker is; it is not written into the user's list of brokers."""
    return replace(resolve(broker), known=None)


def _key(hook: Hook) -> Key:
    return hook.broker, _nick(hook.nick)


def _nick(nick: str) -> str:
    return names.nick_key(nick)


def _noticed(answer: Answer) -> None:
    """Look at how it ended, for perhaps nobody else does."""
    if not answer.cancelled():
        answer.exception()


async def _take(client: ChatClient) -> None:
    """Take what is said to a bot, which does not listen, so that nothing piles up."""
    with contextlib.suppress(ZchatError):  # whoever speaks next is told
        async for _ in client.batches():
            pass
