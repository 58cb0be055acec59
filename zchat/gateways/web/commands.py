"""What a page may ask for: the protocol's own commands, without `n` (the gateway counts) and with an `id` of its own.

It is all that a person may do at the prompt. What belongs to the session (`hello`, `bye`) is the gateway's, and files
travel by HTTP. A command that the table does not have is refused here.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from zchat.errors import RefusedError
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

from .emojis import with_emoji

Asked = (
    m.Join
    | m.Part
    | m.SetNick
    | m.Typing
    | m.Ping
    | m.Away
    | m.Who
    | m.ListRooms
    | m.AskHistory
    | m.AskMentions
    | m.Search
    | m.AskStatus
    | m.AskScheduled
    | m.AskMembers
    | m.AskAudit
    | m.Kick
    | m.NumberedCommand
)
NUMBERED = frozenset(kind.__struct_config__.tag for kind in m.NumberedCommand.__args__)
UNANSWERED_MAX = 256  # commands of one person that wait for a broker that is away


class Invited(m.Reply, frozen=True, kw_only=True, tag="invited"):
    """An invitation with a code made here: `url` is for a browser, `link` for a terminal, if any leads there."""

    code: str
    hash: str
    url: str
    link: str | None = None


class Visible(msgspec.Struct):
    """Whether somebody looks at this tab now: nobody is told by push what they see."""

    visible: bool = True


class MarkUnread(msgspec.Struct, rename={"with_": "with"}):
    """A place is unread from the message `seq` on."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=m.SEQ_MAX)]
    room: str | None = None
    with_: str | None = None


class _Envelope(msgspec.Struct):
    type: str = ""
    id: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | None = None  # what JavaScript counts


class _Invite(msgspec.Struct, rename={"self_": "self"}):
    role: m.Role = "member"
    uses: int = 1
    expires: m.When | None = None
    rooms: tuple[str, ...] = ()
    self_: bool = False


def read(text: str) -> tuple[int | None, Any]:
    """Read a frame of the page: its `id`, and what it asks for. Raises BadCommandError, RefusedError."""
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
    except (ValueError, RecursionError) as error:
        raise RefusedError("bad_json", str(error)) from None
    try:
        return envelope.id, _decoded(text, envelope.type)
    except (ValueError, RecursionError) as error:
        raise BadCommandError(envelope.id, str(error)) from None


class BadCommandError(RefusedError):
    """A command that cannot be read; `reference` is its id."""

    def __init__(self, reference: int | None, message: str) -> None:
        self.reference = reference
        super().__init__("bad_command", message)


def _decoded(text: str, type_: str) -> Any:
    fields = msgspec.json.decode(text, type=dict[str, Any])
    fields.pop("ref", None)
    if type_ == "invite" and "hash" not in fields:
        return msgspec.convert(fields, _Invite, strict=True)
    if type_ == "visible":
        return msgspec.convert(fields, Visible)
    if type_ == "unread":
        return msgspec.convert(fields, MarkUnread)
    if type_ == "unschedule":  # whose own `id` is that of what was said for later
        fields["id"] = fields.pop("scheduled", None)
    if type_ in NUMBERED:
        fields["n"] = 1
    return msgspec.convert(fields, Asked)


async def carry_out(person: Person, command: Any, url: str) -> m.Reply:
    """Do what a page asks for, and return the broker's reply. Raises RefusedError, TimedOutError, ClosedError."""
    return await _HOW.get(type(command), _do)(person, command, url)


async def _do(person: Person, command: Any, _: str) -> m.Reply:
    if isinstance(command, m.NumberedCommand):
        if person.client.unanswered >= UNANSWERED_MAX:  # they are in memory and on disk, and tabs come and go
            raise RefusedError("rate_limited", "the broker has yet to answer much that you have said: try again later")
        return await person.client.messages.do(command)
    return await person.client.ask(command)


async def _say(person: Person, command: m.Say | m.Edit, url: str) -> m.Reply:
    return await _do(person, msgspec.structs.replace(command, text=with_emoji(command.text)), url)


async def _join(person: Person, command: m.Join, _: str) -> m.Reply:
    return await person.join(command.room, after=command.after, backlog=command.backlog)


async def _part(person: Person, command: m.Part, _: str) -> m.Reply:
    return await person.part(command.room, command.reason)


async def _rename(person: Person, command: m.SetNick, _: str) -> m.Reply:
    await person.rename(command.nick)
    return m.Renamed(nick=person.client.nick or command.nick)


async def _typing(person: Person, command: m.Typing, _: str) -> m.Reply:
    await person.client.send_typing(command.room, to=command.to, with_=command.with_)
    return m.Ok()


async def _invite(person: Person, command: _Invite, url: str) -> m.Reply:
    made = await person.client.administration.invite(
        role=command.role, uses=command.uses, expires=command.expires, rooms=command.rooms, self_=command.self_
    )
    broker = person.client.link
    link = None if broker is None else f"{broker}/{made.code}"
    return Invited(code=made.code, hash=made.hash, url=f"{url}/#in={made.code}", link=link)


_HOW: dict[type, Callable[[Person, Any, str], Awaitable[m.Reply]]] = {
    m.Say: _say,
    m.Edit: _say,
    m.Join: _join,
    m.Part: _part,
    m.SetNick: _rename,
    m.Typing: _typing,
    _Invite: _invite,
}
