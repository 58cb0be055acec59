"""Presence: the handlers of commands that change a roster or ask for one.

Each handler takes the roster, a session and its command, changes the roster at once, and returns effects. Each change
of a room's roster is announced to the room by an event with the new `rev`. Quiet followers and observers cause none.
"""

from collections.abc import Iterable, Set
from itertools import islice
from typing import cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from zchat.protocol import messages as m
from zchat.protocol import names, wire

from . import bus, queries
from .announcing import announce, came, leave, may_speak, note_left, rename, set_away, typing_in, typing_to, went
from .answers import charge, error, fit, refuse, room_name, unknown_nick
from .effects import DeferredReply, Effect, Query, Reply
from .rights import Refused, free_nick, no_such_room
from .roster import Roster
from .sessions import Author, Listing, Room, Session

ANNOUNCED_MAX = 1024 * 1024  # bytes of `nick` and `away` changes announced to rooms in one batch
ANNOUNCED_AGAIN = 0.1  # s: the `retry_after` beyond that
LISTED_MAX = 4_000  # entries of a list: more never fit into one reply
LISTED_AGAIN = 1.0  # s for which an encoded list is reused for the next one who joins: `idle` is in seconds
MEMBERS_TOLD = 1_000  # members in `joined`: after a restart all clients join at once, and each gets the list


def refuse_nick(
    roster: Roster, nick: str, author: Author | None, command: m.Command, leaving: Author | None = None
) -> m.Error | None:
    """Return the error if this author (None: a new one) cannot have the nick. `leaving` is one who is about to go."""
    try:
        nick = names.nick(nick)
    except names.BadNameError as why:
        return error("bad_nick", str(why), command)
    if roster.nicks.here(nick) not in (None, author, leaving):
        return error("nick_taken", f"the nick {nick} is taken", command)
    try:
        free_nick(roster.members, nick, None if author is None else author.from_, roster.wall)
    except Refused as refused:
        return error(refused.code, refused.message, command)
    claimed = roster.nicks.claimed_like(nick)
    if claimed is not None:
        return error("nick_taken", f"the nick {nick} is taken, or looks like {claimed}, which a member takes", command)
    other = roster.nicks.resembling(nick, author, leaving)
    if other is None:
        return None
    return error("nick_taken", f"the nick {nick} looks like {other.nick}, who is here", command)


def nick(roster: Roster, session: Session, command: m.SetNick, now: float) -> list[Effect]:
    if session.nick is None:
        return refuse(session, command, "forbidden", "an observer has no nick: say hello with one")
    refusal = refuse_nick(roster, command.nick, session.author, command)
    if refusal is not None:
        return [Reply(session.peer.id, refusal)]
    if loud := _too_loud(roster, session, command):
        return loud
    new = names.nick(command.nick)
    return [Reply(session.peer.id, m.Renamed(nick=new, ref=command.ref)), *rename(roster, session.author, new)]


def away(roster: Roster, session: Session, command: m.Away, now: float) -> list[Effect]:
    text = command.text
    if session.nick is None:
        return refuse(session, command, "forbidden", "an observer is in no roster")
    if loud := _too_loud(roster, session, command):
        return loud
    done: list[Effect] = [Reply(session.peer.id, m.Ok(ref=command.ref))]
    author = session.author
    if text and not may_speak(roster, author, None, session.peer.credential):
        text = ""  # whoever is muted may be away, and not say why
    if text == author.away:
        return done
    if roster.marks is not None:
        author.away_set = author.away_set[0] + 1, roster.marks.name
        roster.mark(author)
    return done + set_away(roster, author, text, session.peer.credential)


def _too_loud(roster: Roster, session: Session, command: m.Command) -> list[Effect]:
    """Return the effects that refuse a change, if this batch already announces too much to rooms; else none."""
    if roster.announced < ANNOUNCED_MAX:
        return []
    text = "too many changes are being announced to rooms: send it again later"
    return [Reply(session.peer.id, error("rate_limited", text, command, retry_after=ANNOUNCED_AGAIN))]


