"""What everybody in a soak writes down: one file of JSON lines for each, appended with one `write` for each record.

A journal is the witness against the broker and against its own client, so it must not depend on either. What a talker
means to say is written before it is said, an answer after it was heard. A process killed between the two leaves a
message without an answer, which claims less but never something false. `write` hands the bytes to the kernel, so a
killed process loses none; a record cut in two can only be the last, and is cut off when the file is opened again.
"""

import os
from pathlib import Path
from zlib import crc32

import msgspec


class Record(msgspec.Struct, frozen=True, array_like=True, tag_field="is", tag=str.lower, gc=False):
    """One thing that somebody did or saw."""


class Life(Record, frozen=True):
    """The process began; what a former life had not kept died with it."""

    number: int


class Said(Record, frozen=True):
    """Somebody is about to say `id`; `sum` is of the text, `refusal` the code it has earned ("" for none).

    `maybe` is a code with which it may be refused, as when somebody else was faster.
    """

    id: str
    room: str
    sum: int
    topic: bool = False
    refusal: str = ""
    maybe: str = ""


class Mended(Record, frozen=True):
    """Somebody is about to do `id` to the message `target`: an `edit`, whose text is said, or another kind of event."""

    id: str
    kind: str
    target: int
    what: str = ""  # the emoji, whether it is taken back


class Kept(Record, frozen=True):
    """The outbox has `id` on disk: from now on it cannot vanish."""

    id: str


class Acked(Record, frozen=True):
    """`seq` is None if the broker knew no more where it stands."""

    id: str
    seq: int | None


class Refused(Record, frozen=True):
    id: str
    code: str


class Seen(Record, frozen=True):
    """A follower, or one end of a conversation, was shown the event `seq`; `sum` is of the protocol's line."""

    room: str
    seq: int
    sum: int


class Ran(Record, frozen=True):
    """A bot's handler ran for the command at `seq`."""

    command: str
    seq: int


class Over(Record, frozen=True):
    """A client ended for good, which no fault may bring about."""

    why: str


AnyRecord = Life | Said | Mended | Kept | Acked | Refused | Seen | Ran | Over

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyRecord)


class Journal:
    """The journal at `path`, open; `before` is what former lives have written."""

    def __init__(self, path: Path) -> None:
        self.before = read(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, path.read_bytes().rfind(b"\n") + 1)
        self.write(Life(1 + sum(isinstance(record, Life) for record in self.before)))

    def write(self, *records: AnyRecord) -> None:
        content = b"".join(_encoder.encode(record) + b"\n" for record in records)
        while content:
            content = content[os.write(self._file, content) :]

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[AnyRecord]:
    """Return the records of a journal, none if there is no file."""
    content = path.read_bytes() if path.exists() else b""
    return [_decoder.decode(line) for line in content.split(b"\n")[:-1]]


def conversation(one: str, other: str) -> str:
    """Return how the conversation of two is called where else there is a room."""
    return "@" + " ".join(sorted((one, other)))


def checksum(content: str | bytes) -> int:
    return crc32(content.encode() if isinstance(content, str) else content)


def told(kind: str, nick: str, text: str) -> int:
    """Return the checksum of an event as those have it who come by a gateway, and never see its line."""
    return checksum(f"{kind} {nick}: {text}")
