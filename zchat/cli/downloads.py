"""The files of messages that are exported, in a folder: each once, under its hash and what is harmless of its name."""

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote

import click

from zchat import escapes, files
from zchat.errors import FolderError, RefusedError
from zchat.protocol import messages as m

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

PATIENCE = 120.0  # s for an answer: the broker may be started again meanwhile
NAME_KEPT = 80  # characters of a name
_UNSAFE = re.compile(r"[^\w.-]+")


class Downloads:
    """Files in `folder`; `there` has links to them from a page in the folder `beside`, by their SHA-256."""

    def __init__(self, folder: Path, beside: Path) -> None:
        self._folder, self._beside = folder, beside
        self.there: dict[str, str] = {}
        self._missing: set[str] = set()

    async def fetch(self, client: "ChatClient", one: m.Attachment) -> None:
        """Fetch a file, if it is not there; it may be gone with a message that was deleted. Raises FolderError."""
        if one.file in self.there or one.file in self._missing:
            return
        path = self._folder / f"{one.file[:12]}-{_UNSAFE.sub('_', one.name)[-NAME_KEPT:]}"
        aside = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            if self._is_there(path):
                self._note(one, path)
                return
            with files.new(aside) as file:
                whole = await _download(client, one, file)
            if whole:
                aside.replace(path)
                self._note(one, path)
            else:
                self._missing.add(one.file)
        except OSError as error:
            raise FolderError(self._folder, error, "--files") from error
        finally:
            aside.unlink(missing_ok=True)

    def _is_there(self, path: Path) -> bool:
        files.folder(self._folder)
        return path.exists()

    def _note(self, one: m.Attachment, path: Path) -> None:
        self.there[one.file] = quote(os.path.relpath(path, self._beside))


async def _download(client: "ChatClient", one: m.Attachment, file: BinaryIO) -> bool:
    """Write a file; return whether that is all of it, and what its hash says."""
    hash_, done = hashlib.sha256(), 0
    try:
        while done < one.size:
            part = cast("m.FilePart", await client.ask(m.Get(file=one.file, offset=done), PATIENCE))
            if not part.data:
                break
            file.write(part.data)
            hash_.update(part.data)
            done += len(part.data)
    except RefusedError as error:
        click.echo(f"zchat: {escapes.escape_controls(one.name)} is not to be had: {error}", err=True)
        return False
    return hash_.hexdigest() == one.file