def typing(roster: Roster, session: Session, command: m.Typing, now: float) -> list[Effect]:
    if session.nick is None:
        return refuse(session, command, "forbidden", "an observer does not type")
    if command.to is not None and command.room is None:
        target = roster.addressed(command.to, command.with_)
        if target is None:
            return unknown_nick(roster, session, command, command.to, command.with_)
        if roster.marks is not None and target.far is not None:
            to, nick = target.from_, target.nick or ""
            roster.marks.told.append(bus.Typing(roster.marks.name, session.nick, to=to, to_nick=nick))
        return typing_to(target, target.nick or "", session.nick)
    if command.room is None or command.to is not None:
        return refuse(session, command, "bad_command", "typing wants either a room or a nick in `to`")
    name = room_name(roster, session, command, command.room)
    if not isinstance(name, str):
        return name
    if roster.marks is not None:
        roster.marks.told.append(bus.Typing(roster.marks.name, session.nick, room=name))
    return typing_in(roster, name, session.nick)


def join(roster: Roster, session: Session, command: m.Join, now: float) -> list[Effect]:
    if command.after is not None and command.backlog is not None:
        return refuse(session, command, "bad_command", "join wants `after` or `backlog`, not both")
    name = room_name(roster, session, command, command.room)
    if not isinstance(name, str):
        return name
    if name not in session.rooms and len(session.rooms) >= m.ROOMS_MAX:
        return refuse(session, command, "forbidden", "you are in too many rooms: part one first", m.ROOMS_MAX)
    asks = command.after is not None or command.backlog is not None
    busy = queries.too_many(session, command) if asks else []
    room = None if busy else roster.room(name)
    if room is None:
        full = "this broker has too many rooms already"
        return busy or refuse(session, command, "forbidden", full, len(roster.rooms))
    quiet = command.quiet or session.nick is None
    effects = _come(roster, session, room, quiet)
    listing = _listing(room, roster.members.operators(name), now)
    charge(session, listing.count, len(listing.text))
    members = cast("tuple[m.Member, ...]", (Raw(listing.text),) if listing.count else ())  # encoded already
    rev, more, ref, mode = room.rev, listing.count < len(room.members), command.ref, _mode(roster, name)
    effects.append(
        DeferredReply(
            session.peer.id,
            lambda: (
                _if_shown(roster, session, command, name)
                or m.Joined(
                    room=name, topic=room.topic, head=room.head, rev=rev, members=members, more=more, mode=mode, ref=ref
                )
            ),
        )
    )
    if not asks:
        return effects
    limit = m.LIMIT_MAX if command.backlog is None else command.backlog
    asker = session.author.from_
    query = Query(peer=session.peer.id, ref=ref, asked=now, room=name, after=command.after, limit=limit, asker=asker)
    return effects + queries.ask(session, command, query)


def _come(roster: Roster, session: Session, room: Room, quiet: bool) -> list[Effect]:
    """Let a session come into a room, or follow it quietly from now on."""
    author = session.author
    if quiet and session.rooms.get(room.name) is False:
        note_left(roster, author, room.name, "part")
    if not roster.join(session, room, quiet):
        return []
    if author.from_ in room.members:
        return announce(roster, room, came(roster, author, room, session.bot))
    return announce(roster, room, went(room, author.nick, "part"))


def _if_shown(roster: Roster, session: Session, command: m.Command, room: str) -> m.Error | None:
    """Return the error that takes an answer's place if the room is not there for the asker any more."""
    if roster.shows(session, room):
        return None
    unseen = no_such_room(room)
    return error(unseen.code, unseen.message, command)


def _listing(room: Room, operators: Set[str], now: float) -> Listing:
    """Return the members that `joined` lists. A new member is added to the list that was encoded for the last one."""
    old, people = room.listing, len(room.members)
    if old is None or now - old.at >= LISTED_AGAIN:
        old = None
    elif old.rev == room.rev:
        return old
    elif (old.rev + 1, old.people + 1) != (room.rev, people):  # more happened than one more member joining
        old = None
    text, count, at = (b"", 0, now) if old is None else (old.text, old.count, old.at)
    if old is None:
        coming = islice(room.members.values(), MEMBERS_TOLD)
    elif old.count == old.people < MEMBERS_TOLD:
        coming = islice(reversed(room.members.values()), 1)
    else:
        coming = islice(room.members.values(), 0)  # the list is full
    lines, size = [text] if count else [], len(text)
    for line in (wire.encode(one.described(now, operators)) for one in coming):
        size += len(line) + 1
        if size > wire.ANSWER_MAX - 8 * 1024:
            break
        lines.append(line)
        count += 1
    room.listing = Listing(at=at, rev=room.rev, people=people, count=count, text=b",".join(lines))
    return room.listing


