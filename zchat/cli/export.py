"""`zchat export`: what was said in rooms and in one's own conversations, as JSON lines or as one page of HTML.

It is asked for page after page, as whoever may read it, while people talk. JSON lines go out as they come; for a page,
and for messages as they are now, a room waits in a file until its end is there (`gathered.py`). So a log of any size
takes the same memory. The file is written aside and gets its name at the end: whoever interrupts this finds no half.
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import click
from msgspec import structs

from zchat import escapes, files
from zchat.errors import FolderError
from zchat.prompt import arguments
from zchat.protocol import messages as m
from zchat.protocol import wire

from . import options, page
from .downloads import Downloads
from .gathered import Gathered
from .options import Connection, option
from .speaking import coming

if TYPE_CHECKING:
    from zchat.client.client import ChatClient
    from zchat.client.core.pages import Page
PATIENCE = 120.0  # s for an answer: the broker may be started again meanwhile


def _check_nicks(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Check each nick (a click callback)."""
    return tuple(dict.fromkeys(arguments.check_nick(ctx, param, each) for each in value))


@click.command(
    epilog="""
\b
Examples:
  zchat export --room dev -o dev.jsonl
  zchat export --with bob -o bob.html
  zchat export --direct --room dev -o mine.jsonl      what one has talked with others, and a room
  zchat export --since 30d --format html --files files -o chat.html
  zchat export --room dev --current | jq -r 'select(.type == "message") | .nick + ": " + .text'
"""
)
@options.connects()
@option(
    "-r", "--room", "rooms", callback=arguments.check_room, multiple=True, metavar="ROOM",
    show_default="all that you see", help="A room; may be repeated.",
)  # fmt: skip
@option(
    "--with", "nicks", callback=_check_nicks, multiple=True, metavar="NICK",
    help="Your conversation with somebody, instead; may be repeated.",
)  # fmt: skip
@option("--direct", is_flag=True, help="Your conversations, instead: the 256 used last.")
@option("--nick", callback=arguments.check_nick, metavar="NICK", help="Who you are, if you are no member.")
@option("--since", callback=options.check_since, metavar="WHEN", help="What was said since 10m, 2h, 1d ago, or a time.")
@option("--format", "kind", type=click.Choice(["jsonl", "html"]), show_default="that of FILE, or jsonl", help="How.")
@option("--current", is_flag=True, help="Messages as they are now, instead of all that was done to them.")
@option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="A new file. [default: -, standard output]"
)
@option("--files", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Fetch files, too.")
@options.data
def export(
    *,
    connection: Connection,
    rooms: tuple[str, ...],
    nicks: tuple[str, ...],
    direct: bool,
    nick: str | None,
    since: datetime | None,
    kind: str | None,
    current: bool,
    output: Path | None,
    folder: Path | None,
    data: Path,
) -> None:
    """Write what was said to a file: JSON lines, or HTML.

    JSON lines are those of the log; a page of HTML has messages as they are now, and files beside it, if they are
    fetched. FILE must not exist yet.
    """
    output = None if output == Path("-") else output
    if output is not None and output.exists():
        raise click.BadParameter(f"{output} exists already: choose another name, or move it away.", param_hint="-o")
    as_page = kind == "html" or (kind is None and output is not None and output.suffix in {".html", ".htm"})
    downloads = None if folder is None else Downloads(folder, output.parent if output else Path())
    wanted = Wanted(rooms, nicks, direct, since, as_page, current, downloads)
    if (nicks or direct) and not connection.address.proves:
        nick = nick or options.login_nick()  # who has talked to them
    options.run_async(_export(connection, coming(connection, nick, data), wanted, output))


Tell = Callable[[float], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be exported."""

    rooms: tuple[str, ...]
    nicks: tuple[str, ...]
    direct: bool
    since: datetime | None
    as_page: bool
    current: bool
    downloads: Downloads | None


class Place(NamedTuple):
    """A room, or a conversation with a nick, of the one who has `with_`."""

    room: str | None = None
    to: str | None = None
    with_: str | None = None

    @property
    def shown(self) -> str:
        return self.room if self.room is not None else f"@{self.to}"


@contextlib.contextmanager
def _written(path: Path | None) -> Iterator[IO[bytes]]:
    """Return a context with a file that gets its name only at the end; without a name standard output."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with files.new(aside) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except OSError as error:
        raise FolderError(path.parent, error, "FILE") from error
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def _progress() -> Iterator[Tell]:
    """Return a context with what shows how far one has come, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=1_000, label="Exporting", file=sys.stderr) as bar:
        yield lambda done: bar.update(int(done * 1_000) - bar.pos)


async def _export(
    connection: Connection, come: Callable[[], Coroutine[Any, Any, "ChatClient"]], wanted: Wanted, output: Path | None
) -> None:  # fmt: skip
    with _written(output) as file, _progress() as tell:
        client = await come()
        try:
            await _copy(client, wanted, file, tell)
        finally:
            await client.close()


async def _copy(client: "ChatClient", wanted: Wanted, file: IO[bytes], tell: Tell) -> None:
    places, empty = await _places(client, wanted), True
    with contextlib.closing(_writer(wanted, file)) as write:
        write.begin([place.shown for place in places])
        for at, place in enumerate(places):
            async for events, done in _pages(client, place, wanted.since):
                write.take(events)
                empty = empty and not events.lines
                await write.fetch(client, events.messages)
                tell((at + done) / len(places))
            write.end_room(at, place.shown)
        write.end()
    tell(1.0)
    if empty:
        click.echo("zchat: nothing was found.", err=True)


async def _places(client: "ChatClient", wanted: Wanted) -> list[Place]:
    """Return what is to be exported: what was named, or all rooms."""
    named = [Place(room) for room in wanted.rooms] + [Place(to=nick) for nick in wanted.nicks]
    if wanted.direct:
        named += [each for each in await _conversations(client) if each.to not in wanted.nicks]
    return named if named or wanted.direct else await _all_rooms(client)


async def _all_rooms(client: "ChatClient") -> list[Place]:
    answer = cast(m.Rooms, await client.ask(m.ListRooms(), PATIENCE))
    return [Place(name) for name in sorted(room.room for room in answer.rooms)]


async def _conversations(client: "ChatClient") -> list[Place]:
    """Return one's own conversations, by the names that they have among the heads: `@nick`, or `@nick/from`."""
    heads = cast(m.Pong, await client.ask(m.Ping(), PATIENCE)).heads
    ends = sorted(name[1:].partition("/") for name in heads if name.startswith("@"))
    return [Place(to=nick, with_=from_ or None) for nick, _, from_ in ends]


async def _pages(client: "ChatClient", place: Place, since: datetime | None) -> AsyncIterator[tuple["Page", float]]:
    """Yield what was said in a place until now, each page with how much of the place that is then."""
    there: dict[str, Any] = {"room": place.room, "to": place.to, "with_": place.with_, "timeout": PATIENCE}
    last = (await client.history(**there, limit=1)).upto
    where: dict[str, Any] = {"after": 0} if since is None else {"since": since}
    more = True
    while more:
        found = await client.history(**there, limit=m.LIMIT_MAX, **where)
        yield found, min(1.0, found.upto / max(last, 1))
        where = {"after": found.upto}
        more = found.more and found.upto < last  # what is said meanwhile would have no end


@dataclass
class _Lines:
    """Writes JSON lines as they come."""

    file: IO[bytes]
    downloads: Downloads | None

    def begin(self, rooms: list[str]) -> None:
        """Begin the file."""

    def take(self, found: "Page") -> None:
        if found.lines:
            self.file.write(escapes.json(b"\n".join(found.lines)) + b"\n")

    async def fetch(self, client: "ChatClient", messages: list[m.Message]) -> None:
        """Fetch the files of messages, if that is wanted."""
        if self.downloads is not None:
            for each in messages:
                for one in each.files:
                    await self.downloads.fetch(client, one)

    def end_room(self, at: int, name: str) -> None:
        """Write what waited for the end of a room."""

    def end(self) -> None:
        """End the file."""

    def close(self) -> None:
        """Give back what was needed for it."""


@dataclass
class _Now(_Lines):
    """Writes JSON lines of messages as they are at the end of their room."""

    said: Gathered = field(default_factory=Gathered)

    def take(self, found: "Page") -> None:
        self.said.take(found)

    def end_room(self, at: int, name: str) -> None:
        for item in self.said.values():
            self.file.write(escapes.json(wire.encode(as_now(item))) + b"\n")
        self.said.clear()

    def close(self) -> None:
        self.said.close()


class _Page(_Now):
    """Writes a page of HTML."""

    def begin(self, rooms: list[str]) -> None:
        self._write(page.head("zchat", rooms))

    def end_room(self, at: int, name: str) -> None:
        for part in page.room(at, name, self.said, self.downloads.there if self.downloads else {}):
            self._write(part)
        self.said.clear()

    def end(self) -> None:
        self._write(page.foot())

    def _write(self, text: str) -> None:
        self.file.write(text.encode(errors="replace"))


def _writer(wanted: Wanted, file: IO[bytes]) -> _Lines:
    if wanted.as_page:
        return _Page(file, wanted.downloads)
    return (_Now if wanted.current else _Lines)(file, wanted.downloads)


def as_now(item: m.Item) -> m.Message | m.Topic | m.Tombstone:
    """Return a message as it is now, with what `history` tells of it where one asks for `current`."""
    event: m.Message | m.Topic | m.Tombstone = item.event
    if not isinstance(event, m.Message):
        return event
    nods = [
        m.Reaction(emoji=emoji, from_=from_, nick=nick)
        for emoji, given in item.reactions.items()
        for from_, nick in given.items()
    ]
    return structs.replace(
        event,
        text=item.text,
        edited=item.edited,
        reactions=tuple(nods),
        pinned=item.pinned,
        answers=len(item.answers),
    )
