"""`zchat backup`: copy the log while the broker runs."""

import sys
from pathlib import Path

import click

from . import options


@click.command(
    epilog="""
\b
Examples:
  zchat backup zchat-$(date +%F).db
  mkdir restored; zchat backup restored/log.db; zchat broker --data restored
"""
)
@options.data
@click.argument("file", type=click.Path(path_type=Path))
def backup(*, data: Path, file: Path) -> None:
    """Write a copy of the broker's log to FILE.

    FILE must not exist yet. The broker may run meanwhile. The copy is complete: it has everything that was acknowledged
    before it began.
    """
    from zchat.broker import store  # noqa: PLC0415 — only this command and the broker need SQLite

    if file.exists():
        raise click.BadParameter(f"{file} exists already: choose another name, or move it away.", param_hint="FILE")
    with click.progressbar(length=1, label="Copying the log", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        store.backup(data, file, progress)
    click.echo(f"zchat: the log is copied to {file}", err=True)
