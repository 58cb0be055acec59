"""What a client tells its user besides the events themselves: how the connection is, and what became of the past.

Notices travel between the events of a batch, so that a user sees them in their place.
"""

from msgspec import Struct

from zchat.protocol import messages as m

from .phrases import phrase


class Notice(Struct, frozen=True):
    """One thing to tell."""


class Online(Notice, frozen=True):
    """Connected; `again` when it is not the first time.

    `moved`: nobody was told of a loss, for one is soon at another broker with the same log. The broker's log still
    has what was known before through the seq `shared`; None: all of it, 0: nothing.
    """

    welcome: m.Welcome
    again: bool
    shared: int | None = None
    moved: bool = False


class WentBack(Notice, frozen=True):
    """The broker's log is the one that we know through `shared` only: what came later is gone, each `seq` used again.

    `lost` are our commands that were acknowledged and are gone, oldest first. `more` numbers are gone besides: of
    commands that are not remembered here, or were refused.
    """

    shared: int
    lost: tuple[m.NumberedCommand, ...] = ()
    more: int = 0

    @property
    def what(self) -> tuple[str, ...]:
        """What each of `lost` said, or a few words for what it asked."""
        return tuple(map(phrase, self.lost))


class CaughtUp(Notice, frozen=True):
    """What was asked for or missed in `room` has been delivered; what follows is live."""

    room: str


class Removed(Notice, frozen=True):
    """We are in `room` no more, or cannot be let in, and did not leave: `why` is for people. It is not joined again."""

    room: str
    why: str


class Offline(Notice, frozen=True):
    """The broker is gone; the next try is in `retry_in` seconds."""

    why: str
    retry_in: float


class KeptOut(Notice, frozen=True):
    """The broker is there, and refuses us for now, with a code of the protocol; we try again."""

    code: str
    why: str


class NickRefused(Notice, frozen=True):
    """A nick that was chosen while the broker was away cannot be had; we are in, under the one before."""

    nick: str
    code: str
    why: str


class Deferred(Notice, frozen=True):
    """The broker accepts nothing now (its disk may be full). Told once; what we send is sent again until it does."""

    why: str


class Stalled(Notice, frozen=True):
    """The brokers cannot store anything now, and `why` says why: what is said waits, and is stored once they can."""

    why: str


class Flowing(Notice, frozen=True):
    """The brokers store again what they are sent."""


class Refused(Notice, frozen=True):
    """A command was refused that an earlier run of this client had left, so that nobody waits for its answer."""

    command: m.NumberedCommand
    code: str
    message: str

    @property
    def what(self) -> str:
        """What the command said, or a few words for what it asked."""
        return phrase(self.command)


class Ended(Notice, frozen=True):
    """The broker ended this session (`replaced`, `kick`, `banned`); the client does not come back by itself.

    `by` is the nick of the moderator who did, `text` what they said of it.
    """

    reason: str
    text: str | None = None
    by: str | None = None


AnyNotice = (
    Online
    | WentBack
    | CaughtUp
    | Removed
    | Offline
    | KeptOut
    | NickRefused
    | Deferred
    | Stalled
    | Flowing
    | Refused
    | Ended
)
AnyUpdate = m.AnyEvent | m.Opaque | AnyNotice  # what a client yields: what happened, and how the client is