def part(roster: Roster, session: Session, command: m.Part, now: float) -> list[Effect]:
    name = room_name(roster, session, command, command.room)
    if not isinstance(name, str):
        return name
    if name not in session.rooms:
        return refuse(session, command, "not_in_room", f"you are not in {name}")
    done = Reply(session.peer.id, m.Parted(room=name, ref=command.ref))
    return [*leave(roster, session, name, "part", command.reason), done]


def who(roster: Roster, session: Session, command: m.Who, now: float) -> list[Effect]:
    name, rev = None, None
    found: Iterable[Author]
    if command.nick is not None:
        one = roster.nicks.named(command.nick)
        if one is None:
            return unknown_nick(roster, session, command, command.nick)
        found = [one]
    elif command.room is not None:
        prepared = room_name(roster, session, command, command.room)
        if not isinstance(prepared, str):
            return prepared
        name, room = prepared, roster.rooms.get(prepared)
        rev, found = (room.rev, room.members.values()) if room else (0, [])
    else:
        found = roster.nicks.authors()
    every = tuple(_described(roster, one, now, session.author.from_, name) for one in islice(found, LISTED_MAX))
    members, size = fit(every)
    charge(session, len(members), size)
    more = len(members) < len(every)
    reply = m.Roster(room=name, rev=rev, members=members, more=more, ref=command.ref)
    if name is not None and not names.is_private(name):
        return [Reply(session.peer.id, reply)]
    return [DeferredReply(session.peer.id, lambda: _as_shown(roster, session, command, reply))]


def _as_shown(roster: Roster, session: Session, command: m.Who, reply: m.Roster) -> m.Reply:
    """Return a roster without the private rooms that are not there for the asker any more."""
    if reply.room is not None:
        return _if_shown(roster, session, command, reply.room) or reply
    members = (
        msgspec.structs.replace(one, rooms=tuple(name for name in one.rooms if roster.shows(session, name)))
        if one.rooms and any(names.is_private(name) for name in one.rooms)
        else one
        for one in reply.members
    )
    return msgspec.structs.replace(reply, members=tuple(members))


def rooms(roster: Roster, session: Session, command: m.ListRooms, now: float) -> list[Effect]:
    asker = session.author.from_
    there = [(room, len(room.members)) for room in roster.rooms.values() if roster.members.sees(asker, room.name)]
    about = sum(len(room.name) + len(room.topic) for room, _ in there)  # the reply comes later
    charge(session, min(len(there), LISTED_MAX), min(about, wire.ANSWER_MAX))

    def answer() -> m.Rooms:
        listed = (
            m.RoomInfo(
                room=room.name,
                topic=room.topic,
                members=members,
                head=room.head,
                mode=_mode(roster, room.name) or UNSET,
                keep=keep,
            )
            for room, members in there
            for keep in (_keep(roster, room.name),)
            if roster.shows(session, room.name)
            and (members or room.head or names.is_private(room.name) or keep is not UNSET)
        )
        every = tuple(islice(listed, LISTED_MAX))
        rooms, _ = fit(every)
        return m.Rooms(rooms=rooms, more=len(rooms) < len(every), ref=command.ref)

    return [DeferredReply(session.peer.id, answer)]


def _described(roster: Roster, author: Author, now: float, asker: str, room: str | None) -> m.Member:
    """Describe an author in a room; or with the rooms that it is in, as far as they are there for the `asker`."""
    if room is not None:
        return author.described(now, roster.members.operators(room))
    member = author.described(now)
    shown = tuple(name for name in author.rooms if roster.members.sees(asker, name))
    return msgspec.structs.replace(member, rooms=shown)


def _keep(roster: Roster, room: str) -> int | UnsetType:
    """Return for how many days a room keeps what is said, if it says so itself."""
    access = roster.members.rooms.get(room)
    return UNSET if access is None or access.keep is None else access.keep


def _mode(roster: Roster, room: str) -> str | None:
    """Return the mode of a room, as it is told; None for a public one."""
    access = roster.members.rooms.get(room)
    return None if access is None or access.mode == "public" else access.mode
