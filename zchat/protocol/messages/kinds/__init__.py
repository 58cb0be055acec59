"""The durable kinds of events: everything that is said, and everything that is done to what was said.

`KINDS` is the list. A type checker wants the two unions below it as well; a test compares them with the list.
"""

from ..base import Event
from . import delete, edit, message, pin, reaction, topic
from .delete import Delete, Deleted, Tombstone, tombstone
from .edit import Edit, Edited
from .kind import Item, Kind, Mark, Picture, Stamp, Who
from .message import Attachment, Message, Reaction, Say
from .pin import Pin, Pinned
from .reaction import React, Reacted
from .topic import SetTopic, Topic

KINDS = (message.KIND, topic.KIND, edit.KIND, delete.KIND, reaction.KIND, pin.KIND)
Spoken = Say | SetTopic | Edit | Delete | React | Pin
Durable = Message | Topic | Edited | Deleted | Reacted | Pinned | Tombstone

BY_COMMAND: dict[type, Kind] = {kind.command: kind for kind in KINDS}
BY_EVENT: dict[type, Kind] = {kind.event: kind for kind in KINDS}


def fold(picture: Picture, event: Event) -> None:
    """Let an event change the picture of its room or conversation."""
    kind = BY_EVENT.get(type(event))
    if kind is not None:
        kind.fold(picture, event)
    elif isinstance(event, Tombstone):
        delete.fold_tombstone(picture, event)


__all__ = [
    "BY_COMMAND",
    "BY_EVENT",
    "KINDS",
    "Attachment",
    "Delete",
    "Deleted",
    "Durable",
    "Edit",
    "Edited",
    "Item",
    "Kind",
    "Mark",
    "Message",
    "Picture",
    "Pin",
    "Pinned",
    "React",
    "Reacted",
    "Reaction",
    "Say",
    "SetTopic",
    "Spoken",
    "Stamp",
    "Tombstone",
    "Topic",
    "Who",
    "fold",
    "tombstone",
]
