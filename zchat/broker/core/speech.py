"""The handler of all that is said, and of all that is done to it: numbered commands become drafts for the log.

Or refusals; these take the number, too. The checks have the order of the protocol. First the number: a repeated one
is answered as before; a number that is too high is not taken. Then the sender's permission, then the text, then the
destination. Most messages pass all checks: `plain` finds these quickly, several at once.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from zchat.protocol import messages as m
from zchat.protocol import names

from . import files, ledger, rights
from .answers import refuse, why_unknown
from .effects import Effect
from .entries import Draft, Numbered, Pair, Refusal, pair_of
from .rights import check_speech, no_target
from .roster import Roster
from .sessions import Session

Refused = tuple[str, str, int | None]  # code, message, limit
SHORT = m.TEXT_MAX // 4  # characters that fit into a text, whatever characters they are


def plain(roster: Roster, session: Session, commands: Sequence[m.AnyCommand | m.Error], start: int) -> list[Numbered]:
    """Return the commands from `start` on that are plain messages to one existing room and pass all checks."""
    first = commands[start]
    if type(first) is not m.Say or first.room not in roster.rooms or session.nick is None:
        return []
    members, author = roster.members, session.author
    looked_at = first.room in members.rooms or members.may_be_muted(author.from_, session.peer.credential)
    if looked_at and _forbidden(roster, session, first.room):
        return []
    n, room = session.producer.accepted, first.room
    found: list[Numbered] = []
    for command in islice(commands, start, None):
        n += 1
        if type(command) is not m.Say or command.n != n or command.room != room:
            break
        if command.to is not None or command.once is not None or command.reply_to is not None:
            break
        if command.files or command.at is not None:
            break
        if not 0 < len(command.text) <= SHORT:
            break
        found.append(command)
    return found


def speak(roster: Roster, session: Session, command: Numbered, now: float) -> list[Effect]:
    """Draft the event that a command of any kind asks for (`zchat/protocol/messages/kinds`), or refuse it."""
    kind = m.BY_COMMAND[type(command)]
    room, to = getattr(command, "room", None), getattr(command, "to", None)
    if not kind.mends and (room is None) == (to is None):
        return refuse(session, command, "bad_command", "say wants either a room or a nick in `to`")
    producer = session.producer
    if command.n != producer.accepted + 1 and (early := ledger.check(producer, session.peer.id, command)):
        return [early]
    carries = isinstance(command, m.Say) and command.files != ()
    text = kind.text(command)
    refused = _refuse(session, None if carries and text == "" else text, getattr(command, "once", None))
    refused = refused or _no_time(getattr(command, "at", None))
    if refused is None and kind.mends:
        return _mend(roster, session, command)
    refused = refused or _forbidden(roster, session, room)
    if refused is None and isinstance(command, m.Say) and carries:
        attached = files.attach(roster, session.author.from_, command)
        command, refused = (attached, None) if isinstance(attached, m.Say) else (command, attached)
    if refused is not None:
        return take_refused(session, command, refused)
    if isinstance(command, m.Say) and to is not None:
        drafted = _say_to(roster, session, command, to)
    else:
        drafted = _say_in(roster, session, command, room or "")
    if carries:
        files.on_its_way(roster, drafted)
    return drafted


def _mend(roster: Roster, session: Session, command: Any) -> list[Effect]:
    """Draft what is done to an earlier message, where that was said."""
    from_, place = session.author.from_, roster.where(command.seq)
    if place is None or not rights.reads(roster.members, from_, place):
        return take_refused(session, command, no_target(command.seq))
    refused = _forbidden(roster, session, place.room)
    if refused is not None:
        return take_refused(session, command, refused)
    if place.pair is None:
        return [draft(roster, session, [command], place.room)]
    nick = place.nicks[1 if place.pair[0] == from_ else 0]
    return [draft(roster, session, [command], None, place.pair, nick)]


def _refuse(session: Session, text: str | None, once: str | None = None) -> Refused | None:
    if session.nick is None:
        return "forbidden", "an observer cannot speak: say hello with a nick", None
    if text == "":
        return "bad_text", "there is no text in it", None
    if text is not None and len(text) * 4 > m.TEXT_MAX and len(text.encode()) > m.TEXT_MAX:
        return "too_long", f"a text has at most {m.TEXT_MAX} bytes of UTF-8", m.TEXT_MAX
    if once is not None and len(once.encode()) > m.ONCE_MAX:
        return "too_long", f"a `once` key has at most {m.ONCE_MAX} bytes", m.ONCE_MAX
    return None


def _no_time(at: datetime | None) -> Refused | None:
    """Return why something cannot be said at a time that is in no calendar: an offset may lead out of it."""
    try:
        rights.told_time(0.0 if at is None else at.timestamp())
    except rights.Refused as refused:
        return refused.code, refused.message, refused.limit
    return None


def _forbidden(roster: Roster, session: Session, room: str | None) -> Refused | None:
    """Return why the author may not speak in a room; in a conversation, if `room` is None."""
    members, from_ = roster.members, session.author.from_
    try:
        name = None if room is None else names.room(room)
        check_speech(members, from_, name, roster.wall, session.peer.credential)
    except names.BadNameError as why:
        return "bad_room", str(why), None
    except rights.Refused as refused:
        return refused.code, refused.message, refused.limit
    return None


def take_refused(session: Session, command: m.NumberedCommand, refused: Refused) -> list[Effect]:
    """Refuse a numbered command. The refusal takes the number, so it is stored before it is sent.

    What else was in it is dropped: it may be as large as a frame, and the stream of a cluster would have to take it.
    """
    code, message, limit = refused
    session.producer.accepted = command.n
    answer = m.Error(code=code, message=message, n=command.n, limit=limit)
    bare = m.Say(n=command.n, text="", ref=command.ref)
    return [Refusal(session.author.from_, [bare], answer, session.peer.id, session.producer.of_member)]


def _say_in(roster: Roster, session: Session, command: Numbered, room: str) -> list[Effect]:
    if room in roster.rooms:  # already a prepared name, as in most cases
        return [draft(roster, session, [command], room)]
    name = names.room(room)
    if not roster.allows_room(name):
        full = "this broker has too many rooms already"
        return take_refused(session, command, ("forbidden", full, len(roster.rooms)))
    roster.promised.add(name)
    return [draft(roster, session, [command], name)]


def _say_to(roster: Roster, session: Session, command: m.Say, to: str) -> list[Effect]:
    target = recipient(roster, to, command.with_)
    if target is None:
        return take_refused(session, command, ("unknown_nick", why_unknown(roster, to, command.with_), None))
    from_, nick = target
    return [draft(roster, session, [command], None, pair_of(session.author.from_, from_), nick)]


def recipient(roster: Roster, to: str, with_: str | None) -> tuple[str, str] | None:
    """Return `from` and nick of whom a direct message is for: somebody here or elsewhere, or a member who is away."""
    here = roster.addressed(to, with_)
    if here is not None:
        return here.from_, here.nick or ""
    claims = None if roster.marks is None else roster.marks.claims
    if claims is not None and (guest := claims.holder(to)) is not None and with_ in (None, guest[0]):
        return guest  # of whom its broker has not told yet
    try:
        from_ = with_ or roster.members.named(to, roster.wall)
    except names.BadNameError:
        return None
    member = roster.members.get(from_ or "")
    return None if member is None else (member.from_, member.nick)


def draft(
    roster: Roster,
    session: Session,
    commands: list[Numbered],
    room: str | None,
    pair: Pair | None = None,
    to: str | None = None,
) -> Draft:
    session.producer.accepted = commands[-1].n
    author, producer = session.author, session.producer
    chain = roster.members.head
    peer, nick = session.peer, author.nick or ""
    forget = roster.forgets_edits and type(commands[0]) is m.Edit
    of, proof = producer.of_member, peer.credential
    return Draft(author.from_, nick, commands, room, pair, to, peer.id, of, chain, proof, forget)
