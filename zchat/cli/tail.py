"""`zchat tail`: what was said, and with -f what is being said, without a gap in between.

The last N events are asked for from the end backwards; from there on, and from any other starting point, the client
does it all: it joins each room with the cursor and delivers what lies behind it, whatever happens to the broker
meanwhile. Without -f the end is where the client has caught up. As --json the broker's lines pass through, a
whole batch in one write, so that a fast feed costs little more than the copying.
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

from zchat.client.consumer import Consumer, Cursors
from zchat.errors import SessionEndedError
from zchat.prompt import arguments, render
from zchat.protocol import messages as m

from . import options
from .filters import Filter, filters
from .options import Connection, option
from .sink import Printer, Sink, Take

if TYPE_CHECKING:
    from zchat.client.client import ChatClient
    from zchat.client.patterns import Pattern

COMMAND_TIMEOUT = 30.0  # seconds that a command of --run may take, unless told otherwise

log = logging.getLogger(__name__)

_seq = msgspec.json.Decoder(m.Opaque)


def check_url(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Check the value of --post, and that there is what it takes (a click callback)."""
    if value is None:
        return value
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} is no address of a web server: it begins with https:// or http://.")
    if importlib.util.find_spec("httpx") is None:
        raise click.UsageError("--post needs one more library: pip install httpx.")
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
  zchat tail --since 2h --json | jq -r .text
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
@option("--after", type=arguments.Whole(0, m.SEQ_MAX), metavar="SEQ", help="All that came after this one.")
@option("--since", callback=options.check_since, metavar="WHEN", help="All since 10m, 2h, 1d ago, or an RFC 3339 time.")
@option("--all", "everything", is_flag=True, help="All, from the beginning.")
@option("-f", "--follow", is_flag=True, help="Go on with what comes, until interrupted; broker restarts leave no gap.")
@option("--resume", callback=check_name, metavar="NAME", help="Go on where the last run of this NAME ended.")
@options.data
@options.as_json
@filters
@option("--nick", callback=arguments.check_nick, metavar="NICK", help="Who you are. [default: the login name]")
@option(
    "--run",
    "command",
    metavar="COMMAND",
    help="Run this for each message, instead of printing it; quote what it expands: strangers wrote it.",
)
@option("--reply", is_flag=True, help="Send back what the command prints, as a reply (never to a bot).")
@option("--post", "url", callback=check_url, metavar="URL", help="Post each message there, instead of printing it.")
@option("--secret", metavar="TEXT", help="Sign what is posted with it; better given as a variable.")
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
    """Print a room's history, and with -f what comes after it.

    -n, --after, --since or --all say where to begin; --match, --from and --mentions then leave out what is not meant.

    With --run, each message starts a command instead, one after the other. --timeout is for how long one may run, and
    without it that is 30 s; one that fails, hangs or is killed is told on standard error.

    With --post, each message is sent to a web server as the protocol's line of JSON, several times if need be. With
    --secret, the header X-Zchat-Signature is `sha256=` and the HMAC of the body. It needs httpx, the extra `post`.

    With --resume, how far it has come in each room is kept in --data, and moves on when a message is printed, its
    command has ended, or its POST was taken or given up. So one that is killed misses nothing, and does again what it
    was at. On the first run of a NAME, -n, --after, --since or --all say where to begin.
    """
    if url and command:
        raise click.UsageError("--run and --post exclude each other: start a second tail.")
    if reply and not command:
        raise click.UsageError("--reply sends back what a command prints: say which with --run.")
    given = ctx.get_parameter_source("timeout") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    if sum((lines is not None, after is not None, since is not None, everything)) > 1:
        raise click.UsageError("-n, --after, --since and --all exclude each other: each says where to begin.")
    count = 10 if lines is None else lines
    start = Start(after=0 if everything else after, since=since, count=count)
    meant = Filter(match, sender, (nick or options.login_nick()) if mentioned else None)
    patience = connection.timeout if given else COMMAND_TIMEOUT
    action = Action(command, reply, nick, patience, url, secret) if command or url else None
    if resume is None:
        sink = Sink(Printer(json, rooms), meant, Consumer(acts=action is not None), rooms)
        options.run_async(_tail(connection, rooms, start, follow, sink, action))
        return
    from .cursors import CursorFile  # noqa: PLC0415 — only --resume needs it

    with CursorFile(data, resume) as file:
        sink = Sink(Printer(json, rooms), meant, Consumer(file, acts=action is not None), rooms)
        options.run_async(_tail(connection, rooms, start, follow, sink, action, file.outbox))


