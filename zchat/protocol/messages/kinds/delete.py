"""A message is taken back: by whoever said it, or by a moderator. Its text is gone, also from the log.

The event tells it to all; in the place of the message, and of its edits, a tombstone stays, so that the chain of the
room has no hole.
"""

from collections.abc import Sequence
from typing import Any

from ..base import Event, Remark, Seq
from .kind import Item, Kind, Picture, Stamp
from .mending import Mend, Mended, mended


class Delete(Mend, frozen=True, kw_only=True, tag="delete"):
    """Number `n`: take the message `seq` back; that of somebody else as a moderator, perhaps for a reason."""

    reason: Remark | None = None


class Deleted(Mended, frozen=True, kw_only=True, tag="delete"):
    """Durable: the message `target` is gone. `by` (a `from`) is who took it back."""

    by: str
    reason: str | None = None


class Tombstone(Event, frozen=True, kw_only=True, tag="tombstone"):
    """Durable: what stays of a message, or of an edit of it, that was taken back by `by` (a `from`)."""

    seq: Seq
    prev: Seq
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    time: str
    from_: str
    nick: str = ""
    by: str
    thread: int | None = None
    target: int | None = None  # of an edit


_KEPT = ("seq", "prev", "room", "to", "with_", "time", "from_", "nick", "thread", "target")


def tombstone(event: Event, by: str) -> Tombstone:
    """Return what stays of a message or an edit."""
    kept: dict[str, Any] = {name: getattr(event, name, None) for name in _KEPT}
    return Tombstone(by=by, **kept)


def _make(stamp: Stamp, commands: Sequence[Delete]) -> list[Deleted]:
    return [mended(Deleted, stamp, each, by=stamp.from_, reason=each.reason) for each in commands]


def _fold(picture: Picture, event: Deleted) -> None:
    item = picture.get(event.target)
    if item is None:
        return
    root = picture.get(getattr(item.event, "thread", None) or 0)
    if root is not None:
        root.answers.discard(event.target)
    if not isinstance(item.event, Tombstone):
        picture[event.target] = Item(tombstone(item.event, event.by), answers=item.answers)


def fold_tombstone(picture: Picture, event: Tombstone) -> None:
    """Put the tombstone of a message in its place."""
    if event.target is None:
        picture[event.seq] = Item(event)


def _words(event: Deleted) -> str:
    return f"deleted {event.target}" + (f" ({event.reason})" if event.reason else "")


KIND = Kind(
    command=Delete,
    event=Deleted,
    make=_make,
    fold=_fold,
    words=_words,
    phrase=lambda command: f"deletion of {command.seq}",
    mends=True,
    who="moderator",
    ends="message",
)
