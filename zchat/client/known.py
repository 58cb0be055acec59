"""What a client knows: who and where it is, what it has joined, and what still waits. Nothing here is asked for.

It is what `ChatClient` can tell at once. What has to be waited for is in `asking.py`, `saying.py` and `client.py`.
"""

import os

from zchat.errors import ForkedError
from zchat.protocol import messages as m

from .addresses import Address, link_for_others, shown
from .arguments import room_name
from .driver import Driver


class Known:
    """A client, as far as it is seen without asking anybody. `ChatClient` is one that also does something."""

    def __init__(self, nick: str | None, address: Address, epochs: m.Epochs) -> None:
        self._nick, self._address, self._epochs = nick, address, epochs
        self._driver: Driver | None = None
        self._pid = 0  # of the process that has connected: its sockets and its loop are of no use in a forked one

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from the one that has connected: the client is of no use here."""
        return self._driver is not None and self._pid != os.getpid()

    def check_process(self) -> None:
        """Raise ForkedError in a process that was forked from the one that has connected."""
        if self.is_forked:
            raise ForkedError(self._pid)

    @property
    def nick(self) -> str | None:
        """The nick that one has now, None for one who only reads."""
        return self._driver.session.nick if self._driver else self._nick

    @property
    def from_(self) -> str:
        """One's public id, the `from_` of what one says: 16 hex digits, "" before the first connection.

        Nicks change hands, ids do not.
        """
        return self._driver.session.from_ if self._driver else ""

    @property
    def welcome(self) -> m.Welcome | None:
        """The broker's last `welcome`: its version, its limits, its heartbeat (seconds). None before the first one."""
        return self._driver.session.welcome if self._driver else None

    @property
    def epochs(self) -> m.Epochs:
        """The history that every `seq` is of; to be kept with cursors, and given to the next client."""
        return self._driver.session.epochs if self._driver else self._epochs

    @property
    def shared(self) -> int | None:
        """Through which seq the history that was given as `epochs` is the broker's; None: all of it, 0: nothing."""
        return self._driver.session.shared if self._driver else None

    @property
    def link(self) -> str | None:
        """The link with which others reach this broker, without an invitation; None where no link leads there.

        It is the one that led here, or, over loopback and `ipc://`, one that the broker tells.
        """
        return link_for_others(self._address.link, self.welcome.brokers if self.welcome else ())

    @property
    def online(self) -> bool:
        """Whether it is connected now."""
        return self._driver is not None and self._driver.session.online

    @property
    def moving(self) -> bool:
        """Whether the broker was just lost, and another one with the same log is looked for; it takes a moment."""
        return self._driver is not None and self._driver.session.moving

    @property
    def host(self) -> str | None:
        """Of several brokers the host of the one that is used or tried now; None where there is only one."""
        session = self._driver.session if self._driver is not None else None
        if session is None or not session.several or not session.endpoint.startswith("tcp://"):
            return None
        return shown(session.endpoint)

    @property
    def over(self) -> bool:
        """Whether it has ended for good: closed, ended by the broker, or refused."""
        return self._driver is not None and self._driver.over

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms joined now."""
        rooms = self._driver.session.rooms if self._driver else {}
        return tuple(name for name, room in rooms.items() if room.joined)

    @property
    def followed(self) -> tuple[str, ...]:
        """The rooms that one is in as far as is known: those joined now, and those that are joined again by themselves.

        After the broker was lost they are joined one by one.
        """
        rooms = self._driver.session.rooms if self._driver else {}
        return tuple(name for name, room in rooms.items() if room.established)

    @property
    def unanswered(self) -> int:
        """How many messages and topics are not on the broker's disk yet, as far as is known."""
        return self._driver.session.unanswered if self._driver else 0

    @property
    def deferred(self) -> str | None:
        """Why the broker takes nothing now and has us send it again (its disk may be full); None when it does."""
        return self._driver.session.deferred if self._driver else None

    @property
    def stalled(self) -> str | None:
        """Why the brokers cannot store anything now, so that what is said waits; None when they can."""
        return self._driver.session.stalled if self._driver else None

    def members(self, room: str) -> dict[str, m.Member]:
        """Return who is in a joined room, by nick; nobody for a room that is not joined.

        Raises RefusedError for what is no name of a room.
        """
        known = self._driver.session.rooms.get(room_name(room)) if self._driver else None
        return dict(known.members) if known else {}

    def joined_at(self, room: str) -> int:
        """Return the seq of a room's last event when it was joined, also anew: what is above it was said since."""
        known = self._driver.session.rooms.get(room) if self._driver else None
        return known.joined_at if known else 0

    @property
    def member(self) -> m.Account | None:
        """The member that one is, as of now; None for a guest."""
        return self._driver.session.member if self._driver else None

    @property
    def role(self) -> str:
        """What one is: `owner`, `moderator`, `member` or `guest`."""
        return self.member.role if self.member else "guest"

    def _running(self) -> Driver:
        if self._driver is None:
            raise RuntimeError("this client is not connected yet: use it as `async with ChatClient(…) as client:`")
        self.check_process()
        return self._driver
