"""ChatClient: what a program uses to take part in a chat.

It is thin: it checks what it is given, starts a `Driver`, and turns calls into commands. Here it connects and listens;
what it says is in `saying.py`, what it may ask in `asking.py`, and what it knows without asking in `known.py`. What is
worth knowing is in `session.py` (how a client stays connected and complete) and `driver.py` (how that meets sockets and
a slow user).
"""

import asyncio
import logging
import os
import random
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

from zchat.protocol import endpoints
from zchat.protocol import messages as m
from zchat.version import __version__

from .addresses import Address, host_name, resolve
from .administration import Administration, RoomAccess
from .arguments import checked_nick, login_nick, room_name, rooms_of
from .blocking import BlockingClient
from .core.brokers import Brokers
from .core.listeners import GONE, Listeners
from .core.notices import AnyUpdate
from .core.read_marks import ReadMarks
from .core.room import Room
from .core.session import Session
from .driver import Batch, Driver
from .files import Files
from .identity import default_path
from .identity import load as load_identity
from .messages import Messages
from .outbox import Outbox
from .saying import Saying

__all__ = ["Batch", "ChatClient"]

TURN = 0.02  # seconds that a user may take events without letting other tasks run


log = logging.getLogger(__name__)


class ChatClient(Saying):
    """A client of one broker, for a program with asyncio.

        async with ChatClient("alice", rooms=["general"]) as chat:
            await chat.say("hello", room="general")
            async for message in chat.listen("general"):
                print(message.nick, message.text)

    It connects again by itself, asks for what it missed, and sends again what was not answered. `SyncClient` is the
    same for a program without asyncio.
    """

    def __init__(
        self,
        nick: str | None = None,
        broker: str | Address | None = None,
        *,
        rooms: Iterable[str] = (),
        quiet: bool = False,
        backlog: int | None = None,
        after: Mapping[str, int] | None = None,
        feed: str | None = None,
        bot: bool = False,
        software: str = f"zchat/{__version__}",
        outbox: Path | None = None,
        epochs: m.Epochs = (),
        through: int = 0,
        timeout: float = 5.0,
        reconnect: bool = True,
        invite: str | None = None,
        device: str | None = None,
        identity: Path | None = None,
    ) -> None:
        """Prepare a client; `async with` connects it. Raises UsageError, StorageError, RefusedError, TypeError.

        - `nick`: who one is. Without one, and without `device`, one only reads: one is in no roster, and cannot say
          anything. Where a key proves who one is, a member's own nick counts.
        - `broker`: a link, `zchat://…`; the name of a broker known from an earlier link; an address, `tcp://…` or
          `ipc://…`, or the `inproc://…` of a ChatServer in the same process. If not given it is ZCHAT_BROKER and `feed`
          is ZCHAT_FEED, else it is the broker on this machine.
        - `rooms`: the rooms to join, with or without a `#` before their names.
        - `quiet`: join rooms without a word of it to those who are there.
        - `backlog`: how many last events of each room to begin with (0 to 1,000).
        - `after`: the `seq` of each room to go on behind, instead; kept by an earlier run, with `epochs`.
        - `feed`: the address of the broker's feed, where it is not the one that the broker tells (through a tunnel).
        - `bot`: tell others that this is a bot. Bots do not answer bots.
        - `software`: what others see as the name of the program.
        - `outbox`: a file that keeps what is unanswered over a crash; the next client that is given it sends it again.
        - `epochs`, `through`: the `epochs` of the client that kept the cursors, and the highest of them. So one
          is told when the broker's log went back (WentBack).
        - `timeout`: seconds for the first connection and, unless told otherwise, for each question.
        - `reconnect`: whether to come back when the broker was lost. If not, the client ends with UnreachableError.
        - `invite`: the code of an invitation; by default the one in the link. It does nothing for who is a member.
        - `device`: a name for this device. With it and no nick, one comes in as the member whom the connection proves
          (by a key, or over `ipc://`), under that member's nick.
        - `identity`: the file with the key pair of this device, made if it is not there; by default ZCHAT_IDENTITY,
          else in the user's configuration folder. It is needed only where the broker has a key.
        """
        if broker is None:
            feed = feed or os.environ.get("ZCHAT_FEED")
        if feed:
            endpoints.check(feed)
        super().__init__(nick, broker if isinstance(broker, Address) else resolve(broker), epochs, timeout)
        self._feed = feed
        self._invite, self._identity_path = invite or self._address.code, identity or default_path()
        self._device = device or (host_name() if self._address.key and nick is not None else None)
        self._rooms, self._quiet, self._backlog, self._after = rooms_of(rooms), quiet, backlog, dict(after or {})
        self._bot, self._software, self._outbox_path = bot, software, outbox
        self._reconnect = reconnect
        self._through = max(through, *self._after.values(), 0)
        self._outbox: Outbox | None = None
        self._listeners = Listeners()
        self._taking, self._took = asyncio.Lock(), asyncio.Event()  # one loop takes a batch in, for all

    async def __aenter__(self) -> Self:
        """Connect. Raises UnreachableError, WrongKeyError, RefusedError, TimedOutError, StorageError."""
        self._pid = os.getpid()
        try:
            identity = load_identity(self._identity_path) if self._address.key else None
            self._outbox = Outbox(self._outbox_path) if self._outbox_path else None
            session = self._new_session(self._outbox)
            self._driver = Driver(session, self._address, identity, self._outbox, self._discard)
            self._driver.connect()
            await self._driver.ready
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, reason: str | None = None) -> None:
        """Say goodbye and close the sockets; what is unanswered fails with ClosedError (an outbox keeps it).

        `reason` (at most 1,024 characters) is shown to the others. `async with` closes by itself. In a process forked
        from the one that has connected, it does nothing.
        """
        if self.is_forked:
            return
        if self._driver is not None:
            await self._driver.close(reason)
        if self._outbox is not None:
            self._outbox.close()

    async def is_own(self, event: m.Event | m.Opaque) -> bool:
        """Say whether this client said something; what another device of the same member said is not its own.

        The author does not tell: both have the same `from_`. It may wait for an ack that is still to come.
        """
        return await self._running().is_own(event)

    @property
    def administration(self) -> Administration:
        """What may be asked for about members: to invite, to promote, to mute, to ban …"""
        return Administration(self._post, self.ask)

    @property
    def access(self) -> RoomAccess:
        """What may be asked for about rooms: to make a private one, to let somebody in …"""
        return RoomAccess(self.administration)

    @property
    def files(self) -> Files:
        """The files of messages: to upload one, to download one."""
        return Files(self.ask, lambda: self.welcome.limits if self.welcome else None)

    @property
    def messages(self) -> Messages:
        """What may be asked for about messages: to edit or delete one, to react, to pin …"""
        return Messages(self._post, self.ask)

    @property
    def read_marks(self) -> ReadMarks:
        """Through where one has read each room and conversation, on whatever device. It is kept up to date."""
        return self._running().session.read_marks

    # -- what happens

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield what happens as it comes in batches, with the protocol's own lines: for programs in a hurry.

        In order, each message once. One loop at a time; `listen` is for several. Ends after `close()` or Ended; raises
        what ended the client for good (RefusedError, UnreachableError).
        """
        driver = self._running()
        events, lines = self._listeners.take_rest()
        if events:  # somebody stopped listening in the middle of a batch
            yield Batch(events, lines, False)
        clock = asyncio.get_running_loop().time
        turn = clock()
        while (batch := await driver.next()) is not None:
            yield batch
            if clock() - turn > TURN:
                await asyncio.sleep(0)
                turn = clock()
        if driver.error is not None:
            raise driver.error

    @overload
    def listen(self, room: str, /, *rooms: str) -> AsyncGenerator[m.Message, None]: ...
    @overload
    def listen(self, *rooms: str) -> AsyncGenerator[AnyUpdate, None]: ...
    async def listen(self, *rooms: str) -> AsyncGenerator[Any, None]:
        """Yield what happens, in order, each message once; with `rooms`, join these and yield their messages only.

            async for update in chat.listen():
                match update:
                    case zchat.Message(nick=nick, text=text):
                        print(nick, text)
                    case zchat.Offline(retry_in=seconds):
                        print(f"the broker is gone; trying again in {seconds:.0f} s")

        Without rooms it yields events (Message, Topic, MemberJoined …) and notices (Online, Offline, CaughtUp …).
        Several loops at once each hear all that they ask for; one that takes nothing makes the others wait in the end.
        A `break` loses nothing: who listens to the same again goes on there. Ends after `close()` or Ended.

        Raises RefusedError, TimedOutError for a room that cannot be joined, and what ended the client for good
        (RefusedError, UnreachableError).
        """
        wanted = frozenset(room_name(room) for room in rooms)
        driver, listeners = self._running(), self._listeners
        listener = listeners.begin(wanted)  # before it waits for anything: what comes meanwhile is its, too
        clock = asyncio.get_running_loop().time
        turn = clock()
        try:
            for room in wanted.difference(self.rooms):
                await self.join(room, quiet=self._quiet, backlog=self._backlog)
            while True:
                while events := listeners.next_events(listener):
                    for event in events:
                        if event is not GONE and (
                            not wanted or (isinstance(event, m.Message) and event.room in wanted)
                        ):
                            yield event
                self._took.set()
                async with self._taking:
                    if not listeners.is_behind(listener) and not await self._take_in(driver):
                        break
                if clock() - turn > TURN:
                    await asyncio.sleep(0)
                    turn = clock()
        finally:
            listeners.end(listener)
            self._took.set()
        if driver.error is not None:
            raise driver.error

    async def _take_in(self, driver: Driver) -> bool:
        """Add the next batch to the buffer, once there is room for it; False when no more will come."""
        if self._listeners.is_full():
            log.warning("a loop over listen() takes nothing, and the others wait for it")
        while self._listeners.is_full():
            self._took.clear()
            await self._took.wait()
        batch = await driver.next()
        if batch is not None:
            self._listeners.add(batch.events, batch.lines)
        return batch is not None

    def _discard(self, room: str) -> None:
        self._listeners.discard(room)
        self._took.set()

    # -- without asyncio

    def __enter__(self) -> BlockingClient:
        """Deprecated: use `SyncClient`, which takes the same and can do more. Connects; raises as `async with`."""
        blocking: BlockingClient = import_module("zchat.client.sync").SyncClient.of(self)  # it stands above this file
        self._blocking = blocking
        return blocking

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocking.close()

    # -- inside

    def _new_session(self, outbox: Outbox | None) -> Session:
        nick = None if self._nick is None else checked_nick(self._nick)
        after = {room_name(room): seq for room, seq in self._after.items()}
        wanted = dict.fromkeys(room_name(room) for room in self._rooms)
        return Session(
            nick,
            client=outbox.client if outbox else secrets.token_hex(16),
            broker=self._address.shown,
            brokers=Brokers(self._address.endpoints, random.random, key=self._address.key, learns=self._feed is None),
            invite=self._invite,
            device=self._device,
            guest=None if nick else login_nick(),
            jitter=random.random,
            fresh=lambda: secrets.token_hex(16),
            rooms=[Room(name, quiet=self._quiet, after=after.get(name), backlog=self._backlog) for name in wanted],
            feed=self._feed,
            bot=self._bot,
            software=self._software,
            patience=self._timeout,
            reconnect=self._reconnect,
            n=outbox.n if outbox else 0,
            unanswered=outbox.commands if outbox else (),
            epochs=self._epochs or (outbox.epochs if outbox else ()),
            through=self._through,
            since=outbox.since if outbox else 0,
            own=outbox.own if outbox else (),
        )
