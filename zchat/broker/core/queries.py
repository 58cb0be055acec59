"""The handlers of `ping`, answered with all heads, and of `history` and `search`, which become queries to the log."""

from zchat.protocol import messages as m
from zchat.protocol import wire
from zchat.protocol.policy import may

from . import talks
from .answers import LISTED_UNIT, error, refuse, room_name, unknown_nick
from .effects import Announce, DeferredReply, Effect, Query, Reply
from .entries import pair_of
from .rights import Refused, check_proof
from .roster import Roster
from .sessions import Room, Session

WAITING_MAX = m.ROOMS_MAX + 32  # waiting queries of one session: one for each room that it joins again, and some more


def ping(roster: Roster, session: Session, command: m.Ping, now: float) -> list[Effect]:
    rooms = [roster.rooms[name] for name in session.rooms]
    revs = {room.name: room.rev for room in rooms}
    told = len(rooms) + len(session.author.conversations)
    session.peer.bucket.charge(told // LISTED_UNIT)
    effects: list[Effect] = [DeferredReply(session.peer.id, lambda: _pong(roster, session, rooms, revs, command.ref))]
    if command.feed:
        effects.append(Announce(wire.session_topic(session.id), m.Echo(ref=command.ref)))
    return effects


def _pong(roster: Roster, session: Session, rooms: list[Room], revs: dict[str, int], ref: int | str | None) -> m.Pong:
    shown = [room for room in rooms if roster.shows(session, room.name)]
    heads = {room.name: room.head for room in shown}
    revs = {room.name: revs[room.name] for room in shown}
    for from_, key in talks.keys(roster, session.author).items():
        heads[key] = session.author.conversations[from_].head
    return m.Pong(n=session.producer.committed, heads=heads, revs=revs, ref=ref, stalled=roster.stalled)


def history(roster: Roster, session: Session, command: m.AskHistory, now: float) -> list[Effect]:
    if (command.room is None) == (command.to is None):
        return refuse(session, command, "bad_command", "history wants either a room or a nick in `to`")
    if sum(mark is not None for mark in (command.after, command.before, command.since)) > 1:
        return refuse(session, command, "bad_command", "history wants one of `after`, `before` and `since`")
    name, pair = None, None
    if command.room is not None:
        prepared = room_name(roster, session, command, command.room)
        if not isinstance(prepared, str):
            return prepared
        name = prepared
    else:
        to = command.to or ""
        other = command.with_ or talks.other_end(roster, session.author, to)
        if other is None:
            return unknown_nick(roster, session, command, to)
        pair = pair_of(session.author.from_, other)
    query = Query(
        peer=session.peer.id,
        ref=command.ref,
        asked=now,
        room=name,
        to=command.to,
        pair=pair,
        after=command.after,
        before=command.before,
        since=command.since,
        limit=command.limit,
        thread=command.thread,
        kinds=None if command.kinds is None else tuple(sorted(set(command.kinds))),
        current=command.current,
        asker=session.author.from_,
    )
    return ask(session, command, query)


def search(roster: Roster, session: Session, command: m.Search, now: float) -> list[Effect]:
    name = None
    if command.room is not None:
        prepared = room_name(roster, session, command, command.room)
        if not isinstance(prepared, str):
            return prepared
        name = prepared
    query = Query(
        peer=session.peer.id,
        ref=command.ref,
        asked=now,
        room=name,
        before=command.before,
        text=command.text,
        nick=command.nick,
        limit=command.limit,
        asker=session.author.from_,
        visible=frozenset(roster.members.private_rooms(session.author.from_)),
    )
    return ask(session, command, query)


def mentions(roster: Roster, session: Session, command: m.AskMentions, now: float) -> list[Effect]:
    """Search for what others have said with the nick of who asks."""
    if session.nick is None:
        return refuse(session, command, "forbidden", "an observer has no nick that others could call")
    query = Query(
        peer=session.peer.id,
        ref=command.ref,
        asked=now,
        before=command.before,
        text=f'"{session.nick}"',
        others=True,
        limit=command.limit,
        asker=session.author.from_,
        visible=frozenset(roster.members.private_rooms(session.author.from_)),
    )
    return ask(session, command, query)


def ask(session: Session, command: m.Command, query: Query) -> list[Effect]:
    """Queue a query behind the session's others, or refuse it if too many wait."""
    if busy := too_many(session, command):
        return busy
    session.peer.queries += 1
    return [query]


def still_may(roster: Roster, query: Query, credential: str) -> bool:
    """Return whether the answer to a query may be given to who proves this now: much may have changed meanwhile."""
    members, from_ = roster.members, query.asker
    try:
        check_proof(members, from_, credential)
    except Refused:
        return False
    if members.ban(credential, roster.wall, from_) is not None:
        return False
    if query.audit and not may(members.role(from_), "audit"):
        return False
    if query.room is not None and not members.sees(from_, query.room):
        return False
    return all(members.sees(from_, room) for room in query.visible)


def too_many(session: Session, command: m.Command) -> list[Effect]:
    """Return the effects that refuse another query, if too many of the session's queries wait; else none."""
    peer = session.peer
    if peer.queries < WAITING_MAX:
        return []
    text = f"{peer.queries} of your queries wait already: read their answers first"
    return [Reply(peer.id, error("rate_limited", text, command, retry_after=1.0))]
