"""`zchat send`: one message, or each line of standard input. It succeeds only when all are on the broker's disk.

Lines are sent as fast as the broker takes them, many before the first ack comes. The client's queue is bounded and
slows the reading down, so memory is bounded, too. The timeout is about one thing: while acks are due, the next one has
to come in time.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from zchat import moments
from zchat.errors import RefusedError, TimedOutError
from zchat.escapes import escape_controls
from zchat.prompt import arguments
from zchat.protocol import messages as m

from . import options
from .files import upload
from .lines import Line, lines, whole
from .options import Connection, option
from .speaking import connect, identity

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

Answer = asyncio.Future[m.Ack]


@click.command(
    epilog="""
\b
Examples:
  zchat send "the build is green"
  make 2>&1 | zchat send --room builds --nick make -
  make 2>&1 | tail -n 20 | zchat send --room builds --as-one -
  zchat send --file report.pdf "the report"
  zchat send --at "tomorrow 9:00" "standup, please"  see zchat scheduled
  zchat send --once "deploy-$TAG" "deployed $TAG"    say it once, however often this runs
"""
)
@options.connects(timeout=10.0)
@option("--nick", callback=arguments.check_nick, metavar="NICK", help="Who speaks. [default: the login name]")
@options.room("The room to speak in.")
@option("--to", callback=arguments.check_nick, metavar="NICK", help="Send to one person instead of a room.")
@option(
    "--once",
    callback=options.check_key,
    metavar="KEY",
    help="Store it only once under this key. Lines get KEY-1, KEY-2 … by their number.",
)
@option(
    "--file", "paths", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True, metavar="PATH",
    help="Send this file with it. It may be given up to 10 times; then TEXT may be left away.",
)  # fmt: skip
@option(
    "--at",
    callback=arguments.check_at,
    metavar="WHEN",
    help="Have the broker say it then: 10m, 9:00, 'tomorrow 9:00', or a time like '2026-12-24 18:00'.",
)
@option("--as-one", is_flag=True, help="Send all of standard input as one message of several lines.")
@options.data
@click.argument("text", required=False, callback=options.check_text)
@click.pass_context
def send(
    ctx: click.Context,
    *,
    connection: Connection,
    nick: str | None,
    room: str,
    to: str | None,
    once: str | None,
    at: datetime | None,
    paths: tuple[Path, ...],
    as_one: bool,
    data: Path,
    text: str | None,
) -> int:
    """Send TEXT, and wait until it is on the broker's disk. With - or without TEXT, send each line of standard input.

    Without --nick it takes the login name, with a number if somebody has it already (alice-2). If the nick of --nick is
    taken, it waits for it until --timeout. Empty lines are skipped. If the broker refuses lines, standard error says
    which, the others are sent, and the exit code is 1. --timeout is how long the broker may go without any answer.

    --once is about one nick, and holds for 7 days. The sender is remembered in --data: use the same one each time.
    What a guest sends with it or with --at, `zchat edit` and `zchat delete` may change; what a member sends, always.

    With --at the exit code tells that it is on the broker's disk. What may not be said any more by then is dropped.
    """
    named = ctx.get_parameter_source("room") is ParameterSource.COMMANDLINE
    if named and ctx.get_parameter_source("to") is not ParameterSource.COMMANDLINE:
        to = None  # the environment gives way
    if to is not None and named:
        raise click.UsageError("--room and --to exclude each other: a message goes to a room or to a person.", ctx)
    text = _with_files(ctx, text, paths, as_one)
    if text is None and sys.stdin.isatty():
        raise click.UsageError("There is nothing to send. Give a TEXT, or - to type lines (end with Ctrl-D).", ctx)
    if text is not None and not text.strip() and not paths:
        raise click.UsageError("An empty message says nothing: give it some text.", ctx)
    if as_one and text not in (None, "-"):
        raise click.UsageError("--as-one is for standard input: leave TEXT away, or write -.", ctx)
    if as_one:
        source, several = whole(sys.stdin.fileno()), False
    elif text is None or text == "-":
        source, several = lines(sys.stdin.fileno()), True
    else:
        source, several = _single(text), False
    sending = Sending(None if to else room, to, once, several, connection.timeout, paths, at)
    outbox = identity(data, connection, nick) if once or at else None
    return options.run_async(_send(connection, nick, outbox, source, sending))


def _with_files(ctx: click.Context, text: str | None, paths: tuple[Path, ...], as_one: bool) -> str | None:
    """Return the text that goes with files: one that was given, or none."""
    if len(paths) > m.FILES_MAX:
        raise click.UsageError(f"A message carries at most {m.FILES_MAX} files.", ctx)
    if paths and text == "-" and not as_one:
        raise click.UsageError("--file goes with one message: give a TEXT, or none, or --as-one.", ctx)
    return "" if paths and text is None and not as_one else text


async def _single(text: str) -> AsyncIterator[Line]:
    yield Line(1, text)


async def _send(
    connection: Connection, nick: str | None, outbox: Path | None, source: AsyncIterator[Line], sending: "Sending"
) -> int:
    client = await connect(connection, nick, outbox)
    try:
        await sending.run(client, source)
    finally:
        await client.close()
    return 1 if sending.refused else 0


class Sending:
    """Counts what was sent and how many answers are due, and keeps the timeout for the next one."""

    _limit: asyncio.Timeout

    def __init__(
        self,
        room: str | None,
        to: str | None,
        once: str | None,
        several: bool,
        timeout: float,
        paths: tuple[Path, ...] = (),
        at: datetime | None = None,
    ) -> None:
        self.room, self.to, self.once, self.several, self.timeout = room, to, once, several, timeout
        self.paths, self.at = paths, at
        self.files: tuple[m.Attachment, ...] = ()
        self.sent = self.due = self.refused = 0
        self.lost: BaseException | None = None
        self._over = False
        self._idle = asyncio.Event()

    async def run(self, client: "ChatClient", source: AsyncIterator[Line]) -> None:
        """Send all lines of `source` and wait for every answer; raise TimedOutError when none comes for too long."""
        most = client.welcome.limits.text if client.welcome else m.TEXT_MAX
        if self.paths:
            self.files = await upload(client, self.timeout, self.paths)
        try:
            async with asyncio.timeout(None) as self._limit:
                async for line in source:
                    if fault := line.fault or _fault(line.text, most):
                        self._refuse(line.number, fault)
                    elif line.text.strip() or self.files:
                        await self._post(client, line)
                if self.due:
                    await self._idle.wait()
        except TimeoutError:
            why = client.stalled or client.deferred or "no answer from the broker"
            due = f"{why}, with {self.due} of {self.sent} messages not yet acknowledged"
            raise TimedOutError(due, self.timeout) from None
        except asyncio.CancelledError:
            if self.several:
                click.echo(f"zchat: interrupted; lines acknowledged: {self.sent - self.due}", err=True)
            raise
        finally:
            self._over = True
        if self.lost is not None:
            raise self.lost

    async def _post(self, client: "ChatClient", line: Line) -> None:
        self.sent += 1
        self.due += 1
        if self.due == 1:
            self._expect()
        key = f"{self.once}-{line.number}" if self.once and self.several else self.once
        answer = await client.post(line.text, room=self.room, to=self.to, once=key, files=self.files, at=self.at)
        answer.add_done_callback(lambda done: self._answered(line.number, done))

    def _answered(self, number: int, answer: Answer) -> None:
        self.due -= 1
        self._expect()
        if answer.cancelled():
            return
        error = answer.exception()
        if isinstance(error, RefusedError):
            self._refuse(number, f"{error.message} ({error.code})")
        elif error is not None:
            self.lost = error
        elif (ack := answer.result()).duplicate:
            which = f"line {number}: " if self.several else ""
            click.echo(f"zchat: {which}not stored again: its key was used before, by message {ack.seq}.", err=True)
        elif ack.scheduled is not None and self.at is not None:
            which = f"line {number}: " if self.several else ""
            when = moments.when(self.at, datetime.now().astimezone())
            back = f"`zchat scheduled --remove {ack.scheduled}` takes it back"
            click.echo(f"zchat: {which}to be said at {when}; {back}.", err=True)

    def _expect(self) -> None:
        """Start the timeout again: while answers are due, the next one has to come in time."""
        if self._over or self._limit.expired():
            return
        if self.due:
            self._idle.clear()
            self._limit.reschedule(asyncio.get_running_loop().time() + self.timeout)
        else:
            self._idle.set()
            self._limit.reschedule(None)

    def _refuse(self, number: int, why: str) -> None:
        self.refused += 1
        which = f"line {number}: " if self.several else ""
        click.echo(f"zchat: {which}not sent: {escape_controls(why)}", err=True)


def _fault(text: str, most: int) -> str:
    """Say why the broker would not take `text`, before it is sent in vain."""
    return f"it is longer than {most} bytes" if len(text) * 4 > most and len(text.encode()) > most else ""
