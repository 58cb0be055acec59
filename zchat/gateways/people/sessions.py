"""The sessions of those whom a gateway carries: begun when somebody is asked for, and kept a while after their use."""

import asyncio
import logging
import shutil
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from zchat.client import identity
from zchat.client.client import ChatClient
from zchat.errors import RefusedError, SignedOutError

from .logins import Logins
from .person import GONE, Person
from .reaching import Reaching
from .record import Folder, Record

log = logging.getLogger(__name__)

OPEN_MAX = 5_000  # at the same time
LOST_ROOMS = frozenset({"unknown_room", "bad_room"})  # by these a room is refused for good


class Sessions:
    """`folder` has a folder for each person. `linger` is how many seconds a session is kept that nobody uses."""

    def __init__(self, folder: Path, reaching: Reaching, logins: Logins, linger: float) -> None:
        self._folder, self._reaching, self._logins, self._linger = folder, reaching, logins, linger
        self._open: dict[str, Person] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def folder_of(self, id_: str) -> Folder:
        """Return the folder of a person."""
        return Folder(self._folder / id_)

    def lock(self, id_: str) -> asyncio.Lock:
        """Return the lock of a person: who holds it may begin or end their session."""
        return self._locks.setdefault(id_, asyncio.Lock())

    async def get(self, id_: str, *, forget: bool = True) -> Person:
        """Return a person, opened if need be; the caller holds the lock.

        Who is gone is forgotten. Raises SignedOutError then, and what keeps a client from connecting.
        """
        self._disarm(id_)
        person = self._open.get(id_)
        if person is not None and person.over:
            await person.close()
            person = None
        if person is None:
            if len(self._open) >= OPEN_MAX:
                raise RefusedError("server_full", f"this gateway carries {OPEN_MAX:,} people already")
            try:
                person = self._open[id_] = await self._begin(id_)
            except SignedOutError:
                if forget:
                    self.drop(id_)
                raise
        if not person.in_use:
            self._rest(person)
        return person

    def __len__(self) -> int:
        return len(self._open)

    @property
    def any_online(self) -> bool:
        """Whether one of them reaches the broker."""
        return any(person.client.online for person in self._open.values())

    def open_one(self, id_: str) -> Person | None:
        """Return a person who has a session."""
        return self._open.get(id_)

    def drop(self, id_: str) -> None:
        """Keep nothing of a person, neither on disk nor by a login."""
        self._logins.forget_person(id_)
        shutil.rmtree(self.folder_of(id_).path, ignore_errors=True)

    async def close(self) -> None:
        """End all sessions."""
        for id_ in tuple(self._timers):
            self._disarm(id_)
        await asyncio.gather(*(person.close() for person in tuple(self._open.values())), return_exceptions=True)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, id_: str) -> Person:
        folder = self.folder_of(id_)
        if len(id_) != 16 or (record := folder.read()) is None:
            raise SignedOutError
        client = await self._reaching.client(record, folder)
        try:
            await client.__aenter__()
            if client.from_ != id_ or (record.kind != "guest" and client.member is None):
                raise SignedOutError(GONE)
            entered = await _enter(client, record)
        except BaseException as error:
            await client.close()
            if isinstance(error, RefusedError) and await self._is_gone(record, folder, error):
                raise SignedOutError(GONE) from None
            raise
        if entered != record:
            folder.write(entered)
        credential = identity.load(folder.identity).credential if record.kind == "member" else ""
        return Person(client, folder, entered, credential, idle=self._rest, ended=self._ended)

    async def _is_gone(self, record: Record, folder: Folder, error: RefusedError) -> bool:
        """Say whether somebody is refused since they are not who they were.

        Where every key is let in, one that was taken away gets `forbidden`: its client is a member's. So does a member
        with too many sessions.
        """
        if error.code != "forbidden" or record.kind != "member":
            return error.code == "not_member"
        return not await self._reaching.is_member(folder)

    def _rest(self, person: Person) -> None:
        """Nobody uses a session: end it in a while."""
        self._disarm(person.id)
        if self._open.get(person.id) is person:
            loop = asyncio.get_running_loop()
            self._timers[person.id] = loop.call_later(self._linger, self._rested, person)

    def _rested(self, person: Person) -> None:
        self._disarm(person.id)
        task = asyncio.create_task(self._retire(person))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _retire(self, person: Person) -> None:
        async with self.lock(person.id):
            if not person.in_use:
                await person.close()

    def _ended(self, person: Person) -> None:
        """A session has ended, on whatever side."""
        if self._open.get(person.id) is person:
            del self._open[person.id]
            self._disarm(person.id)
        if person.removed:
            log.info("%s is carried no more: the device was removed", person.id)
            self.drop(person.id)

    def _disarm(self, id_: str) -> None:
        if (timer := self._timers.pop(id_, None)) is not None:
            timer.cancel()


async def _enter(client: ChatClient, record: Record) -> Record:
    """Have somebody join their rooms; return the record without those that are not theirs any more."""
    joins = await asyncio.gather(*(client.join(room) for room in record.rooms), return_exceptions=True)
    lost: set[str] = set()
    for room, answer in zip(record.rooms, joins, strict=True):
        if isinstance(answer, RefusedError) and answer.code in LOST_ROOMS:
            lost.add(room)
        elif isinstance(answer, BaseException) and not isinstance(answer, RefusedError):
            raise answer
    return msgspec.structs.replace(record, rooms=tuple(each for each in record.rooms if each not in lost))
