"""What a kind of durable event is. Each kind is a file of this folder; `KINDS` (in `__init__.py`) lists them.

A kind says which command asks for it and which event it becomes, who may do it, how the event changes the picture of
its room, and how it is told in words. So another kind is another file and one more line in the list: the broker's rule
of the log, the clients and the prompt go by what stands here.

Two things hold for all kinds. What is searched is an event's `text`, and the names of its `files`. And an event about
an earlier one names it in `target`; what is in force of it (a reaction that was not taken back) is a `Mark`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from ..base import Command, Event

Who = Literal["speaker", "author", "moderator"]  # who may speak there; who said it; who said it, or may moderate there


class Stamp(Struct, frozen=True, gc=False):
    """What the log gives to the events of one draft. Their `seq`s are consecutive; these are those of the first."""

    seq: int
    prev: int
    room: str | None
    to: str | None
    with_: str | None
    time: str
    from_: str
    nick: str
    thread: int | None = None


class Mark(Struct, frozen=True):
    """What an event leaves on its target: one of a `kind` and `key`, so another one replaces it, or takes it `off`."""

    target: int
    kind: str
    key: str = ""
    off: bool = False
    nick: str = ""


@dataclass(slots=True)
class Item:
    """A message, topic or tombstone as it is now."""

    event: Any
    text: str = ""
    edited: str | None = None  # when
    reactions: dict[str, dict[str, str]] = field(default_factory=dict)  # nicks, by emoji and `from`
    pinned: bool = False
    answers: set[int] = field(default_factory=set)  # the `seq`s of its thread


Picture = dict[int, Item]  # of a room or conversation, by `seq`


def _nothing(event: Any) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of durable event."""

    command: type[Command]
    event: type[Event]
    make: Callable[[Stamp, Sequence[Any]], list[Any]]  # the events that the commands become
    fold: Callable[[Picture, Any], None]  # what an event changes in the picture of its room
    words: Callable[[Any], str]  # what an event tells, in words, behind the nick of who did it
    phrase: Callable[[Any], str]  # what a command is called where its sender reads that it was refused, or is lost
    text: Callable[[Any], str | None] = _nothing  # the text of a command; None: it has none
    mends: bool = False  # whether it is about an earlier message, the `seq` of the command
    who: Who = "speaker"
    ends: Literal["text", "message"] | None = None  # what it ends of its target: the text until then, or all of it
    mark: Callable[[Any], Mark | None] = _nothing
    most: int | None = None  # marks of this kind that a message may have; None: any number
