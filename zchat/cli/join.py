"""`zchat join`: talk, at a prompt on a terminal, or line by line through a pipe or on a plain terminal."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click

from zchat.client import addresses, outbox
from zchat.client.client import ChatClient
from zchat.errors import InUseError, RefusedError, TimedOutError
from zchat.escapes import escape_controls
from zchat.prompt import arguments, preferences, read_markers, render
from zchat.prompt.asker import Asker
from zchat.prompt.chat import Chat
from zchat.prompt.conversation import converse
from zchat.prompt.output import Output
from zchat.prompt.plain import PlainView
from zchat.prompt.read_markers import ReadMarkers
from zchat.prompt.targets import Targets
from zchat.version import __version__

from . import options
from .lines import lines
from .options import Connection, option

THIS_MACHINE = "this machine"
SLOW = 1.0  # seconds after which whoever waits is told for what
LET_IN = 60.0  # seconds for which to wait for a broker that is there and can store nothing: elections take a few


@click.command(
    epilog="""
\b
Examples:
  zchat join                        the broker on this machine
  zchat join zchat://chat.example.org/KEY/CODE --nick alice
  zchat join chat.example.org       from then on
  zchat join --room general --room dev
  printf 'hello\\n/me waves\\n' | zchat join --nick robot
"""
)
@options.connects(feed=True, argument=True)
@option("--nick", callback=arguments.check_nick, metavar="NICK", help="Who you are. [default: the login name]")
@option("--device", metavar="NAME", callback=options.check_key, help="What this device is called. [default: its name]")
@options.room("A room to enter; repeat it for several.", multiple=True)
@option("--plain", is_flag=True, help="Plain lines and no line editor, for screen readers; TERM=dumb does the same.")
@options.data
def join(
    *,
    connection: Connection,
    nick: str | None,
    device: str | None,
    rooms: tuple[str, ...],
    plain: bool,
    data: Path,
) -> int:
    """Talk at a prompt. /help shows its commands, and `exit` leaves.

    BROKER is what --broker takes. With a link, its invitation makes you a member, and this device known as yours; from
    then on the broker is called by its host's name, and you need neither the link nor --nick.

    When standard input or output is not a terminal, each line of input is sent, or run as a command if it begins with a
    slash. What is said is printed. After the end of input, zchat leaves once all is acknowledged. When it is
    interrupted, what is not acknowledged is kept, and the next join with the same nick sends it.
    """
    plain = plain or os.environ.get("TERM", "dumb") == "dumb"
    return options.run_async(_join(connection, Who(connection, nick, device), rooms, plain, data))


class Who:
    """Whom a join comes as; and under which name, beside the broker's, its files are."""

    def __init__(self, connection: Connection, nick: str | None, device: str | None) -> None:
        self.nick = nick
        self.device = (device or addresses.host_name()) if connection.address.proves else None
        if connection.address.key:
            self.filed = ""  # one member, whatever its nick is
        else:
            self.filed = nick or ("" if self.device else options.login_nick())

    def tell(self, found: str | None, known_as: str | None) -> None:
        """Say so if the broker knows us by another nick than was asked for, or would without it."""
        if known_as:
            _print_aside(
                f"zchat: {escape_controls(found or '')} is a guest. You are known here as {escape_controls(known_as)}: "
                "join without --nick, or under that nick; then /nick changes it."
            )
            return
        if self.nick and found and found != self.nick:
            _print_aside(f"zchat: you are {escape_controls(found)} here; /nick changes it.")


async def _join(connection: Connection, who: Who, rooms: tuple[str, ...], plain: bool, data: Path) -> int:
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    async with _told_if_slow(_place(connection.broker) if terminal else ""):
        markers = read_markers.path(data, connection.address.id, who.filed)
        read = read_markers.load(markers) if terminal else ReadMarkers()
        client = await _connect(connection, who, data / "outbox", read)
    try:
        who.tell(client.nick, client.welcome.known_as if client.welcome else None)
        rooms = tuple(dict.fromkeys((*(client.welcome.rooms if client.welcome else ()), *rooms)))  # as one was invited
        if terminal and not plain:
            await _at_prompt(client, _place(connection.broker), rooms, data / "typed", markers, read)
            return 0
        chat = await _through_lines(client, _place(connection.broker), rooms, terminal)
    finally:
        await client.close()
    if terminal:
        _tell_kept(chat)
        _take_leave(chat)
    return 1 if chat.refused and not terminal else 0


@contextlib.asynccontextmanager
async def _told_if_slow(place: str) -> AsyncIterator[None]:
    """If it takes a while, tell the person at the terminal what is being waited for."""
    broker = f"the broker on {place}" if place == THIS_MACHINE else place
    telling = asyncio.get_running_loop().call_later(SLOW, _print_aside, f"Connecting to {broker} …") if place else None
    try:
        yield
    finally:
        if telling is not None:
            telling.cancel()


