"""What a client tells its user besides the events themselves: how the connection is, and what became of the past.

Notices travel between the events of a batch, so that a user sees them in their place.
"""

from msgspec import Struct

from zchat.protocol import messages as m


class Notice(Struct, frozen=True):
    """One thing to tell."""


class Online(Notice, frozen=True):
    """Connected; `again` when it is not the first time.

    Of what was known before, the broker's log has what stands through `shared`; None: all of it, 0: nothing.
    """

    welcome: m.Welcome
    again: bool
    shared: int | None = None


class WentBack(Notice, frozen=True):
    """The broker's log is the one that we know through `shared` only: what came later is gone, its places used again.

    `lost` is what was acknowledged to us and is in the log no more, oldest first; `more` numbers were taken besides, by
    what is not remembered here, or was refused.
    """

    shared: int
    lost: tuple[m.Say | m.SetTopic, ...] = ()
    more: int = 0


class CaughtUp(Notice, frozen=True):
    """What was asked for or missed in `room` has been delivered: what follows is live."""

    room: str


class Offline(Notice, frozen=True):
    """The broker is gone; the next try is in `retry_in` seconds."""

    why: str
    retry_in: float


class KeptOut(Notice, frozen=True):
    """The broker is there, and refuses the session for now, with the protocol's code: it is tried again."""

    code: str
    why: str


class NickRefused(Notice, frozen=True):
    """A nick that was chosen while the broker was away cannot be had: we are in, under the one before."""

    nick: str
    code: str
    why: str


class Deferred(Notice, frozen=True):
    """The broker cannot take what we send (its disk may be full); told once, and sent again until it can."""

    why: str


class Refused(Notice, frozen=True):
    """A command that an earlier run of this client left behind, and for whose answer nobody waits, was refused."""

    command: m.Say | m.SetTopic
    code: str
    message: str


class Ended(Notice, frozen=True):
    """The broker ended this session (`replaced`, `kick`): it does not come back by itself."""

    reason: str


AnyNotice = Online | WentBack | CaughtUp | Offline | KeptOut | NickRefused | Deferred | Refused | Ended
AnyUpdate = m.AnyEvent | m.Opaque | AnyNotice  # what a client yields: what happened, and how the client is
