"""The handlers of `ping`, answered with all heads, and of `history` and `search`, which become queries to the log."""

from zchat.protocol import messages as m
from zchat.protocol import names, wire

from .answers import LISTED_UNIT, error, refuse, room_name, unknown_nick
from .effects import Announce, Conversation, DeferredReply, Effect, Query, Reply, pair_of
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
    meant: set[str] = set()  # nicks already used as keys; each means the client that used it last
    for from_, conversation in reversed(session.author.conversations.items()):
        nick = _nick_of(roster, from_, conversation)
        if nick in meant or _holder(roster, nick) not in (None, from_):  # the nick means somebody else
            nick = f"{nick}/{from_}"
        meant.add(nick)
        heads["@" + nick] = conversation.head
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
        other = command.with_ or _other_end(roster, session, to)
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


def ask(session: Session, command: m.Command, query: Query) -> list[Effect]:
    """Queue a query behind the session's others, or refuse it if too many wait."""
    if busy := too_many(session, command):
        return busy
    session.peer.queries += 1
    return [query]


def too_many(session: Session, command: m.Command) -> list[Effect]:
    """Return the effects that refuse another query, if too many of the session's queries wait; else none."""
    peer = session.peer
    if peer.queries < WAITING_MAX:
        return []
    text = f"{peer.queries} of your queries wait already: read their answers first"
    return [Reply(peer.id, error("rate_limited", text, command, retry_after=1.0))]


def _holder(roster: Roster, nick: str) -> str | None:
    """Return the `from` of who has a nick now: a member has it also while away."""
    here = roster.nicks.named(nick)
    return roster.members.named(nick, roster.wall) if here is None else here.from_


def _nick_of(roster: Roster, from_: str, conversation: Conversation) -> str:
    """Return the nick of a conversation's other end: the present one, or else the last known one."""
    other = roster.find(from_) or roster.members.get(from_)
    return conversation.nick if other is None or other.nick is None else other.nick


def _other_end(roster: Roster, session: Session, nick: str) -> str | None:
    """Return the `from` that a nick means to this session: its present holder, else the last one it talked with."""
    try:
        key = names.nick_key(nick)
        if (holder := _holder(roster, nick)) is not None:
            return holder
    except names.BadNameError:
        return None
    known = session.author.conversations
    past = [from_ for from_, talk in known.items() if names.nick_key(_nick_of(roster, from_, talk)) == key]
    return max(past, key=lambda from_: known[from_].head) if past else None
