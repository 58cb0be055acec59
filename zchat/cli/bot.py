"""`zchat bot`: run the bot in a file, and write the file to begin with.

A file may end with `bot.run()`: while it is loaded here that does nothing, so the same file is a program and a module.
With --reload this process only watches, and the bot runs in a process of its own: Python cannot forget a module it has
imported. When the file changes the bot is asked to stop (it finishes what it is at) and started anew; since a bot takes
up where it ended, no message falls between the two.
"""

import importlib.util
import keyword
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from zchat import logs
from zchat.errors import ZchatError
from zchat.prompt import arguments

from . import options
from .options import Connection, option

if TYPE_CHECKING:
    from zchat.bots.bot import Bot

TAKEN = sys.stdlib_module_names | {"zchat", "pytest"}  # a file of this name beside it would be imported instead
LOOK = 0.25  # seconds between two looks at the files
PATIENCE = 10.0  # seconds for a bot to stop before it is killed

BOT = '''"""{name}: a bot for zchat. Run it with `zchat bot run {file}.py`, or `python {file}.py`."""

import random

from zchat import Bot

bot = Bot("{name}", rooms=["general"])


@bot.command()
async def roll(ctx, sides: int = 6):
    """Roll a die."""
    return f"{{random.randint(1, sides)}}"  # a returned text is a reply to the message


@bot.on_message(r"(?i)^(?:hi|hello),? {name}")
async def greet(ctx):
    ctx.once()  # what is stored and said takes effect exactly once, even if the bot is killed
    times = ctx.store.get(ctx.nick, 0) + 1
    ctx.store[ctx.nick] = times
    await ctx.say(f"Hello {{ctx.nick}}, for the {{times}}. time.")


if __name__ == "__main__":
    bot.run()
'''

TEST = '''"""Run with `pytest`: the broker is real and in memory, and `chat` comes with zchat (zchat.testing)."""

from {file} import bot


async def test_it_rolls_a_die(chat):
    {file} = await chat.bot(bot)
    alice = await chat.person("alice")
    await alice.says("!roll 20")
    await {file}.replied(r"^\\d+$")
    await alice.says("!roll many")
    await alice.heard("Usage: !roll")


async def test_it_counts_greetings(chat):
    {file} = await chat.bot(bot)
    alice = await chat.person("alice")
    for times in (1, 2):
        await alice.says("Hello {name}")
        await {file}.replied(f"for the {{times}}. time")
    await alice.says("Hello everybody else")
    await {file}.stayed_silent()
'''


class BotFileError(ZchatError):
    """A file that holds no bot, or cannot be loaded."""

    exit_code = 2


@click.group(
    epilog="""
\b
Examples:
  zchat bot new dicebot           write dicebot.py and test_dicebot.py
  zchat bot run dicebot.py --reload
"""
)
def bot() -> None:
    """Run a bot, or begin a new one."""


