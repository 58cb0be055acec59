"""The gateway: it listens, and has the people whom it carries, and all of their connections.

A guest of IRC is a guest of zchat for as long as their connection lives. When the gateway was killed, the sessions of
its guests live on at the broker for a while, with their nicks. So after a start each is taken up once more, what it had
said is sent, and it says goodbye (`_send_off`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zchat import files, ports
from zchat.errors import FolderError, ZchatError
from zchat.gateways.people.people import People
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

from .carried import Carried
from .client import Client
from .connection import Connection
from .core.lines import Line, line
from .directory import Directory
from .door import Door, capacity
from .kept import NamesFile, PlacesFile
from .monitoring import Monitors
from .rosters import Rosters
from .wire import Plain, Wire

if TYPE_CHECKING:
    from OpenSSL import SSL

log = logging.getLogger(__name__)

BACKLOG = 200  # connections that wait to be taken
STOPPING = 5.0  # seconds for connections to end
INTRODUCED = 4  # guests who come in at once: each costs a key and a file, and others want to be served
SENDING_OFF = 15.0  # seconds for each guest of an earlier run


@dataclass(frozen=True)
class Listening:
    """Where the gateway listens; with a context, by TLS."""

    host: str
    port: int
    tls: "SSL.Context | None" = None


class Gateway:
    """All connections, and the people behind them."""

    def __init__(self, people: People, folder: Path, device: str) -> None:
        self.people, self._folder = people, folder
        self.names = NamesFile(folder / "names.json")
        self.names.world.device = device
        self.started = datetime.now(UTC)
        self.clients: list[Client] = []
        self.unknown = self.most = 0  # connections that are not in yet; that were in at the same time
        self._carried: dict[str, Carried] = {}
        self._places: dict[str, tuple[PlacesFile, int]] = {}
        self._door = Door(capacity())
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.Server] = []
        self._watching: set[asyncio.Task[Any]] = set()
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._introducing = asyncio.Semaphore(INTRODUCED)
        self._rosters = Rosters(self.clients, self._watch)
        self._monitors = Monitors(self.clients, self._watch)
        self._directory = Directory()

    # -- listening

    async def listen(self, where: Listening) -> int:
        """Begin to listen; return the port. Raises BadAddressError, AddressInUseError, StorageError."""

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._accepted(reader, writer, where.tls)

        try:
            files.folder(self._folder / "places")
        except OSError as error:
            raise FolderError(self._folder, error) from error
        option = "--listen" if where.tls is None else "--tls"
        opened = ports.listen(where.host, where.port, option, ports.form(6667), backlog=BACKLOG)
        server = await asyncio.start_server(accepted, sock=opened, backlog=BACKLOG)
        if not self._servers:
            self._watch(self._rosters.run())
            self._watch(self._monitors.run())
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def send_off_guests(self) -> None:
        """Say goodbye for the guests of an earlier run, which was killed."""
        for id_, record in self.people.known().items():
            if record.kind == "guest":
                task = self.spawn(self._send_off(id_))
                self._leaving[(record.nick or "").casefold()] = task

    async def close(self) -> None:
        """Tell all, and end."""
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.wire.end("the gateway stops", [line(None, "ERROR", "Closing link: the gateway stops")])
        await _finished(self._connections.values())
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await _finished(self._tasks)  # a guest is forgotten after the end of the connection

    async def _accepted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: "SSL.Context | None"
    ) -> None:
        address, who = str((writer.get_extra_info("peername") or ("?",))[0]), asyncio.current_task()
        if not self._door.take(who, address, writer.transport.abort):
            writer.write(b"ERROR :Closing link: too many connections\r\n")
            writer.close()
            return
        try:
            stream = await self._stream(reader, writer, tls)
            if stream is not None:
                await self._serve(Connection(self, Wire(stream), address, tls=tls is not None))
        finally:
            self._door.leave(who)

    async def _serve(self, connection: Connection) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — a coroutine runs in one
        self._connections[connection] = task
        try:
            await connection.run()
        except Exception:
            log.exception("a connection from %s has failed", connection.address)
            connection.wire.cut("the gateway has failed")
        finally:
            del self._connections[connection]

    async def _stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: "SSL.Context | None"
    ) -> Any:
        if tls is None:
            return Plain(reader, writer)
        from .tls import Tls  # noqa: PLC0415 — a plain gateway does not need it

        stream = Tls(tls, reader, writer)
        try:
            await stream.shake()
        except (OSError, TimeoutError) as error:
            log.info("no TLS with %s: %s", writer.get_extra_info("peername"), error)
            stream.abort()
            return None
        return stream

    def may_try(self, address: str) -> bool:
        """Say whether this address may try a code."""
        return self._door.may_try(address, asyncio.get_running_loop().time())

    # -- who is carried

    def carried(self, person: Person) -> Carried:
        """Return a person with all their connections."""
        found = self._carried.get(person.id)
        if found is None or found.person is not person:
            found = self._carried[person.id] = Carried(person)
        return found

    def since(self, from_: str) -> datetime | None:
        """Return since when somebody is at this gateway; None if they are not."""
        return (
            min((each.began for each in self._carried[from_].clients), default=None) if from_ in self._carried else None
        )

    @property
    def count(self) -> int:
        """How many connections are in."""
        return len(self.clients)

    def take_in(self, client: Client) -> None:
        """A connection is in, which this task serves."""
        self._door.is_in(asyncio.current_task())
        client.carried.clients.append(client)
        self.clients.append(client)
        self.most = max(self.most, self.count)
        self.heard_of(client.scene.nick)

    def let_go(self, client: Client) -> None:
        """A connection has ended."""
        if client in self.clients:
            self.clients.remove(client)
        carried = client.carried
        if client in carried.clients:
            carried.clients.remove(client)
        if not carried.clients and self._carried.get(carried.person.id) is carried:
            del self._carried[carried.person.id]
            client.scene.world.was(client.scene.nick)
            if carried.is_bot:
                with contextlib.suppress(ZchatError):
                    carried.person.client.set_bot(False)

    def places_of(self, login: str) -> PlacesFile:
        """Return the file of how far a login has come; `close_places` ends it."""
        found, users = self._places.get(login, (None, 0))
        if found is None:
            found = PlacesFile(self._folder / "places", login)
            found.open()
        self._places[login] = (found, users + 1)
        return found

    def close_places(self, login: str) -> None:
        """One connection less uses the file."""
        found, users = self._places[login]
        if users > 1:
            self._places[login] = (found, users - 1)
        else:
            found.close()
            del self._places[login]

    async def guest(self, nick: str) -> Person:
        """Bring in a guest. Raises RefusedError, UnreachableError, TimedOutError, StorageError."""
        if (task := self._leaving.get(nick.casefold())) is not None:
            await asyncio.wait([task])
        async with self._introducing:
            person, _ = await self.people.guest(nick, kind="irc", name="IRC")
        return person

    def forget(self, person: Person) -> None:
        """A guest goes."""
        self.spawn(self._forget(person.id))

    async def _forget(self, id_: str) -> None:
        nick = self.people.nick(id_)
        with contextlib.suppress(ZchatError):
            await self.people.forget(id_)
        self.heard_of(nick or "")

    async def _send_off(self, id_: str) -> None:
        with contextlib.suppress(ZchatError, TimeoutError):
            async with asyncio.timeout(SENDING_OFF):
                person = await self.people.get(id_)
                await person.client.drain()
        await self._forget(id_)

    # -- the rest

    def look_at(self, room: str) -> None:
        """A room was shown as it was known, which may be a while ago."""
        self._rosters.soon(room)

    def heard_of(self, *nicks: str) -> None:
        """Somebody who is carried here has come, gone, or another nick."""
        self._monitors.heard(*nicks)

    def heard(self, client: Client, event: Any) -> None:
        """Somebody came, went, or changed."""
        if isinstance(event, m.MemberChanged):
            self._rosters.has_role(event)
            return
        self._rosters.heard(event.room, event.rev)
        self._monitors.heard(event.nick, getattr(event, "new", event.nick))
        if isinstance(event, m.MemberJoined) and client.scene.caps.has("away-notify"):
            self._rosters.soon(event.room)

    async def members(self, client: Client) -> Sequence[m.MemberInfo]:
        """Return the members of the chat, as one of them may see them. Raises RefusedError, TimedOutError."""
        return await self._directory.members(client.carried.person)

    def tell_neighbours(self, client: Client, lines: Iterable[Line]) -> None:
        """Tell something of one person to those connections that see them in a room, and to their own others."""
        lines = list(lines)
        for each in self.clients:
            if each is not client and (each.carried is client.carried or each.presence.shows(client.scene.nick)):
                each.send(lines)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Do something beside what goes on."""
        return _kept(work, self._tasks)

    def _watch(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Do something that nobody waits for in the end."""
        return _kept(work, self._watching)


def _kept(work: Coroutine[Any, Any, Any], among: set["asyncio.Task[Any]"]) -> "asyncio.Task[Any]":
    task = asyncio.create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)
    return task


async def _finished(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Wait for tasks, and then no more."""
    ours = list(tasks)
    if ours:
        await asyncio.wait(ours, timeout=STOPPING)
    for task in ours:
        task.cancel()
    await asyncio.gather(*ours, return_exceptions=True)
