"""`chat.files` of a SyncClient: each call waits until it is done.

The methods do what those of the same name do in `files.py`, with the same parameters and errors. `progress` is called
in the client's own thread.
"""

import os
from pathlib import Path

from zchat.protocol import messages as m

from .files import Files, Progress
from .sync_administration import Wait


class SyncFiles:
    """The files of messages. See `Files`."""

    def __init__(self, files: Files, wait: Wait) -> None:
        self._files, self._wait = files, wait

    def upload(self, path: str | os.PathLike[str], progress: Progress | None = None) -> m.Attachment:
        """Upload a file; return what a message says of it, for `say(files=[…])`."""
        return self._wait(self._files.upload(path, progress))

    def download(
        self,
        attachment: m.Attachment | str,
        path: str | os.PathLike[str],
        progress: Progress | None = None,
        *,
        overwrite: bool = False,
    ) -> Path:
        """Download a file of a message, or the one with this id; return where it is."""
        return self._wait(self._files.download(attachment, path, progress, overwrite=overwrite))
