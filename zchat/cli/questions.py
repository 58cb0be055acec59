"""`zchat history`, `search`, `mentions`, `who`, `rooms`, `status`: each sends one query and prints the reply."""

import dataclasses
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from zchat.errors import RefusedError, TimedOutError, UnreachableError
from zchat.prompt import arguments, render, tables
from zchat.protocol import messages as m
from zchat.protocol import wire

from . import options
from .options import Connection, option
from .sink import Printer
from .speaking import Come, coming, whose

if TYPE_CHECKING:
    from zchat.client.client import ChatClient
    from zchat.client.core.pages import Page

T = TypeVar("T")
_STORED: tuple[type[m.Event], ...] = (*m.BY_EVENT, m.Tombstone)
KINDS = tuple(str(kind.__struct_config__.tag) for kind in _STORED)
NO_SESSION = 3.0  # seconds for the answer to somebody who could not come in

limit = option(
    "-n", "--limit", type=arguments.Whole(1, m.LIMIT_MAX), metavar="N", default=20, show_default=True,
    help="The greatest number of messages.",
)  # fmt: skip
room_filter = option(
    "-r", "--room", callback=options.check_one_room, multiple=True, metavar="ROOM",
    help="Only this room. [default: all rooms]",
)  # fmt: skip
who_asks = option("--nick", callback=arguments.check_nick, metavar="NICK", help="Who you are, if you are no member.")
before = option("--before", type=arguments.Whole(1, m.SEQ_MAX), metavar="SEQ", help="Only messages before this one.")


