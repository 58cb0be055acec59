"""A message that a room or conversation keeps in sight, until it is unpinned."""

from collections.abc import Sequence

from ..base import Command, Event, Positive, Seq
from .kind import Kind, Mark, Picture, Stamp


class Pin(Command, frozen=True, kw_only=True, tag="pin"):
    """Number `n`: pin the message `seq`; with `off`, unpin it."""

    n: Positive
    seq: Positive
    off: bool = False


class Pinned(Event, frozen=True, kw_only=True, tag="pin"):
    """Durable: the message `target` was pinned; with `off`, unpinned."""

    seq: Seq
    prev: Seq
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    time: str
    from_: str
    nick: str
    target: int
    off: bool = False


def _make(stamp: Stamp, commands: Sequence[Pin]) -> list[Pinned]:
    return [
        Pinned(
            seq=stamp.seq,
            prev=stamp.prev,
            room=stamp.room,
            to=stamp.to,
            with_=stamp.with_,
            time=stamp.time,
            from_=stamp.from_,
            nick=stamp.nick,
            target=command.seq,
            off=command.off,
        )
        for command in commands
    ]


def _fold(picture: Picture, event: Pinned) -> None:
    item = picture.get(event.target)
    if item is not None:
        item.pinned = not event.off


KIND = Kind(
    command=Pin,
    event=Pinned,
    make=_make,
    fold=_fold,
    words=lambda event: f"{'unpinned' if event.off else 'pinned'} {event.target}",
    phrase=lambda command: f"{'unpinning' if command.off else 'pinning'} {command.seq}",
    mends=True,
    mark=lambda event: Mark(event.target, "pin", "", event.off, event.nick),
)
