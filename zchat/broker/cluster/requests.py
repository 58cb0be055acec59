"""What brokers of a cluster ask each other, and what the commands ask them, as MessagePack."""

import msgspec
from msgspec import Struct


class CopyWanted(Struct, frozen=True, tag=True):
    """A copy of the log is wanted. Answered by `Offer`, or by `Preparing` as long as it is being made."""


class PieceWanted(Struct, frozen=True, tag=True):
    """A piece of a copy is wanted. Answered by `Piece`."""

    copy: str
    offset: int


class RestoreWanted(Struct, frozen=True, tag=True):
    """A new stream is wanted, which begins where the log of this broker ends. Answered by `Restored`.

    `applied` is how far it had applied when it was chosen.
    """

    applied: int


class FileWanted(Struct, frozen=True, tag=True):
    """A piece of a file of messages is wanted. Answered by `FilePiece`."""

    file: str
    offset: int


class KeepFile(Struct, frozen=True, tag=True):
    """A file that `from_` has uploaded to a broker is to be copied from there. Answered by `Kept` or `Preparing`."""

    file: str
    size: int
    from_: str
    broker: str


class UploadsWanted(Struct, frozen=True, tag=True):
    """What was uploaded, and is in no message yet? Answered by `Uploads`."""


class FilePiece(Struct, frozen=True, tag=True):
    """A piece of a file of `size` bytes."""

    size: int
    data: bytes


class Kept(Struct, frozen=True, tag=True):
    """The file is on disk here."""


class Uploads(Struct, frozen=True, tag=True):
    """Files, each with the `from` of who has uploaded it."""

    files: list[tuple[str, str]]


class Offer(Struct, frozen=True, tag=True):
    """A copy of a log: its size in bytes, its SHA-256, and what the log is."""

    copy: str
    size: int
    sha256: bytes
    log: str
    term: str
    applied: int


class Preparing(Struct, frozen=True, tag=True):
    """It takes a moment: ask again."""


class Piece(Struct, frozen=True, tag=True):
    """A piece of a copy."""

    data: bytes


class Restored(Struct, frozen=True, tag=True):
    """A new stream was made, which begins after a place."""

    term: str
    began: int


class Refused(Struct, frozen=True, tag=True):
    """It cannot be done; `why` is a sentence."""

    why: str


Request = CopyWanted | PieceWanted | RestoreWanted | FileWanted | KeepFile | UploadsWanted
Answer = Offer | Preparing | Piece | Restored | Refused | FilePiece | Kept | Uploads

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
