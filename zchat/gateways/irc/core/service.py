"""What is said to `*zchat`, understood: what a client of IRC has no command for, in words, as bouncers have it.

No nick begins with a star in IRC, so nobody is ever called so.
"""

import re
from dataclasses import dataclass

from .chathistory import seq_of

SERVICE = "*zchat"

HELP = (
    "edit WHERE NEW TEXT    gives what you said last there another text",
    "delete WHERE [WHY]     takes back what you said last there",
    "react WHERE EMOJI      reacts to what somebody else said last there; once more takes it back",
    "pin WHERE, unpin WHERE keeps the last message there in sight, or no more",
    "last WHERE [HOW MANY]  shows the last messages there with their numbers",
    "mute NICK [#ROOM] [30m|2h|1d] [WHY]   for moderators: keeps somebody from speaking, there or everywhere",
    "ban NICK [30m|2h|1d] [WHY]            keeps a member out; unmute NICK [#ROOM] and unban NICK end it",
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
    "mute": 1,
    "unmute": 1,
    "ban": 1,
    "unban": 1,
    "password": 0,
}  # by name: the words that it needs


@dataclass(frozen=True)
class Wish:
    """What is wanted: `target` is a room or a nick, "" where a message is named by its number."""

    verb: str
    target: str = ""
    seq: int | None = None
    rest: str = ""


@dataclass(frozen=True)
class Sentence:
    """What is said of a mute or a ban: where, for how long (seconds), and why."""

    room: str = ""
    seconds: int | None = None
    reason: str = ""


_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_LENGTH = re.compile("([1-9][0-9]{0,3})([mhd])")


def sentence(text: str) -> Sentence:
    """Return what stands behind a nick: `[#ROOM] [30m|2h|1d] [WHY]`."""
    room, _, rest = text.partition(" ") if text.startswith("#") else ("", "", text)
    first, _, behind = rest.strip().partition(" ")
    length = _LENGTH.fullmatch(first)
    if length is None:
        return Sentence(room, None, rest.strip())
    return Sentence(room, int(length[1]) * _SECONDS[length[2]], behind.strip())


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
