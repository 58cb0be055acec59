"""What somebody says: in a room, or to one person. It may answer an earlier message, and carry files."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from ..base import FILES_MAX, Command, Event, FileId, FileName, Hex16, MediaType, Pixels, Positive, Seq, When
from ..base import Kind as Manner
from .kind import Item, Kind, Mark, Picture, Stamp


class Attachment(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A file of a message: its SHA-256, a name without folders, perhaps its media type, and of an image its dimensions.

    The broker adds its `size`. All else but the SHA-256 is what its author says.
    """

    file: FileId
    name: FileName
    type: MediaType | None = None
    size: Seq = 0  # bytes
    width: Pixels | None = None
    height: Pixels | None = None


class Reaction(Struct, frozen=True, kw_only=True, gc=False, rename={"from_": "from"}):
    """One reaction to a message, as it is told with the message."""

    emoji: str
    from_: str
    nick: str


class Say(Command, frozen=True, kw_only=True, tag="say"):
    """Number `n`: say something in `room`, or to the nick `to` (of the one whose `from` is `with_`).

    With `at` it is said then.
    """

    n: Positive
    text: str
    room: str | None = None
    to: str | None = None
    with_: Hex16 | None = None
    kind: Manner = "message"
    reply_to: Positive | None = None
    once: Annotated[str, Meta(min_length=1)] | None = None
    files: Annotated[tuple[Attachment, ...], Meta(max_length=FILES_MAX)] = ()
    at: When | None = None


class Message(Event, frozen=True, kw_only=True, tag="message"):
    """Durable: a message in `room`, or a direct message to the nick `to` of the client whose `from` is `with_`.

    `thread` is the root of the thread that it belongs to, where it replies to something. The last four fields are only
    in answers to `history` with `current`: when it was edited last, what became of it, how many answers it has.
    """

    seq: Seq
    prev: Seq
    room: str | None = None
    to: str | None = None
    with_: str | None = None
    time: str
    from_: str
    nick: str
    kind: str
    text: str
    reply_to: int | None = None
    thread: int | None = None
    files: tuple[Attachment, ...] = ()
    edited: str | None = None
    reactions: tuple[Reaction, ...] = ()
    pinned: bool = False
    answers: int = 0


def _make(stamp: Stamp, commands: Sequence[Say]) -> list[Message]:
    room, to, with_, time = stamp.room, stamp.to, stamp.with_, stamp.time
    from_, nick, thread, prev = stamp.from_, stamp.nick, stamp.thread, stamp.prev
    made = []
    for seq, say in enumerate(commands, stamp.seq):
        event = Message(
            seq=seq,
            prev=prev,
            room=room,
            to=to,
            with_=with_,
            time=time,
            from_=from_,
            nick=nick,
            kind=say.kind,
            text=say.text,
            reply_to=say.reply_to,
            thread=thread,
            files=say.files,
        )
        made.append(event)
        prev = seq
    return made


def _mark(event: Message) -> Mark | None:
    return None if event.thread is None else Mark(event.thread, "answer", str(event.seq))


def _fold(picture: Picture, event: Message) -> None:
    item = picture[event.seq] = Item(event, event.text, event.edited, pinned=event.pinned)
    for one in event.reactions:
        item.reactions.setdefault(one.emoji, {})[one.from_] = one.nick
    root = picture.get(event.thread or 0)
    if root is not None:
        root.answers.add(event.seq)


KIND = Kind(
    command=Say,
    event=Message,
    make=_make,
    fold=_fold,
    words=lambda event: event.text,
    phrase=lambda command: command.text or ", ".join(one.name for one in command.files),
    text=lambda command: None if command.files and not command.text else command.text,
    mark=_mark,
)
