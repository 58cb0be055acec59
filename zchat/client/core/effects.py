"""What a session wants done.

A session touches no socket, file or clock. Each of its methods returns a list of effects, to be carried out in order:
with `Send` before `Keep`, for example, a command would be lost with the process that sent it.
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
    """Close both sockets; after `retry_in` seconds open a new DEALER to the session's `endpoint`; call `connected`."""

    why: str
    retry_in: float


class Deliver(Effect, frozen=True):
    """Hand these to the user: `lines` are the protocol's own, b"" for what is no durable event of a room or person."""

    events: list[Any]
    lines: list[bytes]
    history: bool = False


class Discard(Effect, frozen=True):
    """Drop what was delivered of this room and still waits for the user."""

    room: str


class Answered(Effect, frozen=True):
    """What was asked under `key` has its answer: a reply (perhaps an Error), or None when none came in time."""

    key: Any
    answer: m.Reply | None


class Ready(Effect, frozen=True):
    """Told once: the client is welcome, and in all rooms that were given at the start."""


class Finish(Effect, frozen=True):
    """The client is over for good; without an error if the broker ended its session."""

    error: ZchatError | None


class Keep(Effect, frozen=True):
    """Write these numbered commands down, before they are sent."""

    lines: list[bytes]


class Settle(Effect, frozen=True):
    """Every numbered command through `n` has its answer; `own` are the `seq` of some, which a member has to keep."""

    n: int
    own: tuple[int, ...] = ()


class Remember(Effect, frozen=True):
    """We are in, where these endpoints lead; () if nothing is known beyond what was given."""

    endpoints: tuple[str, ...]


class KeepEpochs(Effect, frozen=True):
    """Write down that all numbers belong to this history from now on."""

    epochs: m.Epochs


class Rewrite(Effect, frozen=True):
    """The outbox holds this now, and nothing else: numbers through `n` are answered, those of `lines` are not.

    They were given in the epoch that began with the seq `since`; 0: they were never given anew.
    """

    client: str
    n: int
    lines: list[bytes]
    since: int = 0
    own: tuple[int, ...] = ()
