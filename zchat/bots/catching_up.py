"""What was said while a bot was away, as it is now: edited meanwhile, or deleted.

The log tells a message first, and what was done to it later. A bot that acts on each event as it comes would run a
command that has another text by now. So the events of a stream that is behind wait until all of them have come (or
there are too many). An edit gives its text to the message that waits, and a deletion takes it away. The message then
`carries` its edits: when its handlers are done with it, so are they with the edits, also after a crash. Of several
edits of one message only the last one may run a command; the others are `outdated`.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import structs

from zchat.protocol import messages as m

HELD_MAX = 1_000  # events of one stream


class CatchingUp:
    """The events that wait, by stream and `seq`."""

    def __init__(self) -> None:
        self._held: dict[str, dict[int, Any]] = {}
        self._last_edit: dict[int, int] = {}  # of each message: the `seq` of its last edit
        self._carried: dict[int, list[int]] = {}
        self._outdated: set[int] = set()

    def hold(self, stream: str, event: Any) -> list[Any]:
        """Let an event wait; return those that have waited for too many others."""
        held = self._held.setdefault(stream, {})
        if isinstance(event, m.Edited | m.Deleted):
            self._mend(held, event)
        held[event.seq] = event
        return [held.pop(seq) for seq in list(held)[: HELD_MAX // 2]] if len(held) > HELD_MAX else []

    def release(self, stream: str) -> list[Any]:
        """The stream has caught up: return what has waited."""
        return list(self._held.pop(stream, {}).values())

    def forget_above(self, shared: int) -> None:
        """The log went back: what comes after `shared` is no more."""
        self._held = {
            stream: {seq: event for seq, event in held.items() if seq <= shared} for stream, held in self._held.items()
        }

    def carried(self, seq: int) -> Iterable[int]:
        """Return the edits whose text a message has, once."""
        return self._carried.pop(seq, ())

    def is_outdated(self, seq: int) -> bool:
        """Say whether the text of an edit is not to be acted on; once."""
        known = seq in self._outdated
        self._outdated.discard(seq)
        return known

    def _mend(self, held: dict[int, Any], event: m.Edited | m.Deleted) -> None:
        target, said = event.target, held.get(event.target)
        before = self._last_edit.pop(target, 0)
        if before in held:
            self._outdated.add(before)
        if isinstance(event, m.Edited):
            self._last_edit[target] = event.seq
        if not isinstance(said, m.Message):
            return
        if isinstance(event, m.Deleted):
            held[target] = m.tombstone(said, event.by)
            return
        held[target] = structs.replace(said, text=event.text)
        self._outdated.add(event.seq)
        self._carried.setdefault(target, []).append(event.seq)
