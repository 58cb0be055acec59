"""What a nick means in a conversation: to whoever asks for its history, and where its head is told."""

from zchat.protocol import names

from .effects import Conversation
from .roster import Roster
from .sessions import Author


def keys(roster: Roster, author: Author) -> dict[str, str]:
    """Return how the conversations of an author are named where heads are told, by the `from` of their other ends."""
    found: dict[str, str] = {}
    meant: set[str] = set()  # nicks already used as keys; each means the client that used it last
    for from_, conversation in reversed(author.conversations.items()):
        nick = nick_of(roster, from_, conversation)
        if nick in meant or holder(roster, nick) not in (None, from_):  # the nick means somebody else
            nick = f"{nick}/{from_}"
        meant.add(nick)
        found[from_] = "@" + nick
    return found


def holder(roster: Roster, nick: str) -> str | None:
    """Return the `from` of who has a nick now: a member has it also while away."""
    here = roster.nicks.named(nick)
    return roster.members.named(nick, roster.wall) if here is None else here.from_


def nick_of(roster: Roster, from_: str, conversation: Conversation) -> str:
    """Return the nick of a conversation's other end: the present one, or else the last known one."""
    other = roster.find(from_) or roster.members.get(from_)
    return conversation.nick if other is None or other.nick is None else other.nick


def other_end(roster: Roster, author: Author, nick: str) -> str | None:
    """Return the `from` that a nick means to somebody: its present holder, else the last one they talked with."""
    try:
        key = names.nick_key(nick)
        if (present := holder(roster, nick)) is not None:
            return present
    except names.BadNameError:
        return None
    known = author.conversations
    past = [from_ for from_, talk in known.items() if names.nick_key(nick_of(roster, from_, talk)) == key]
    return max(past, key=lambda from_: known[from_].head) if past else None
