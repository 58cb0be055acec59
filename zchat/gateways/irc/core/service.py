"""What is said to `*zchat`, understood: what a client of IRC has no command for, in words, as bouncers have it.

No nick begins with a star in IRC, so nobody is ever called so.
"""

from dataclasses import dataclass

from .chathistory import seq_of

SERVICE = "*zchat"

HELP = (
    "edit WHERE NEW TEXT    gives what you said last there another text",
    "delete WHERE [WHY]     takes back what you said last there",
    "react WHERE EMOJI      reacts to what somebody else said last there; once more takes it back",
    "pin WHERE, unpin WHERE keeps the last message there in sight, or no more",
    "last WHERE [HOW MANY]  shows the last messages there with their numbers",
    "password               makes another password of yours, for another client",
    "WHERE is a room or a nick, as in: edit #dev see you at eleven. Or the number of a message: pin 1042.",
)

_VERBS = {
    "edit": 2,
    "delete": 1,
    "react": 2,
    "pin": 1,
    "unpin": 1,
    "last": 1,
    "password": 0,
}  # by name: the words that it needs


@dataclass(frozen=True)
class Wish:
    """What is wanted: `target` is a room or a nick, "" where a message is named by its number."""

    verb: str
    target: str = ""
    seq: int | None = None
    rest: str = ""


def understood(text: str) -> Wish | None:
    """Return what somebody wants; None for what is no wish, or has too little."""
    verb, _, behind = text.strip().partition(" ")
    where, _, rest = behind.strip().partition(" ")
    verb = verb.lower()
    words = bool(where) + bool(rest.strip())
    if verb not in _VERBS or words < _VERBS[verb]:
        return None
    seq = seq_of(where)
    return Wish(verb, "" if seq else where, seq, rest.strip())
