"""What people say: numbered commands become drafts for the log, or refusals that take their number all the same.

The order of the checks is the protocol's: first the number (a repeated one is answered as before, one that came too
early takes nothing), then whether the sender may, then the text, then where it goes.
"""

from zchat.protocol import messages as m
from zchat.protocol import names

from . import ledger
from .answers import refuse
from .effects import Draft, Effect, Pair, Refusal
from .roster import Roster, Session

Refused = tuple[str, str, int | None]  # code, message, limit


def say(roster: Roster, session: Session, command: m.Say, now: float) -> list[Effect]:
    if (command.room is None) == (command.to is None):
        return refuse(session, command, "bad_command", "say wants either a room or a nick in `to`")
    client = session.client
    if command.n != client.taken + 1 and (early := ledger.check(client, session.peer.id, command.n, command.ref)):
        return [early]
    refused = _refuse(session, command.text, command.once)
    if refused is not None:
        return _take_refused(session, command, refused)
    if command.to is not None:
        return _say_to(roster, session, command, command.to)
    return _say_in(roster, session, command, command.room or "")


def topic(roster: Roster, session: Session, command: m.SetTopic, now: float) -> list[Effect]:
    client = session.client
    if command.n != client.taken + 1 and (early := ledger.check(client, session.peer.id, command.n, command.ref)):
        return [early]
    refused = _refuse(session, command.text)
    if refused is not None:
        return _take_refused(session, command, refused)
    return _say_in(roster, session, command, command.room)


def _refuse(session: Session, text: str, once: str | None = None) -> Refused | None:
    if session.nick is None:
        return "forbidden", "a reader cannot speak: say hello with a nick", None
    if not text:
        return "bad_text", "there is no text in it", None
    if len(text) * 4 > m.TEXT_MAX and len(text.encode()) > m.TEXT_MAX:
        return "too_long", f"a text has at most {m.TEXT_MAX} bytes of UTF-8", m.TEXT_MAX
    if once is not None and len(once.encode()) > m.ONCE_MAX:
        return "too_long", f"a `once` key has at most {m.ONCE_MAX} bytes", m.ONCE_MAX
    return None


def _take_refused(session: Session, command: m.Say | m.SetTopic, refused: Refused) -> list[Effect]:
    """Refuse a numbered command; since the refusal takes its number, it is written down before it is told."""
    code, message, limit = refused
    session.client.taken = command.n
    answer = m.Error(code=code, message=message, n=command.n, limit=limit)
    return [Refusal(session.client.from_, command.n, answer, session.peer.id, command.ref)]


def _say_in(roster: Roster, session: Session, command: m.Say | m.SetTopic, room: str) -> list[Effect]:
    if room in roster.rooms:  # under the name that it has, as most are
        return [_draft(session, command, room)]
    try:
        name = names.room(room)
    except names.BadNameError as why:
        return _take_refused(session, command, ("bad_room", str(why), None))
    if not roster.has_place(name):
        full = "this broker has no place for more rooms"
        return _take_refused(session, command, ("forbidden", full, len(roster.rooms)))
    return [_draft(session, command, name)]


def _say_to(roster: Roster, session: Session, command: m.Say, to: str) -> list[Effect]:
    target = roster.named(to)
    if target is None:
        return _take_refused(session, command, ("unknown_nick", f"nobody here is called {to[:64]!r}", None))
    return [_draft(session, command, None, pair_of(session.client.from_, target.client.from_), target.nick)]


def pair_of(one: str, other: str) -> Pair:
    return (one, other) if one <= other else (other, one)


def _draft(
    session: Session, command: m.Say | m.SetTopic, room: str | None, pair: Pair | None = None, to: str | None = None
) -> Draft:
    client, n, nick, peer, ref = session.client, command.n, session.nick or "", session.peer.id, command.ref
    client.taken = n
    if type(command) is not m.Say:
        return Draft(client.from_, n, nick, command.text, room, kind=None, peer=peer, ref=ref)
    kind, reply_to, once = command.kind, command.reply_to, command.once
    return Draft(client.from_, n, nick, command.text, room, pair, to, kind, reply_to, once, peer, ref)
