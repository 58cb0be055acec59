"""Files on the command line: what `send --file` uploads, and `zchat get`.

A bar is drawn on a terminal only. The timeout is about one thing: while a part is due, the next one has to come in
time.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zchat import files
from zchat.errors import LocalFileError, RefusedError, TimedOutError
from zchat.escapes import escape_controls
from zchat.prompt import arguments
from zchat.protocol import messages as m

from . import options
from .options import Connection, option
from .speaking import coming, whose

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

T = TypeVar("T")
LABEL = 30  # characters of a name beside a bar
STDOUT = Path("-")


@click.command(
    epilog="""
\b
Examples:
  zchat get 1042                      save the files of message 1042 of the room general here
  zchat get 1042 -r dev -o report.pdf
  zchat get 1042 -o - | tar tz        a single file, to standard output
"""
)
@options.connects()
@options.room("The room of the message.")
@option("--to", callback=arguments.check_nick, metavar="NICK", help="The person with whom it was said, instead.")
@option("--nick", callback=arguments.check_nick, metavar="NICK", help="Who you are, if you are no member.")
@option(
    "-o", "--output", type=click.Path(), metavar="PATH",
    help="Where to save it: a folder, or the file. - is standard output. [default: here, by its name]",
)  # fmt: skip
@option("--force", is_flag=True, help="Overwrite what is there.")
@options.data
@click.argument("number", type=arguments.Whole(1, m.SEQ_MAX), metavar="NUMBER")
@click.pass_context
def get(
    ctx: click.Context, *, connection: Connection, room: str, to: str | None, nick: str | None, output: str | None,
    force: bool, data: Path, number: int,
) -> None:  # fmt: skip
    """Save the files of the message NUMBER.

    A file has its name only once all of it is there and its hash is right. What breaks off goes on from there the next
    time. The name is the one that the message gives it, without folders; nothing is opened or run, and nothing is
    overwritten without --force.
    """
    nick = whose(ctx, connection, to, nick)
    options.run_async(_get(connection, None if to else room, to, coming(connection, nick, data), output, force, number))


async def _get(
    connection: Connection, room: str | None, to: str | None, come: Callable[[], Coroutine[Any, Any, "ChatClient"]],
    output: str | None, force: bool, number: int,
) -> None:  # fmt: skip
    client = await come()
    try:
        await _save_all(client, connection.timeout, await _carried(client, room, to, number), output, force)
    finally:
        await client.close()


async def _carried(client: "ChatClient", room: str | None, to: str | None, number: int) -> tuple[m.Attachment, ...]:
    """Return the files of a message. Raises RefusedError."""
    page = await client.history(room=room, to=to, after=number - 1, limit=1)
    found = next((each for each in page.events if getattr(each, "seq", 0) == number), None)
    where = f"#{room}" if room else f"what was said with {to}"
    if found is None:
        raise RefusedError("bad_target", f"there is no message {number} in {where}")
    carried: tuple[m.Attachment, ...] = getattr(found, "files", ())
    if not carried:
        raise RefusedError("bad_target", f"message {number} in {where} carries no files")
    return carried


async def _save_all(
    client: "ChatClient", timeout: float, carried: tuple[m.Attachment, ...], output: str | None, force: bool  # noqa: ASYNC109
) -> None:  # fmt: skip
    try:
        place = None if output is None else files.meant(output)
    except OSError as error:
        raise LocalFileError(Path(output or "."), error) from error
    if len(carried) > 1 and place is not None and not place.is_dir():
        raise click.UsageError(f"The message carries {len(carried)} files: give a folder with -o.")
    from zchat.client.files import apart  # noqa: PLC0415 — it is not needed for --help

    saving = [(one, _target(one, place)) for one in apart(carried)]
    if place != STDOUT and not force:
        _refuse_to_overwrite(target for _, target in saving)
    for one, target in saving:
        await (_write_out(client, timeout, one) if place == STDOUT else _save(client, timeout, one, target, force))


def _refuse_to_overwrite(targets: Iterable[Path]) -> None:
    """Save all of them or none. Raises LocalFileError."""
    for target in targets:
        if os.path.lexists(target):
            raise LocalFileError(target, "it is there already: name another place with -o, or say --force")


def _target(one: m.Attachment, output: Path | None) -> Path:
    return (output or Path()) / one.name if output is None or output.is_dir() else output


async def _save(
    client: "ChatClient", timeout: float, one: m.Attachment, target: Path, force: bool  # noqa: ASYNC109
) -> None:  # fmt: skip
    def download(tell: Callable[[int, int], None]) -> Coroutine[Any, Any, Path]:
        return client.files.download(one, target, tell, overwrite=force)

    saved = await within(timeout, download, one.name)
    click.echo(escape_controls(str(saved)))


async def _write_out(client: "ChatClient", timeout: float, one: m.Attachment) -> None:  # noqa: ASYNC109
    """Write a file to standard output, once all of it is here and is right."""
    import tempfile  # noqa: PLC0415 — for this one purpose

    with tempfile.TemporaryDirectory(prefix="zchat-get-") as folder:
        path = Path(folder) / "file"
        await within(timeout, lambda tell: client.files.download(one, path, tell), "the file")
        with path.open("rb") as content:
            while data := content.read(1024 * 1024):
                sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


async def upload(client: "ChatClient", timeout: float, paths: tuple[Path, ...]) -> tuple[m.Attachment, ...]:  # noqa: ASYNC109
    """Upload files, one after the other."""

    def uploading(path: Path) -> Callable[[Callable[[int, int], None]], Coroutine[Any, Any, m.Attachment]]:
        return lambda tell: client.files.upload(path, tell)

    return tuple([await within(timeout, uploading(path), path.name) for path in paths])


async def within(
    timeout: float, work: Callable[[Callable[[int, int], None]], Coroutine[Any, Any, T]], name: str  # noqa: ASYNC109
) -> T:  # fmt: skip
    """Move a file, with a bar on a terminal. Raises TimedOutError if nothing of it moves for so many seconds."""
    clock = asyncio.get_running_loop().time
    shown = escape_controls(name if len(name) <= LABEL else name[: LABEL - 1] + "…")
    hidden = not sys.stderr.isatty()
    try:
        async with asyncio.timeout(timeout) as limit:
            with click.progressbar(length=1, label=shown, file=sys.stderr, hidden=hidden) as bar:

                def tell(done: int, size: int) -> None:
                    limit.reschedule(clock() + timeout)
                    bar.length = max(size, 1)
                    bar.update((done if size else 1) - bar.pos)

                return await work(tell)
    except TimeoutError:
        what = f"nothing of {name} could be sent or had; what was is kept, so try again"
        raise TimedOutError(what, timeout) from None