class Action(NamedTuple):
    """What is done with a message instead of printing it: a command (whether it answers, as whom), or a POST."""

    command: str | None
    reply: bool
    nick: str | None
    patience: float
    url: str | None
    secret: str | None

    @asynccontextmanager
    async def of(self, client: "ChatClient", broker: str, key: Callable[[int], str]) -> AsyncIterator[Take]:
        """Return what takes each message; `key` names the one at a place."""
        if self.command is not None:
            from .command_hook import Runs  # noqa: PLC0415 — only --run needs it

            yield Runs(client, self.command, broker, self.reply, self.patience, key).take
        else:
            from .webhook import Posts  # noqa: PLC0415 — only --post needs it, and its library

            async with Posts(self.url or "", self.secret, key, self.patience) as posts:
                yield posts.take


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
        if action is not None:
            sink.take = await stack.enter_async_context(action.of(client, connection.broker, sink.key))
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
    """Be connected: as a reader, or as somebody who answers, with an `outbox` as the same one in every run."""
    history: dict[str, Any] = {"epochs": kept.epochs, "through": kept.through}
    if action is None or not action.reply:
        async with connection.client(quiet=True, **history) as client:
            yield client
        return
    from .send import connect  # noqa: PLC0415 — only --reply speaks

    client = await connect(connection, action.nick, outbox, quiet=True, bot=True, **history)
    try:
        yield client
    finally:
        await client.close()


async def _begin(client: "ChatClient", room: str, start: Start) -> tuple[int, list[tuple[int, bytes]]]:
    """Return the cursor to go on from, and what is to be shown before it."""
    if start.after is not None:
        return start.after, []
    if start.since is not None:
        first = await _history(client, m.AskHistory(room=room, since=start.since, limit=1))
        return (seq_of(first.events[0]) - 1 if first.events else first.upto), []
    return await newest(client, room, start.count)


async def newest(client: "ChatClient", room: str, count: int) -> tuple[int, list[tuple[int, bytes]]]:
    """Return the seq of a room's last event and its last `count` events, as (seq, line), oldest first."""
    found: list[tuple[int, bytes]] = []
    before, more, last = m.SEQ_MAX, True, 0
    while more and (len(found) < count or not found):
        limit = max(1, min(count - len(found), m.LIMIT_MAX))
        page = await _history(client, m.AskHistory(room=room, before=before, limit=limit))
        if not page.events:
            break
        found[:0] = [(seq_of(line), bytes(line)) for line in page.events]
        before, more = found[0][0], page.more
    if found:
        last = found[-1][0]
    return last, found[len(found) - count :] if count else []


async def _history(client: "ChatClient", question: m.AskHistory) -> m.History:
    answer = await client.ask(question)
    assert isinstance(answer, m.History)  # noqa: S101 — the client matches answers to questions
    return answer


def seq_of(line: msgspec.Raw) -> int:
    """Return the seq of a durable event of any kind."""
    return _seq.decode(line).seq or 0


async def _follow(client: "ChatClient", waiting: set[str] | None, sink: Sink) -> None:
    """Print what comes; with `waiting`, until each of these rooms has been caught up with."""
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
                case notices.Offline() | notices.Online(again=True) | notices.WentBack():
                    log.info("%s", type(event).__name__.lower())
                    click.echo(f"zchat: {render.event(event, sink.printer.style)}", err=True)
                case notices.Ended(reason=reason):
                    raise SessionEndedError(reason)
