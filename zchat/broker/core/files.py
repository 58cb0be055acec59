"""The handlers of `put` and `get`, and the rule of who may have which file.

A file is told by its SHA-256, and that is no secret: so knowing it gives nobody a right. Who uploaded a file may have
it, and put it into a message, until a message of theirs carries it; everybody else, and they themselves from then on,
if they may read a message that carries it. To all others a file that is here is as one that is not: the same answer,
and an upload of it begins at its first byte.

Uploads and downloads have a rate of their own, in bytes, beside that of lines: so whoever sends a file can still talk.
Their answers wait for the disk, and come when they are ready; no other answer waits for them.
"""

from msgspec import structs

from zchat.protocol import messages as m

from . import rights
from .answers import error, refuse
from .budget import FILE_LEAST
from .effects import Effect, Reply, Transfer
from .entries import Draft
from .rights import Refused, check_proof, check_speech
from .roster import Roster
from .sessions import Session

TRANSFERS_MAX = 8  # of one session that are not answered: two megabytes of data
WAITING_MAX = 64 * 1024 * 1024  # bytes of data that wait for the disk, of all sessions
AGAIN = 0.2  # s after which to come again if too many wait


def delay(session: Session, command: m.Put | m.Get, now: float) -> float:
    """Return the seconds that somebody has to wait with a part of a file; 0: it was counted, and may go on."""
    cost = max(command.limit if isinstance(command, m.Get) else len(command.data), FILE_LEAST)
    peer = session.peer
    for bucket in (peer.files, peer.source.files):
        if not bucket.affords(now):
            return bucket.wait
    peer.files.charge(cost)
    peer.source.files.charge(cost)
    return 0.0


def put(roster: Roster, session: Session, command: m.Put, now: float) -> list[Effect]:
    from_ = session.author.from_
    if session.nick is None:
        return refuse(session, command, "forbidden", "an observer cannot upload: say hello with a nick")
    try:
        check_proof(roster.members, from_, session.peer.credential)
        check_speech(roster.members, from_, None, roster.wall, session.peer.credential)
    except Refused as refused:
        return refuse(session, command, refused.code, refused.message)
    if wrong := _wrong(command) or _too_much(session, len(command.data), now):
        return refuse(session, command, *wrong)
    return _transfer(roster, session, command, readable=reads(roster, from_, command.file))


def _wrong(command: m.Put) -> tuple[str, str, int | None] | None:
    """Return why a part is refused whoever sends it, if so."""
    if command.size > m.FILE_MAX:
        text = f"a file has at most {m.FILE_MAX // 2**20} MiB, and this one has {command.size / 2**20:.1f}"
        return "too_long", text, m.FILE_MAX
    if len(command.data) > m.PART_MAX:
        return "too_long", f"a part of a file has at most {m.PART_MAX // 1024} KiB", m.PART_MAX
    if command.offset + len(command.data) > command.size:
        return "bad_command", "this part goes beyond the end of the file", None
    return None


def _too_much(session: Session, size: int, now: float) -> tuple[str, str, int | None] | None:
    """Count what a guest uploads for all guests of its source. Return why it may not, if so."""
    bucket = session.peer.source.guest_files
    if session.author.is_member or not size:  # who sends nothing only asks how much is here
        return None
    if bucket.affords(now):
        bucket.charge(max(size, FILE_LEAST))
        return None
    most = int(bucket.burst)
    text = (
        f"guests may upload {most / 2**20:,.0f} MiB of files a day from one address, and these are used up:"
        " come again later, or have a member invite you"
    )
    return "no_space", text, most


def get(roster: Roster, session: Session, command: m.Get, now: float) -> list[Effect]:
    if not may_fetch(roster, session.author.from_, command.file):
        return refuse(session, command, *no_file(command.file))
    return _transfer(roster, session, command, readable=True)


def _transfer(roster: Roster, session: Session, command: m.Put | m.Get, *, readable: bool) -> list[Effect]:
    size = len(command.data) if type(command) is m.Put else 0
    if session.transfers >= TRANSFERS_MAX or roster.transferring + size > WAITING_MAX:
        text = "too many parts of files wait for the disk: send it again in a moment"
        return [Reply(session.peer.id, error("rate_limited", text, command, retry_after=AGAIN))]
    session.transfers += 1
    roster.transferring += size
    author = session.author
    return [Transfer(session.peer.id, session.id, command, author.from_, author.is_member, readable)]


def done(roster: Roster, transfer: Transfer) -> Session | None:
    """Note that a transfer was carried out. Return the session that is to be answered, if it is here still."""
    roster.transferring -= len(transfer.command.data) if type(transfer.command) is m.Put else 0
    peer = roster.peers.get(transfer.peer)
    session = None if peer is None else peer.session
    if session is None or session.id != transfer.session:
        return None
    session.transfers -= 1
    return session


def still_may(roster: Roster, session: Session, transfer: Transfer) -> bool:
    """Return whether the answer to a transfer may be given: much may have changed meanwhile."""
    members, from_, credential = roster.members, session.author.from_, session.peer.credential
    try:
        check_proof(members, from_, credential)
    except Refused:
        return False
    if from_ != transfer.asker or members.ban(credential, roster.wall, from_) is not None:
        return False
    return type(transfer.command) is m.Put or may_fetch(roster, from_, transfer.command.file)


def may_fetch(roster: Roster, from_: str, file: str) -> bool:
    return roster.shelf.uploaded(file, from_) or reads(roster, from_, file)


def reads(roster: Roster, from_: str, file: str) -> bool:
    """Return whether somebody may read a message that carries a file."""
    return any(rights.reads(roster.members, from_, place) for place in roster.shelf.carriers(file))


def attach(roster: Roster, from_: str, command: m.Say) -> m.Say | tuple[str, str, int | None]:
    """Return a message with the sizes of its files, or why it may not carry them."""
    found: list[m.Attachment] = []
    for one in command.files:
        size = roster.shelf.size(one.file) if may_fetch(roster, from_, one.file) else None
        if size is None:
            return (*no_file(one.file), None)
        found.append(structs.replace(one, size=size))
    return structs.replace(command, files=tuple(found))


def on_its_way(roster: Roster, effects: list[Effect]) -> None:
    """Note that a message with files is on its way to the log, if it is: they are not to go meanwhile."""
    for draft in effects:
        for one in _files(draft) if isinstance(draft, Draft) else ():
            roster.shelf.hold(one.file)


def arrived(roster: Roster, draft: Draft) -> None:
    """Note that a draft of this broker is in the log, or was refused: whoever says it again and again keeps no file."""
    for one in _files(draft) if draft.peer else ():
        roster.shelf.let_go(one.file)


def _files(draft: Draft) -> tuple[m.Attachment, ...]:
    files: tuple[m.Attachment, ...] = getattr(draft.commands[0], "files", ())
    return files


def carried(roster: Roster, from_: str, files: tuple[m.Attachment, ...]) -> None:
    """Note that a message was stored that carries these files."""
    for one in files:
        roster.shelf.attached(one.file, from_)


def no_file(file: str) -> tuple[str, str]:
    """Return what is said of a file that is not here, or that is not for who asks: the same."""
    return "bad_file", f"there is no file {file[:16]}… that you may have: it was not uploaded, or its message is gone"
