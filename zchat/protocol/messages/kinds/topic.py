"""What a room is about. The last topic counts; an empty one removes it."""

from collections.abc import Sequence

from ..base import Command, Event, Positive, Seq
from .kind import Item, Kind, Picture, Stamp


class SetTopic(Command, frozen=True, kw_only=True, tag="topic"):
    """Number `n`: set a room's topic; an empty text removes it."""

    n: Positive
    room: str
    text: str


class Topic(Event, frozen=True, kw_only=True, tag="topic"):
    """Durable: the topic of a room was set."""

    seq: Seq
    prev: Seq
    room: str
    time: str
    from_: str
    nick: str
    text: str


def _make(stamp: Stamp, commands: Sequence[SetTopic]) -> list[Topic]:
    return [
        Topic(
            seq=stamp.seq,
            prev=stamp.prev,
            room=stamp.room or "",
            time=stamp.time,
            from_=stamp.from_,
            nick=stamp.nick,
            text=command.text,
        )
        for command in commands
    ]


def _fold(picture: Picture, event: Topic) -> None:
    picture[event.seq] = Item(event, event.text)


KIND = Kind(
    command=SetTopic,
    event=Topic,
    make=_make,
    fold=_fold,
    words=lambda event: f"changed the topic: {event.text}" if event.text else "removed the topic",
    phrase=lambda command: command.text,
    text=lambda command: command.text or None,  # an empty one is no mistake
)
