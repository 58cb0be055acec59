"""What a session wants done, and what it tells its user besides the events themselves.

A session touches no socket, file or clock: each of its methods returns a list of effects, to be carried out in order.
`Send` before `Keep`, say, would lose a command with the process that sent it. The second half of this file are the
notices: they travel between the events of a batch, so that a user sees them in their place.
"""

from typing import Any

from msgspec import Struct

from zchat.errors import ZchatError
from zchat.protocol import messages as m


class Effect(Struct, frozen=True):
    """One thing to do."""


class Send(Effect, frozen=True):
    """Send these payloads over the DEALER socket, a message each."""

    frames: list[bytes]


class ConnectFeed(Effect, frozen=True):
    """Close the SUB socket, if there is one, and connect a new one here."""

    endpoint: str


class Subscribe(Effect, frozen=True):
    topic: bytes


class Unsubscribe(Effect, frozen=True):
    topic: bytes


class Reconnect(Effect, frozen=True):
    """Close both sockets; after `retry_in` seconds open a new DEALER and call `connected`."""

    why: str
    retry_in: float


class Deliver(Effect, frozen=True):
    """Hand these to the user: `lines` are the protocol's own, b"" for what is not durable."""

    events: list[Any]
    lines: list[bytes]
    history: bool = False


class Discard(Effect, frozen=True):
    """Take out what was delivered of this room and waits for the user still."""

    room: str


class Answered(Effect, frozen=True):
    """What was asked under `key` has its answer: a reply (perhaps an Error), or None when none came in time."""

    key: Any
    answer: m.Reply | None


class Ready(Effect, frozen=True):
    """For the first time: welcome, and in all rooms that were given at the start."""


class Finish(Effect, frozen=True):
    """This session is over for good; without an error when the broker ended it."""

    error: ZchatError | None


class Keep(Effect, frozen=True):
    """Write these numbered commands down, before they are sent."""

    lines: list[bytes]


class Settle(Effect, frozen=True):
    """Every numbered command through `n` has its answer."""

    n: int


class Follow(Effect, frozen=True):
    """What is kept belongs to this history from now on."""

    epochs: m.Epochs


class Rewrite(Effect, frozen=True):
    """The outbox holds this now, and nothing else: numbers through `n` are answered, `lines` are not.

    They were given in the epoch that began with the seq `since`, 0 for those that were never given anew.
    """

    client: str
    n: int
    lines: list[bytes]
    since: int = 0


# -- notices ---------------------------------------------------------------------------------------------------


class Online(Struct, frozen=True):
    """Connected; `again` when it is not the first time.

    Of what was known before, the broker's log has what stands through `shared`; None: all of it, 0: nothing.
    """

    welcome: m.Welcome
    again: bool
    shared: int | None = None


class WentBack(Struct, frozen=True):
    """The broker's log is the one that we know through `shared` only: what came later is gone, its places used again.

    `lost` is what was acknowledged to us and is in the log no more, oldest first; `more` numbers were taken besides, by
    what is not remembered here, or was refused.
    """

    shared: int
    lost: tuple[m.Say | m.SetTopic, ...] = ()
    more: int = 0


class CaughtUp(Struct, frozen=True):
    """What was asked for or missed in `room` has been delivered: what follows is live."""

    room: str


class Offline(Struct, frozen=True):
    """The broker is gone; the next try is in `retry_in` seconds."""

    why: str
    retry_in: float


class KeptOut(Struct, frozen=True):
    """The broker is there, and refuses the session for now, with the protocol's code: it is tried again."""

    code: str
    why: str


class NickRefused(Struct, frozen=True):
    """A nick that was chosen while the broker was away cannot be had: we are in, under the one before."""

    nick: str
    code: str
    why: str


class PutOff(Struct, frozen=True):
    """The broker cannot take what we send (its disk may be full); told once, and sent again until it can."""

    why: str


class Refused(Struct, frozen=True):
    """A command that an earlier run of this client left behind, and for whose answer nobody waits, was refused."""

    command: m.Say | m.SetTopic
    code: str
    message: str


class Ended(Struct, frozen=True):
    """The broker ended this session (`replaced`, `kick`): it does not come back by itself."""

    reason: str
