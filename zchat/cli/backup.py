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
  mkdir restored; zchat backup restored/log.db; mv restored/log.db-files restored/files; zchat broker --data restored
"""
)
@options.data
@options.option("--with-key", is_flag=True, help="Copy the broker's secret key, too: to broker.key, beside FILE.")
@click.argument("file", type=click.Path(path_type=Path))
def backup(*, data: Path, with_key: bool, file: Path) -> None:
    """Write a copy of the log to FILE, and its files to FILE-files.

    Its files are those of its messages; FILE-files is a folder.

    FILE must not exist yet. The broker may run meanwhile. The copy is complete: it has everything that was acknowledged
    before it began.

    Whoever has the broker's key can pass for it. It is copied only with --with-key; a broker without it is another one
    for all who know it.
    """
    from zchat.broker import keys, store  # noqa: PLC0415 — only this command and the broker need SQLite

    key_file = file.with_name(keys.KEY_FILE)
    if with_key and key_file.exists():
        raise click.BadParameter(f"{key_file} exists already: move it away.", param_hint="FILE")
    if file.exists():
        raise click.BadParameter(f"{file} exists already: choose another name, or move it away.", param_hint="FILE")
    folder = file.with_name(file.name + "-files")
    if folder.exists():
        raise click.BadParameter(f"{folder} exists already: move it away.", param_hint="FILE")
    if with_key:
        keys.copy(data, key_file)
    with click.progressbar(length=1, label="Copying the log", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        store.backup(data, file, progress)
    _copy_files(data, file, folder)
    key_too = f", and the broker's secret key to {key_file}: who has it can pass for the broker" if with_key else ""
    click.echo(f"zchat: the log is copied to {file}{key_too}", err=True)


def _copy_files(data: Path, log: Path, folder: Path) -> None:
    """Copy the files of the messages of a copied log."""
    from zchat.broker import files, store  # noqa: PLC0415 — as above

    wanted = store.files_in(log)
    if not wanted:
        return
    with click.progressbar(length=len(wanted), label="Copying the files", file=sys.stderr) as bar:
        missing = files.copy(data / files.FOLDER, folder, wanted, lambda done: bar.update(done - bar.pos))
    lost = f" ({missing} of them are missing in {data / files.FOLDER})" if missing else ""
    click.echo(f"zchat: {len(wanted) - missing} files of its messages are in {folder}{lost}", err=True)
