"""What the hub's handlers share: making error replies, preparing room names, bounding and charging for lists."""

from typing import TypeVar

from zchat.protocol import messages as m
from zchat.protocol import names, wire

from .effects import Effect, Reply
from .rights import no_such_room
from .roster import Roster
from .sessions import Session

LISTED_UNIT = 64  # entries of a list in a reply that cost as much as one line …
ANSWER_UNIT = 64 * 1024  # … and bytes of a reply that do

T = TypeVar("T", m.Member, m.RoomInfo)


def error(
    code: str,
    message: str,
    command: m.AnyCommand | m.Command | m.Error,
    retry_after: float | None = None,
    limit: int | None = None,
) -> m.Error:
    """Make the error that answers a command: with its `ref`, and its `n` if it has one."""
    n: int | None = getattr(command, "n", None)
    return m.Error(code=code, message=message, n=n, ref=command.ref, retry_after=retry_after, limit=limit)


def refuse(session: Session, command: m.Command, code: str, message: str, limit: int | None = None) -> list[Effect]:
    """Answer a command with an error, and do nothing else."""
    return [Reply(session.peer.id, error(code, message, command, limit=limit))]


def unknown_nick(
    roster: Roster, session: Session, command: m.Command, nick: str, with_: str | None = None
) -> list[Effect]:
    return refuse(session, command, "unknown_nick", why_unknown(roster, nick, with_))


def why_unknown(roster: Roster, nick: str, with_: str | None = None) -> str:
    """Say why a nick leads to nobody; or, if `with_` is given, not to the client that is meant."""
    if with_ is not None and roster.nicks.named(nick) is not None:
        return f"{nick[:64]!r} is somebody else now, and the one you talked with is not here"
    return f"nobody here is called {nick[:64]!r}"


def room_name(roster: Roster, session: Session, command: m.Command, name: str) -> str | list[Effect]:
    """Return the prepared name of a room that is there for the author, or the effects that refuse the command."""
    try:
        prepared = names.room(name)
    except names.BadNameError as why:
        return refuse(session, command, "bad_room", str(why))
    if not roster.members.sees(session.author.from_, prepared):
        unseen = no_such_room(prepared)
        return refuse(session, command, unseen.code, unseen.message)
    return prepared


def fit(items: tuple[T, ...]) -> tuple[tuple[T, ...], int]:
    """Cut a list so that its reply stays within `wire.ANSWER_MAX`. Return the list and its size in bytes."""
    while (size := len(wire.encode(items))) > wire.ANSWER_MAX - 8 * 1024:
        items = items[: int(len(items) * (wire.ANSWER_MAX - 16 * 1024) / size)]
    return items, size


def charge(session: Session, entries: int, size: int) -> None:
    """Charge the session's rate for a list of so many entries and bytes."""
    session.peer.bucket.charge(entries // LISTED_UNIT + size // ANSWER_UNIT)
