"""What was said before, as `history` and `search` answer: a page of it at a time. Pure."""

from typing import cast

from msgspec import Struct

from zchat.protocol import messages as m
from zchat.protocol import wire


class Page(Struct, frozen=True):
    """A part of the log, oldest first, as the broker stored it.

    `events` are messages, topics, and what was done to messages; what a newer broker stores and this version does not
    know is `Opaque`. `lines` are the same as lines of JSON. `more` tells that there are others in the direction asked
    for: newer ones for `after` and `since`, else older ones. So the next page begins `before` the `seq` of the first
    event, or `after` `upto`: through that `seq` the page is complete (of a search it is 0).
    """

    events: tuple[m.Durable | m.Opaque, ...]
    lines: tuple[bytes, ...]
    more: bool
    upto: int = 0

    @property
    def messages(self) -> list[m.Message]:
        """The events that are messages."""
        return [event for event in self.events if isinstance(event, m.Message)]

    @property
    def current(self) -> list[m.Item]:
        """The messages, topics and tombstones of this page as they are at its end, in order.

        What is done to one behind the page is not in it: ask for the page with `current`, or `fold` what follows.
        """
        picture: m.Picture = {}
        for event in self.events:
            if isinstance(event, m.Event):
                m.fold(picture, event)
        return list(picture.values())


class AuditPage(Struct, frozen=True):
    """A part of what was done about members and rooms, oldest first; the fields are those of a Page."""

    events: tuple[m.MemberChanged | m.AccessChanged | m.Opaque, ...]
    lines: tuple[bytes, ...]
    more: bool
    upto: int = 0


def audit_page_of(answer: m.Audit) -> AuditPage:
    """Return the page that is in an answer of the broker."""
    lines = tuple(map(bytes, answer.events))
    events = tuple(cast("m.Administrative | m.Opaque", wire.event(line)) for line in lines)
    return AuditPage(events, lines, answer.more, answer.upto)


def page_of(answer: m.History | m.Found) -> Page:
    """Return the page that is in an answer of the broker."""
    lines = tuple(map(bytes, answer.events))
    events = tuple(cast("m.Durable | m.Opaque", wire.event(line)) for line in lines)
    return Page(events, lines, answer.more, answer.upto if isinstance(answer, m.History) else 0)
