"""A nod to a message: one of each emoji from each person, until it is taken back."""

from collections.abc import Sequence

from ..base import REACTIONS_MAX, Command, Emoji, Event, Positive, Seq
from .kind import Kind, Mark, Picture, Stamp


class React(Command, frozen=True, kw_only=True, tag="react"):
    """Number `n`: react to the message `seq`; with `off`, take that back."""

    n: Positive
    seq: Positive
    emoji: Emoji
    off: bool = False


class Reacted(Event, frozen=True, kw_only=True, tag="reaction"):
    """Durable: somebody has reacted to the message `target`; with `off`, does not any more."""

    seq: Seq
    prev: Seq
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    time: str
    from_: str
    nick: str
    target: int
    emoji: str
    off: bool = False


def _make(stamp: Stamp, commands: Sequence[React]) -> list[Reacted]:
    return [
        Reacted(
            seq=stamp.seq,
            prev=stamp.prev,
            room=stamp.room,
            to=stamp.to,
            with_=stamp.with_,
            time=stamp.time,
            from_=stamp.from_,
            nick=stamp.nick,
            target=command.seq,
            emoji=command.emoji,
            off=command.off,
        )
        for command in commands
    ]


def _fold(picture: Picture, event: Reacted) -> None:
    item = picture.get(event.target)
    if item is None:
        return
    given = item.reactions.setdefault(event.emoji, {})
    if event.off:
        given.pop(event.from_, None)
    else:
        given[event.from_] = event.nick
    if not given:
        del item.reactions[event.emoji]


def _words(event: Reacted) -> str:
    return f"took {event.emoji} off {event.target}" if event.off else f"reacted with {event.emoji} to {event.target}"


KIND = Kind(
    command=React,
    event=Reacted,
    make=_make,
    fold=_fold,
    words=_words,
    phrase=lambda command: f"{command.emoji} to {command.seq}",
    mends=True,
    mark=lambda event: Mark(event.target, "reaction", f"{event.from_} {event.emoji}", event.off, event.nick),
    most=REACTIONS_MAX,
)
