"""Another text for a message, by whoever said it. The last edit counts; the log may keep the texts before it."""

from ..base import EDITS_MAX
from .kind import Kind, Mark, Picture
from .mending import Mend, Mended, maker


class Edit(Mend, frozen=True, kw_only=True, tag="edit"):
    """Number `n`: give the message `seq`, one's own, another text."""

    text: str


class Edited(Mended, frozen=True, kw_only=True, tag="edit"):
    """Durable: the message `target` has another text."""

    text: str


def _fold(picture: Picture, event: Edited) -> None:
    item = picture.get(event.target)
    if item is not None:
        item.text, item.edited = event.text, event.time


KIND = Kind(
    command=Edit,
    event=Edited,
    make=maker(Edited, "text"),
    fold=_fold,
    words=lambda event: f"edited {event.target}: {event.text}",
    phrase=lambda command: f"edit of {command.seq}: {command.text}",
    text=lambda command: command.text,
    mends=True,
    who="author",
    ends="text",
    mark=lambda event: Mark(event.target, "edit", f"{event.seq:016}"),  # so that the last one is found by its key
    most=EDITS_MAX,
)
