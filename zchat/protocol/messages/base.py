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

Kind = Literal["message", "action", "notice"]
Seq = Annotated[int, Meta(ge=0, le=SEQ_MAX)]  # a cursor or a head, too: 0 is before the first event
Positive = Annotated[int, Meta(ge=1, le=SEQ_MAX)]  # the `n` of a command, the `seq` of an event
Count = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
Ref = Annotated[int, Meta(ge=-SEQ_MAX, le=SEQ_MAX)] | Annotated[str, Meta(max_length=256)]
When = Annotated[datetime, Meta(tz=True)]
Hex16 = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Hex32 = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Epoch = tuple[Hex16, Positive]  # (id, first `seq`)
Epochs = Annotated[tuple[Epoch, ...], Meta(max_length=EPOCHS_MAX)]  # the epochs of a history, oldest first
Remark = Annotated[str, Meta(max_length=1024)]  # a reason or an away text: shown on one line


class Record(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    omit_defaults=True,
    tag_field="type",
    rename={"from_": "from", "with_": "with"},
):
    """The base of all records. `gc=False` is safe because no record can be part of a reference cycle."""
