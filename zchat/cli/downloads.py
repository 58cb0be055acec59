"""The files of messages that are exported, in a folder: each once, behind the beginning of its hash."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from zchat import files
from zchat.errors import DamagedFileError, FolderError, RefusedError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

HASH_SHOWN = 12  # characters of the hash: two files may have the same name


class Downloads:
    """Files in `folder`; `there` has links to them from a page in the folder `beside`, by their SHA-256."""

    def __init__(self, folder: Path, beside: Path) -> None:
        self._folder, self._beside = folder, beside
        self.there: dict[str, str] = {}
        self._missing: set[str] = set()

    async def fetch(self, client: "ChatClient", one: m.Attachment) -> None:
        """Fetch a file, if it is not there; it may be gone with a message that was deleted. Raises StorageError."""
        from zchat.client.files import harmless  # noqa: PLC0415 — it is not needed for --help

        if one.file in self.there or one.file in self._missing:
            return
        path = self._folder / f"{one.file[:HASH_SHOWN]}-{harmless(one.name)}"
        try:
            if not self._is_there(path):
                await client.files.download(one, path)
        except (RefusedError, DamagedFileError) as error:
            self._missing.add(one.file)
            click.echo(f"zchat: {escape_controls(one.name)} is not to be had: {escape_controls(str(error))}", err=True)
            return
        self.there[one.file] = self._link(path)

    def _link(self, path: Path) -> str:
        return quote(os.path.relpath(path, self._beside))

    def _is_there(self, path: Path) -> bool:
        try:
            files.folder(self._folder)
            return path.exists()
        except OSError as error:
            raise FolderError(self._folder, error, "--files") from error
