"""A nod to a message: one of each emoji from each person, until it is taken back."""

from ..base import REACTIONS_MAX, Emoji
from .kind import Kind, Mark, Picture
from .mending import Mend, Mended, maker


class React(Mend, frozen=True, kw_only=True, tag="react"):
    """Number `n`: react to the message `seq`; with `off`, take that back."""

    emoji: Emoji
    off: bool = False


class Reacted(Mended, frozen=True, kw_only=True, tag="reaction"):
    """Durable: somebody has reacted to the message `target`; with `off`, does not any more."""

    emoji: str
    off: bool = False


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
    make=maker(Reacted, "emoji", "off"),
    fold=_fold,
    words=_words,
    phrase=lambda command: f"{command.emoji} to {command.seq}",
    mends=True,
    mark=lambda event: Mark(event.target, "reaction", f"{event.from_} {event.emoji}", event.off, event.nick),
    most=REACTIONS_MAX,
)