@bot.command(
    epilog="""
\b
Examples:
  zchat bot run dicebot.py
  zchat bot run dicebot.py --room dev --reload
  zchat bot run dicebot.py --invite zchat://chat.example.org/KEY/CODE      once, to become a member
"""
)
@options.connects(feed=True, resolved=False)
@option("--invite", metavar="LINK", help="The link that makes it a member; needed once, it has a key of its own.")
@option("--nick", callback=arguments.check_nick, metavar="NICK", help="The bot's nick. [default: what the file says]")
@click.option(
    "-r", "--room", "rooms", multiple=True, callback=arguments.check_room, metavar="ROOM", help="Its rooms, instead."
)
@options.data
@click.option("--reload", is_flag=True, help="Start it anew whenever a .py file beside it changes.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_context
def run(
    ctx: click.Context,
    *,
    connection: Connection,
    invite: str | None,
    nick: str | None,
    rooms: tuple[str, ...],
    data: Path,
    reload: bool,
    file: Path,
) -> None:
    """Run the Bot in FILE until Ctrl-C or SIGTERM, which lets it finish what it is at.

    What FILE says counts, unless the command line says otherwise; the environment fills in what neither says. A bot
    that was invited goes back to that broker in every later run, unless FILE names one.
    """
    if invite and ctx.get_parameter_source("broker") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--invite and --broker exclude each other: the link says where the broker is.")
    if reload:
        _watch(file)
        return
    found = load(file)
    given = {"broker": connection.given, "feed": connection.feed, "timeout": connection.timeout, "data": data}
    for name, value in given.items():
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            setattr(found, name, value)
    if nick is not None and ctx.get_parameter_source("nick") is ParameterSource.COMMANDLINE:
        found.name = nick
    found.broker = invite or found.broker
    found.close()  # should the file have looked into the store: now it may be elsewhere
    found.rooms = rooms or found.rooms
    written = logs.file() or "what is shown here"
    where = f"in {', '.join(found.rooms)} at {found.address.shown}"
    click.echo(f"zchat: {found.name} runs {where}; its log: {written}", err=True)
    found.run()


@bot.command(
    epilog="""
\b
Example:
  zchat bot new dicebot --in bots
"""
)
@click.argument("name", callback=arguments.check_nick)
@click.option("--in", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to.")
def new(*, name: str, folder: Path) -> None:
    """Write NAME.py, a bot to begin with, and test_NAME.py, its test; neither may exist yet."""
    stem = re.sub(r"\W", "_", name)
    if not stem.isidentifier() or keyword.iskeyword(stem) or stem in TAKEN:
        stem = f"bot_{stem}"
    files = {folder / f"{stem}.py": BOT, folder / f"test_{stem}.py": TEST}
    for path in files:
        if path.exists():
            raise click.BadParameter(f"{path} exists already: choose another name, or move it away.", param_hint="NAME")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text.format(name=name, file=stem))
        click.echo(path)
    click.echo(
        f"zchat: now: zchat bot run {folder / stem}.py, and to test it: pytest {folder / f'test_{stem}.py'}", err=True
    )


def load(file: Path) -> "Bot":
    """Import `file` and return its bot. Raises BotFileError."""
    from zchat.bots.bot import Bot  # noqa: PLC0415 — `--help` needs no bot

    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise BotFileError(f"{file} is no Python file: its name has to end with .py.")
    sys.path.insert(0, str(file.parent.resolve()))
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        with Bot.loading():
            spec.loader.exec_module(module)
    except ZchatError:
        raise
    except (Exception, SystemExit) as error:  # it is not our code that failed
        click.echo("".join(traceback.format_exception(error.with_traceback(_from(file, error)))), nl=False, err=True)
        raise BotFileError(f"{file} cannot be loaded: see above.") from error
    found = {id(value): value for value in vars(module).values() if isinstance(value, Bot)}
    if len(found) != 1:
        raise BotFileError(f"{file} holds {len(found)} bots: it should have one, made at its top level by Bot(…).")
    return next(iter(found.values()))


def _from(file: Path, error: BaseException) -> TracebackType | None:
    """Return the traceback of an error from where it enters `file`: what lies before is ours and Python's."""
    trace = error.__traceback__
    while trace is not None and Path(trace.tb_frame.f_code.co_filename).absolute() != file.absolute():
        trace = trace.tb_next
    return trace


def _watch(file: Path) -> None:
    """Run the same command without --reload in a process of its own, again and again."""
    command = [sys.executable, "-m", "zchat", *(arg for arg in sys.argv[1:] if arg != "--reload")]
    ended = threading.Event()
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the bot has a session of its own, and would live on
        signal.signal(how, lambda *_: ended.set())
    states = _states(file.parent)
    now = next(states)
    while not ended.is_set():
        child = subprocess.Popen(command, start_new_session=True)  # noqa: S603 — our own command line
        try:
            while not ended.wait(LOOK) and (state := next(states)) == now:
                pass
        finally:
            _stop(child)
        if not ended.is_set():
            now = state
            click.echo(f"zchat: {file} has changed: starting anew", err=True)


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _states(folder: Path) -> Iterator[dict[Path, int]]:
    """Yield, at each look, when each Python file of a folder was last changed."""
    while True:
        found = {}
        for path in folder.glob("*.py"):
            try:
                found[path] = path.stat().st_mtime_ns
            except FileNotFoundError:  # an editor puts a new one in its place
                continue
        yield found
