"""Another text for a message, by whoever said it. The last edit counts; the log may keep the texts before it."""

from collections.abc import Sequence

from ..base import Command, Event, Positive, Seq
from .kind import Kind, Mark, Picture, Stamp


class Edit(Command, frozen=True, kw_only=True, tag="edit"):
    """Number `n`: give the message `seq`, one's own, another text."""

    n: Positive
    seq: Positive
    text: str


class Edited(Event, frozen=True, kw_only=True, tag="edit"):
    """Durable: the message `target` has another text."""

    seq: Seq
    prev: Seq
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    time: str
    from_: str
    nick: str
    target: int
    text: str


def _make(stamp: Stamp, commands: Sequence[Edit]) -> list[Edited]:
    return [
        Edited(
            seq=stamp.seq,
            prev=stamp.prev,
            room=stamp.room,
            to=stamp.to,
            with_=stamp.with_,
            time=stamp.time,
            from_=stamp.from_,
            nick=stamp.nick,
            target=command.seq,
            text=command.text,
        )
        for command in commands
    ]


def _fold(picture: Picture, event: Edited) -> None:
    item = picture.get(event.target)
    if item is not None:
        item.text, item.edited = event.text, event.time


KIND = Kind(
    command=Edit,
    event=Edited,
    make=_make,
    fold=_fold,
    words=lambda event: f"edited {event.target}: {event.text}",
    phrase=lambda command: f"edit of {command.seq}: {command.text}",
    text=lambda command: command.text,
    mends=True,
    who="author",
    ends="text",
    mark=lambda event: Mark(event.target, "edit", f"{event.seq:016}"),  # so that the last one is found by its key
)
