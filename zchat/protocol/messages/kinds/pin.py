"""A message that a room or conversation keeps in sight, until it is unpinned."""

from .kind import Kind, Mark, Picture
from .mending import Mend, Mended, maker


class Pin(Mend, frozen=True, kw_only=True, tag="pin"):
    """Number `n`: pin the message `seq`; with `off`, unpin it."""

    off: bool = False


class Pinned(Mended, frozen=True, kw_only=True, tag="pin"):
    """Durable: the message `target` was pinned; with `off`, unpinned."""

    off: bool = False


def _fold(picture: Picture, event: Pinned) -> None:
    item = picture.get(event.target)
    if item is not None:
        item.pinned = not event.off


KIND = Kind(
    command=Pin,
    event=Pinned,
    make=maker(Pinned, "off"),
    fold=_fold,
    words=lambda event: f"{'unpinned' if event.off else 'pinned'} {event.target}",
    phrase=lambda command: f"{'unpinning' if command.off else 'pinning'} {command.seq}",
    mends=True,
    mark=lambda event: Mark(event.target, "pin", "", event.off, event.nick),
)
