"""What commands, replies and events share: the protocol's limits, field types, and the base class `Record`."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

SEQ_MAX = 2**53 - 1  # the largest integer that every JSON parser represents exactly
TEXT_MAX = 16 * 1024  # bytes of UTF-8 in one message
FRAME_MAX = 1024 * 1024  # bytes in one frame
LINES_MAX = 1_000  # lines in one frame
ROOMS_MAX = 256  # rooms of one session: bounds the size of its pong
ONCE_MAX = 128  # bytes in a `once` key
LIMIT_MAX = 1_000  # events in one reply
EPOCHS_MAX = 64  # epochs in one hello or welcome: bounds the size of both
INVITED_ROOMS_MAX = 16  # rooms in one invitation
USES_MAX = 10_000  # of one invitation
FILES_MAX = 10  # files of one message
REACTIONS_MAX = 1_000  # to one message: `current` tells all of them with it
EDITS_MAX = 1_000  # of one message: they are deleted with it in one step, which takes 0.15 ms for each
FILE_MAX = 64 * 1024 * 1024  # bytes of one file
DAYS_MAX = 36_500  # for which a room may keep what was said: a century
PART_MAX = 256 * 1024  # bytes of a file in one line
PIXELS_MAX = 100_000  # of an image, in width and in height

Kind = Literal["message", "action", "notice"]
Role = Literal["owner", "moderator", "member"]  # of a member; whoever is none is a guest
Mode = Literal["public", "announce", "private"]  # of a room
Seq = Annotated[int, Meta(ge=0, le=SEQ_MAX)]  # a cursor or a head, too: 0 is before the first event
Positive = Annotated[int, Meta(ge=1, le=SEQ_MAX)]  # the `n` of a command, the `seq` of an event
Days = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
Default = Literal["default"]  # in place of days: as the broker says
Count = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
Ref = Annotated[int, Meta(ge=-SEQ_MAX, le=SEQ_MAX)] | Annotated[str, Meta(max_length=256)]
When = Annotated[datetime, Meta(tz=True)]
# `\Z` and not `$`, which also matches before a newline at the end.
Hex16 = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Epoch = tuple[Hex16, Positive]  # (id, first `seq`)
Epochs = Annotated[tuple[Epoch, ...], Meta(max_length=EPOCHS_MAX)]  # the epochs of a history, oldest first
Remark = Annotated[str, Meta(max_length=1024)]  # a reason or an away text: shown on one line
Code = Annotated[str, Meta(max_length=64)]  # of an invitation, as it stands in a link
Device = Annotated[str, Meta(min_length=1, max_length=64)]  # a name for a device, for people
Emoji = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f\x7f]+\Z")]
FileId = Hex64  # the SHA-256 of its content
FileName = Annotated[str, Meta(min_length=1, max_length=255)]
MediaType = Annotated[str, Meta(max_length=127)]
Pixels = Annotated[int, Meta(ge=1, le=PIXELS_MAX)]
Credential = Annotated[str, Meta(min_length=5, max_length=300)]  # `key:…` or `uid:1000@host`
Features = Annotated[tuple[Annotated[str, Meta(max_length=32)], ...], Meta(max_length=64)]


class Record(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    omit_defaults=True,
    tag_field="type",
    rename={"from_": "from", "with_": "with", "self_": "self"},
):
    """The base of all records. `gc=False` is safe because no record can be part of a reference cycle."""


class Command(Record, frozen=True, kw_only=True):
    """A command; its `ref`, if given, is returned in every reply to it."""

    ref: Ref | None = None


class Event(Record, frozen=True):
    """Something that happened."""
