"""What rooms are told when their rosters change, with the next `rev`; and the changes that have several causes.

A handler of a command may be the cause (`presence.py`), the end of a session (`entrance.py`), an event of the log
(`moderation.py`), or what another broker tells (`afar.py`).
"""

from collections.abc import Callable

from msgspec import Raw

from zchat.protocol import messages as m
from zchat.protocol import wire

from .answers import ANSWER_UNIT
from .effects import Announce, DeferredSend, Effect, Reply
from .rights import Refused, check_speech
from .roster import Roster, new_room
from .sessions import Author, Room, Session

MOVED = "moved"  # the reason for which a session ends here whose client has come to another broker
ON_PURPOSE = {"part", "bye", "kick"}  # reasons to leave after which nobody is expected to come again
ROOMS_UNIT = 8  # rooms: announcing a change to so many costs as much as a line


def announce(roster: Roster, room: Room, event: m.Event) -> list[Effect]:
    """Tell a room of an ephemeral event: on the feed; or, if it is private, each session that is in it."""
    if room.sessions is None:
        return [Announce(wire.room_topic(room.name), event)]
    told = m.Told(room=room.name, events=(Raw(wire.encode(event)),))
    here = list(room.sessions)
    line = wire.encode(told)
    return [DeferredSend(lambda: [each.peer.id for each in here if roster.shows(each, room.name)], line)]


def cost(rooms: int, size: int) -> float:
    """Return the cost, in lines, of a change announced to so many rooms, in so many bytes each; 0 for a few rooms."""
    return rooms // ROOMS_UNIT + rooms * size // ANSWER_UNIT


def came(roster: Roster, author: Author, room: Room, bot: bool) -> m.MemberJoined:
    return m.MemberJoined(
        room=room.name,
        rev=room.rev,
        nick=author.nick or "",
        from_=author.from_,
        bot=bot,
        role=author.role if author.is_member else None,
        operator=roster.members.operates(author.from_, room.name),
    )


def went(room: Room, nick: str | None, reason: str, text: str | None = None) -> m.MemberLeft:
    return m.MemberLeft(room=room.name, rev=room.rev, nick=nick or "", reason=reason, text=text)


def rename(roster: Roster, author: Author, new: str) -> list[Effect]:
    """Give an author a nick, and announce it to its rooms. Of somebody elsewhere it may be another's here."""
    old = author.nick
    if old == new:
        return []
    roster.rename(author, new)
    effects = rivals(roster, new, author)
    for from_ in author.conversations:
        other = roster.find(from_)
        talk = other and other.conversations.get(author.from_)
        if talk:  # so that the conversation can still be found when this author has left
            talk.nick = new
    if roster.nicks.has_lost(author):
        effects += _list_again(roster, author, old)
    elif old is not None:
        effects += tell_rooms(roster, author, lambda room, rev: m.MemberRenamed(room=room, rev=rev, nick=old, new=new))
    if old is None or roster.nicks.named(old) is None:
        return effects
    return effects + _list_again(roster, author, new) + rivals(roster, old)  # whatever was hidden is not any more


def rivals(roster: Roster, nick: str | None, besides: Author | None = None) -> list[Effect]:
    """List those elsewhere who have this nick, or list them no more, now that somebody has taken it or given it up.

    Brokers tell of themselves at different times, so for a moment two may have a nick. A roster has it only once,
    because events name people by their nicks: it lists who took it last, or who is here.
    """
    authors = [author for author in roster.nicks.elsewhere(nick) if author is not besides]
    return [effect for author in authors for effect in _list_again(roster, author, author.nick)]


def _list_again(roster: Roster, author: Author, nick: str | None) -> list[Effect]:
    """List an author in just the rooms that it is in. Where it is not any more, it was known as `nick`."""
    effects: list[Effect] = []
    for room in [roster.rooms[name] for name in author.rooms if name in roster.rooms]:
        if not roster.list_in(author, room):
            continue
        if author.from_ in room.members:
            effects += announce(roster, room, came(roster, author, room, author.is_bot))
        else:
            effects += announce(roster, room, went(room, nick, "timeout"))
    return effects


def set_away(roster: Roster, author: Author, text: str | None, credential: str) -> list[Effect]:
    """Let an author be away, or back, and announce it to its rooms."""
    author.away = text

    def told(room: str, rev: int) -> m.MemberAway:
        shown = text and (text if may_speak(roster, author, room, credential) else "")
        return m.MemberAway(room=room, rev=rev, nick=author.nick or "", text=shown)

    return tell_rooms(roster, author, told)


def leave(roster: Roster, session: Session, name: str, reason: str, text: str | None = None) -> list[Effect]:
    """Remove a session from one room, and announce it to the room."""
    room, author = roster.rooms[name], session.author
    if reason in {"part", "bye"} and not may_speak(roster, author, name, session.peer.credential):
        text = None  # whoever is muted has no last word
    note_left(roster, author, name, reason, text)
    if not roster.part(session, room):
        return []
    return announce(roster, room, went(room, author.nick, reason, text))


def note_left(roster: Roster, author: Author, name: str, reason: str, text: str | None = None) -> None:
    """Note for other brokers why a session leaves a room; unless its client only moves to one of them."""
    if author.far is not None and reason in ON_PURPOSE:
        author.far.lingering.pop(name, None)
    if roster.marks is not None and reason != MOVED:
        roster.marks.left[author.from_, name] = reason, text


def typing_to(target: Author, shown: str, nick: str) -> list[Effect]:
    """Tell an author that somebody is typing to it."""
    return [Reply(one.peer.id, m.MemberTyping(to=shown, nick=nick)) for one in target.sessions]


def typing_in(roster: Roster, name: str, nick: str) -> list[Effect]:
    """Tell a room that somebody is typing."""
    room = roster.rooms.get(name) or new_room(name)
    return announce(roster, room, m.MemberTyping(room=name, nick=nick))


def tell_rooms(roster: Roster, author: Author, event: Callable[[str, int], m.Event]) -> list[Effect]:
    """Increase the `rev` of each roster that has the author, announce the change there, and charge its sessions."""
    effects: list[Effect] = []
    size = 0
    for name in author.rooms:
        room = roster.rooms.get(name)
        if room is None or author.from_ not in room.members:
            continue  # of somebody elsewhere, who is about to be listed there
        room.rev += 1
        told = event(name, room.rev)
        size = size or len(wire.encode(told))
        effects += announce(roster, room, told)
    roster.announced += size * len(effects)
    for session in author.sessions:
        session.peer.bucket.charge(cost(len(effects), size))
    return effects


def may_speak(roster: Roster, author: Author, room: str | None, credential: str) -> bool:
    """Return whether an author may say something in a room; anywhere, if `room` is None."""
    try:
        check_speech(roster.members, author.from_, room, roster.wall, credential)
    except Refused:
        return False
    return True
