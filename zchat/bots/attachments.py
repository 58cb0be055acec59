"""The files of a message, as a handler sees them: `ctx.files`."""

import os
from collections.abc import Iterable
from pathlib import Path

from zchat.client.files import Files, harmless
from zchat.protocol import messages as m


class AttachedFile:
    """A file that a message carries. Its `name` leads into no other folder.

    `type`, and the `width` and `height` of an image, are what its sender says.
    """

    def __init__(self, attachment: m.Attachment, files: Files) -> None:
        self.attachment, self._files = attachment, files
        self.name, self.size, self.type = harmless(attachment.name), attachment.size, attachment.type
        self.width, self.height = attachment.width, attachment.height

    async def download(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Save it in a folder, or as this file; return where it is. Nothing of it is opened or run.

        Raises LocalFileError, DamagedFileError, RefusedError.
        """
        return await self._files.download(self.attachment, path, overwrite=overwrite)


async def upload(files: Files, paths: Iterable[str | os.PathLike[str] | m.Attachment]) -> tuple[m.Attachment, ...]:
    """Upload files; what is uploaded already stays as it is. Raises LocalFileError, RefusedError."""
    return tuple([each if isinstance(each, m.Attachment) else await files.upload(each) for each in paths])
