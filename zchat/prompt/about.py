"""What the line being typed is about, if it is not simply to be said: a message that it replaces, or answers."""

from dataclasses import dataclass
from typing import Literal

from zchat.protocol import messages as m

from . import said
from .layout import truncate, width

LEAST = 24  # columns of a message that tell which one it is
MORE = " …"


@dataclass(frozen=True)
class About:
    """The message `seq`, which is to be edited, or replied to. `text` is what it says now."""

    how: Literal["edit", "reply"]
    seq: int
    text: str
    excerpt: str

    def row(self, columns: int) -> str:
        """Return what stands above the line: what the keys do is always seen, of the message as much as fits."""
        sign, does = ("✎", "Enter edits it") if self.how == "edit" else ("↪", "Enter answers it")
        head, long, short = f"{sign} {self.seq} ", f" · {does}, Esc drops this", " · Esc drops this"
        tail = long if columns >= width(head) + LEAST + width(long) else short
        return truncate(head + _cut(self.excerpt, columns - width(head) - width(tail)) + tail, columns)


def _cut(excerpt: str, columns: int) -> str:
    if width(excerpt) <= columns:
        return excerpt
    return f"{truncate(excerpt, columns - width(MORE)).removesuffix(MORE).rstrip()}{MORE}"


class Regarding(str):
    """An entered line that is about a message."""

    __slots__ = ("about",)
    about: About

    def __new__(cls, text: str, about: About) -> "Regarding":
        """Make a line that is about a message."""
        made = super().__new__(cls, text)
        made.about = about
        return made


def about(how: Literal["edit", "reply"], event: m.Durable) -> About:
    """Return what a line is about that edits, or answers, a message."""
    return About(how, event.seq, getattr(event, "text", ""), said.excerpt(event))


def as_typed(text: str) -> str:
    """Return a text as one types it: a slash at its beginning twice."""
    return f"/{text}" if text.startswith("/") else text
