"""Cursors as an agent holds them: texts, for it may keep one for days.

A `seq` alone would not do. If the log goes back, the same number comes to be another event's, and an agent that goes on
from it would miss what is new without a word. So a cursor carries the epoch in which its `seq` was given, and one of a
history that is no more is told as such. Pure.
"""

from zchat.client.core.history import epoch_of
from zchat.protocol import messages as m

from .faults import StaleCursorError


def write(seq: int, epochs: m.Epochs) -> str:
    """Return the cursor behind the event with this seq."""
    return f"{seq}.{epoch_of(epochs, seq)[:8]}"


def read(cursor: str, epochs: m.Epochs) -> int:
    """Return the seq of a cursor. Raises StaleCursorError."""
    number, _, _ = cursor.strip().partition(".")
    known = number.isascii() and number.isdigit() and len(number) <= 16
    if not known or int(number) > m.SEQ_MAX or write(int(number), epochs) != cursor.strip():
        raise StaleCursorError(cursor)
    return int(number)
