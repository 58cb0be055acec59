"""Which history a place belongs to. Pure."""

from zchat.protocol import messages as m


def epoch_of(epochs: m.Epochs, seq: int) -> str:
    """Return the id of the epoch in which a place was given, "" for one from before all that are known.

    A log that goes back gives its places again: with its epoch, a place names one event for ever.
    """
    return next((id_ for id_, first in reversed(epochs) if first <= seq), "")