async def _connect(connection: Connection, who: Who, folder: Path, read: ReadMarkers) -> ChatClient:
    """Return a connected client with an outbox that nobody else uses.

    A broker that is there and can store nothing lets nobody in: it, and the others that are known, are asked again.
    """
    clock = asyncio.get_running_loop().time
    ends, told = clock() + LET_IN, False
    while True:
        kept = outbox.choose(folder, connection.address.id, who.filed)
        client = connection.speaker(who.nick, who.device, outbox=kept, epochs=read.epochs, through=read.through)
        try:
            return await client.__aenter__()
        except InUseError:  # another join was faster: the next one is ours
            await asyncio.sleep(0)
        except (RefusedError, TimedOutError) as error:
            if (isinstance(error, RefusedError) and error.code != "unavailable") or clock() > ends:
                raise
            if not told:
                _print_aside(f"zchat: {escape_controls(str(error))}\nWaiting to be let in; Ctrl-C gives up.")
            told = True


async def _at_prompt(
    client: ChatClient, broker: str, rooms: tuple[str, ...], typed: Path, markers: Path, read: ReadMarkers
) -> None:
    from zchat.prompt import terminal  # noqa: PLC0415 — a pipe needs no line editor
    from zchat.prompt.editor import Editor  # noqa: PLC0415
    from zchat.prompt.view import TerminalView  # noqa: PLC0415

    preferences_file = preferences.default_path()
    wanted, fault = preferences.load(preferences_file)
    style = render.Style(render.use_colour(True, os.environ.get("NO_COLOR")), lock=render.LOCK, signs=True)
    output, asker = Output(_print_wrapped, _print_wrapped, style, wanted), Asker(client)
    read = read.follow(client.welcome.log if client.welcome else "", client.epochs, client.shared)
    view = TerminalView(client, output, asker, Targets(read.cursors))
    chat = Chat(client, output, asker, view, preferences_file)
    editor = Editor(chat, view, broker, typed)
    output.show = output.tell = editor.show
    output.bell, output.notify, output.clear = editor.bell, editor.notify, editor.clear
    output.begin = editor.begin
    view.on_turn = editor.turned
    _greet(chat, broker)
    if fault:
        chat.tell(escape_controls(fault))

    def keep_markers() -> None:
        nonlocal read
        # It may be another log by now, or another history of it.
        now = ReadMarkers(log=view.log, cursors=view.targets.seen(), epochs=view.epochs)
        if now != read:
            with contextlib.suppress(OSError):  # then the next run shows more as new: no reason to fail
                read_markers.save(markers, now)
                read = now

    try:
        await terminal.talk(editor, rooms, keep_markers)
    finally:
        keep_markers()
        output.show = output.tell = _print_wrapped
        await client.close()
        _tell_kept(chat)
    _take_leave(chat)


async def _through_lines(client: ChatClient, broker: str, rooms: tuple[str, ...], terminal: bool) -> Chat:
    """Talk line by line: through a pipe, or at a plain terminal."""
    output, preferences_file = Output(_print, _print if terminal else _print_aside, render.Style()), None
    if terminal:
        preferences_file = preferences.default_path()
        output.preferences = preferences.load(preferences_file)[0]
    asker = Asker(client)
    chat = Chat(client, output, asker, PlainView(client, output, asker), preferences_file)
    if terminal:
        _greet(chat, broker)
    for room in reversed(rooms):
        await chat.enter(room)

    async def texts() -> AsyncIterator[str]:
        async for line in lines(sys.stdin.fileno()):
            if line.fault:
                chat.refused += 1
                chat.tell(f"zchat: line {line.number}: not sent: {line.fault}")
            else:
                yield line.text

    await converse(chat, texts(), None)
    return chat


def _place(broker: str) -> str:
    """Return where a broker is, for people: the path of a socket file tells them nothing."""
    return THIS_MACHINE if broker.startswith("ipc://") else broker


def _greet(chat: Chat, broker: str) -> None:
    nick = escape_controls(chat.client.nick or "")
    role = f" ({escape_controls(chat.client.role)})" if chat.style.roles else ""
    where = f"on {broker}" if broker == THIS_MACHINE else f"at {broker}"
    chat.tell(chat.style.strong(f"zchat {__version__}: you are {nick}{role}, {where}."))
    chat.tell("Type to talk; /help shows the commands. exit, /exit or Ctrl-D leaves.")


def _tell_kept(chat: Chat) -> None:
    if waiting := chat.client.unanswered:
        chat.tell(
            f"{waiting} of your messages did not reach the broker yet. When you join again, zchat sends what it kept."
        )


def _take_leave(chat: Chat) -> None:
    chat.tell(f"Goodbye, {escape_controls(chat.client.nick or '')}.")


def _print_wrapped(text: str) -> None:
    columns = shutil.get_terminal_size().columns
    _print("\n".join(render.wrap(line, columns) for line in text.split("\n")))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _print_aside(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
