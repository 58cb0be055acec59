"""`chat.messages` of a SyncClient: each call waits until it is done.

The methods do what those of the same name do in `messages.py`, with the same parameters and errors.
"""

from zchat.protocol import messages as m

from .core.pages import Page
from .messages import Messages
from .sync_administration import Wait


class SyncMessages:
    """Messages and topics, by their `seq`. See `Messages`."""

    def __init__(self, messages: Messages, wait: Wait) -> None:
        self._messages, self._wait = messages, wait

    def do(self, command: m.NumberedCommand) -> m.Ack:
        """Send any command about a message, whatever its `n`; return its ack once it is on the broker's disk."""
        return self._wait(self._messages.do(command))

    def edit(self, seq: int, text: str) -> m.Ack:
        """Give a message of one's own another text."""
        return self._wait(self._messages.edit(seq, text))

    def delete(self, seq: int, reason: str | None = None) -> m.Ack:
        """Take a message back; that of somebody else as a moderator, perhaps for a reason."""
        return self._wait(self._messages.delete(seq, reason))

    def react(self, seq: int, emoji: str, *, off: bool = False) -> m.Ack:
        """React to a message; with `off`, take that back."""
        return self._wait(self._messages.react(seq, emoji, off=off))

    def pin(self, seq: int, *, off: bool = False) -> m.Ack:
        """Have the room keep a message in sight; with `off`, no more."""
        return self._wait(self._messages.pin(seq, off=off))

    def mark_read(self, seq: int, *, room: str | None = None, to: str | None = None, with_: str | None = None) -> m.Ack:
        """Tell one's other devices that a room, or the conversation with a nick, was read through `seq`."""
        return self._wait(self._messages.mark_read(seq, room=room, to=to, with_=with_))

    def scheduled(self) -> tuple[m.Later, ...]:
        """Return what one has said for later, the soonest first."""
        return self._wait(self._messages.scheduled())

    def unschedule(self, id_: int) -> m.Ack:
        """Take back what one has said for later, by the `scheduled` of its ack."""
        return self._wait(self._messages.unschedule(id_))

    def mentions(self, before: int | None = None, limit: int = 100) -> Page:
        """Return what called one by one's nick, oldest first: the newest page, or the one `before` a `seq`."""
        return self._wait(self._messages.mentions(before, limit))
