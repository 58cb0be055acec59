"""A batch as the log stores it: lines with their numbers beside them, and the new state of all that they touch."""

from collections import defaultdict
from dataclasses import dataclass, field

from msgspec import Struct

from zchat.protocol import messages as m

CHAIN = 0  # the `room` of events about members: those of rooms are above it, those of conversations below


class Run(Struct):
    """The events of one room or conversation in a batch: their `seq`s, their producers and numbers, their lines."""

    seqs: list[int] = []
    ns: list[int] = []
    producers: list[str] = []  # "": that of the guest who is the sender
    lines: list[bytes] = []


@dataclass(slots=True)
class Batch:
    """The content of one transaction: rows as in `schema`, and the new heads."""

    head: int
    time: int  # milliseconds since 1970
    runs: defaultdict[int, Run] = field(
        default_factory=lambda: defaultdict(Run)
    )  # by the id of the room or conversation
    new_rooms: list[tuple[int, str, int]] = field(default_factory=list)  # id, name, head
    room_heads: dict[int, int] = field(default_factory=dict)
    topics: list[tuple[str, int]] = field(default_factory=list)  # topic, room id
    conversations: list[tuple[int, str, str, str, str, int]] = field(default_factory=list)
    clients: dict[str, tuple[int, str]] = field(default_factory=dict)  # last number and author, by producer
    answers: list[tuple[str, int, str]] = field(default_factory=list)
    once: dict[tuple[str, str], int] = field(default_factory=dict)
    marks: dict[tuple[int, str, str], tuple[int, int, str]] = field(
        default_factory=dict
    )  # room id, `seq` (0: taken off) and nick, by target, kind and key
    counted: dict[tuple[int, str], int] = field(
        default_factory=dict
    )  # how many marks a message has now, by target and kind, where that is bounded
    edited: list[tuple[int, int, int, bool]] = field(
        default_factory=list
    )  # room id, target, the `seq` of its new text, and whether the texts before it leave the log
    buried: dict[int, tuple[int, str]] = field(default_factory=dict)  # room id and `by`, by target
    attached: list[tuple[str, int, int, str, int]] = field(default_factory=list)  # file, room id, `seq`, `from`, size
    retired: list[tuple[int, int, int]] = field(default_factory=list)  # room id, last `seq`, and the time before which
    read: dict[tuple[str, int], tuple[int, bool]] = field(
        default_factory=dict
    )  # through where, and whether it is a guest, by `from` and room id
    later: dict[int, tuple[int, str, bytes] | None] = field(
        default_factory=dict
    )  # when (milliseconds since 1970), `from` and draft, by id; None: to be said no more
    last_later: int = 0  # the last id given; 0: none
    put_off: dict[str, tuple[int, int]] = field(default_factory=dict)  # how much is to be said later, by `from`
    chain: int | None = None  # the new head of the chain of members
    epoch: m.Epoch | None = None  # the epoch that begins with this batch
