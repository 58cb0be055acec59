"""SyncClient: `ChatClient` for programs without asyncio. Each call waits until it is done.

    from zchat import SyncClient

    with SyncClient("watcher") as chat:
        for message in chat.listen("general"):
            print(message.nick, message.text)

The client lives in a loop in a thread of its own, so it pings, reconnects and repairs while the program computes.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from zchat.errors import ClosedError
from zchat.protocol import messages as m
from zchat.version import __version__

from .addresses import Address
from .blocking import BlockingClient
from .client import ChatClient
from .core.notices import AnyUpdate
from .core.pages import Page
from .core.read_marks import ReadMarks
from .sync_administration import SyncAdministration, SyncRoomAccess
from .sync_files import SyncFiles
from .sync_messages import SyncMessages

T = TypeVar("T")


class SyncClient(BlockingClient):
    """A client of one broker, for a program without asyncio.

        with SyncClient("alice", rooms=["general"]) as chat:
            chat.say("hello", room="general")

    It takes what `ChatClient` takes, and its methods do what those of the same name do there, with the same parameters
    and errors. Use it from one thread at a time. It works also where a loop runs already, as in a notebook.
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
        """Prepare a client; `with` connects it. The parameters are those of `ChatClient`."""
        self._client = ChatClient(
            nick,
            broker,
            rooms=rooms,
            quiet=quiet,
            backlog=backlog,
            after=after,
            feed=feed,
            bot=bot,
            software=software,
            outbox=outbox,
            epochs=epochs,
            through=through,
            timeout=timeout,
            reconnect=reconnect,
            invite=invite,
            device=device,
            identity=identity,
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def of(cls, client: ChatClient) -> Self:
        """Return a connected one around a client that is not connected yet. Raises as `__enter__`."""
        made = cls.__new__(cls)
        made._client, made._loop = client, None
        return made.__enter__()

    def __enter__(self) -> Self:
        """Connect. Raises UnreachableError, WrongKeyError, RefusedError, TimedOutError, StorageError."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="zchat", daemon=True)
        self._thread.start()
        try:
            self._wait(self._client.__aenter__())
        except BaseException:
            self._end(self._loop)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye, close the sockets and end the thread; a second time it does nothing."""
        if self._loop is not None and not self._is_over(self._loop):
            self._wait(self._client.close())
            self._end(self._loop)

    # -- what is known

    @property
    def nick(self) -> str | None:
        """The nick that one has now, None for one who only reads."""
        return self._look(lambda: self._client.nick)

    @property
    def from_(self) -> str:
        """One's public id: 16 hex digits, the `from_` of what one says."""
        return self._look(lambda: self._client.from_)

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms joined now."""
        return self._look(lambda: self._client.rooms)

    def members(self, room: str) -> dict[str, m.Member]:
        """Return who is in a joined room, by nick. Raises RefusedError for what is no name of a room."""
        return self._look(lambda: self._client.members(room))

    @property
    def link(self) -> str | None:
        """The link with which others reach this broker, without an invitation; None where no link leads there."""
        return self._look(lambda: self._client.link)

    @property
    def member(self) -> m.Account | None:
        """The member that one is, as of now; None for a guest."""
        return self._look(lambda: self._client.member)

    @property
    def role(self) -> str:
        """What one is: `owner`, `moderator`, `member` or `guest`."""
        return self._look(lambda: self._client.role)

    def is_own(self, event: m.Event | m.Opaque) -> bool:
        """Say whether this client said something; what another device of the same member said is not its own."""
        return self._wait(self._client.is_own(event))

    @property
    def administration(self) -> SyncAdministration:
        """What may be asked for about members: to invite, to promote, to mute, to ban …"""
        return SyncAdministration(self._client.administration, self._wait)

    @property
    def access(self) -> SyncRoomAccess:
        """What may be asked for about rooms: to make a private one, to let somebody in …"""
        return SyncRoomAccess(self._client.access, self._wait)

    @property
    def files(self) -> SyncFiles:
        """The files of messages: to upload one, to download one."""
        return SyncFiles(self._client.files, self._wait)

    @property
    def read_marks(self) -> ReadMarks:
        """Through where one has read each room and conversation, on whatever device: as it is now."""
        return self._look(lambda: deepcopy(self._client.read_marks))

    @property
    def messages(self) -> SyncMessages:
        """What may be asked for about messages: to edit or delete one, to react, to pin …"""
        return SyncMessages(self._client.messages, self._wait)

    # -- what one does

    def say(
        self,
        text: str,
        *,
        room: str | None = None,
        to: str | None = None,
        with_: str | None = None,
        kind: m.Kind = "message",
        reply_to: int | None = None,
        once: str | None = None,
        files: Iterable[m.Attachment] = (),
        at: datetime | None = None,
    ) -> m.Ack:
        """Send a message; returns once it is on the broker's disk, however long the broker is away.

        See `ChatClient.say` for the parameters. Raises RefusedError, ValueError without a place or with two.
        """
        said = self._client.say(
            text, room=room, to=to, with_=with_, kind=kind, reply_to=reply_to, once=once, files=files, at=at
        )
        return self._wait(said)

    def set_topic(self, room: str, text: str) -> m.Ack:
        """Set a room's topic; "" removes it. Returns as `say`. Raises RefusedError."""
        return self._wait(self._client.set_topic(room, text))

    def join(self, room: str, *, after: int | None = None, backlog: int | None = None, quiet: bool = False) -> m.Joined:
        """Follow a room: what is said there comes through `listen()`.

        `after` (a `seq`) or `backlog` (0 to 1,000 events) say what comes before that. See `ChatClient.join`.
        Raises RefusedError, TimedOutError.
        """
        return self._wait(self._client.join(room, after=after, backlog=backlog, quiet=quiet))

    def part(self, room: str, reason: str | None = None) -> m.Parted:
        """Follow a room no more; `reason` (at most 1,024 characters) is shown there.

        Raises RefusedError, TimedOutError.
        """
        return self._wait(self._client.part(room, reason))

    def rename(self, nick: str) -> None:
        """Take another nick. Raises NickTakenError, RefusedError, TimedOutError."""
        self._wait(self._client.rename(nick))

    def set_bot(self, bot: bool) -> None:
        """Tell others from now on that this is a bot, or that it is none. Raises ClosedError."""

        async def tell() -> None:
            self._client.set_bot(bot)

        self._wait(tell())

    # -- what was said before, and what is said

    def history(
        self,
        *,
        room: str | None = None,
        to: str | None = None,
        with_: str | None = None,
        before: int | None = None,
        after: int | None = None,
        since: datetime | None = None,
        limit: int = 100,
        thread: int | None = None,
        kinds: Iterable[str] | None = None,
        current: bool = False,
        timeout: float | None = None,
    ) -> Page:
        """Return a page of what was said in `room`, or with the nick `to`; the newest without a mark.

            for message in chat.history(room="general", limit=20).messages:
                print(message.nick, message.text)

        See `ChatClient.history` for the parameters. Raises RefusedError, TimedOutError, ValueError.
        """
        asking = self._client.history(
            room=room, to=to, with_=with_, before=before, after=after, since=since, limit=limit, thread=thread,
            kinds=kinds, current=current, timeout=timeout,
        )  # fmt: skip
        return self._wait(asking)

    def search(
        self,
        text: str,
        *,
        room: str | None = None,
        nick: str | None = None,
        before: int | None = None,
        limit: int = 100,
        timeout: float | None = None,
    ) -> Page:
        """Return the newest of what was said in public and holds all words of `text`.

        See `ChatClient.search` for the parameters. Raises RefusedError, TimedOutError.
        """
        asking = self._client.search(text, room=room, nick=nick, before=before, limit=limit, timeout=timeout)
        return self._wait(asking)

    @overload
    def listen(self, room: str, /, *rooms: str) -> Iterator[m.Message]: ...
    @overload
    def listen(self, *rooms: str) -> Iterator[AnyUpdate]: ...
    def listen(self, *rooms: str) -> Iterator[Any]:
        """Yield what happens, as it comes; with `rooms`, join these and yield their messages only.

        A `break` loses nothing: who listens to the same again goes on there. Ends when the broker ends the session.
        Raises RefusedError, TimedOutError for a room that cannot be entered, and what ended the client.
        """
        events = self._client.listen(*rooms)
        try:
            while True:
                try:
                    yield self._wait(events.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            if self._loop is not None and not self._is_over(self._loop):
                self._wait(events.aclose())

    def ask(self, command: m.Command, timeout: float | None = None) -> m.Reply:
        """Return the answer to a plain command, as `zchat.Who()`: see `ChatClient.ask`. `timeout` is in seconds.

        Raises RefusedError, TimedOutError.
        """
        return self._wait(self._client.ask(command, timeout))

    # -- inside

    def _is_over(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether its loop runs no more: it was closed, or this process is a fork, in which the thread is not."""
        return loop.is_closed() or self._client.is_forked

    def _look(self, look: Callable[[], T]) -> T:
        """Return what the client knows, seen from its own thread, where nothing changes meanwhile."""

        async def looking() -> T:
            return look()

        return self._wait(looking())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("this client is not connected yet: use it as `with SyncClient(…) as chat:`")
        if self._is_over(self._loop):
            work.close()
            self._client.check_process()
            raise ClosedError
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: nobody waits for it any more
            raise

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run_coroutine_threadsafe(_ended(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()


async def _ended() -> None:
    """Cancel all that is still under way in this loop, and wait until it has cleaned up."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        if not task.cancelling():  # a second time it would not clean up
            task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop = asyncio.get_running_loop()  # here, not from the caller's thread, where another loop may be running
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
