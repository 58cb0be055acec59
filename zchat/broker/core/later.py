"""What is said for later: asking for it, taking it back, and saying it when it is due.

The log keeps it (`noting.py`), and says it once. What only a broker knows it adds when it drafts that: how people are
called who are here, and whether whom it is for is anywhere. What cannot be said any more is dropped, and its author is
told, at whatever broker.
"""

from collections.abc import Sequence

from zchat.protocol import messages as m
from zchat.protocol import wire

from . import ledger, speech
from .answers import charge, why_unknown
from .effects import DeferredReply, Effect, Reply, Unsaid
from .entries import Draft, Due, Postponed, Told, other_end
from .roster import Roster
from .sessions import Session


def scheduled(roster: Roster, session: Session, command: m.AskScheduled, now: float) -> list[Effect]:
    """Tell what one has said for later."""

    def answer() -> m.Scheduled:
        found = roster.scheduled(session.author.from_)
        charge(session, len(found), sum(len(_say(one.draft).text) for one in found))
        return m.Scheduled(messages=tuple(map(_described, found)), ref=command.ref)

    return [DeferredReply(session.peer.id, answer)]


def unschedule(roster: Roster, session: Session, command: m.Unschedule, now: float) -> list[Effect]:
    """Draft that one takes back what one has said for later."""
    if early := ledger.check(session.producer, session.peer.id, command):
        return [early]
    return [speech.draft(roster, session, [command], None)]


def due(roster: Roster, rows: Sequence[Postponed]) -> list[Due]:
    """Draft what is to be said now, if that is not on its way already."""
    drafts = [_due(roster, row) for row in rows if row.id not in roster.telling]
    roster.telling.update(draft.id for draft in drafts)
    return drafts


def _due(roster: Roster, row: Postponed) -> Due:
    draft = row.draft
    author = roster.find(draft.from_)
    nick = draft.nick if author is None or author.nick is None else author.nick
    if draft.pair is not None:
        other = other_end(draft.pair, draft.from_)
        target = speech.recipient(roster, draft.to or "", other)
        if target is None:
            why = why_unknown(roster, draft.to or "", other)
            return Due(row.id, nick, draft.to, m.Error(code="unknown_nick", message=why))
        return Due(row.id, nick, target[1])
    holder = roster.nicks.named(nick) or roster.nicks.resembling(nick, author)
    if holder is not None and holder.from_ != draft.from_ and roster.members.get(draft.from_) is None:
        taken = f"the nick {nick} is somebody else's now, or looks like one: {holder.nick}"
        return Due(row.id, nick, None, m.Error(code="nick_taken", message=taken))
    if not roster.allows_room(draft.room or ""):
        full = "this broker has too many rooms already"
        return Due(row.id, nick, None, m.Error(code="forbidden", message=full, limit=len(roster.rooms)))
    return Due(row.id, nick)


def dropped(roster: Roster, told: Told, error: m.Error) -> list[Effect]:
    """Tell an author, here, that what it said for later could not be said; and the log file."""
    draft, author = told.draft, roster.here(told.draft.from_)
    with_ = None if draft.pair is None else other_end(draft.pair, draft.from_)
    event = m.Dropped(id=told.id, room=draft.room, to=draft.to, with_=with_, code=error.code, message=error.message)
    sessions = () if author is None else author.sessions
    return [*(Reply(session.peer.id, event) for session in sessions), Unsaid(draft.from_, told.id, error.code)]


def _described(row: Postponed) -> m.Later:
    draft = row.draft
    with_ = None if draft.pair is None else other_end(draft.pair, draft.from_)
    at = wire.timestamp(row.at / 1_000)
    return m.Later(id=row.id, at=at, room=draft.room, to=draft.to, with_=with_, text=_say(draft).text)


def _say(draft: Draft) -> m.Say:
    command = draft.commands[0]
    return command if isinstance(command, m.Say) else m.Say(n=1, text="")
