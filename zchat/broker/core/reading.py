"""Read marks: through where somebody has read each room and conversation, on whatever device."""

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import names, wire

from . import ledger, speech, talks
from .answers import refuse, why_unknown
from .effects import READ_KEPT, Effect, Send
from .entries import Draft, Pair, other_end, pair_of
from .rights import Refused, check_reading
from .roster import Roster
from .sessions import Author, Session


def mark(roster: Roster, session: Session, command: m.MarkRead, now: float) -> list[Effect]:
    """Draft that somebody has read a room or a conversation, or refuse it."""
    if (command.room is None) == (command.to is None):
        return refuse(session, command, "bad_command", "read wants either a room or a nick in `to`")
    if early := ledger.check(session.producer, session.peer.id, command):
        return [early]
    bare = structs.replace(command, room=None, to=None, with_=None)  # the draft says where, in its prepared form
    author, pair, nick, room = session.author, None, None, None
    try:
        if command.room is not None:
            room = names.room(command.room)
        check_reading(roster.members, author.from_, room, roster.wall, session.peer.credential)
        if command.room is None:
            pair, nick = _conversation(roster, author, command.to or "", command.with_)
    except names.BadNameError as why:
        return speech.take_refused(session, command, ("bad_room", str(why), None))
    except Refused as refused:
        return speech.take_refused(session, command, (refused.code, refused.message, refused.limit))
    return [speech.draft(roster, session, [bare], room, pair, nick)]


def _conversation(roster: Roster, author: Author, to: str, with_: str | None) -> tuple[Pair, str]:
    """Return a conversation and the nick of its other end. Raises Refused."""
    other = with_ or talks.other_end(roster, author, to)
    if other is None:
        raise Refused("unknown_nick", why_unknown(roster, to))
    known, present = author.conversations.get(other), roster.find(other) or roster.members.get(other)
    nick = "" if present is None else present.nick
    return pair_of(author.from_, other), nick or ("" if known is None else known.nick)


def told(roster: Roster, draft: Draft, through: int) -> list[Effect]:
    """Note through where an author has read now, and tell its sessions here, but the one that said so."""
    author = roster.here(draft.from_)
    if author is None:
        return []
    with_ = None if draft.pair is None else other_end(draft.pair, draft.from_)
    key = draft.room if with_ is None else "@" + with_
    author.read.pop(key or "", None)
    author.read[key or ""] = through
    if len(author.read) > READ_KEPT:
        del author.read[next(iter(author.read))]
    peers = [session.peer.id for session in author.sessions if session.peer.id != draft.peer]
    if draft.room is not None:
        peers = [
            session.peer.id
            for session in author.sessions
            if session.peer.id in peers and roster.shows(session, draft.room)
        ]
    event = m.ReadMarked(room=draft.room, to=draft.to, with_=with_, seq=through)
    return [Send(peers, [wire.encode(event)])] if peers else []


def marks(roster: Roster, session: Session) -> dict[str, int] | None:
    """Return through where the author of a session has read, as `welcome` tells it; None if there is nothing."""
    author, named = session.author, talks.keys(roster, session.author)
    found: dict[str, int] = {}
    for key, seq in author.read.items():
        if not key.startswith("@"):
            if roster.shows(session, key):
                found[key] = seq
        elif key[1:] in named:
            found[named[key[1:]]] = seq
    return found or None
