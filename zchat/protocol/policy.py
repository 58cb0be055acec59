"""Who may do what: one table, read by the broker that enforces it, by the help that a person sees, by the documents.

A role has a rank, and each action of the table names the lowest role that may do it. Some actions are aimed at
somebody: they are refused against a higher rank. What depends on more than roles is not here: who operates a room, who
is banned or muted, and that there is always an owner (`broker/core/rights.py`, `administration.py`).
"""

from typing import NamedTuple

GUEST, MEMBER, MODERATOR, OWNER = "guest", "member", "moderator", "owner"
RANKS = {GUEST: 0, MEMBER: 1, MODERATOR: 2, OWNER: 3}


class Rule(NamedTuple):
    """`role` is the lowest that may; `text` says what, for people; `aimed`: not against a higher rank."""

    role: str
    text: str
    aimed: bool = False


TABLE = {
    "read": Rule(GUEST, "read public rooms"),
    "speak": Rule(GUEST, "speak in public rooms, and make one"),
    "topic": Rule(GUEST, "set a topic"),
    "keep_nick": Rule(MEMBER, "keep a nick while away"),
    "be_written_to": Rule(MEMBER, "be written to while away"),
    "members": Rule(MEMBER, "see who the members are"),
    "private": Rule(MEMBER, "make private rooms, and be let into them"),
    "invite": Rule(MEMBER, "bring in members with at most one's own role", aimed=True),
    "kick": Rule(MODERATOR, "end somebody's sessions, or their stay in a room", aimed=True),
    "mute": Rule(MODERATOR, "keep somebody from speaking", aimed=True),
    "ban": Rule(MODERATOR, "keep somebody out", aimed=True),
    "announce": Rule(MODERATOR, "make a public room read-only, and name who speaks there"),
    "keep": Rule(MODERATOR, "say for how long a public room keeps what was said"),
    "speak_in_announce": Rule(MODERATOR, "speak in read-only rooms"),
    "delete": Rule(MODERATOR, "delete what others said in rooms"),
    "audit": Rule(MODERATOR, "see who changed what about members"),
    "numbers": Rule(MODERATOR, "see what the broker has counted"),
    "role": Rule(OWNER, "make and unmake moderators and owners", aimed=True),
    "revoke_keys": Rule(OWNER, "take away anybody's devices and invitations"),
}


def may(role: str, action: str, target: str = GUEST) -> bool:
    """Return whether somebody of this role may do this, where it is aimed at somebody: to one of the role `target`."""
    rule = TABLE[action]
    return RANKS[role] >= RANKS[rule.role] and not (rule.aimed and RANKS[target] > RANKS[role])


def one(role: str) -> str:
    """Return a role with its article: `an owner`, `a member`."""
    return f"{'an' if role[:1] in 'aeiou' else 'a'} {role}"


def lowest(action: str) -> str:
    """Return the lowest role that may do this."""
    return TABLE[action].role
