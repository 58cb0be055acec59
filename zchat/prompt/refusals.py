"""A refusal of the broker's in plain words: its own sentence with local times, and what to do about it."""

from datetime import UTC, datetime

from zchat.errors import RefusedError
from zchat.escapes import escape_controls

from . import render
from .render import Style

# what to do, by the protocol's code; these codes mean nothing to people, so they are not shown
_WHAT_TO_DO = {
    "not_member": "A member can bring you in: `zchat invite` makes a link.",
    "banned": "A moderator can let you in again.",
    "muted": "",
    "bad_invite": "",
    "unknown_room": "Who is in a private room can let you in, with /admit.",
    "unknown_member": "",
    "forbidden": "",
    "bad_text": "",
    "bad_reply": "It may have been deleted.",
    "bad_target": "",
    "bad_file": "",
    "too_long": "",
    "no_space": "",
}


def explain(code: str, message: str, style: Style) -> str | None:
    """Return the sentence for a refusal, None where the code may tell more than a sentence."""
    if code not in _WHAT_TO_DO:
        return None
    shown = escape_controls(message, " ").rstrip(".")
    told = render.local_times(shown, datetime.now(UTC).isoformat(), style)
    return f"{told[:1].upper()}{told[1:]}. {_WHAT_TO_DO[code]}".rstrip()


def sentence(error: RefusedError, style: Style) -> str:
    """Return the sentence for an error; one of a kind of its own tells more itself."""
    told = explain(error.code, error.message, style) if type(error) is RefusedError else None
    return told or escape_controls(str(error), " ")
