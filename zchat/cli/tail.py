"""`zchat tail`: the history of rooms, and with -f what comes after it, without a gap in between.

The last N events are asked for from the end backwards. From there on, and from any other start, the client does the
work: it joins each room with a cursor and delivers everything behind it, also if the broker restarts meanwhile. Without
-f, `tail` ends when the client has caught up. With --json the broker's lines are passed through, a whole batch in one
write, so that a fast feed costs little more than copying.
"""

import importlib.util
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from click.core import ParameterSource

from zchat import extras
from zchat.client.consumer import Consumer, Cursors
from zchat.errors import RefusedError, SessionEndedError
from zchat.prompt import arguments, render
from zchat.protocol import messages as m

from . import options
from .filters import Filter, filters
from .options import Connection, option
from .sink import Hook, Printer, Sink

if TYPE_CHECKING:
    from zchat.client.client import ChatClient
    from zchat.client.patterns import Pattern

COMMAND_TIMEOUT = 30.0  # seconds that a command of --run may take, unless told otherwise

log = logging.getLogger(__name__)


def check_url(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Check the value of --post, and that its library is installed (a click callback)."""
    if value is None:
        return value
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} is no address of a web server: it begins with https:// or http://.")
    if importlib.util.find_spec("httpx") is None:  # found, and not imported: `--help` is quick
        raise extras.MissingExtraError("post", "httpx")
    return value


def check_name(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Check the value of --resume, which names a file (a click callback)."""
    if value is not None and not re.fullmatch(r"\w[\w.-]{0,63}", value):
        raise click.BadParameter(f"{value!r} is no name: take letters, digits, dots and dashes, as in build-hook.")
    return value


@click.command(
    epilog="""
\b
Examples:
  zchat tail                                  the last 10 messages in #general
  zchat tail -f -r dev -r builds              follow two rooms
  zchat tail --since 2h --json | jq -r 'select(.type == "message").text'
  zchat tail --after 1042 -f --json           go on where a script stopped (1042: its last seq)
  zchat tail -f --mentions --from alice       what alice says to you
  zchat tail -f -n 0 --match '^!uptime' --nick uptimebot --run uptime --reply
  zchat tail --resume hook --post https://…   what came since the last run, as for cron (with -f: a service)

\b
A command of --run gets the text on its standard input, and ZCHAT_SEQ, ZCHAT_TIME, ZCHAT_ROOM (or
ZCHAT_TO), ZCHAT_SENDER, ZCHAT_SENDER_ID, ZCHAT_KIND, ZCHAT_REPLY_TO and ZCHAT_BROKER.
"""
)
@options.connects(feed=True)
@options.room("A room to print; repeat it for several.", multiple=True)
@option("-n", "--lines", type=arguments.Whole(0), metavar="N", help="The last N of each room. [default: 10]")
@option("--after", type=arguments.Whole(0, m.SEQ_MAX), metavar="SEQ", help="All messages after this one.")
@option("--since", callback=options.check_since, metavar="WHEN", help="All since 10m, 2h, 1d ago, or an RFC 3339 time.")
@option("--all", "everything", is_flag=True, help="All, from the beginning.")
@option(
    "-f",
    "--follow",
    is_flag=True,
    help="Follow: print new messages until interrupted. A restart of the broker leaves no gap.",
)
@option("--resume", callback=check_name, metavar="NAME", help="Continue where the last run with this NAME ended.")
@options.data
@options.as_json
@filters
@option("--nick", callback=arguments.check_nick, metavar="NICK", help="Who you are. [default: the login name]")
@option(
    "--run",
    "command",
    metavar="COMMAND",
    help="Run this for each message, instead of printing it. Quote its variables: strangers wrote them.",
)
@option("--reply", is_flag=True, help="Send what the command prints as a reply (never to a bot).")
@option(
    "--post", "url", callback=check_url, metavar="URL", help="POST each message to this URL, instead of printing it."
)
@option("--secret", metavar="TEXT", help="Sign each POST with this secret; better given as a variable.")
@click.pass_context
def tail(
    ctx: click.Context,
    *,
    connection: Connection,
    rooms: tuple[str, ...],
    lines: int | None,
    after: int | None,
    since: datetime | None,
    everything: bool,
    follow: bool,
    resume: str | None,
    data: Path,
    json: bool,
    match: "Pattern | None",
    sender: str | None,
    mentioned: bool,
    nick: str | None,
    command: str | None,
    reply: bool,
    url: str | None,
    secret: str | None,
) -> None:
    """Print a room's history, and with -f new messages as they come.

    -n, --after, --since or --all say where to begin. --match, --from and --mentions then select messages.

    With --run, a command is run for each message instead, one at a time. It may run for --timeout, or 30 s without it.
    If a command fails, hangs or is killed, standard error says so.

    With --post, each message is sent to a web server as a JSON line of the protocol, several times if necessary. With
    --secret, the header X-Zchat-Signature is `sha256=` and the HMAC of the body. It needs httpx, the extra `post`.

    With --resume, a cursor for each room is kept in --data. It moves when a message was printed, when its command has
    ended, or when its POST was accepted or given up. So if `tail` is killed, it misses no message, and only the last
    one is done again. On the first run of a NAME, -n, --after, --since or --all say where to begin.
    """
    if url and command:
        raise click.UsageError("--run and --post exclude each other: start a second tail.")
    if reply and not command:
        raise click.UsageError("--reply sends back what a command prints: say which with --run.")
    typed = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if "secret" in typed and not url:
        raise click.UsageError("--secret signs what is posted: say where to with --post.")
    if "json" in typed and (command or url):
        raise click.UsageError("--json is about printing, and --run and --post do not print.")
    given = ctx.get_parameter_source("timeout") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    if sum((lines is not None, after is not None, since is not None, everything)) > 1:
        raise click.UsageError("-n, --after, --since and --all exclude each other: each says where to begin.")
    count = 10 if lines is None else lines
    start = Start(after=0 if everything else after, since=since, count=count)
    filter_ = Filter(match, sender, (nick or options.login_nick()) if mentioned else None)
    timeout = connection.timeout if given else COMMAND_TIMEOUT
    action = Action(command, reply, nick, timeout, url, secret) if command or url else None
    if resume is None:
        sink = Sink(Printer(json, rooms), filter_, Consumer(acts=action is not None), rooms)
        options.run_async(_tail(connection, rooms, start, follow, sink, action))
        return
    from .cursors import CursorFile  # noqa: PLC0415 — only --resume needs it

    with CursorFile(data, resume) as file:
        sink = Sink(Printer(json, rooms), filter_, Consumer(file, acts=action is not None), rooms)
        options.run_async(_tail(connection, rooms, start, follow, sink, action, file.outbox))


class Action(NamedTuple):
    """What is done with a message instead of printing it: a command (whether it answers, as whom), or a POST."""

    command: str | None
    reply: bool
    nick: str | None
    timeout: float
    url: str | None
    secret: str | None

    @asynccontextmanager
    async def hook(self, client: "ChatClient", broker: str, key: Callable[[int], str]) -> AsyncIterator[Hook]:
        """Return what handles each message; `key` names the message with a seq."""
        if self.command is not None:
            from .command_hook import CommandHook  # noqa: PLC0415 — only --run needs it

            yield CommandHook(client, self.command, broker, self.reply, self.timeout, key).handle
        else:
            from .webhook import Webhook  # noqa: PLC0415 — only --post needs it, and its library

            async with Webhook(self.url or "", self.secret, key, self.timeout) as webhook:
                yield webhook.handle


class Start(msgspec.Struct, frozen=True):
    """Where to begin: after a seq, at a moment, or (both absent) `count` events before the end."""

    after: int | None
    since: datetime | None
    count: int


async def _tail(
    connection: Connection,
    rooms: tuple[str, ...],
    start: Start,
    follow: bool,
    sink: Sink,
    action: Action | None,
    outbox: Path | None = None,
) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_connected(connection, action, sink.consumer.kept, outbox))
        sink.joined_at = client.joined_at
        sink.printer.ask(client)
        if action is not None:
            sink.hook = await stack.enter_async_context(action.hook(client, connection.broker, sink.key))
        cursors = sink.resume(client.welcome.log if client.welcome else "", client.epochs, client.shared)
        more = follow or bool(cursors) or start.after is not None or start.since is not None
        shown: list[tuple[int, bytes]] = []
        for room in rooms:
            if room not in cursors:
                cursors[room], found = await _begin(client, room, start)
                sink.consumer.begin(room, found[0][0] - 1 if found else cursors[room])
                shown += found
            else:
                sink.consumer.begin(room, cursors[room])
        await sink.lines([line for _, line in sorted(shown)])
        if not more:
            return
        for room, cursor in cursors.items():
            await client.join(room, after=cursor, quiet=True)
        await _follow(client, None if follow else set(rooms), sink)


