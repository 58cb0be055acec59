"""What the broker refuses, as the numerics that clients know; what has none is a standard reply."""

from zchat.errors import RefusedError

from .lines import Line
from .numerics import fail, told

_OF_NICKS = {"nick_taken": "433", "bad_nick": "432"}
_OF_A_PERSON = {"unknown_nick": "401", "unknown_member": "401"}
_OF_A_ROOM = {"unknown_room": "403", "bad_room": "403", "not_in_room": "442"}
_OF_SPEAKING = {"muted", "forbidden", "banned", "not_member"}
_WORDS = {
    "401": "No such nick/channel",
    "403": "No such channel",
    "433": "Nickname is already in use",
    "442": "You're not on that channel",
}


def refused(error: RefusedError, command: str, nick: str, target: str) -> Line:
    """Return what a client is told of a refusal; `target` is what it named."""
    code = {**_OF_NICKS, **_OF_A_PERSON, **_OF_A_ROOM}.get(error.code)
    if code is not None:
        return told(code, nick, target, f"{_WORDS.get(code, 'Refused')}: {error.message}")
    if error.code == "bad_text":
        return told("412", nick, error.message)
    if error.code in _OF_SPEAKING:
        if command in ("PRIVMSG", "NOTICE", "TAGMSG"):
            return told("404" if target.startswith("#") else "531", nick, target, f"Cannot send: {error.message}")
        return told("482", nick, target, error.message)
    return fail(command, error.code.upper(), target, error.message)


def in_words(out: Line, nick: str) -> Line:
    """Return a standard reply for a client that does not know them."""
    return Line(out.tags, out.source, "NOTICE", [nick, f"*** {' '.join(out.params[:2])}: {out.params[-1]}"])