def check_kinds(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Convert `message,edit` to types of events (a click callback)."""
    if value is None:
        return None
    kinds = tuple(dict.fromkeys(kind.strip() for kind in value.split(",")))
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise click.BadParameter(f"there is no kind {unknown[0]!r}. Write one or more of {', '.join(KINDS)}.")
    return kinds


@click.command(
    epilog="""
\b
Examples:
  zchat history -n 50
  zchat history --room dev --since 1d
  zchat history --before 1042 --json      the page before the one that began with 1042
  zchat history --current                 each message with its last text and its reactions
  zchat history --thread 1042 --current   a message and its answers
  zchat history --pins                    what is pinned now
  zchat history --kinds edit,delete       who has changed or deleted something
  zchat history --to bob                  what you and bob have said to each other
"""
)
@options.connects()
@options.room("The room.")
@option("--to", callback=arguments.check_nick, metavar="NICK", help="Your conversation with a person, instead.")
@who_asks
@limit
@before
@option("--after", type=arguments.Whole(0, m.SEQ_MAX), metavar="SEQ", help="The first messages after this one.")
@option(
    "--since", callback=options.check_since, metavar="WHEN", help="The first messages since 10m, 2h, 1d ago, or a time."
)
@option("--thread", type=arguments.Whole(1, m.SEQ_MAX), metavar="NUMBER", help="Only this message and its answers.")
@option("--kinds", callback=check_kinds, metavar="KIND,…", help=f"Only events of these kinds: {', '.join(KINDS)}.")
@option("--current", is_flag=True, help="Messages as they are now, in place of what was done to them.")
@option("--pins", is_flag=True, help="Only the messages that are pinned, as they are now.")
@options.data
@options.as_json
@click.pass_context
def history(
    ctx: click.Context,
    *,
    connection: Connection,
    room: str,
    to: str | None,
    nick: str | None,
    limit: int,
    before: int | None,
    after: int | None,
    since: datetime | None,
    thread: int | None,
    kinds: tuple[str, ...] | None,
    current: bool,
    pins: bool,
    data: Path,
    json: bool,
) -> None:
    """Print a page of a room's history, or of a conversation. Without an option it is that of the newest messages.

    Before each message stands its number, which edit, get, react and others take.
    """
    if sum(value is not None for value in (before, after, since)) > 1:
        raise click.UsageError("--before, --after and --since exclude each other.")
    if kinds is not None and (current or pins):
        raise click.UsageError("--kinds goes with neither --current nor --pins: these have messages and topics only.")
    if pins and thread is not None:
        raise click.UsageError("--pins and --thread exclude each other.")
    wanted: dict[str, Any] = {"kinds": ("pin",) if pins else kinds, "current": current or pins, "thread": thread}
    come = _coming(connection, whose(ctx, connection, to, nick), data)
    wanted |= {"room": room} if to is None else {"to": to}
    printer = Printer(json, () if to else (room,))
    printer.style = dataclasses.replace(printer.style, thread=thread)
    page = _ask_page(
        come,
        printer,
        lambda client: client.history(
            before=before, after=after, since=since, limit=limit, timeout=connection.timeout, **wanted
        ),
    )
    _print_page(page, printer, "--before" if after is None and since is None else "--after")


@click.command(
    epilog="""
\b
Examples:
  zchat search "release plan"
  zchat search --room dev --from alice segfault
"""
)
@options.connects()
@room_filter
@option("--from", "sender", callback=arguments.check_nick, metavar="NICK", help="Only messages of this nick.")
@who_asks
@limit
@before
@options.data
@options.as_json
@click.argument("text", callback=options.check_text)
def search(
    *,
    connection: Connection,
    room: str | None,
    sender: str | None,
    nick: str | None,
    limit: int,
    before: int | None,
    data: Path,
    json: bool,
    text: str,
) -> None:
    """Find messages that contain all words of TEXT.

    It looks in the rooms that you may read, and in your conversations. "Several words" in quotes must follow one
    another. begin* matches every word that begins with it.
    """
    wait = connection.timeout
    printer = Printer(json)
    page = _ask_page(
        _coming(connection, nick, data),
        printer,
        lambda client: client.search(text, room=room, nick=sender, before=before, limit=limit, timeout=wait),
    )
    _print_page(page, printer, "--before")


@click.command(
    epilog="""
\b
Examples:
  zchat mentions
  zchat mentions -n 5 --json
  zchat mentions --before 1042      those before the message 1042
"""
)
@options.connects()
@who_asks
@limit
@before
@options.data
@options.as_json
def mentions(
    *, connection: Connection, nick: str | None, limit: int, before: int | None, data: Path, json: bool
) -> None:
    """Print the newest messages that call you by your nick.

    They are those of all rooms that you may read, and of your conversations.
    """
    if nick is None and not connection.address.proves:
        nick = options.login_nick()  # and not that with a number behind it, by which nobody was called
    printer = Printer(json)
    come = coming(connection, nick, data)  # as who says something by `zchat send`: what one says oneself calls nobody
    page = _ask_page(come, printer, lambda client: client.messages.mentions(before, limit))
    _print_page(page, printer, "--before")


@click.command(
    epilog="""
\b
Examples:
  zchat who                  everybody, with their rooms
  zchat who --room dev
  zchat who alice
"""
)
@options.connects()
@room_filter
@options.as_json
@click.argument("nick", required=False, callback=arguments.check_nick)
def who(*, connection: Connection, room: str | None, nick: str | None, json: bool) -> None:
    """Print everybody who is present, or only NICK."""
    if room is not None and nick is not None:
        raise click.UsageError("--room and NICK exclude each other: NICK is shown with all rooms.")
    _print(connection, m.Who(room=room, nick=nick), json, lambda roster, style: tables.members(roster.members, style))


@click.command(
    epilog="""
\b
Example:
  zchat rooms
"""
)
@options.connects()
@options.as_json
def rooms(*, connection: Connection, json: bool) -> None:
    """Print all rooms: name, members, topic."""
    _print(connection, m.ListRooms(), json, lambda answer, style: tables.rooms(answer.rooms, style))


@click.command(
    epilog="""
\b
Examples:
  zchat status
  zchat status --json | jq .rate
"""
)
@options.connects()
@options.as_json
def status(*, connection: Connection, json: bool) -> None:
    """Print the broker's state.

    It is version, uptime, sessions, rooms, head, messages per second, log size and feed; and why nothing can be stored
    now, if that is so.
    """
    try:
        _print(connection, m.AskStatus(), json, tables.status)
    except (UnreachableError, TimedOutError, RefusedError):
        found = options.run_async(_status(connection))
        if found is None:
            raise
        _show(found, Printer(json), json, tables.status)


async def _status(connection: Connection) -> m.Status | None:
    """Ask without coming in: while nothing can be stored, nobody can."""
    from zchat.client.identity import default_path, load  # noqa: PLC0415 — only where there is no other way
    from zchat.client.status import ask_status  # noqa: PLC0415

    address = connection.address
    return await ask_status(address, load(default_path()) if address.key else None, NO_SESSION)


def _coming(connection: Connection, nick: str | None, data: Path) -> Come:
    """Return what connects: as who says something under a nick, or as somebody whom nobody sees."""
    return connection.client().__aenter__ if nick is None else coming(connection, nick, data)


def _ask(come: Come, asking: Callable[["ChatClient"], Awaitable[T]]) -> T:
    """Connect to the broker, send one query and return the reply."""

    async def connected() -> T:
        client = await come()
        try:
            return await asking(client)
        finally:
            await client.close()

    return options.run_async(connected())


def _ask_page(come: Come, printer: Printer, asking: Callable[["ChatClient"], Awaitable["Page"]]) -> "Page":
    """Ask for a page, and for what answers on it are to."""

    async def prepared(client: "ChatClient") -> "Page":
        page = await asking(client)
        printer.ask(client)
        await printer.prepare(page.events)
        return page

    return _ask(come, prepared)


def _print_page(page: "Page", printer: Printer, further: str) -> None:
    """Print a page. `further` is the option that, with the seq at which this page ends, asks for the next one."""
    printer.page(page)
    if not page.lines:
        _say_nothing()
    elif page.more:
        end = page.events[0 if further == "--before" else -1].seq
        click.echo(f"zchat: there is more: raise --limit, or go on with {further} {end}.", err=True)


def _print(
    connection: Connection, question: m.Command, json: bool, show: Callable[[Any, render.Style], list[str]]
) -> None:
    """Send a query and print the reply."""

    async def asking(client: "ChatClient") -> tuple[m.Reply, bool]:
        known = client.welcome is not None and "members" in client.welcome.features
        return await client.ask(question, connection.timeout), known

    answer, roles = _ask(connection.client().__aenter__, asking)
    printer = Printer(json)
    printer.style = dataclasses.replace(printer.style, roles=roles)
    _show(answer, printer, json, show)


def _show(reply: m.Reply, printer: Printer, json: bool, show: Callable[[Any, render.Style], list[str]]) -> None:
    """Print a reply."""
    if json:
        printer.print([wire.encode(msgspec.structs.replace(reply, ref=None))])
    elif lines := show(reply, printer.style):
        click.echo("\n".join(lines))
    else:
        _say_nothing()


def _say_nothing() -> None:
    """Tell a person that the result is empty. A script sees that from the empty standard output."""
    click.echo("zchat: nothing was found.", err=True)
