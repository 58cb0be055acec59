"""What the kinds share that are about an earlier message: they name it, and say nothing of where it was said."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..base import Command, Event, Positive, Seq
from .kind import Stamp


class Mend(Command, frozen=True, kw_only=True):
    """Number `n`: do something to the message `seq`."""

    n: Positive
    seq: Positive


class Mended(Event, frozen=True, kw_only=True):
    """Durable: something was done to the message `target`. `to` and `with_` are those of a conversation."""

    seq: Seq
    prev: Seq
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    time: str
    from_: str
    nick: str
    target: int


E = TypeVar("E", bound=Mended)


def mended(event: type[E], stamp: Stamp, command: Mend, **fields: Any) -> E:
    """Return the event that a command becomes."""
    return event(
        seq=stamp.seq,
        prev=stamp.prev,
        room=stamp.room,
        to=stamp.to,
        with_=stamp.with_,
        time=stamp.time,
        from_=stamp.from_,
        nick=stamp.nick,
        target=command.seq,
        **fields,
    )


def maker(event: type[E], *fields: str) -> Callable[[Stamp, Sequence[Mend]], list[E]]:
    """Return the `make` of a kind whose events have these fields of its commands."""

    def make(stamp: Stamp, commands: Sequence[Mend]) -> list[E]:
        return [mended(event, stamp, each, **{name: getattr(each, name) for name in fields}) for each in commands]

    return make
