"""The people whom a gateway carries: how they come in, how they are found again, and their sessions.

A person comes in with a code, as at a broker: an invitation, or one for another device of theirs. The gateway makes a
key for them in its own folder, redeems the code with it, and is from then on one of their devices, which they see and
take away at any terminal. So the broker knows nothing of gateways, and a gateway has no right there but those of the
people whom it carries. A broker that lets guests in lets them in here, too.

Coming in has to survive a kill between the broker's answer and ours: a code counts once, and who has used it up and has
no key is locked out. So the key of a code is made first, in a folder that is named by the code, and the code tried
again finds it. The folder gets the person's name only when their login is written down.

One member who comes in twice is one person with one session: the key of the second time is taken away again.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from zchat import files
from zchat.client import identity, outbox
from zchat.client.addresses import Address
from zchat.client.arguments import checked_nick
from zchat.client.client import ChatClient
from zchat.errors import FolderError, RefusedError, SignedOutError, TimedOutError, UnreachableError, ZchatError
from zchat.protocol import links
from zchat.protocol import messages as m
from zchat.version import __version__

from .logins import Logins
from .own_links import OwnLinks
from .person import Person
from .reaching import Reaching
from .record import Folder, Record
from .sessions import Sessions

LINGER = 60.0  # seconds that a session is kept after the last one who used it
KNOWN_MAX = 5_000  # who may be known before a guest has to go for another one: anybody can be one
AWAY = 3_600.0  # seconds for which a guest is not forgotten for others
LOOKED_AT = 50  # people, for one whom nobody misses
COMING_MAX = 1_000  # codes without an answer
STALE = 7 * 86_400.0  # seconds after which a code without an answer is given up: most last a week
READ_MAX = 50  # rooms to begin with, of those that somebody has read on other devices


class People:
    """Whom a gateway carries at one broker. Use it as `async with People(…) as people:`.

    - `folder`: where all is kept of them, which only this process uses.
    - `device`: how the gateway is called among the devices of a member, as "web on lab".
    - `rooms`: the rooms in which somebody begins who comes in for the first time.
    - `linger`: how many seconds a session is kept that nobody uses.
    - `feed`: the address of the broker's feed, where it is not the one that the broker tells (through a tunnel).
    """

    def __init__(
        self,
        folder: Path,
        broker: Address,
        *,
        device: str,
        software: str = f"zchat/{__version__}",
        rooms: Iterable[str] = ("general",),
        linger: float = LINGER,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
        feed: str | None = None,
    ) -> None:
        self._folder, self._rooms, self._linger, self._clock = folder, tuple(rooms), linger, clock
        self._reaching = Reaching(folder, broker, device, software, timeout, clock, feed)
        self._own_links = OwnLinks(folder / "links.json", clock)
        self._lock_fd = -1
        self.logins: Logins
        self._sessions: Sessions

    async def __aenter__(self) -> Self:
        """Open the folder. Raises InUseError, FolderError, StorageError."""
        try:
            files.folder(self._folder)
            self._lock_fd = outbox.lock(self._folder / "people")
            files.folder(self._folder / "people")
            files.folder(self._folder / "coming")
        except OSError as error:
            raise FolderError(self._folder, error) from error
        try:
            self.logins = Logins(self._folder / "logins.json", self._clock)
            self._sessions = Sessions(self._folder / "people", self._reaching, self.logins, self._linger)
            self._tidy()
        except BaseException:
            os.close(self._lock_fd)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sessions.close()
        os.close(self._lock_fd)

    # -- coming in

    async def redeem(
        self,
        code: str,
        nick: str | None = None,
        *,
        kind: str = "cookie",
        token: str | None = None,
        name: str = "",
        bot: bool = False,
    ) -> tuple[Person, str]:
        """Bring in whoever has a code (or a link that ends with one); return them, and the token of their login.

        Who comes by an invitation, and is no member, needs a `nick`. `kind`, `token` and `name` are those of the login.
        It may be tried again with the same code and nick as long as it has not returned, also after a restart. Raises
        RefusedError (`bad_invite`, `bad_nick`, `nick_taken` …), UnreachableError, TimedOutError, StorageError.
        """
        text = _code_of(code)
        whose = self._own_links.take(text)
        if whose is not None:
            try:
                person = await (self.get(whose) if whose else self._own())
            except (UnreachableError, TimedOutError):  # the broker's outage uses no code up
                self._own_links.make(whose, text)
                raise
            return person, self.logins.add(person.id, kind, token, name)
        await self._reaching.door()
        self._make_room()
        record = Record("member", None if nick is None else checked_nick(nick), bot=bot)
        # By the nick, too: several may have one invitation, and another one's key is another one.
        again = hashlib.sha256(f"{text} {record.nick or ''}".encode()).hexdigest()[:32]
        coming = Folder(self._folder / "coming" / again)
        async with self._sessions.lock(coming.path.name):
            id_, rooms = await self._introduce(coming, record, text)
            token = self.logins.add(id_, kind, token, name)
            return await self._settled(id_, coming, Record("member", None, rooms, bot)), token

    async def guest(
        self, nick: str, *, kind: str = "cookie", token: str | None = None, name: str = "", bot: bool = False
    ) -> tuple[Person, str]:
        """Bring in a guest; return them, and the token of their login.

        Raises RefusedError (`not_member` where no guests are let in, `bad_nick`, `nick_taken`), UnreachableError,
        TimedOutError, StorageError.
        """
        if self._reaching.by_kernel:
            raise RefusedError("not_member", "no guests come in here: the broker knows this gateway by who runs it")
        await self._make_room_for_a_guest()
        coming = Folder(self._folder / "coming" / secrets.token_hex(16))
        record = Record("guest", checked_nick(nick), self._rooms, bot)
        try:
            id_, _ = await self._introduce(coming, record, None)
            token = self.logins.add(id_, kind, token, name)
            return await self._settled(id_, coming, record), token
        finally:  # nobody finds it again
            shutil.rmtree(coming.path, ignore_errors=True)

    async def takes_guests(self) -> bool:
        """Say whether the broker lets guests in by this gateway. Raises UnreachableError, TimedOutError."""
        return await self._reaching.takes_guests()

    async def status(self, seconds: float) -> tuple[bool, m.Status | None]:
        """Return whether the broker answers in so many seconds, and what it tells of how it is."""
        return await self._reaching.status(seconds)

    @property
    def sessions(self) -> int:
        """How many people have a session now."""
        return len(self._sessions)

    @property
    def is_online(self) -> bool:
        """Whether a session of somebody reaches the broker."""
        return self._sessions.any_online

    def own_code(self) -> str | None:
        """Return a new code for who runs the gateway; None where only the broker can make one."""
        return self._own_links.make() if self._reaching.by_kernel else None

    def is_own_code(self, code: str) -> bool:
        """Say whether a code was made by who runs the gateway, and counts: no invitation is. Raises RefusedError."""
        return self._own_links.knows(_code_of(code))

    # -- who is known

    async def get(self, id_: str) -> Person:
        """Return a person by the `person` of a login, with a session.

        Raises SignedOutError for one who is known no more, and RefusedError, UnreachableError or TimedOutError if they
        cannot come in now.
        """
        async with self._sessions.lock(id_):
            return await self._sessions.get(id_)

    async def login(self, token: str) -> Person:
        """Return the person of a token. Raises as `get`."""
        if (login := self.logins.find(token)) is None:
            raise SignedOutError
        return await self.get(login.person)

    async def leave(self, token: str) -> None:
        """End a login. With the last one of a guest, or of a member who has other devices, they are forgotten."""
        login = self.logins.find(token)
        self.logins.forget(token)
        if login is None or self.logins.of(login.person):
            return
        with contextlib.suppress(ZchatError):  # the broker is away: the device is still listed, and can be removed
            person = await self.get(login.person)
            if person.kind == "guest" or await _has_others(person):
                await self.forget(login.person)

    async def forget(self, id_: str) -> None:
        """Carry somebody no more: end their session and all logins, and take their device here from the broker."""
        async with self._sessions.lock(id_):
            if (person := self._sessions.open_one(id_)) is not None:
                if person.credential:
                    with contextlib.suppress(ZchatError):  # the session ends by it, perhaps before the answer
                        await person.client.administration.remove_credential(id_, person.credential)
                await person.close()
            self._sessions.drop(id_)

    def known(self) -> dict[str, Record]:
        """Return all who are known, by their ids."""
        found = {each.name: Folder(each).read() for each in (self._folder / "people").iterdir()}
        return {id_: record for id_, record in found.items() if record is not None}

    def nick(self, id_: str) -> str | None:
        """Return how somebody is called, or came in if they have no session now; None for who has neither."""
        person = self._sessions.open_one(id_)
        record = self._sessions.folder_of(id_).read()
        return (person.client.nick if person else None) or (record.nick if record else None)

    # -- inside

    async def _own(self) -> Person:
        """Return the user who runs the gateway, as the kernel proves them to the broker."""
        async with self._reaching.looking() as client:
            id_, rooms = client.from_, self._first_rooms(client)
        async with self._sessions.lock(id_):
            if (folder := self._sessions.folder_of(id_)).read() is None:
                folder.write(Record("own", None, rooms))
            return await self._sessions.get(id_)

    async def _introduce(self, coming: Folder, record: Record, code: str | None) -> tuple[str, tuple[str, ...]]:
        """Say hello with a new key; return who that is, and the rooms to begin with."""
        coming.make()
        try:
            async with await self._reaching.client(record, coming, code) as client:
                if record.kind == "member" and client.member is None:
                    raise RefusedError("bad_invite", "the broker has made nobody a member by this code")
                return client.from_, self._first_rooms(client)
        except RefusedError:  # the broker has decided; after anything else the code can be tried again
            shutil.rmtree(coming.path, ignore_errors=True)
            raise

    async def _settled(self, id_: str, coming: Folder, record: Record) -> Person:
        """Return somebody who has come in, after what is kept of them is in its place."""
        async with self._sessions.lock(id_):
            with contextlib.suppress(SignedOutError):
                person = await self._sessions.get(id_, forget=False)
                if record.kind == "member":  # the same member is here already, with an older key
                    newer = identity.load(coming.identity).credential
                    await person.client.administration.remove_credential(id_, newer)
                shutil.rmtree(coming.path, ignore_errors=True)
                return person
            folder = self._sessions.folder_of(id_)
            shutil.rmtree(folder.path, ignore_errors=True)
            coming.write(record)
            coming.path.rename(folder.path)
            return await self._sessions.get(id_)

    def _first_rooms(self, client: ChatClient) -> tuple[str, ...]:
        """Return the rooms to begin with: the gateway's, the invitation's, and those that were read elsewhere."""
        invited = client.welcome.rooms if client.welcome else ()
        read = [name for name in client.read_marks.all if not name.startswith("@")]
        return tuple(dict.fromkeys((*self._rooms, *invited, *read[:READ_MAX])))

    async def _make_room_for_a_guest(self) -> None:
        """Forget the guest whom nobody misses most likely, where very many are known. Raises RefusedError."""
        if sum(1 for _ in (self._folder / "people").iterdir()) < KNOWN_MAX:
            return
        for id_ in self.logins.idle(AWAY)[:LOOKED_AT]:
            record = self._sessions.folder_of(id_).read()
            if record is not None and record.kind == "guest" and self._sessions.open_one(id_) is None:
                await self.forget(id_)
                return
        raise RefusedError("server_full", f"{KNOWN_MAX:,} people are known here already")

    def _make_room(self) -> None:
        """Give up the oldest of very many codes without an answer: anybody thinks some up while a broker is away."""
        coming = list((self._folder / "coming").iterdir())
        if len(coming) >= COMING_MAX:
            shutil.rmtree(min(coming, key=_age), ignore_errors=True)

    def _tidy(self) -> None:
        """Remove the keys of codes that were never answered, and guests without a login."""
        for each in (self._folder / "coming").iterdir():
            if self._clock() - each.stat().st_mtime > STALE:
                shutil.rmtree(each, ignore_errors=True)
        for id_, record in self.known().items():
            if record.kind == "guest" and not self.logins.of(id_):
                self._sessions.drop(id_)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it has come in meanwhile
        return float("inf")


async def _has_others(person: Person) -> bool:
    """Say whether a member has other devices than this one."""
    members = await person.client.administration.members()
    mine = next((each for each in members if each.from_ == person.id), None)
    return mine is not None and len(mine.devices or ()) > 1


def _code_of(text: str) -> str:
    """Return the code in what somebody has pasted. Raises RefusedError."""
    code = links.code_in(text)
    try:
        links.decode_code(code)
    except links.BadKeyError as error:
        raise RefusedError("bad_invite", f"this is no link that leads in here: {error}") from None
    return code
