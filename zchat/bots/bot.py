"""Bot: what a program uses to answer to a chat.

    bot = Bot("dicebot", rooms=["general"])

    @bot.command()
    async def roll(ctx, sides: int = 6):
        '''Roll a die.'''
        return f"{random.randint(1, sides)}"

    bot.run()

A `Bot` is a definition (what it does) and a few settings (where). `run` gives the definition to a `Runner`, which does
the work. So one bot can be run again and again, as its tests do.
"""

import asyncio
import dataclasses
import hashlib
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from platformdirs import user_data_path

from zchat import logs
from zchat.client.addresses import Address, default_known, resolve
from zchat.client.arguments import rooms_of
from zchat.client.client import ChatClient
from zchat.client.known_brokers import KnownBrokers
from zchat.errors import RefusedError, UsageError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import names

from .definition import Definition
from .runner import Runner
from .store import BotFile, Store

T = TypeVar("T")


class Bot(Definition):
    """A bot: functions that answer to a chat. `run` runs it; each handler is given a `Context` first."""

    _is_loading = False

    def __init__(
        self,
        name: str | None = None,
        *,
        rooms: Iterable[str] | None = None,
        broker: str | None = None,
        feed: str | None = None,
        prefix: str = "!",
        data: Path | None = None,
        timeout: float | None = None,
        identity: Path | None = None,
    ) -> None:
        """Define a bot; nothing is connected yet. Raises UsageError.

        - `name`: its nick; by default ZCHAT_NICK.
        - `rooms`: where it is; by default ZCHAT_ROOM (several with spaces), else `general`.
        - `broker`, `feed`: a link, a known name or an address, and that of the feed; by default ZCHAT_BROKER and
          ZCHAT_FEED, else the broker that its first run was given a link to, else the one on this machine.
        - `prefix`: what a command begins with; in a direct message a command needs none.
        - `data`: the folder for what it stores; by default ZCHAT_DATA, else the user's data folder.
        - `timeout`: seconds that it waits for an answer of the broker; by default ZCHAT_TIMEOUT, else 5.
        - `identity`: the file with its key pair; by default ZCHAT_IDENTITY, else one of its own beside its store.
        """
        env = os.environ
        given = name or env.get("ZCHAT_NICK")
        if not given:
            raise UsageError('A bot needs a name: Bot("herald"), or set ZCHAT_NICK.')
        try:
            checked = names.nick(given)
            entered = rooms_of(env.get("ZCHAT_ROOM", "general").split() if rooms is None else rooms)
        except names.BadNameError as error:
            raise UsageError(f"This bot cannot be: {error}.") from None
        except RefusedError as error:
            raise UsageError(f"This bot cannot be: {error.message}.") from None
        super().__init__(checked, entered, prefix)
        self.broker = broker or env.get("ZCHAT_BROKER")
        self.identity = identity or (Path(env["ZCHAT_IDENTITY"]) if env.get("ZCHAT_IDENTITY") else None)
        self.feed = feed or env.get("ZCHAT_FEED")
        self.data = data or Path(env.get("ZCHAT_DATA") or user_data_path("zchat", appauthor=False))
        self.timeout = timeout or _seconds(env.get("ZCHAT_TIMEOUT", "5"))
        self.runner: Runner | None = None
        self._file: BotFile | None = None

    def settings(self, kind: type[T], prefix: str | None = None) -> T:
        """Return `kind`, a dataclass or msgspec Struct, filled from the environment: DICEBOT_SIDES for `sides`.

        `prefix` is what the variables begin with, instead of the bot's name and `_`. Raises UsageError for what is
        missing or of the wrong type.
        """
        start = (re.sub(r"\W", "_", self.name) + "_" if prefix is None else prefix).upper()
        fields = {name: os.environ.get(start + name.upper()) for name in _fields(kind)}
        try:
            return msgspec.convert(
                {name: text for name, text in fields.items() if text is not None}, kind, strict=False
            )
        except msgspec.ValidationError as error:
            raise UsageError(f"A setting is wrong: {error}. They are read from {start}… in the environment.") from None

    # -- where it runs

    @property
    def store(self) -> Store:
        """The bot's mapping that outlives the process, in DATA/bots/NAME.db."""
        return Store(self.file)

    @property
    def file(self) -> BotFile:
        """The file on disk that holds the store; opened when it is first used. Raises StorageError."""
        if self._file is None:
            self._file = BotFile(self._beside(".db"))
        return self._file

    @property
    def address(self) -> Address:
        """Where the broker is. Raises UsageError, ChangedKeyError, StorageError."""
        own = KnownBrokers(self._beside(".brokers.toml"))
        invited = None if self.broker else next(reversed(own.load()), None)
        return resolve(self.broker or invited, (own, KnownBrokers(default_known())))

    def close(self) -> None:
        """Close the store; it opens again by itself."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def client(self, outbox: Path, **history: Any) -> ChatClient:
        """Return the client that the bot speaks through, not yet connected."""
        settings: dict[str, Any] = {"feed": self.feed, "bot": True, "outbox": outbox, "timeout": self.timeout}
        identity = self.identity or self._beside(".key")
        return ChatClient(self.name, self.address, identity=identity, **settings, **history)

    def _beside(self, suffix: str) -> Path:
        """Return a file of this bot in DATA/bots."""
        safe = re.sub(r"[^\w.-]", "_", self.name)
        digest = "" if safe == self.name else "-" + hashlib.sha256(self.name.encode()).hexdigest()[:8]
        return self.data / "bots" / f"{safe}{digest}{suffix}"

    # -- running

    def run(self) -> None:
        """Run until Ctrl-C or SIGTERM, which lets the handlers at work finish.

        It waits for a broker that is not there, and comes back to one that was away. If something else ends it, the
        reason is printed on standard error, and the program exits with its code. (`serve` raises it.)
        """
        if Bot._is_loading:
            return
        logs.guard_last_resort()
        try:
            asyncio.run(self._until_signal())
        except ZchatError as error:
            sys.stderr.write(f"zchat: {escape_controls(str(error))}\n")  # parts of it come from a peer
            sys.exit(error.exit_code)

    @staticmethod
    @contextmanager
    def loading() -> Iterator[None]:
        """Load a file without running its bot: `run` does nothing meanwhile."""
        Bot._is_loading = True
        try:
            yield
        finally:
            Bot._is_loading = False

    async def serve(self) -> None:
        """Run in the event loop that runs already, until `stop()`.

        Raises ZchatError for what ends it: RefusedError, StorageError, SessionEndedError.
        """
        self.runner = Runner(self, self.file, self.client)
        try:
            await self.runner.run()
        finally:
            self.runner = None
            self.close()

    def stop(self) -> None:
        """End `serve` once the handlers at work are finished."""
        if self.runner is not None:
            self.runner.stop()

    async def _until_signal(self) -> None:
        loop = asyncio.get_running_loop()
        for how in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(how, self.stop)
        await self.serve()


def _seconds(text: str) -> float:
    """Return what ZCHAT_TIMEOUT says. Raises UsageError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"ZCHAT_TIMEOUT is {text!r}: set it to a number of seconds above 0.")
    return seconds


def _fields(kind: type) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [each.name for each in dataclasses.fields(kind)]
    return [each.name for each in msgspec.structs.fields(kind)]
