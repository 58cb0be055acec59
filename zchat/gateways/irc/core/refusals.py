"""What the broker refuses, as the numerics that clients know; what has none is a standard reply."""

from zchat.errors import RefusedError
from zchat.moments import in_utc, retold

from .lines import Line
from .numerics import fail, told

_NUMERICS = {
    "nick_taken": "433", "bad_nick": "432",
    "unknown_nick": "401", "unknown_member": "401",
    "unknown_room": "403", "bad_room": "403", "not_in_room": "442",
}  # fmt: skip
_OF_SPEAKING = {"muted", "forbidden", "banned", "not_member"}
_WORDS = {
    "401": "No such nick/channel",
    "403": "No such channel",
    "432": "Erroneous nickname",
    "433": "Nickname is already in use",
    "442": "You're not on that channel",
}


def refused(error: RefusedError, command: str, nick: str, target: str) -> Line:
    """Return what a client is told of a refusal; `target` is what it named."""
    code, message = _NUMERICS.get(error.code), retold(error.message, in_utc)
    if code is not None:
        return told(code, nick, target, f"{_WORDS.get(code, 'Refused')}: {message}")
    if error.code == "bad_text":
        return told("412", nick, message)
    if error.code in _OF_SPEAKING:
        if command in ("PRIVMSG", "NOTICE", "TAGMSG"):
            return told("404" if target.startswith("#") else "531", nick, target, f"Cannot send: {message}")
        return told("482", nick, target, message)
    return fail(command, error.code.upper(), target, message)


def in_words(out: Line, nick: str) -> Line:
    """Return a standard reply for a client that does not know them."""
    return Line(out.tags, out.source, "NOTICE", [nick, f"*** {' '.join(out.params[:2])}: {out.params[-1]}"])