@asynccontextmanager
async def _connected(
    connection: Connection, action: Action | None, kept: Cursors, outbox: Path | None
) -> AsyncIterator["ChatClient"]:
    """Connect: as an observer, or with --reply under a nick; with an `outbox`, as the same sender in every run."""
    history: dict[str, Any] = {"epochs": kept.epochs, "through": kept.through}
    if action is None or not action.reply:
        async with connection.client(quiet=True, **history) as client:
            yield client
        return
    from .speaking import connect  # noqa: PLC0415 — only --reply speaks

    client = await connect(connection, action.nick, outbox, quiet=True, bot=True, **history)
    try:
        yield client
    finally:
        await client.close()


async def _begin(client: "ChatClient", room: str, start: Start) -> tuple[int, list[tuple[int, bytes]]]:
    """Return the cursor to follow from, and what is to be printed before it."""
    if start.after is not None:
        return start.after, []
    if start.since is not None:
        first = await client.history(room=room, since=start.since, limit=1)
        return (first.events[0].seq or 0) - 1 if first.events else first.upto, []
    return await newest(client, room, start.count)


async def newest(client: "ChatClient", room: str, count: int) -> tuple[int, list[tuple[int, bytes]]]:
    """Return the seq of a room's last event and its last `count` events, as (seq, line), oldest first."""
    found: list[tuple[int, bytes]] = []
    before, more, last = m.SEQ_MAX, True, 0
    while more and (len(found) < count or not found):
        limit = max(1, min(count - len(found), m.LIMIT_MAX))
        page = await client.history(room=room, before=before, limit=limit)
        if not page.events:
            break
        found[:0] = [(event.seq or 0, line) for event, line in zip(page.events, page.lines, strict=True)]
        before, more = found[0][0], page.more
    if found:
        last = found[-1][0]
    return last, found[-count:] if count else []


async def _follow(client: "ChatClient", waiting: set[str] | None, sink: Sink) -> None:
    """Print what comes; with `waiting`, until each of these rooms has caught up."""
    from zchat.client.core import notices  # noqa: PLC0415 — no client, no need for it

    async for batch in client.batches():
        await sink.batch(batch)
        if b"" not in batch.lines:
            continue
        for event in batch.events:
            sink.notice(event)
            match event:
                case notices.CaughtUp(room=room):
                    if waiting is not None:
                        waiting.discard(room)
                        if not waiting:
                            return
                case (
                    notices.Offline()
                    | notices.Online(again=True, moved=False)
                    | notices.WentBack()
                    | notices.Stalled()
                    | notices.Flowing()
                ):
                    log.info("%s", type(event).__name__.lower())
                    click.echo(f"zchat: {render.event(event, sink.printer.style)}", err=True)
                case notices.Removed(room=room, why=why):
                    shown = sink.printer.style.room(room)
                    raise RefusedError("unknown_room", f"{shown} cannot be followed any more: {why}")
                case notices.Ended(reason=reason, text=text, by=by):
                    raise SessionEndedError(reason, text, by)
