"""Authors who are at other brokers: what their records change in the rosters here, and what rooms are told of it.

A record of an author replaces the one before it from the same broker. What differs becomes `left`, `renamed`, `joined`
and `away` here, each with the next `rev` of this broker. So a record may come twice, and one may be missing.

Who leaves a broker without saying why is on its way to another one: its client was claimed there, or its broker died.
It *lingers* in its rooms for `grace` seconds. If it is back by then, nothing was told. Whoever leaves a room on purpose
lingers there no more.
"""

from collections.abc import Iterable

from . import announcing, bus
from .effects import Effect
from .marks import Marks
from .roster import Roster, new_room
from .sessions import NICK, Author, Far, Session

ROOMS_TOLD = 1_024  # of one author with many sessions: bounds a record by 256 KiB
Reasons = dict[str, tuple[str, str | None]]  # why rooms were left, and the words with it


def update(
    roster: Roster, marks: Marks, broker: str, from_: str, record: bus.Elsewhere | None, left: Reasons
) -> list[Effect]:  # fmt: skip
    """Take what a broker told of an author; None: it has no session there."""
    author = roster.find(from_) or Author(from_)
    far, was = author.far or Far(marks.now), (author.is_bot, author.role)
    before = far.records.pop(broker, None)
    if record is not None:
        far.records[broker] = record
        far.active = max(far.active, marks.now - record.idle)
        author.role = _role(roster, author, record)
    if before is None and record is None:
        return []
    author.far = far
    old, new = _places(before), _places(record)
    _let_linger(marks, author, old - new - left.keys())
    for name in old - new & left.keys():
        if left[name][0] in announcing.ON_PURPOSE:
            far.lingering.pop(name, None)
    effects = settle(roster, author, sorted(old | new), left)
    if (author.is_bot, author.role) != was:
        for name in author.rooms:
            roster.rooms[name].listing = None  # they change without a `rev`
    return effects


def settle(roster: Roster, author: Author, rooms: Iterable[str] = (), left: Reasons | None = None) -> list[Effect]:
    """List an author who is elsewhere in just those of the rooms that it is in; tell also its nick, and if it is away.

    To be called after each change of its sessions here and elsewhere.
    """
    far, nick = author.far, author.nick
    if far is None:
        return []
    effects: list[Effect] = []
    there = [name for name in rooms if name != NICK and author.is_in(name)]
    for room in [roster.rooms[name] for name in rooms if name in roster.rooms and name not in there]:
        if roster.list_in(author, room):
            reason, text = (left or {}).get(room.name, ("timeout", None))
            effects += announcing.announce(roster, room, announcing.went(room, nick, reason, text))
    roster.place(author)
    effects += _rename(roster, author)
    for name in there:
        if name not in roster.rooms:
            roster.rooms[name] = new_room(name)  # no more than the others have
        room = roster.rooms[name]
        if roster.list_in(author, room):
            effects += announcing.announce(roster, room, announcing.came(roster, author, room, author.is_bot))
    effects += _away(roster, author)
    if author.far is None or author.far.nick is None:
        effects += announcing.rivals(roster, nick)
    return effects


def linger(roster: Roster, session: Session) -> None:
    """Let an author be listed still in the rooms of a session that is about to end, because its client moves."""
    marks, author = roster.marks, session.author
    rooms = [name for name, quiet in session.rooms.items() if not quiet]
    if marks is None or session.nick is None:
        return
    if author.far is None:
        author.far = Far(session.active)
    author.far.active = max(author.far.active, session.active)
    _let_linger(marks, author, [*rooms, NICK])
    roster.place(author)


def expire(roster: Roster, marks: Marks) -> list[Effect]:
    """Let those leave who have lingered for long enough."""
    effects: list[Effect] = []
    for from_ in list(marks.lingering):
        author = roster.find(from_)
        far = None if author is None else author.far
        over = [] if far is None else [name for name, until in far.lingering.items() if until <= marks.now]
        if author is not None and far is not None and (over or not far.lingering):
            for name in over:
                del far.lingering[name]
            effects += settle(roster, author, over)
        if far is None or not far.lingering:
            del marks.lingering[from_]
    return effects


def record_of(author: Author) -> bus.Elsewhere:
    """Return what other brokers are told of an author, from its sessions here alone; without `idle`."""
    shown = author.is_shown_here
    here = [session for session in author.sessions if not session.observer]
    rooms = {name for session in author.sessions for name, quiet in session.rooms.items() if not quiet}
    return bus.Elsewhere(
        author.from_,
        author.nick if shown else None,
        author.role,
        shown and all(session.bot for session in here),
        author.away if shown else None,
        author.away_set if shown else (0, ""),
        frozenset(sorted(rooms)[:ROOMS_TOLD]),
        author.credential,
    )


def _places(record: bus.Elsewhere | None) -> frozenset[str]:
    """Return where a record shows its author: in rooms, and by its nick."""
    return frozenset() if record is None or record.nick is None else record.rooms | {NICK}


def _let_linger(marks: Marks, author: Author, rooms: Iterable[str]) -> None:
    for name in rooms:
        if author.far is not None:
            author.far.lingering[name] = marks.until
            marks.lingering[author.from_] = None


def _role(roster: Roster, author: Author, record: bus.Elsewhere) -> str:
    member = roster.members.get(author.from_)
    return record.role if member is None else member.role  # the log knows better than what comes beside it


def _rename(roster: Roster, author: Author) -> list[Effect]:
    nick = _nick(roster, author)
    if nick is not None:
        return announcing.rename(roster, author, nick)
    roster.rename(author, None)
    return []


def _nick(roster: Roster, author: Author) -> str | None:
    member, far = roster.members.get(author.from_), author.far
    if member is not None:
        return member.nick
    if author.is_shown_here or far is None:
        return author.nick
    if far.shown:
        return far.shown[-1].nick
    return author.nick if far.lingering else None


def _away(roster: Roster, author: Author) -> list[Effect]:
    """Take over the latest word of whether an author is away: it may have come from a session here, or elsewhere."""
    told = [(record.away_set, record.away) for record in (author.far.shown if author.far else ())]
    if author.is_shown_here:
        told.append((author.away_set, author.away))
    if not told:
        if author.far is None:
            author.away, author.away_set = None, (0, "")  # it only observes
        return []
    latest, text = max(told, key=lambda each: each[0])
    if latest != author.away_set and author.is_shown_here:
        roster.mark(author)
    author.away_set = latest
    return [] if text == author.away else announcing.set_away(roster, author, text, author.credential)
